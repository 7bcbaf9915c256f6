"""A kernel under construction: ONNX values by name, each a tensor of the kernel or a constant array.

Shapes are numbers. A definition is written by a function that gets the names of the indices and gives the right side.
"""

import ml_dtypes
import numpy as np

# Element types of the language by numpy type.
ELEMS = {
    np.dtype(np.float32): "f32",
    np.dtype(np.float16): "f16",
    np.dtype(ml_dtypes.bfloat16): "bf16",
    np.dtype(np.int32): "i32",
    np.dtype(np.int16): "i16",
    np.dtype(np.int8): "i8",
    np.dtype(np.uint8): "u8",
    np.dtype(np.bool_): "bool",
}
DTYPES = {name: dtype for dtype, name in ELEMS.items()}


class Unsupported(Exception):
    """Why a case cannot be a kernel."""


class Value:
    """A tensor of the kernel, or a constant that no tensor holds yet."""

    def __init__(self, name, elem, shape, data=None):
        self.name, self.elem, self.shape, self.data = name, elem, list(shape), data

    @property
    def rank(self):
        return len(self.shape)

    @property
    def floating(self):
        return self.elem in ("f32", "f16", "bf16")

    def at(self, places, border=None):
        """An access; `places` are index expressions."""
        text = self.name + (f"[{', '.join(str(p) for p in places)}]" if places else "")
        return f"({text} else {border})" if border is not None else text


def elem_of(dtype):
    """The element type for arrays of a type; int64 is held as i32 where its values fit, float64 as f32."""
    dtype = np.dtype(dtype)
    if dtype == np.int64:
        return "i32"
    if dtype == np.float64:
        return "f32"
    if dtype in ELEMS:
        return ELEMS[dtype]
    raise Unsupported(f"type {dtype}")


def narrow(array):
    """An array in a type of the language."""
    if array.dtype == np.int64:
        if array.size and (array.max() > 2**31 - 1 or array.min() < -(2**31)):
            raise Unsupported("int64 values beyond 32 bits")
        return array.astype(np.int32)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def literal(number, elem):
    """A number as a literal of a type."""
    if elem == "bool":
        return "true" if number else "false"
    if elem not in ("f32", "f16", "bf16"):
        return f"({int(number)})" if number < 0 else str(int(number))
    number = float(number)
    if np.isnan(number):
        return "nan"
    if np.isinf(number):
        return "inf" if number > 0 else "(-inf)"
    # The shortest decimal that is the same f32: the language has no exponent without a point or `e`.
    text = np.format_float_positional(np.float32(number), unique=True, trim="0")
    if len(text) > 24:
        text = np.format_float_scientific(np.float32(number), unique=True, trim="0")
    return f"({text})" if number < 0 else text


class Kernel:
    """Parameters, statements and results."""

    def __init__(self):
        self.params, self.results, self.lines, self.functions = [], [], [], {}
        self.arguments = {}
        self.count = 0

    def fresh(self, letter):
        self.count += 1
        return f"{letter}{self.count}"

    def param(self, array, name=None):
        """A new parameter that holds an array."""
        array = narrow(np.asarray(array))
        if array.size == 0:
            raise Unsupported("empty tensor")
        value = Value(name or self.fresh("a"), elem_of(array.dtype), array.shape)
        self.params.append(value)
        self.arguments[value.name] = array
        return value

    def tensor(self, value):
        """A value as a tensor: constants become parameters."""
        if value.name is None and value.data is None:
            raise Unsupported("empty tensor")
        if value.name is None:
            made = self.param(value.data)
            value.name, value.elem = made.name, made.elem
        return value

    def define(self, shape, elem, write, name=None):
        """A new tensor, element by element: `write` gets the names of the indices."""
        if any(extent == 0 for extent in shape):
            raise Unsupported("empty tensor")
        value = Value(name or self.fresh("t"), elem, shape)
        indices = [f"i{d}" for d in range(len(shape))]
        left = ", ".join(f"{i}: {extent}" for i, extent in zip(indices, shape))
        left = f"[{left}]" if shape else ""
        self.lines.append(f"    let {value.name}{left}: {elem} = {write(*indices)};")
        return value

    def function(self, name, text):
        """A function of the file."""
        self.functions[name] = text
        return name

    def result(self, value):
        """Makes a result of a tensor."""
        self.tensor(value)
        made = Value(f"y{len(self.results)}", value.elem, value.shape)
        self.results.append(made)
        indices = [f"i{d}" for d in range(value.rank)]
        left = f"[{', '.join(indices)}]" if indices else ""
        self.lines.append(f"    {made.name}{left} = {value.at(indices)};")
        return made

    def text(self, comment):
        def declared(values):
            shapes = [f"[{', '.join(map(str, v.shape))}]" if v.shape else "" for v in values]
            return ", ".join(f"{v.name}: {v.elem}{shape}" for v, shape in zip(values, shapes))

        head = f"// {comment}\n\n"
        functions = "".join(text + "\n" for text in self.functions.values())
        signature = f"pub kernel node({declared(self.params)}) -> ({declared(self.results)}) {{"
        return head + functions + "\n".join([signature, *self.lines, "}"]) + "\n"


def broadcast(shape, value):
    """Places of a value that is broadcast to a shape: a function of the shape's indices."""
    skip = len(shape) - value.rank

    def places(*indices):
        return [0 if extent == 1 and shape[skip + d] != 1 else indices[skip + d] for d, extent in enumerate(value.shape)]

    return places


def flat(shape, indices):
    """The row-major number of an element."""
    text = "0"
    for extent, index in zip(shape, indices):
        if extent == 1 and index != "0":
            index = "0"
        text = index if text == "0" else (f"({text})*{extent}" if index == "0" else f"({text})*{extent} + {index}")
    return text


def unflat(number, shape):
    """Coordinates of a row-major number: each provably inside."""
    places, stride = [], 1
    for extent in reversed(shape):
        if extent == 1:
            places.append("0")
        else:
            text = number if stride == 1 else f"({number}) / {stride}"
            places.append(f"({text}) % {extent}")
        stride *= extent
    return places[::-1]
