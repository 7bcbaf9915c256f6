"""Reductions, normalisations, softmax, prefixes and orders."""

import numpy as np

from elementwise import convert
from kernel import Unsupported, Value, literal


def axes_of(node, rank, place=1, default=None):
    """The axes as an attribute or a constant input."""
    given = node.inputs[place] if len(node.inputs) > place else None
    axes = node.constant(given) if given is not None else node.attr("axes", None)
    if axes is None or len(axes) == 0:
        return default if default is not None else list(range(rank))
    return sorted(int(a) % rank for a in axes)


def reduced(k, x, axes, text, elem, keep=True, after="{}"):
    """`text` of an element is reduced over axes; `text` names the reduction `R` and the element `x`."""
    shape = [1 if d in axes else extent for d, extent in enumerate(x.shape)]
    out = shape if keep else [extent for d, extent in enumerate(x.shape) if d not in axes]

    def write(*i):
        kept = list(i) if keep else [None] * x.rank
        if not keep:
            rest = iter(i)
            kept = [None if d in axes else next(rest) for d in range(x.rank)]
        places = [f"r{d}" if d in axes else kept[d] for d in range(x.rank)]
        head = ", ".join(f"r{d}: {x.shape[d]}" for d in axes)
        return after.format("(" + text.replace("R", head, 1).format(x=x.at(places)) + ")") if axes else after.format(x.at(places))

    return k.define(out, elem, write)


REDUCE = {
    "ReduceSum": ("sum(R) {x}", "{}"), "ReduceMean": ("sum(R) {x}", "{} / {n}"), "ReduceMax": ("max(R) {x}", "{}"),
    "ReduceMin": ("min(R) {x}", "{}"), "ReduceProd": ("prod(R) {x}", "{}"), "ReduceL1": ("sum(R) abs({x})", "{}"),
    "ReduceL2": ("sum(R) {x} * {x}", "sqrt({})"), "ReduceLogSum": ("sum(R) {x}", "log({})"),
    "ReduceSumSquare": ("sum(R) {x} * {x}", "{}"), "ReduceLogSumExp": ("sum(R) exp({x})", "log({})"),
}


def reduce(k, node):
    x = k.tensor(node.inputs[0])
    if node.attr("noop_with_empty_axes", 0) and (len(node.inputs) < 2 or node.inputs[1] is None or not len(node.constant(node.inputs[1]))):
        axes = []
        if node.attr("axes", None):
            axes = axes_of(node, x.rank)
    else:
        axes = axes_of(node, x.rank)
    text, after = REDUCE[node.op]
    if x.elem == "bool":
        text = text.replace("max(", "any(").replace("min(", "all(")
        return [reduced(k, x, axes, text, "bool", bool(node.attr("keepdims", 1)))]
    if not x.floating and node.op in ("ReduceL2", "ReduceMean", "ReduceLogSum", "ReduceLogSumExp"):
        raise Unsupported(f"{node.op} of {x.elem}")
    count = int(np.prod([x.shape[d] for d in axes])) if axes else 1
    after = after.replace("{n}", f"{count}.0")
    if not axes:
        after = {"ReduceL1": "abs({})", "ReduceL2": "abs({})", "ReduceLogSum": "log({})"}.get(node.op, "{}")
        if node.op == "ReduceSumSquare":
            return [k.define(x.shape, x.elem, lambda *i: f"{x.at(i)} * {x.at(i)}")]
    wide = "f32" if x.floating and "max" not in text and "min" not in text else x.elem
    wide = "i32" if x.elem in ("i8", "u8", "i16") and "sum" in text else wide
    out = reduced(k, x, axes, text, wide, bool(node.attr("keepdims", 1)), after)
    return [convert(k, out, x.elem)]


def arg(k, node):
    x = k.tensor(node.inputs[0])
    axis = node.attr("axis", 0) % x.rank
    op = node.op.lower()
    keep = bool(node.attr("keepdims", 1))
    if not node.attr("select_last_index", 0):
        return [reduced(k, x, [axis], f"{op}(R) {{x}}", "i32", keep)]
    n = x.shape[axis]
    back = k.define(x.shape, x.elem, lambda *i: x.at([f"{n - 1} - {p}" if d == axis else p for d, p in enumerate(i)]))
    return [reduced(k, back, [axis], f"{op}(R) {{x}}", "i32", keep, f"{n - 1} - {{}}")]


def over(x, axes, indices):
    """Places in a tensor that was reduced over axes and keeps them."""
    return ["0" if d in axes else p for d, p in enumerate(indices)]


def softmax(k, node):
    x = k.tensor(node.inputs[0])
    axis = node.attr("axis", -1 if node.opset >= 13 else 1)
    axes = [axis % x.rank] if node.opset >= 13 else list(range(axis % x.rank, x.rank))
    if node.op == "Hardmax":
        if len(axes) != 1:
            raise Unsupported("Hardmax of several axes")
        first = reduced(k, x, axes, "argmax(R) {x}", "i32")
        one, zero = literal(1, x.elem), literal(0, x.elem)
        return [k.define(x.shape, x.elem, lambda *i: f"if {i[axes[0]]} as i32 == {first.at(over(x, axes, i))} then {one} + 0.0 * {x.at(i)} else {zero}")]
    out = x.elem
    x = convert(k, x, "f32")
    top = reduced(k, x, axes, "max(R) {x}", "f32")
    e = k.define(x.shape, "f32", lambda *i: f"exp({x.at(i)} - {top.at(over(x, axes, i))})")
    z = reduced(k, e, axes, "sum(R) {x}", "f32")
    if node.op == "Softmax":
        y = k.define(x.shape, "f32", lambda *i: f"{e.at(i)} / {z.at(over(x, axes, i))}")
    else:
        y = k.define(x.shape, "f32", lambda *i: f"({x.at(i)} - {top.at(over(x, axes, i))}) - log({z.at(over(x, axes, i))})")
    return [convert(k, y, out)]


def centred(k, x, axes, eps):
    """Mean, deviations and the inverse of the standard deviation over axes."""
    n = int(np.prod([x.shape[d] for d in axes]))
    mean = reduced(k, x, axes, "sum(R) {x}", "f32", after=f"{{}} / {n}.0")
    dev = k.define(x.shape, "f32", lambda *i: f"{x.at(i)} - {mean.at(over(x, axes, i))}")
    inv = reduced(k, dev, axes, "sum(R) {x} * {x}", "f32", after=f"1.0 / sqrt({{}} / {n}.0 + {literal(eps, 'f32')})")
    return mean, dev, inv


def affine(k, dev, inv, axes, scale, bias, place):
    """Deviations times scale plus bias; `place` gives the places of these."""

    def write(*i):
        text = f"{dev.at(i)} * {inv.at(over(dev, axes, i))}"
        text = f"{text} * {wide(scale, place(*i))}" if scale else text
        return f"{text} + {wide(bias, place(*i))}" if bias else text

    return k.define(dev.shape, "f32", write)


def wide(value, places):
    return value.at(places) if value.elem == "f32" else f"{value.at(places)} as f32"


def normalise(k, node):
    """LayerNormalization, RMSNormalization, InstanceNormalization, GroupNormalization, MeanVarianceNormalization."""
    x = k.tensor(node.inputs[0])
    out, eps = x.elem, node.attr("epsilon", 1e-5)
    x = convert(k, x, "f32")
    scale = k.tensor(node.inputs[1]) if len(node.inputs) > 1 else None
    bias = k.tensor(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    if node.op == "MeanVarianceNormalization":
        axes = sorted(a % x.rank for a in node.attr("axes", [0, 2, 3]))
        _, dev, inv = centred(k, x, axes, 1e-9)
        return [affine(k, dev, inv, axes, None, None, None)]
    if node.op == "InstanceNormalization":
        axes = list(range(2, x.rank))
        _, dev, inv = centred(k, x, axes, eps)
        return [convert(k, affine(k, dev, inv, axes, scale, bias, lambda *i: [i[1]]), out)]
    if node.op == "GroupNormalization":
        groups = node.attr("num_groups")
        n, c = x.shape[:2]
        grouped = [n, groups, c // groups, *x.shape[2:]]
        split = k.define(grouped, "f32", lambda *i: x.at([i[0], f"{i[1]}*{c // groups} + {i[2]}", *i[3:]]))
        axes = list(range(2, len(grouped)))
        _, dev, inv = centred(k, split, axes, eps)
        place = lambda *i: [f"{i[1]}*{c // groups} + {i[2]}"] if scale.shape[0] == c else [i[1]]
        y = affine(k, dev, inv, axes, scale, bias, place)
        y = k.define(x.shape, "f32", lambda *i: y.at([i[0], f"{i[1]} / {c // groups}", f"{i[1]} % {c // groups}", *i[2:]]))
        return [convert(k, y, out)]
    first = node.attr("axis", -1) % x.rank
    axes = list(range(first, x.rank))
    skip = x.rank - (scale.rank if scale else 0)
    place = lambda *i: ["0" if scale.shape[d] == 1 else i[skip + d] for d in range(scale.rank)]
    if node.op == "RMSNormalization":
        n = int(np.prod([x.shape[d] for d in axes]))
        inv = reduced(k, x, axes, "sum(R) {x} * {x}", "f32", after=f"1.0 / sqrt({{}} / {n}.0 + {literal(eps, 'f32')})")
        return [convert(k, affine(k, x, inv, axes, scale, None, place), out)]
    mean, dev, inv = centred(k, x, axes, eps)
    return [convert(k, affine(k, dev, inv, axes, scale, bias, place), out), mean, inv]


def batchnorm(k, node):
    if node.attr("training_mode", 0):
        raise Unsupported("BatchNormalization in training mode")
    x, scale, bias, mean, var = (k.tensor(v) for v in node.inputs)
    eps = literal(node.attr("epsilon", 1e-5), "f32")

    def write(*i):
        c = [i[1]] if x.rank > 1 else ["0"]
        return f"({x.at(i)} - {mean.at(c)}) * {scale.at(c)} * (1.0 / sqrt({var.at(c)} + {eps})) + {bias.at(c)}"

    return [k.define(x.shape, x.elem, write)]


def lp_normalise(k, node):
    x = k.tensor(node.inputs[0])
    axes = [node.attr("axis", -1) % x.rank]
    text, after = ("sum(R) abs({x})", "{}") if node.attr("p", 2) == 1 else ("sum(R) {x} * {x}", "sqrt({})")
    size = reduced(k, x, axes, text, "f32", after=after)
    return [k.define(x.shape, x.elem, lambda *i: f"{x.at(i)} / {size.at(over(x, axes, i))}")]


def lrn(k, node):
    x = k.tensor(node.inputs[0])
    size, c = node.attr("size"), x.shape[1]
    alpha, beta, bias = (literal(node.attr(n, d), "f32") for n, d in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    alpha = literal(node.attr("alpha", 1e-4) / size, "f32")
    before = (size - 1) // 2

    def write(*i):
        near = x.at([i[0], f"{i[1]} + w - {before}", *i[2:]], "0.0")
        return f"sum(w: {size}) {near} * {near}"

    squares = k.define(x.shape, "f32", write)
    return [k.define(x.shape, "f32", lambda *i: f"{x.at(i)} * exp(-({beta}) * log({bias} + {alpha} * {squares.at(i)}))")]


def cumsum(k, node):
    x = k.tensor(node.inputs[0])
    axis = int(node.constant(node.inputs[1]).item()) % x.rank
    n, reverse, exclusive = x.shape[axis], node.attr("reverse", 0), node.attr("exclusive", 0)
    put = lambda i, place: [place if d == axis else p for d, p in enumerate(i)]
    source = k.define(x.shape, x.elem, lambda *i: x.at(put(i, f"{n - 1} - {i[axis]}"))) if reverse else x
    elem = "f32" if x.floating else "i32"
    # The index that runs has no written extent in `scan`: it is that of the left side.
    sums = k.define(x.shape, elem, lambda *i: f"scan({i[axis]}, sum) {source.at(i)}")
    if exclusive:
        before = sums
        sums = k.define(x.shape, elem, lambda *i: before.at(put(i, f"{i[axis]} - 1"), literal(0, elem)))
    if reverse:
        forward = sums
        sums = k.define(x.shape, elem, lambda *i: forward.at(put(i, f"{n - 1} - {i[axis]}")))
    return [convert(k, sums, x.elem)]


def topk(k, node):
    x = k.tensor(node.inputs[0])
    count = int(node.constant(node.inputs[1]).item())
    axis = node.attr("axis", -1) % x.rank
    largest = node.attr("largest", 1)
    if x.elem not in ("f32", "f16", "bf16", "i32", "i8"):
        raise Unsupported(f"TopK of {x.elem}")
    order = [d for d in range(x.rank) if d != axis] + [axis]
    shape = [x.shape[d] for d in order]

    def moved(*i):
        place = dict(zip(order, i))
        return ("" if largest else "-") + x.at([place[d] for d in range(x.rank)])

    last = k.define(shape, x.elem, moved)
    values, places = Value(k.fresh("t"), x.elem, [*shape[:-1], count]), Value(k.fresh("t"), "i32", [*shape[:-1], count])
    k.lines.append(f"    let ({values.name}, {places.name}) = topk({last.name}, K: {count});")
    out = [count if d == axis else extent for d, extent in enumerate(x.shape)]
    back = lambda value, sign: k.define(out, value.elem, lambda *i: sign + value.at([i[d] for d in order]))
    return [back(values, "" if largest else "-"), back(places, "")]


OPS = {name: reduce for name in REDUCE}
OPS |= {name: softmax for name in ("Softmax", "LogSoftmax", "Hardmax")}
OPS |= {name: normalise for name in ("LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization", "MeanVarianceNormalization")}
OPS |= {"ArgMax": arg, "ArgMin": arg, "BatchNormalization": batchnorm, "LpNormalization": lp_normalise, "LRN": lrn,
        "CumSum": cumsum, "TopK": topk}
