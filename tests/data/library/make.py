"""Makes the files of this folder: what kernels of the library must compute, from numpy in float64 alone.

    python make.py            writes all files
    python make.py KERNEL …   writes those

`KERNEL.txt` belongs to `stdlib/kernels/KERNEL.vn`: cases, each with sizes, how its arguments are drawn, and some elements of
each result with how near they must be. The formulas stand in `vector.py` and `matrix.py`; none calls our code. Drawing is
written again in `tests/harness/library.rs`. Needs numpy and ml_dtypes.
"""

import inspect
import sys
from dataclasses import dataclass, field
from pathlib import Path

import ml_dtypes
import numpy as np

np.seterr(all="ignore")
TYPES = {
    "f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "i32": np.int32, "i16": np.int16,
    "i8": np.int8, "u8": np.uint8, "i4": np.int8, "bool": np.bool_,
}
SAMPLES = 48
KERNELS = {}


# ------------------------------------------------------------------------------------------------ drawing

def mixed(key, count):
    """`count` numbers of splitmix64 from `key` on."""
    z = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def key_of(name):
    """FNV-1a in 64 bits."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001B3 % 2**64
    return key


@dataclass
class Argument:
    """A tensor and how it is drawn: `floats` in [low, high), `ints` from low to high, `ramp` low, low + high, …"""

    elem: str
    shape: tuple
    how: str
    low: float
    high: float

    def draw(self, name):
        count = int(np.prod(self.shape, dtype=np.int64))
        if self.how == "ramp":
            flat = (self.low + self.high * np.arange(count)).astype(TYPES[self.elem])
        elif self.how == "ints":
            span = np.uint64(int(self.high) - int(self.low) + 1)
            drawn = ((mixed(key_of(name), count) >> np.uint64(8)) % span).astype(np.int64)
            flat = (drawn + int(self.low)).astype(TYPES[self.elem])
        else:
            unit = (mixed(key_of(name), count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
            flat = (self.low + (self.high - self.low) * unit).astype(np.float32).astype(TYPES[self.elem])
        return flat.reshape(self.shape)


def floats(elem, *shape, low=-1.0, high=1.0):
    """Uniform in [low, high), rounded to f32 and then to the type."""
    return Argument(elem, shape, "floats", float(low), float(high))


def ints(elem, *shape, low, high):
    """Whole numbers from low to high."""
    return Argument(elem, shape, "ints", low, high)


def ramp(elem, *shape, start=0, step=1):
    """start, start + step, …"""
    return Argument(elem, shape, "ramp", start, step)


# ------------------------------------------------------------------------------------------------ cases

@dataclass
class Case:
    """Values of sizes and types as on a `//! shape:` line, and the arguments by name."""

    values: str
    arguments: dict
    real: str = ""


def case(values, real="", **arguments):
    """`real` names the model and layer that has these sizes."""
    return Case(values, arguments, real)


def kernel(name, within, *cases):
    """Declares what a kernel must compute. `within` is text such as `1 ulp`, `2 ulp or 1e-6`, `exact`; one for all results or
    a dict by name. The function decorated takes arrays by name (floats as float64, integers as int64) and gives a dict of
    arrays by result."""

    def keep(function):
        KERNELS[name] = (function, within, cases)
        return function

    return keep


def wide(array):
    """An argument as the formulas get it."""
    return array.astype(np.int64 if array.dtype.kind in "iu" else np.bool_ if array.dtype.kind == "b" else np.float64)


def positions(name, count):
    """Which elements are kept: all, or the ends and some between."""
    if count <= SAMPLES:
        return range(count)
    chosen = mixed(key_of("places of " + name), SAMPLES - 2) % np.uint64(count)
    return sorted({0, count - 1, *map(int, chosen)})


def write(name):
    function, within, cases = KERNELS[name]
    lines = ["# By make.py, from numpy in float64: sizes, how arguments are drawn, some elements of each result."]
    for one in cases:
        lines.append(f"\ncase {one.values}" + (f" · {one.real}" if one.real else ""))
        arrays = {}
        for argument, spec in one.arguments.items():
            number = (lambda x: repr(float(x))) if spec.how == "floats" else (lambda x: repr(int(x)))
            lines.append(f"in {argument} {spec.how} {number(spec.low)} {number(spec.high)}")
            arrays[argument] = wide(spec.draw(argument))
        # What no shape tells, such as the step of a window, is a size that the function names.
        named = (word.split("=") for word in one.values.split())
        arrays |= {size: int(value) for size, value in named if size in inspect.signature(function).parameters}
        for result, array in function(**arrays).items():
            array = np.asarray(array)
            flat = array.ravel()
            allowed = within if isinstance(within, str) else within[result]
            lines.append(f"out {result} {flat.size} within {allowed}")
            for at in positions(result, flat.size):
                lines.append(f"{at} {float(flat[at])!r}")
    Path(__file__).with_name(f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.modules["make"] = sys.modules["__main__"]
    import matrix  # noqa: F401
    import vector  # noqa: F401

    for wanted in sys.argv[1:] or KERNELS:
        write(wanted)
