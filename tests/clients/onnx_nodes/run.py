"""Runs the node tests that ship with the package `onnx` as kernels: how many agree, and why the others do not.

    pip install onnx==1.20.1                 (a later one ships no arrays)
    python run.py VINCI [WORD …]             VINCI is the built program; words choose cases by name
    python run.py VINCI --fixtures NAME …    writes these cases into tests/data/onnx

Each case is one operator, or the graph that defines it (`_expanded`), with inputs and outputs. A kernel is generated from
operator, attributes and shapes; what only shapes depend on is folded. It runs at -O1 with every sanitizer and must agree with
the expected outputs within the tolerance of ONNX's own runner: 1e-3 relative, 1e-7 absolute, integers and bool exactly.

QLinearMatMul of int8 differs by design: the operator saturates, and the outputs that 1.20.1 ships were wrapped instead (20 is
-236 + 256, where the operator gives -128; 117 and 120 are -139 and -136). Later versions of the package expect -128.
"""

import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import elementwise
import products
import reduce
import shape
from kernel import Kernel, Unsupported, Value, elem_of, narrow

OPS = elementwise.OPS | reduce.OPS | shape.OPS | products.OPS
CASES = Path(onnx.__file__).parent / "backend/test/data/node"
RELATIVE, ABSOLUTE = 1e-3, 1e-7


class Node:
    """A node with its inputs as values."""

    def __init__(self, proto, values, opset, expected):
        self.proto, self.op, self.opset = proto, proto.op_type, opset
        self.inputs = [values[name] if name else None for name in proto.input]
        self.outputs, self.expected = list(proto.output), expected
        self.attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}

    def attr(self, name, default=...):
        value = self.attributes.get(name, default)
        if value is ...:
            raise Unsupported(f"no attribute {name}")
        return value.decode() if isinstance(value, bytes) else value

    def elem_attr(self, name):
        return elem_of(helper.tensor_dtype_to_np_dtype(self.attr(name)))

    def constant(self, value):
        if value.data is None:
            raise Unsupported("an input that decides the shape is not constant")
        return value.data

    def output_shape(self, number):
        shape = list(self.expected[self.outputs[number]].shape)
        if 0 in shape:
            raise Unsupported("empty tensor")
        return shape

    def output_elem(self, number):
        return elem_of(self.expected[self.outputs[number]].dtype)


def read_array(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def load(case):
    """Model, inputs by name, expected outputs by name."""
    model = onnx.load(case / "model.onnx")
    data = case / "test_data_set_0"
    try:
        inputs = [read_array(data / f"input_{n}.pb") for n in range(len(list(data.glob("input_*.pb"))))]
        outputs = [read_array(data / f"output_{n}.pb") for n in range(len(list(data.glob("output_*.pb"))))]
    except Exception as error:
        raise Unsupported("sequences, optionals or maps") from error
    names = [v.name for v in model.graph.input if v.name]
    return model, dict(zip(names, inputs)), dict(zip([v.name for v in model.graph.output], outputs))


# Inputs that decide shapes, by operator: they are folded although a caller gives them.
STATIC = {"Reshape": [1], "Slice": [1, 2, 3, 4], "Pad": [1, 2, 3], "Tile": [1], "Expand": [1], "TopK": [1], "CumSum": [1],
          "Unsqueeze": [1], "Squeeze": [1], "Split": [1], "OneHot": [1], "Trilu": [1], "Clip": [], "ConstantOfShape": [0],
          "Range": [0, 1, 2], "CenterCropPad": [1]} | {name: [1] for name in reduce.REDUCE}
FOLDED = {"Constant", "ConstantOfShape", "Shape", "Size", "Range", "EyeLike"}


def generate(case):
    """The kernel of a case: its text, arguments, and the expected result of each of its results."""
    model, inputs, outputs = load(case)
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    nodes = list(model.graph.node)
    unknown = [n.op_type for n in nodes if n.op_type not in OPS and n.op_type not in FOLDED]
    if unknown:
        raise Unsupported(f"operator {unknown[0]}")
    for array in [*inputs.values(), *outputs.values()]:
        elem_of(array.dtype)
    known = dict(outputs) if len(nodes) == 1 else intermediates(model, inputs) | outputs
    kernel, values = Kernel(), {}
    static = {n.input[p] for n in nodes for p in STATIC.get(n.op_type, []) if p < len(n.input)}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        values[tensor.name] = Value(None, elem_of(array.dtype), array.shape, array)
    for name, array in inputs.items():
        values[name] = Value(None, elem_of(array.dtype), array.shape, array if name in static else None)
        if name not in static and array.size:
            values[name] = kernel.param(array)
    for proto in nodes:
        fold_or_emit(kernel, proto, values, opset, known)
    expected = {}
    for name, array in outputs.items():
        value = values.get(name)
        if value is None:
            raise Unsupported(f"output {list(outputs).index(name)} of {nodes[-1].op_type}")
        expected[kernel.result(value).name] = narrow(array)
    return kernel, expected


def intermediates(model, inputs):
    """Shapes and values of everything, from ONNX's reference evaluator: shapes are used, values only of constants."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    have = {o.name for o in copy.graph.output}
    for node in model.graph.node:
        copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name and name not in have)
    try:
        results = ReferenceEvaluator(copy).run(None, inputs)
    except Exception as error:
        raise Unsupported("the reference evaluator does not run it") from error
    return dict(zip([o.name for o in copy.graph.output], results))


def fold_or_emit(kernel, proto, values, opset, known):
    """What depends on shapes and constants only is a constant; anything else becomes definitions."""
    constant = proto.op_type in FOLDED or bool(proto.input) and all(not name or values[name].data is not None for name in proto.input)
    if constant and len(known) > 0 and all(not name or name in known for name in proto.output):
        for name in proto.output:
            if name:
                array = np.asarray(known[name])
                values[name] = Value(None, elem_of(array.dtype), array.shape, array)
        return
    if proto.op_type not in OPS:
        raise Unsupported(f"operator {proto.op_type}")
    made = OPS[proto.op_type](kernel, Node(proto, values, opset, known))
    values.update({name: value for name, value in zip(proto.output, made) if name and value is not None})


def save(path, array):
    """bf16 is stored as u2, as numpy has none."""
    array = np.ascontiguousarray(array) if array.ndim else array
    np.save(path, array.view(np.uint16) if array.dtype == ml_dtypes.bfloat16 else array)


def near(got, expected):
    """The first difference in words, or none."""
    if got.shape != expected.shape:
        return f"shape {got.shape}, not {expected.shape}"
    if expected.dtype == ml_dtypes.bfloat16:
        got = got.view(ml_dtypes.bfloat16)
    if expected.dtype.kind in "iub":
        bad = got != expected
    else:
        a, b = got.astype(np.float64), expected.astype(np.float64)
        bad = ~np.isclose(a, b, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    if not bad.any():
        return None
    at = tuple(int(i[0]) for i in np.nonzero(bad)) if bad.ndim else ()
    return f"element {at} is {got[at]}, not {expected[at]} ({int(bad.sum())} of {bad.size})"


def run(vinci, case, keep=None):
    """What became of a case: the class of its types, and the reason why it does not pass."""
    name = case.name.removeprefix("test_")
    kind = "other"
    try:
        kind = kind_of(case)
        kernel, expected = generate(case)
    except Unsupported as why:
        return name, kind, "no kernel", str(why)
    except Exception as error:
        return name, kind, "no kernel", f"{type(error).__name__} {error}"[:100]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(keep) if keep else Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        text = kernel.text(f"onnx {onnx.__version__}, node test {name}")
        (folder / "kernel.vn").write_text(text)
        words = [vinci, "run", str(folder / "kernel.vn"), "-O1", "--threads", "1", "--sanitize=all"]
        for param, array in kernel.arguments.items():
            save(folder / f"{param}.npy", array)
            words += ["--arg", f"{param}={folder}/{param}.npy"]
        for result, array in expected.items():
            words += ["--out", f"{result}={made}/out_{result}.npy"]
            if keep:
                save(folder / f"{result}.npy", array)
        ran = subprocess.run(words, capture_output=True, text=True, timeout=300)
        if ran.returncode:
            first = next((line for line in ran.stderr.splitlines() if line.startswith("error")), ran.stderr[-200:])
            return name, kind, "refused" if "E0" in first else "failed", first
        for result, array in expected.items():
            wrong = near(np.load(f"{made}/out_{result}.npy"), array)
            if wrong:
                return name, kind, "differs", wrong
    return name, kind, "passes", ""


def kind_of(case):
    """f32, 16-bit floats, 8-bit integers, 32-bit and other integers: by the narrowest of inputs and outputs."""
    _, inputs, outputs = load(case)
    found = {np.dtype(a.dtype) for a in [*inputs.values(), *outputs.values()]}
    for kind, types in [("f16, bf16", (np.float16, ml_dtypes.bfloat16)), ("i8, u8", (np.int8, np.uint8)), ("f32", (np.float32,)),
                        ("i16, i32, i64, bool", (np.int16, np.int32, np.int64, np.bool_))]:
        if any(t == np.dtype(k) for t in found for k in types):
            return kind if all(t in KNOWN for t in found) else "other"
    return "other"


KNOWN = {np.dtype(t) for t in (np.float32, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_)}


def report(rows):
    totals, passed = Counter(), Counter()
    reasons = defaultdict(list)
    for name, kind, what, why in rows:
        form = "expanded" if "_expanded" in name else "single"
        known = not (what == "no kernel" and (why.startswith("operator") or why.startswith("type") or why.startswith("sequences")))
        for key in [(kind, form)]:
            totals[key, "all"] += 1
            totals[key, "known"] += known
            passed[key] += what == "passes"
        if what != "passes":
            reasons[what, why if what == "no kernel" else why[:90]].append(name)
    for (what, why), names in sorted(reasons.items(), key=lambda item: (item[0][0], -len(item[1]))):
        print(f"{what:10} {len(names):4}  {why}  ({', '.join(names[:3])})")
    print("\ntypes                 form      cases  of our operators and types  pass")
    for key in sorted({key for key, _ in totals}):
        print(f"{key[0]:21} {key[1]:9} {totals[key, 'all']:5}  {totals[key, 'known']:27}  {passed[key]:4}")
    known = sum(n for (_, which), n in totals.items() if which == "known")
    print(f"{sum(passed.values())} of {known} cases of our operators and types pass; {len(rows)} cases in all")


def main():
    vinci, *words = sys.argv[1:]
    cases = sorted(CASES.glob("test_*"))
    if words[:1] == ["--fixtures"]:
        folder = Path(__file__).resolve().parents[2] / "data/onnx"
        for name in words[1:]:
            print(run(vinci, CASES / f"test_{name}", folder / name))
        return
    cases = [c for c in cases if not words or any(w in c.name for w in words)]
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(lambda case: run(vinci, case), cases))
    report(rows)


if __name__ == "__main__":
    main()
