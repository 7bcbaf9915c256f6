"""Operators that move elements: permutations, parts, padding, gathers and scatters."""

import numpy as np

from kernel import Unsupported, Value, broadcast, flat, literal, unflat


def transpose(k, node):
    x = k.tensor(node.inputs[0])
    perm = node.attr("perm", list(range(x.rank))[::-1])
    back = {source: d for d, source in enumerate(perm)}
    return [k.define([x.shape[d] for d in perm], x.elem, lambda *i: x.at([i[back[d]] for d in range(x.rank)]))]


def reshaped(k, x, shape):
    """The same elements in row-major order; dimensions of one come and go without arithmetic."""
    long_in = [d for d, e in enumerate(x.shape) if e != 1]
    long_out = [d for d, e in enumerate(shape) if e != 1]
    if [x.shape[d] for d in long_in] == [shape[d] for d in long_out]:
        pair = dict(zip(long_in, long_out))
        return k.define(shape, x.elem, lambda *i: x.at([i[pair[d]] if d in pair else "0" for d in range(x.rank)]))
    return k.define(shape, x.elem, lambda *i: x.at(unflat(flat(shape, i), x.shape)))


def reshape(k, node):
    """Reshape, Flatten, Squeeze, Unsqueeze: the result's shape is known."""
    return [reshaped(k, k.tensor(node.inputs[0]), node.output_shape(0))]


def concat(k, node):
    values = [k.tensor(v) for v in node.inputs]
    axis = node.attr("axis") % values[0].rank
    shape = list(values[0].shape)
    shape[axis] = sum(v.shape[axis] for v in values)

    def write(*i):
        text, start = "", shape[axis]
        zero = literal(0, values[0].elem)
        for v in values[::-1]:
            start -= v.shape[axis]
            part = v.at([f"{p} - {start}" if d == axis and start else p for d, p in enumerate(i)], zero)
            text = f"if {i[axis]} < {start + v.shape[axis]} then {part} else ({text})" if text else part
        return text

    return [k.define(shape, values[0].elem, write)]


def part(k, x, axis, start, length, step=1):
    """Places `start + step·j` along an axis."""
    shape = [length if d == axis else e for d, e in enumerate(x.shape)]

    def write(*i):
        move = i[axis] if step == 1 else f"{step}*{i[axis]}" if step > 0 else f"{start} - {-step}*{i[axis]}"
        # `i + 0` where only the length differs: an index that stands alone has the extent of the whole dimension.
        alone = start == 0 and step == 1 and length == x.shape[axis]
        move = f"{move} + {start}" if step > 0 and not alone else move
        return x.at([move if d == axis else p for d, p in enumerate(i)])

    return k.define(shape, x.elem, write)


def split(k, node):
    x = k.tensor(node.inputs[0])
    axis = node.attr("axis", 0) % x.rank
    parts, start = [], 0
    for n in range(len(node.outputs)):
        length = node.output_shape(n)[axis]
        parts.append(part(k, x, axis, start, length))
        start += length
    return parts


def slices(k, node):
    x = k.tensor(node.inputs[0])
    if len(node.inputs) > 1:
        given = [None if v is None else node.constant(v) for v in node.inputs[1:]] + [None, None]
        starts, ends, axes, steps = given[:4]
    else:
        starts, ends, axes, steps = node.attr("starts"), node.attr("ends"), node.attr("axes", None), None
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps):
        axis = int(axis) % x.rank
        places = range(x.shape[axis])[int(start):int(end):int(step)]
        if len(places) == 0:
            raise Unsupported("empty tensor")
        x = part(k, x, axis, places[0], len(places), int(step))
    return [x]


def pad(k, node):
    x = k.tensor(node.inputs[0])
    pads = node.constant(node.inputs[1]) if len(node.inputs) > 1 else node.attr("pads")
    axes = node.constant(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else range(x.rank)
    fill = node.inputs[2] if len(node.inputs) > 2 else None
    fill = literal(node.constant(fill).item() if fill is not None else node.attr("value", 0), x.elem)
    before, mode = [0] * x.rank, node.attr("mode", "constant")
    for n, axis in enumerate(axes):
        before[int(axis) % x.rank] = int(pads[n])
    if mode == "reflect":
        return [reflected(k, x, before, node.output_shape(0))]

    def write(*i):
        places = []
        for d, p in enumerate(i):
            n, moved = x.shape[d], f"{p} - {before[d]}" if before[d] > 0 else f"{p} + {-before[d]}" if before[d] < 0 else p
            if mode == "edge":
                moved = f"clamp({moved}, 0, {n - 1})"
            elif mode == "wrap":
                moved = f"({moved} + {n * 8}) % {n}"
            places.append(moved)
        return x.at(places, fill if mode == "constant" else None)

    return [k.define(node.output_shape(0), x.elem, write)]


def reflected(k, x, before, shape):
    """One axis after the other, mirrored once at each end."""
    for axis in range(x.rank):
        n, b, whole = x.shape[axis], before[axis], x
        if b == 0 and shape[axis] == n:
            continue

        def write(*i):
            at = lambda place: whole.at([place if d == axis else p for d, p in enumerate(i)], literal(0, whole.elem))
            left, mid, right = at(f"{b} - {i[axis]}"), at(f"{i[axis]} - {b}"), at(f"{2 * (n - 1) + b} - {i[axis]}")
            return f"if {i[axis]} < {b} then {left} else (if {i[axis]} < {b + n} then {mid} else {right})"

        x = k.define([shape[axis] if d == axis else e for d, e in enumerate(x.shape)], x.elem, write)
    return x


def expand(k, node):
    x, shape = k.tensor(node.inputs[0]), node.output_shape(0)
    at = broadcast(shape, x)
    return [k.define(shape, x.elem, lambda *i: x.at(at(*i)))]


def tile(k, node):
    x = k.tensor(node.inputs[0])
    return [k.define(node.output_shape(0), x.elem, lambda *i: x.at([f"{p} % {x.shape[d]}" for d, p in enumerate(i)]))]


def inside(index, places, extent):
    """An index from data, with negative ones counted from the end."""
    text = index.at(places)
    return f"if {text} < 0 then {text} + {extent} else {text}"


def gather(k, node):
    x, index = (k.tensor(v) for v in node.inputs)
    axis = node.attr("axis", 0) % x.rank
    shape = x.shape[:axis] + index.shape + x.shape[axis + 1:]

    def write(*i):
        before, mid, after = i[:axis], i[axis:axis + index.rank], i[axis + index.rank:]
        return along(x, axis, [*before, None, *after], inside(index, mid, x.shape[axis]))

    return [k.define(shape, x.elem, write)]


def along(x, axis, places, index):
    """The element of a tensor at an index from data along an axis, and at places along the others."""
    row = x.at([":" if d == axis else p for d, p in enumerate(places)]) if x.rank > 1 else x.name
    return f"gather({row}, {index})"


def gather_elements(k, node):
    x, index = (k.tensor(v) for v in node.inputs)
    axis = node.attr("axis", 0) % x.rank
    return [k.define(index.shape, x.elem, lambda *i: along(x, axis, i, inside(index, i, x.shape[axis])))]


def gather_nd(k, node):
    """The coordinates from data become one row-major number."""
    x, index = (k.tensor(v) for v in node.inputs)
    batch = node.attr("batch_dims", 0)
    depth = index.shape[-1]
    lead, rest = index.shape[:-1], x.shape[batch + depth:]
    rows = int(np.prod(x.shape[batch:batch + depth]))
    table = reshaped(k, x, [*x.shape[:batch], rows, *rest])

    def number(*i):
        text = "0"
        for d in range(depth):
            extent = x.shape[batch + d]
            text = f"({text}) * {extent} + ({inside(index, [*i, d], extent)})"
        return text

    row = k.define(lead, "i32", number)
    return [k.define([*lead, *rest], x.elem, lambda *i: along(table, batch, [*i[:batch], None, *i[len(lead):]], row.at(i[:len(lead)])))]


def scatter_nd(k, node):
    """Rows by a row-major number, with the library's scatter."""
    x, index, updates = (k.tensor(v) for v in node.inputs)
    depth = index.shape[-1]
    op = {"none": "set", "add": "add", "max": "max", "min": "min"}.get(node.attr("reduction", "none"))
    if op is None:
        raise Unsupported("scatter with mul")
    rows, cols = int(np.prod(x.shape[:depth])), int(np.prod(x.shape[depth:]))
    many = int(np.prod(index.shape[:-1]))
    base, source = reshaped(k, x, [rows, cols]), reshaped(k, updates, [many, cols])
    flat_index = reshaped(k, index, [many, depth])

    def number(i):
        text = "0"
        for d in range(depth):
            text = f"({text}) * {x.shape[d]} + ({inside(flat_index, [i, d], x.shape[d])})"
        return text

    at = k.define([many], "i32", number)
    return [reshaped(k, scattered(k, base, at, source, op), x.shape)]


def scattered(k, base, at, source, op):
    made = Value(k.fresh("t"), base.elem, base.shape)
    k.lines.append(f"    let {made.name} = scatter({base.name}, {at.name}, {source.name}, op: {op});")
    return made


def scatter_elements(k, node):
    """Single elements by row-major number: rows of one element."""
    x, index, updates = (k.tensor(v) for v in node.inputs)
    axis = node.attr("axis", 0) % x.rank
    op = {"none": "set", "add": "add", "max": "max", "min": "min"}.get(node.attr("reduction", "none"))
    if op is None:
        raise Unsupported("scatter with mul")
    total, many = int(np.prod(x.shape)), int(np.prod(index.shape))
    base, source = reshaped(k, x, [total, 1]), reshaped(k, updates, [many, 1])

    def number(*i):
        places = [f"({inside(index, i, x.shape[axis])})" if d == axis else f"({p} as i32)" for d, p in enumerate(i)]
        text = "0"
        for extent, place in zip(x.shape, places):
            text = f"({text}) * {extent} + {place}"
        return text

    numbers = reshaped(k, k.define(index.shape, "i32", number), [many])
    return [reshaped(k, scattered(k, base, numbers, source, op), x.shape)]


def depth_space(k, node):
    x = k.tensor(node.inputs[0])
    b, (n, c, h, w) = node.attr("blocksize"), x.shape
    if node.op == "SpaceToDepth":
        return [k.define([n, c * b * b, h // b, w // b], x.elem, lambda i, o, p, q: x.at(
            [i, f"{o} % {c}", f"{b}*{p} + {o} / {b * c}", f"{b}*{q} + ({o} / {c}) % {b}"]))]
    out = c // (b * b)
    if node.attr("mode", "DCR") == "DCR":
        channel = lambda o, p, q: f"({p} % {b})*{b * out} + ({q} % {b})*{out} + {o}"
    else:
        channel = lambda o, p, q: f"{o}*{b * b} + ({p} % {b})*{b} + {q} % {b}"
    return [k.define([n, out, h * b, w * b], x.elem, lambda i, o, p, q: x.at([i, channel(o, p, q), f"{p} / {b}", f"{q} / {b}"]))]


def trilu(k, node):
    x = k.tensor(node.inputs[0])
    shift = int(node.constant(node.inputs[1]).item()) if len(node.inputs) > 1 and node.inputs[1] is not None else 0
    test = ">=" if node.attr("upper", 1) else "<="
    side = lambda i: (f"{i[-1]}", f"{i[-2]} + {shift}") if shift >= 0 else (f"{i[-1]} + {-shift}", f"{i[-2]}")
    return [k.define(x.shape, x.elem, lambda *i: f"if {side(i)[0]} {test} {side(i)[1]} then {x.at(i)} else {literal(0, x.elem)}")]


def one_hot(k, node):
    index, depth, values = node.inputs
    index, values = k.tensor(index), k.tensor(values)
    shape, axis = node.output_shape(0), node.attr("axis", -1) % (index.rank + 1)
    n = shape[axis]
    if index.floating:
        given = index
        index = k.define(given.shape, "i32", lambda *i: f"{given.at(i)} as i32")

    def write(*i):
        rest = [p for d, p in enumerate(i) if d != axis]
        return f"if ({inside(index, rest, n)}) == {i[axis]} as i32 then {values.at(['1'])} else {values.at(['0'])}"

    return [k.define(shape, values.elem, write)]


def reverse_sequence(k, node):
    x, lengths = (k.tensor(v) for v in node.inputs)
    b, t = node.attr("batch_axis", 1), node.attr("time_axis", 0)

    def write(*i):
        n, at = lengths.at([i[b]]), f"{i[t]} as i32"
        return along(x, t, i, f"if {at} < {n} then {n} - 1 - ({at}) else {at}")

    return [k.define(x.shape, x.elem, write)]


OPS = {name: reshape for name in ("Reshape", "Flatten", "Squeeze", "Unsqueeze")}
OPS |= {"Transpose": transpose, "Concat": concat, "Split": split, "Slice": slices, "Pad": pad, "Expand": expand, "Tile": tile,
        "Gather": gather, "GatherElements": gather_elements, "GatherND": gather_nd, "ScatterND": scatter_nd,
        "ScatterElements": scatter_elements, "Scatter": scatter_elements, "DepthToSpace": depth_space,
        "SpaceToDepth": depth_space, "Trilu": trilu, "OneHot": one_hot, "ReverseSequence": reverse_sequence}
