"""Operators that compute each element of the result from one of each operand."""

import numpy as np

from kernel import Unsupported, broadcast, literal

# The right side in f32 of `x`; parameters by name in braces.
UNARY = {
    "Abs": "abs({x})", "Ceil": "ceil({x})", "Floor": "floor({x})", "Round": "round({x})", "Exp": "exp({x})",
    "Log": "log({x})", "Sqrt": "sqrt({x})", "Neg": "-({x})", "Reciprocal": "1.0 / {x}", "Sign": "sign({x})",
    "Sin": "sin({x})", "Cos": "cos({x})", "Tan": "sin({x}) / cos({x})", "Tanh": "tanh({x})", "Erf": "erf({x})",
    "Sigmoid": "sigmoid({x})", "Relu": "max({x}, 0.0)", "Softsign": "{x} / (1.0 + abs({x}))",
    "Softplus": "max({x}, 0.0) + log(1.0 + exp(-abs({x})))",
    "Sinh": "(exp({x}) - exp(-({x}))) * 0.5", "Cosh": "(exp({x}) + exp(-({x}))) * 0.5",
    "Asinh": "sign({x}) * log(abs({x}) + sqrt({x} * {x} + 1.0))", "Acosh": "log({x} + sqrt({x} * {x} - 1.0))",
    "Atanh": "log((1.0 + {x}) / (1.0 - {x})) * 0.5",
    "Atan": "atan({x})", "Asin": "asin({x})", "Acos": "acos({x})",
    "LeakyRelu": "if {x} < 0.0 then {x} * {alpha} else {x}",
    "Elu": "if {x} < 0.0 then {alpha} * (exp({x}) - 1.0) else {x}",
    "Selu": "if {x} > 0.0 then {gamma} * {x} else {gamma} * ({alpha} * exp({x}) - {alpha})",
    "Celu": "max({x}, 0.0) + min({alpha} * (exp({x} / {alpha}) - 1.0), 0.0)",
    "HardSigmoid": "max(min({x} * {alpha} + {beta}, 1.0), 0.0)",
    "HardSwish": "{x} * max(min({x} / 6.0 + 0.5, 1.0), 0.0)",
    "Mish": "{x} * tanh(max({x}, 0.0) + log(1.0 + exp(-abs({x}))))",
    "ThresholdedRelu": "if {x} > {alpha} then {x} else 0.0",
    "Swish": "{x} / (1.0 + exp(-({x}) * {alpha}))",
    "Shrink": "if {x} < -({lambd}) then {x} + {bias} else (if {x} > {lambd} then {x} - {bias} else 0.0)",
}
DEFAULTS = {
    "LeakyRelu": {"alpha": 0.01}, "Elu": {"alpha": 1.0}, "Celu": {"alpha": 1.0}, "ThresholdedRelu": {"alpha": 1.0},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, "Swish": {"alpha": 1.0},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5}, "Shrink": {"lambd": 0.5, "bias": 0.0},
}
GELU = {
    "none": "0.5 * {x} * (1.0 + erf({x} * 0.70710678))",
    "tanh": "0.5 * {x} * (1.0 + tanh(0.79788456 * ({x} + 0.044715 * ({x} * {x} * {x}))))",
}
COMPARE = {"Equal": "==", "Less": "<", "Greater": ">", "LessOrEqual": "<=", "GreaterOrEqual": ">="}
LOGIC = {"And": "{a} && {b}", "Or": "{a} || {b}", "Xor": "{a} != {b}"}
BITS = {"BitwiseAnd": "bit_and({a}, {b})", "BitwiseOr": "bit_or({a}, {b})", "BitwiseXor": "bit_xor({a}, {b})"}
ARITHMETIC = {"Add": "{a} + {b}", "Sub": "{a} - {b}", "Mul": "{a} * {b}", "Div": "{a} / {b}"}


def unary(k, node):
    """One operand; 16-bit floats are computed in f32 and rounded once."""
    x = k.tensor(node.inputs[0])
    op = node.op
    text = GELU[node.attr("approximate", "none")] if op == "Gelu" else UNARY[op]
    if op in ("Abs", "Neg", "Sign") or (op == "Relu" and not x.floating):
        text = text.replace("0.0", "0") if not x.floating else text
        return [k.define(x.shape, x.elem, lambda *i: text.format(x=x.at(i)))]
    if not x.floating:
        raise Unsupported(f"{op} of {x.elem}")
    given = {name: literal(node.attr(name, value), "f32") for name, value in DEFAULTS.get(op, {}).items()}
    wide = x.elem == "f32"

    def write(*i):
        operand = x.at(i) if wide else f"({x.at(i)} as f32)"
        value = text.format(x=operand, **given)
        return value if wide else f"({value}) as {x.elem}"

    return [k.define(x.shape, x.elem, write)]


def joined(shape_of):
    """The shape that operands are broadcast to."""
    return list(np.broadcast_shapes(*[tuple(v.shape) for v in shape_of]))


def binary(k, node):
    """Two operands, broadcast."""
    a, b = (k.tensor(v) for v in node.inputs[:2])
    shape, op = joined([a, b]), node.op
    at_a, at_b = broadcast(shape, a), broadcast(shape, b)
    elem = a.elem
    if op in COMPARE:
        elem, text = "bool", f"{{a}} {COMPARE[op]} {{b}}"
    elif op in LOGIC:
        text = LOGIC[op]
    elif op in BITS:
        text = BITS[op]
    elif op == "BitShift":
        text = "shl({a}, {b})" if node.attr("direction") == "LEFT" else "shr({a}, {b})"
    elif op == "Mod":
        if a.floating:
            # fmod: the sign of the dividend.
            text = "{a} - {b} * trunc({a} / {b})"
        elif node.attr("fmod", 0):
            text = "{a} % {b}"
        else:
            # The sign of the divisor.
            text = "(({a} % {b}) + {b}) % {b}"
    elif op == "Pow":
        return power(k, a, b, shape)
    elif op == "PRelu":
        text = "if {a} < 0.0 then {a} * {b} else {a}" if a.floating else "if {a} < 0 then {a} * {b} else {a}"
    else:
        text = ARITHMETIC[op]
    return [k.define(shape, elem, lambda *i: text.format(a=a.at(at_a(*i)), b=b.at(at_b(*i))))]


def power(k, a, b, shape):
    """x^y: by squaring where y is a small whole number, else by logarithm and exponential of |x|."""
    at_a, at_b = broadcast(shape, a), broadcast(shape, b)

    def write(*i):
        x, y = a.at(at_a(*i)), b.at(at_b(*i))
        x = x if a.elem == "f32" else f"{x} as f32"
        y = y if b.elem == "f32" else f"{y} as f32"
        value = f"pow_f32({x}, {y})"
        return value if a.elem == "f32" else f"({value}) as {a.elem}"

    k.function("pow_f32", """fn pow_f32(x: f32, y: f32) -> f32 {
    let size = abs(x);
    let r = if size == 0.0 then (if y == 0.0 then 1.0 else 0.0) else exp(y * log(size));
    let odd = y - 2.0 * floor(y * 0.5);
    if x < 0.0 && odd == 1.0 then -r else r
}
""")
    return [k.define(shape, a.elem, write)]


def variadic(k, node):
    """Max, Min, Sum and Mean of any number of operands."""
    values = [k.tensor(v) for v in node.inputs]
    shape = joined(values)
    ats = [broadcast(shape, v) for v in values]

    def write(*i):
        terms = [v.at(at(*i)) for v, at in zip(values, ats)]
        text = terms[0]
        for term in terms[1:]:
            text = f"{node.op.lower()}({text}, {term})" if node.op in ("Max", "Min") else f"({text} + {term})"
        return f"{text} / {len(terms)}.0" if node.op == "Mean" else text

    return [k.define(shape, values[0].elem, write)]


def clip(k, node):
    x = k.tensor(node.inputs[0])
    low, high = ((node.inputs + [None, None])[1:3])
    attrs = {"min": node.attr("min", None), "max": node.attr("max", None)}

    def bound(value, name):
        if value is None:
            return None if attrs[name] is None else literal(attrs[name], x.elem)
        return literal(value.data.item(), x.elem) if value.data is not None else k.tensor(value).at([])

    low, high = bound(low, "min"), bound(high, "max")

    def write(*i):
        text = x.at(i)
        text = f"max({text}, {low})" if low is not None else text
        return f"min({text}, {high})" if high is not None else text

    return [k.define(x.shape, x.elem, write)]


def where(k, node):
    c, a, b = (k.tensor(v) for v in node.inputs)
    shape = joined([c, a, b])
    at = [broadcast(shape, v) for v in (c, a, b)]
    return [k.define(shape, a.elem, lambda *i: f"if {c.at(at[0](*i))} then {a.at(at[1](*i))} else {b.at(at[2](*i))}")]


def cast(k, node):
    x = k.tensor(node.inputs[0])
    to = node.elem_attr("to") if node.op == "Cast" else node.inputs[1].elem
    return [convert(k, x, to)]


def convert(k, x, to):
    """A conversion as ONNX means it: floats round to nearest even and keep infinities, integers truncate."""
    if x.elem == to:
        return x
    if to == "bool":
        return k.define(x.shape, to, lambda *i: f"{x.at(i)} != {literal(0, x.elem)}")
    how = ""
    if x.floating and to in ("f16", "bf16"):
        how = " inf"
    elif x.floating and to != "f32":
        how = " round trunc"
    elif not x.floating and x.elem != "bool" and to not in ("f32", "f16", "bf16"):
        how = " wrap"
    return k.define(x.shape, to, lambda *i: f"{x.at(i)} as {to}{how}")


def test_of(k, node):
    """IsNaN, IsInf, Not, BitwiseNot."""
    x = k.tensor(node.inputs[0])
    if node.op == "Not":
        return [k.define(x.shape, "bool", lambda *i: f"!{x.at(i)}")]
    if node.op == "BitwiseNot":
        return [k.define(x.shape, x.elem, lambda *i: f"bit_not({x.at(i)})")]
    if node.op == "IsNaN":
        return [k.define(x.shape, "bool", lambda *i: f"{x.at(i)} != {x.at(i)}")]
    signs = [s for s, name in (("inf", "detect_positive"), ("(-inf)", "detect_negative")) if node.attr(name, 1)]
    return [k.define(x.shape, "bool", lambda *i: " || ".join(f"({x.at(i)} == {s})" for s in signs) or "false")]


def identity(k, node):
    """Identity, and Dropout, which drops nothing outside training."""
    x = k.tensor(node.inputs[0])
    training = len(node.inputs) > 2 and node.inputs[2] is not None
    if training:
        raise Unsupported("Dropout in training mode")
    return [x] if len(node.outputs) == 1 else [x, k.define(x.shape, "bool", lambda *i: f"{x.at(i)} == {x.at(i)}")]


OPS = {name: unary for name in [*UNARY, "Gelu"]}
OPS |= {name: binary for name in [*COMPARE, *LOGIC, *BITS, *ARITHMETIC, "BitShift", "Mod", "Pow", "PRelu"]}
OPS |= {name: variadic for name in ("Max", "Min", "Sum", "Mean")}
OPS |= {name: test_of for name in ("Not", "BitwiseNot", "IsNaN", "IsInf")}
OPS |= {"Clip": clip, "Where": where, "Cast": cast, "CastLike": cast, "Identity": identity, "Dropout": identity}
