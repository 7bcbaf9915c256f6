"""Matrix products, convolutions, pooling, quantisation, attention, losses."""

import numpy as np

from elementwise import convert
from kernel import Unsupported, broadcast, literal
from reduce import over, reduced, wide


def matmul_of(k, a, b, elem):
    """numpy's matmul; `elem` is the type of the sum."""
    left = k.define([1, *a.shape], a.elem, lambda i, *r: a.at(r)) if a.rank == 1 else a
    right = k.define([*b.shape, 1], b.elem, lambda *i: b.at(i[:-1])) if b.rank == 1 else b
    batch = list(np.broadcast_shapes(tuple(left.shape[:-2]), tuple(right.shape[:-2])))
    n = left.shape[-1]
    shape = batch + [left.shape[-2], right.shape[-1]]
    if a.rank == 1:
        shape.pop(-2)
    if b.rank == 1:
        shape.pop(-1)

    def write(*i):
        rest = list(i[len(batch):])
        row = "0" if a.rank == 1 else rest.pop(0)
        col = "0" if b.rank == 1 else rest.pop(0)
        lead = lambda v: ["0" if e == 1 else i[len(batch) - (v.rank - 2) + d] for d, e in enumerate(v.shape[:-2])]
        return f"sum(r: {n}) {left.at([*lead(left), row, 'r'])} * {right.at([*lead(right), 'r', col])}"

    return k.define(shape, elem, write)


def matmul(k, node):
    a, b = (k.tensor(v) for v in node.inputs)
    return [convert(k, matmul_of(k, a, b, "f32" if a.floating else "i32"), a.elem)]


def gemm(k, node):
    a, b = (k.tensor(v) for v in node.inputs[:2])
    c = k.tensor(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else None
    ta, tb = node.attr("transA", 0), node.attr("transB", 0)
    shape = [a.shape[1 if ta else 0], b.shape[0 if tb else 1]]
    alpha, beta = (literal(node.attr(name, 1.0), "f32") for name in ("alpha", "beta"))
    at = broadcast(shape, c) if c else None

    def write(m, n):
        text = f"{alpha} * (sum(r: {a.shape[0 if ta else 1]}) {a.at(['r', m] if ta else [m, 'r'])} * {b.at([n, 'r'] if tb else ['r', n])})"
        return f"{text} + {beta} * {wide(c, at(m, n))}" if c else text

    return [convert(k, k.define(shape, "f32", write), a.elem)]


def shifted(k, x, zero, axis):
    """x minus a zero point as f16, which is exact for bytes: one for all, or one along an axis."""
    if zero is None:
        return convert(k, x, "f16")
    zero = k.tensor(zero)
    place = lambda i: [] if zero.rank == 0 else ["0"] if zero.shape == [1] else [i[axis]]
    return k.define(x.shape, "f16", lambda *i: f"({x.at(i)} as f16) - ({zero.at(place(i))} as f16)")


def optional(node, place):
    return node.inputs[place] if len(node.inputs) > place else None


def whole(k, x):
    """An f32 tensor of whole numbers as i32."""
    return k.define(x.shape, "i32", lambda *i: f"{x.at(i)} as i32")


def matmul_integer(k, node):
    a, b = (k.tensor(v) for v in node.inputs[:2])
    left, right = shifted(k, a, optional(node, 2), a.rank - 2), shifted(k, b, optional(node, 3), b.rank - 1)
    return [whole(k, matmul_of(k, left, right, "f32"))]


def rounded(text, scale, zero, elem):
    """`text / scale` rounded to even, plus a zero point, saturated."""
    return f"(round({text} / {scale}) + ({zero} as f32)) as {elem}"


def qlinear_matmul(k, node):
    a, sa, za, b, sb, zb, sy, zy = (k.tensor(v) for v in node.inputs)
    if sa.elem != "f32":
        raise Unsupported("scales that are not f32")
    sums = matmul_of(k, shifted(k, a, za, a.rank - 2), shifted(k, b, zb, b.rank - 1), "f32")
    one = lambda v, i, axis: v.at([] if v.rank == 0 else ["0"] if v.shape == [1] else [i[axis]])
    return [k.define(sums.shape, zy.elem, lambda *i: rounded(
        f"({sums.at(i)} * {one(sa, i, -2)} * {one(sb, i, -1)})", one(sy, i, -1), one(zy, i, -1), zy.elem))]


def window(node, shape, kernel):
    """Strides, dilations and pads before of a window operator."""
    rank = len(kernel)
    strides, dilations = node.attr("strides", [1] * rank), node.attr("dilations", [1] * rank)
    auto = node.attr("auto_pad", "NOTSET")
    pads = node.attr("pads", [0] * 2 * rank)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        out = [-(-shape[d] // strides[d]) for d in range(rank)]
        total = [max(0, (out[d] - 1) * strides[d] + (kernel[d] - 1) * dilations[d] + 1 - shape[d]) for d in range(rank)]
        before = [t // 2 if auto == "SAME_UPPER" else t - t // 2 for t in total]
        pads = before + [t - b for t, b in zip(total, before)]
    return strides, dilations, pads


def moved(index, tap, stride, dilation, before):
    text = index if stride == 1 else f"{stride}*{index}"
    text += f" + {tap}" if dilation == 1 else f" + {dilation}*{tap}"
    return f"{text} - {before}" if before else text


def convolve(k, node, x, w, elem):
    kernel = w.shape[2:]
    strides, dilations, pads = window(node, x.shape[2:], kernel)
    group = node.attr("group", 1)
    out, channels = w.shape[0] // group, w.shape[1]

    def write(n, o, *i):
        taps = [f"p{d}" for d in range(len(kernel))]
        heads = ", ".join([f"c: {channels}", *(f"{t}: {e}" for t, e in zip(taps, kernel))])
        places = [moved(i[d], taps[d], strides[d], dilations[d], pads[d]) for d in range(len(kernel))]
        channel = "c" if group == 1 else f"({o} / {out})*{channels} + c"
        # No border where nothing is padded: then the access must be provably inside.
        border = literal(0, x.elem) if any(pads) or group > 1 else None
        return f"sum({heads}) {x.at([n, channel, *places], border)} * {w.at([o, 'c', *taps])}"

    return k.define(node.output_shape(0), elem, write)


def conv(k, node):
    x, w = k.tensor(node.inputs[0]), k.tensor(node.inputs[1])
    y = convolve(k, node, x, w, "f32")
    if optional(node, 2) is not None:
        bias, sums = k.tensor(node.inputs[2]), y
        y = k.define(sums.shape, "f32", lambda *i: f"{sums.at(i)} + {wide(bias, [i[1]])}")
    return [convert(k, y, x.elem)]


def conv_integer(k, node):
    x, w = k.tensor(node.inputs[0]), k.tensor(node.inputs[1])
    y = convolve(k, node, shifted(k, x, optional(node, 2), 0), shifted(k, w, optional(node, 3), 0), "f32")
    return [whole(k, y)]


def qlinear_conv(k, node):
    x, sx, zx, w, sw, zw, sy, zy = (k.tensor(v) for v in node.inputs[:8])
    sums = convolve(k, node, shifted(k, x, zx, 0), shifted(k, w, zw, 0), "f32")
    one = lambda v, o: v.at([] if v.rank == 0 else ["0"] if v.shape == [1] else [o])
    bias = k.tensor(node.inputs[8]) if optional(node, 8) is not None else None

    def write(*i):
        total = f"({sums.at(i)} + {bias.at([i[1]])} as f32)" if bias else sums.at(i)
        return rounded(f"({total} * {one(sx, i[1])} * {one(sw, i[1])})", one(sy, i[1]), one(zy, i[1]), zy.elem)

    return [k.define(sums.shape, zy.elem, write)]


def conv_transpose(k, node):
    """Each element of the result gathers the inputs that reach it: taps at the right remainder only."""
    x, w = k.tensor(node.inputs[0]), k.tensor(node.inputs[1])
    kernel, shape = w.shape[2:], node.output_shape(0)
    rank = len(kernel)
    strides, dilations = node.attr("strides", [1] * rank), node.attr("dilations", [1] * rank)
    group = node.attr("group", 1)
    pads = node.attr("pads", [0] * 2 * rank)
    auto = node.attr("auto_pad", "NOTSET")
    if node.attr("output_shape", None) or auto in ("SAME_UPPER", "SAME_LOWER"):
        extra = node.attr("output_padding", [0] * rank)
        total = [strides[d] * (x.shape[2 + d] - 1) + extra[d] + (kernel[d] - 1) * dilations[d] + 1 - shape[2 + d] for d in range(rank)]
        pads = [t - t // 2 if auto != "SAME_UPPER" else t // 2 for t in total]
    # Zeros between the elements, then a convolution with the taps turned round.
    spread = [x.shape[0], x.shape[1], *((e - 1) * s + 1 for e, s in zip(x.shape[2:], strides))]

    def zeros_between(n, c, *i):
        hit = " && ".join(f"{p} % {s} == 0" for p, s in zip(i, strides) if s > 1)
        text = x.at([n, c, *(p if s == 1 else f"{p} / {s}" for p, s in zip(i, strides))])
        return f"if {hit} then {text} else {literal(0, x.elem)}" if hit else text

    wide_x = k.define(spread, x.elem, zeros_between)
    per, out = x.shape[1] // group, w.shape[1]

    def write(n, o, *i):
        taps = [f"p{d}" for d in range(rank)]
        heads = ", ".join([f"c: {per}", *(f"{t}: {e}" for t, e in zip(taps, kernel))])
        channel = "c" if group == 1 else f"({o} / {out})*{per} + c"
        places = []
        for d in range(rank):
            shift = pads[d]
            tap = taps[d] if dilations[d] == 1 else f"{dilations[d]}*{taps[d]}"
            places.append(f"{i[d]} + {shift} - {tap}")
        return f"sum({heads}) {wide_x.at([n, channel, *places], literal(0, x.elem))} * {w.at([channel, f'{o} % {out}', *taps])}"

    y = k.define(shape, "f32", write)
    if optional(node, 2) is not None:
        bias, sums = k.tensor(node.inputs[2]), y
        y = k.define(shape, "f32", lambda *i: f"{sums.at(i)} + {wide(bias, [i[1]])}")
    return [convert(k, y, x.elem)]


def pool(k, node):
    x = k.tensor(node.inputs[0])
    rank = x.rank - 2
    everything = node.op.startswith("Global")
    kernel = x.shape[2:] if everything else node.attr("kernel_shape")
    strides, dilations, pads = ([1] * rank, [1] * rank, [0] * 2 * rank) if everything else window(node, x.shape[2:], kernel)
    shape = node.output_shape(0)
    if len(node.outputs) > 1 and node.outputs[1]:
        raise Unsupported("places of maxima")
    taps = [f"p{d}" for d in range(rank)]
    heads = ", ".join(f"{t}: {e}" for t, e in zip(taps, kernel))
    op = node.op.removeprefix("Global")
    places = lambda i: [moved(i[2 + d], taps[d], strides[d], dilations[d], pads[d]) for d in range(rank)]
    if op == "MaxPool":
        least = "(-inf)" if x.floating else literal(np.iinfo({"i8": np.int8, "u8": np.uint8, "i32": np.int32, "i16": np.int16}[x.elem]).min, x.elem)
        return [k.define(shape, x.elem, lambda *i: f"max({heads}) {x.at([*i[:2], *places(i)], least)}")]
    if op == "LpPool":
        p = node.attr("p", 2)
        item = lambda t: {1: f"abs({t})", 2: f"{t} * {t}", 3: f"(abs({t}) * ({t} * {t}))", 4: f"(({t} * {t}) * ({t} * {t}))"}[p]
        root = lambda t: {1: t, 2: f"sqrt{t}", 3: f"exp(log{t} / 3.0)", 4: f"sqrt(sqrt{t})"}[p]
        return [k.define(shape, x.elem, lambda *i: root(f"(sum({heads}) {item(x.at([*i[:2], *places(i)], '0.0'))})"))]
    # Padding counts only if it is asked for, and what lies beyond the padding never does.
    padded = node.attr("count_include_pad", 0)
    limits = [x.shape[2 + d] + (pads[rank + d] if padded else 0) for d in range(rank)]
    counts = []
    for d in range(rank):
        low = -pads[d] if padded else 0
        at = lambda o, t: o * strides[d] - pads[d] + t * dilations[d]
        counts.append(np.array([sum(low <= at(o, t) < limits[d] for t in range(kernel[d])) for o in range(shape[2 + d])]))
    total = counts[0].astype(np.float32)
    for more in counts[1:]:
        total = total[..., None] * more.astype(np.float32)
    n = literal(total.flat[0], "f32") if (total == total.flat[0]).all() else None
    table = None if n else k.param(total.astype(np.float32))
    border = "0.0" if x.floating else "0"
    sums = k.define(shape, "f32", lambda *i: f"(sum({heads}) {x.at([*i[:2], *places(i)], border)}) / {n or table.at(i[2:])}")
    return [convert(k, sums, x.elem)]


def along(v, i, axis, block, rank):
    """The place of a scale or zero point: one for all, one along an axis, or one a block along it."""
    if v.rank == 0:
        return []
    if v.shape == [1]:
        return ["0"]
    if v.rank == 1:
        return [i[axis]]
    return [f"{p} / {block}" if d == axis else p for d, p in enumerate(i)]


def quantize(k, node):
    x, scale = k.tensor(node.inputs[0]), k.tensor(node.inputs[1])
    zero = k.tensor(node.inputs[2]) if optional(node, 2) is not None else None
    elem = zero.elem if zero else node.output_elem(0)
    axis = node.attr("axis", 1) % max(x.rank, 1)
    block = node.attr("block_size", 0)

    def write(*i):
        text = f"round({wide(x, i)} / {wide(scale, along(scale, i, axis, block, x.rank))})"
        return f"({text} + {zero.at(along(zero, i, axis, block, x.rank))} as f32) as {elem}" if zero else f"{text} as {elem}"

    return [k.define(x.shape, elem, write)]


def dequantize(k, node):
    x, scale = k.tensor(node.inputs[0]), k.tensor(node.inputs[1])
    zero = k.tensor(node.inputs[2]) if optional(node, 2) is not None else None
    axis = node.attr("axis", 1) % max(x.rank, 1)
    block = node.attr("block_size", 0)

    def write(*i):
        value = f"{x.at(i)} as f32"
        if zero:
            value = f"({value} - {zero.at(along(zero, i, axis, block, x.rank))} as f32)"
        return f"({value}) * {wide(scale, along(scale, i, axis, block, x.rank))}"

    return [convert(k, k.define(x.shape, "f32", write), scale.elem)]


def dynamic_quantize(k, node):
    x = k.tensor(node.inputs[0])
    axes = list(range(x.rank))
    high = reduced(k, x, axes, "max(R) {x}", "f32", keep=False, after="max({}, 0.0)")
    low = reduced(k, x, axes, "min(R) {x}", "f32", keep=False, after="min({}, 0.0)")
    scale = k.define([], "f32", lambda: f"({high.at([])} - {low.at([])}) / 255.0")
    zero = k.define([], "u8", lambda: f"round(-({low.at([])}) / {scale.at([])}) as u8")
    y = k.define(x.shape, "u8", lambda *i: rounded(x.at(i), scale.at([]), zero.at([]), "u8"))
    return [y, scale, zero]


def rotary(k, node):
    x = k.tensor(node.inputs[0])
    cos, sin = k.tensor(node.inputs[1]), k.tensor(node.inputs[2])
    ids = k.tensor(node.inputs[3]) if optional(node, 3) is not None else None
    heads, flat_shape = node.attr("num_heads", 0), None
    if x.rank == 3:
        flat_shape, (b, s, hidden) = list(x.shape), x.shape
        size, source = hidden // heads, x
        x = k.define([b, heads, s, size], source.elem, lambda i, h, t, d: source.at([i, t, f"{h}*{size} + {d}"]))
    b, h, s, size = x.shape
    turned = node.attr("rotary_embedding_dim", 0) or size
    half = turned // 2
    pairs = node.attr("interleaved", 0)
    rows = []
    for table in (cos, sin):
        if ids is None:
            rows.append(table)
        else:
            rows.append(k.define([b, s, half], table.elem, lambda i, t, d, table=table: f"gather({table.name}, {ids.at([i, t])})[{d}]"))
    cos, sin = rows

    def write(i, hh, t, d):
        place = f"({d} / 2) % {half}" if pairs else f"{d} % {half}"
        c, sn = wide(cos, [i, t, place]), wide(sin, [i, t, place])
        near = lambda shift: f"(({x.at([i, hh, t, f'{d} {shift}'], literal(0, x.elem))}) as f32)"
        step, first = (1, f"{d} % 2 == 0") if pairs else (half, f"{d} < {half}")
        me = wide(x, [i, hh, t, d])
        text = f"if {first} then ({me}) * {c} - {near(f'+ {step}')} * {sn} else ({me}) * {c} + {near(f'- {step}')} * {sn}"
        return f"if {d} < {turned} then ({text}) else ({me})" if turned < size else text

    y = convert(k, k.define(x.shape, "f32", write), x.elem)
    if flat_shape:
        four, size4 = y, size
        y = k.define(flat_shape, four.elem, lambda i, t, e: four.at([i, f"{e} / {size4}", t, f"{e} % {size4}"]))
    return [y]


def attention(k, node):
    q, key, value = (k.tensor(v) for v in node.inputs[:3])
    mask, past_k, past_v = (k.tensor(v) if v is not None else None for v in (node.inputs[3:6] + [None] * 3)[:3])
    if optional(node, 6) is not None:
        raise Unsupported("nonpad lengths")
    elem, three = q.elem, q.rank == 3
    if three:
        q = heads_apart(k, q, node.attr("q_num_heads"))
        key, value = (heads_apart(k, v, node.attr("kv_num_heads")) for v in (key, value))
    joined = lambda old, new: k.define([*new.shape[:2], old.shape[2] + new.shape[2], new.shape[3]], new.elem, lambda b, h, t, d:
        f"if {t} < {old.shape[2]} then {old.at([b, h, t, d], literal(0, old.elem))} else {new.at([b, h, f'{t} - {old.shape[2]}', d], literal(0, new.elem))}")
    if past_k is not None:
        key, value = joined(past_k, key), joined(past_v, value)
    b, h, s, size = q.shape
    group, total = h // key.shape[1], key.shape[2]
    kv = lambda hh: hh if group == 1 else f"{hh} / {group}"
    scale = node.attr("scale", None) or 1.0 / float(np.sqrt(size))
    cap = node.attr("softcap", 0.0)
    shape = [b, h, s, total]
    raw = k.define(shape, "f32", lambda i, hh, t, u: f"(sum(d: {size}) {q.at([i, hh, t, 'd'])} * {key.at([i, kv(hh), u, 'd'])}) * {literal(scale, 'f32')}")
    scores, stages = raw, [raw]
    if mask is not None or node.attr("is_causal", 0):
        at = broadcast(shape, mask) if mask is not None else None
        short = mask is not None and mask.shape[-1] < total
        before = scores

        def masked(*i):
            text, hidden = before.at(i), "(-inf)"
            if mask is not None:
                if short:
                    raise Unsupported("a mask shorter than the keys")
                text = f"if {mask.at(at(*i))} then {text} else {hidden}" if mask.elem == "bool" else f"{text} + {wide(mask, at(*i))}"
            past = past_k.shape[2] if past_k is not None else 0
            return f"if {i[3]} <= {i[2]} + {past} then ({text}) else {hidden}" if node.attr("is_causal", 0) else text

        scores = k.define(shape, "f32", masked)
    stages.append(scores)
    if cap:
        before_cap = scores
        scores = k.define(shape, "f32", lambda *i: f"{literal(cap, 'f32')} * tanh({before_cap.at(i)} / {literal(cap, 'f32')})")
    stages.append(scores)
    top = reduced(k, scores, [3], "max(R) {x}", "f32")
    e = k.define(shape, "f32", lambda *i: f"exp({scores.at(i)} - {top.at(over(scores, [3], i))})")
    z = reduced(k, e, [3], "sum(R) {x}", "f32")
    p = k.define(shape, "f32", lambda *i: f"{e.at(i)} / {z.at(over(e, [3], i))}")
    stages.append(p)
    p = convert(k, p, value.elem)
    y = k.define([b, h, s, value.shape[3]], "f32", lambda i, hh, t, d: f"sum(u: {total}) {p.at([i, hh, t, 'u'])} * {value.at([i, kv(hh), 'u', d])}")
    y = convert(k, y, elem)
    if three:
        four, last = y, value.shape[3]
        y = k.define([b, s, h * last], elem, lambda i, t, c: four.at([i, f"{c} / {last}", t, f"{c} % {last}"]))
    wanted = stages[node.attr("qk_matmul_output_mode", 0)] if len(node.outputs) > 3 and node.outputs[3] else None
    return [y, key, value, convert(k, wanted, elem) if wanted is not None else None]


def heads_apart(k, x, heads):
    b, s, hidden = x.shape
    size = hidden // heads
    return k.define([b, heads, s, size], x.elem, lambda i, h, t, d: x.at([i, t, f"{h}*{size} + {d}"]))


def einsum(k, node):
    values = [k.tensor(v) for v in node.inputs]
    rule = node.attr("equation").replace(" ", "")
    if "." in rule:
        raise Unsupported("einsum with an ellipsis")
    left, _, right = rule.partition("->")
    terms = left.split(",")
    if "->" not in rule:
        right = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    extents = {c: e for term, v in zip(terms, values) for c, e in zip(term, v.shape)}
    bound = [c for c in dict.fromkeys(left.replace(",", "")) if c not in right]

    def write(*i):
        name = dict(zip(right, i)) | {c: f"r{c}" for c in bound}
        body = " * ".join(v.at([name[c] for c in term]) for term, v in zip(terms, values))
        heads = ", ".join(f"r{c}: {extents[c]}" for c in bound)
        return f"sum({heads}) {body}" if bound else body

    return [convert(k, k.define([extents[c] for c in right], "f32", write), values[0].elem)]


def loss(k, node):
    """Negative log likelihood, of probabilities that are logarithms already or of scores."""
    x, target = k.tensor(node.inputs[0]), k.tensor(node.inputs[1])
    weight = k.tensor(node.inputs[2]) if optional(node, 2) is not None else None
    ignored, how = node.attr("ignore_index", None), node.attr("reduction", "mean")
    logs = x
    if node.op == "SoftmaxCrossEntropyLoss":
        top = reduced(k, x, [1], "max(R) {x}", "f32")
        z = reduced(k, k.define(x.shape, "f32", lambda *i: f"exp({x.at(i)} - {top.at(over(x, [1], i))})"), [1], "sum(R) {x}", "f32", after="log({})")
        logs = k.define(x.shape, "f32", lambda *i: f"({x.at(i)} - {top.at(over(x, [1], i))}) - {z.at(over(x, [1], i))}")

    def share(*i):
        t = target.at(i)
        text = f"(gather({weight.name}, {t}) else 0.0)" if weight else "1.0"
        return f"if {t} == {literal(ignored, 'i32')} then 0.0 else {text}" if ignored is not None else text

    w = k.define(target.shape, "f32", share)
    row = lambda i: logs.at([i[0], ":", *i[1:]])
    each = k.define(target.shape, "f32", lambda *i: f"-((gather({row(i)}, {target.at(i)}) else 0.0) * {w.at(i)})")
    outs = [each]
    axes = list(range(target.rank))
    if how != "none":
        total = reduced(k, each, axes, "sum(R) {x}", "f32", keep=False)
        weights = reduced(k, w, axes, "sum(R) {x}", "f32", keep=False)
        outs = [k.define([], "f32", lambda: f"{total.at([])} / {weights.at([])}" if how == "mean" else total.at([]))]
    return outs + ([logs] if len(node.outputs) > 1 else [])


OPS = {name: pool for name in ("MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool")}
OPS |= {"MatMul": matmul, "Gemm": gemm, "MatMulInteger": matmul_integer, "QLinearMatMul": qlinear_matmul, "Conv": conv,
        "ConvInteger": conv_integer, "QLinearConv": qlinear_conv, "ConvTranspose": conv_transpose, "QuantizeLinear": quantize,
        "DequantizeLinear": dequantize, "DynamicQuantizeLinear": dynamic_quantize, "RotaryEmbedding": rotary,
        "Attention": attention, "Einsum": einsum, "NegativeLogLikelihoodLoss": loss, "SoftmaxCrossEntropyLoss": loss}
