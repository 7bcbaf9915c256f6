"""Makes the files of this folder: what the vector unit must compute, from numpy, mpmath and whole numbers alone.

    python make.py            writes the files
    python make.py FILE LINE BLOCK   prints inputs and results of one block of 512 elements, to find what differs

A line is a case: form, instruction, scalar, CTRL, input set, bytes of an input and of a result, then a colon and a hash
(FNV-1a over 32-bit words) for each 512 results; a case of form `ulp` has the real values themselves, as bits of f64.
Needs numpy, ml_dtypes and mpmath. The input sets are written again in `tests/harness/numerics.rs`.
"""

import math
import sys
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import mpmath
import numpy as np

np.seterr(all="ignore")
mpmath.mp.prec = 160
KEEP = 1 << 48
SATURATE = 1 << 53
BLOCK = 512
F16, BF16, F32 = (10, -14, 15), (7, -126, 127), (23, -126, 127)


# ------------------------------------------------------------------------------------------------ input sets

def mixed(n, seed=0):
    """splitmix64 of 1, 2, 3… plus a seed."""
    z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def near_f16():
    """f32 around f16: each sign, exponent and upper mantissa with low bits about nothing, a half and one; then specials."""
    sign, exponent, upper, low = np.meshgrid(
        np.arange(2), np.arange(101, 145), np.arange(1024), [0, 1, 0xFFF, 0x1000, 0x1001, 0x1FFF], indexing="ij"
    )
    body = (sign << 31 | exponent << 23 | upper << 13 | low).ravel()
    special = [0, 0x80000000, 1, 0x80000001, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345, 0x7F7FFFFF, 0xFF7FFFFF]
    return np.concatenate([body, np.resize(special, 4096)]).astype(np.uint32)


def near_bf16():
    """f32 around bf16: every upper half with lower halves about nothing, a half and one."""
    upper, low = np.meshgrid(np.arange(65536), [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], indexing="ij")
    return (upper << 16 | low).ravel().astype(np.uint32)


def near_int():
    """f32 of every upper half, then those with other lower halves, then halves of whole numbers."""
    upper = np.arange(65536, dtype=np.uint32) << 16
    halves = (np.arange(-65536, 65536) / 2).astype(np.float32).view(np.uint32)
    return np.concatenate([upper, upper | (mixed(65536) & np.uint64(0xFFFF)).astype(np.uint32), halves])


SPECIAL16 = [0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x83FF, 0x8400, 0x3C00, 0xBC00, 0x3C01, 0x3BFF, 0x7BFF, 0xFBFF,
             0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7800, 0x7801, 0x4000, 0x3555, 0x1400, 0x13FF, 0x6800, 0x0200, 0x5BFF, 0xDBFF]
SPECIAL32 = [0, 0x80000000, 1, 0x80000001, 0x7FFFFF, 0x800000, 0x80800000, 0x3F800000, 0xBF800000, 0x3F800001,
             0x3F7FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345, 0x7F000000, 0x40000000,
             0x3EAAAAAB, 0x4B800000, 0x4B7FFFFF, 0x33800000, 0x33800001, 0x20000000, 0x5F000000, 0x1F800000, 0x5F7FFFFF]


def operands(bits, which):
    """The `which`-th operands of a set of pairs or triples: specials with specials, then random bits, some with near exponents."""
    special = np.array(SPECIAL16 if bits == 16 else SPECIAL32, np.uint32)
    count, n = len(special), 65536
    index = np.arange(n)
    chosen = special[(index // [1, count, 7][which]) % count]
    random = mixed(n, which + 1)
    free = (random >> np.uint64(64 - bits)).astype(np.uint32)
    exponent, mantissa = (0x7C00, 10) if bits == 16 else (0x7F800000, 23)
    middle = (exponent >> 1 & exponent) - (1 << mantissa) * 4
    near = free & ~np.uint32(exponent) | np.uint32(middle) + ((random & np.uint64(7)).astype(np.uint32) << np.uint32(mantissa))
    body = np.where(index % 2 == 0, free, near)
    return np.where(index < count * count, chosen, body).astype(np.uint32)


def shifted(bits):
    """Random whole numbers of every length."""
    values = mixed(65536).astype(np.int64) >> (np.arange(65536) % bits)
    return values.astype(np.int32).view(np.uint32) if bits == 32 else values.view(np.uint64)


SETS = {
    "all16": lambda: np.arange(65536, dtype=np.uint32),
    "all8": lambda: np.arange(65536, dtype=np.uint32) & 255,
    "near_f16": near_f16,
    "near_bf16": near_bf16,
    "near_int": near_int,
    "s32": lambda: shifted(32),
    "s64": lambda: shifted(64),
    "few": lambda: operands(32, 0)[:4096],
}


# ------------------------------------------------------------------------------------------------ arithmetic

def up(low, rest, negative, mode):
    """Whether a magnitude between two whole numbers goes to the upper one."""
    return {
        "r": (rest > 0.5) | ((rest == 0.5) & (low % 2 == 1)),
        "a": rest >= 0.5,
        "f": (rest > 0) & negative,
        "c": (rest > 0) & ~negative,
        "z": np.zeros_like(negative),
        "o": (rest > 0) & (low % 2 == 0),
    }[mode]


def encode(values, form):
    if form is F16:
        return values.astype(np.float16).view(np.uint16).astype(np.uint32)
    return values.astype(np.float32).view(np.uint32) >> (16 if form is BF16 else 0)


def to_float(x, form, mode="r", keep=True):
    """Real values, exact in f64, to bits of a format."""
    mantissa, least, most = form
    x = np.asarray(x, np.float64)
    negative, magnitude = np.signbit(x), np.abs(x)
    finite = np.where(np.isfinite(magnitude), magnitude, 0)
    exponent = np.maximum(np.frexp(finite)[1] - 1, least)
    scaled = np.ldexp(finite, mantissa - exponent)
    low = np.floor(scaled)
    rounded = np.ldexp(low + up(low, scaled - low, negative, mode), exponent - mantissa)
    largest = np.ldexp(2 - 2.0**-mantissa, most)
    outward = {"r": True, "a": True, "z": False, "o": False, "f": negative, "c": ~negative}[mode]
    beyond = np.where(outward, np.inf, largest)
    value = np.where(rounded > largest, beyond, rounded)
    value = np.where(np.isinf(x), np.inf, value)
    if not keep:
        value = np.minimum(value, largest)
    bits = encode(np.copysign(value, x), form)
    nan = {F16: 0x7E00, BF16: 0x7FC0, F32: 0x7FC00000}[form] if keep else 0
    return np.where(np.isnan(x), nan, bits).astype(np.uint32)


def to_int(x, bits, signed, mode, saturate):
    """Real values, exact in f64, to whole numbers of a width; bits."""
    x = np.asarray(x, np.float64)
    finite = np.where(np.isfinite(x), x, 0)
    low = np.floor(np.abs(finite))
    whole = np.copysign(low + up(low, np.abs(finite) - low, np.signbit(x), mode), x)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    mask = (1 << bits) - 1

    def one(value, real):
        if math.isnan(real) or (math.isinf(real) and not saturate):
            return 0
        exact = (most if real > 0 else least) if math.isinf(real) else int(value)
        return (min(max(exact, least), most) if saturate else exact) & mask

    return np.array([one(v, r) for v, r in zip(whole.tolist(), x.tolist())], np.uint64)


def value16(bits):
    return bits.astype(np.uint16).view(np.float16).astype(np.float64)


def value_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def value32(bits):
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def signed(bits, width):
    kind = {8: np.int8, 16: np.int16, 32: np.int32, 64: np.int64}[width]
    return bits.astype(kind)


def maximum(x, y):
    larger = np.where((x > y) | ((x == y) & ~np.signbit(x)), x, y)
    return np.where(np.isnan(x) | np.isnan(y), np.nan, larger)


def minimum(x, y):
    return -maximum(-x, -y)


def nearest_f32(exact):
    """A fraction, not zero, to the nearest f32, ties to even."""
    sign, exact = (-1, -exact) if exact < 0 else (1, exact)
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    exponent -= exact < Fraction(2) ** exponent
    step = Fraction(2) ** (max(exponent, -126) - 23)
    count = round(exact / step)
    return sign * (float(count * step) if count * step < 2**128 else math.inf)


def fused(x, y, z):
    """x * y + z, rounded once to f32."""
    plain = x * y + z

    def one(p, x, y, z):
        if not all(map(math.isfinite, (x, y, z))):
            return p
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        # A sum of zero takes its sign from f64, in which the product of two f32 is exact.
        return nearest_f32(exact) if exact else p

    return np.array([one(*row) for row in zip(plain.tolist(), x.tolist(), y.tolist(), z.tolist())])


def by_mpmath(function, x):
    """A function at finite, positive or other allowed values; nan elsewhere. Rounded to the nearest f32, as f64."""
    def one(v):
        exact = function(mpmath.mpf(v))
        m, e = mpmath.frexp(exact)
        if m == 0:
            return 0.0
        step = mpmath.ldexp(1, max(int(e) - 24, -149))
        result = mpmath.nint(exact / step) * step
        return float(result) if abs(result) < mpmath.ldexp(1, 128) else math.copysign(math.inf, result)

    return np.array([one(v) if math.isfinite(v) else math.nan for v in x.tolist()])


def exp_f32(x):
    # Beyond these ends every result is infinity or zero.
    inside = by_mpmath(mpmath.exp, np.clip(x, -120, 100))
    return np.where(x == np.inf, np.inf, np.where(x == -np.inf, 0.0, np.where(np.isnan(x), np.nan, inside)))


def ln_f32(x):
    positive = np.isfinite(x) & (x > 0)
    inside = by_mpmath(mpmath.log, np.where(positive, x, 1.0))
    return np.where(positive, inside, np.where(x == 0, -np.inf, np.where(x == np.inf, np.inf, np.nan)))


def cut(x):
    """Clears the low 15 bits of an f32, as the low-precision instructions do."""
    return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF8000)).view(np.float32).astype(np.float64)


def rsqrt_f32(x):
    positive = np.isfinite(x) & (x > 0)
    inside = by_mpmath(lambda v: 1 / mpmath.sqrt(v), np.where(positive, x, 1.0))
    edge = np.where(x == 0, np.copysign(np.inf, x), np.where(x == np.inf, 0.0, np.nan))
    return cut(np.where(positive, inside, edge))


# ------------------------------------------------------------------------------------------------ cases

class File:
    """One file: its cases, and the results of each to print."""

    def __init__(self, name):
        self.name, self.cases = name, []

    def add(self, form, inst, scalar, ctrl, inputs, sizes, results):
        self.cases.append((form, inst, scalar, ctrl, inputs, sizes, np.asarray(results, np.uint64)))

    def text(self):
        return "".join(line(*case) for case in self.cases)


def line(form, inst, scalar, ctrl, inputs, sizes, results):
    head = f"{form} {inst} {scalar:#x} {ctrl:#x} {inputs} {sizes[0]} {sizes[1]} :"
    if form == "ulp":
        return head + "".join(f" {word:016x}" for word in results.tolist()) + "\n"
    return head + "".join(f" {word:08x}" for word in hashes(results, sizes[1])) + "\n"


def hashes(results, size):
    words = [results & np.uint64(0xFFFFFFFF)]
    if size == 8:
        words.append(results >> np.uint64(32))
    words = np.stack(words, 1).reshape(-1, BLOCK * len(words)).astype(np.uint32)
    found = np.full(len(words), 0x811C9DC5, np.uint32)
    for column in words.T:
        found = (found ^ column) * np.uint32(0x01000193)
    return found.tolist()


MODES = [(SATURATE, False), (SATURATE | KEEP, True)]
INT_MODES = [(SATURATE, True), (0, False), (1 << 60, True), (1 << 60 | 1 << 59 | SATURATE, False)]


def unary_f16():
    file, bits = File("unary_f16"), SETS["all16"]()
    x = value16(bits)
    exp, ln, rsqrt = exp_f32(x), ln_f32(x), rsqrt_f32(x)
    rec = cut((np.float32(1) / x.astype(np.float32)).astype(np.float64))
    for ctrl, keep in MODES:
        f16 = lambda values: to_float(values, F16, "r", keep)
        kept = lambda values: to_float(values, F16)
        for inst, results in {
            "vexp.f16": f16(exp),
            "vln.f16": f16(ln),
            "vsqrt.f16": f16(np.sqrt(x)),
            "vrsqrt.f16": f16(rsqrt),
            "vrec.f16": f16(rec),
            "vabs.f16": kept(np.abs(x)),
            "vrelu.f16": kept(maximum(x, np.zeros_like(x))),
        }.items():
            file.add("two", inst, 0, ctrl, "all16", (2, 2), results)
        for scalar in [0x3C00, 0x3555, 0x7BFF, 0x8001, 0x0400, 0xB800, 0x7C00, 0x7E00]:
            s = value16(np.array([scalar]))[0]
            leak = np.where(x < 0, x * s, x)
            file.add("scalar", "vadds.f16", scalar, ctrl, "all16", (2, 2), f16(x + s))
            file.add("scalar", "vmuls.f16", scalar, ctrl, "all16", (2, 2), f16(x * s))
            file.add("scalar", "vlrelu.f16", scalar, ctrl, "all16", (2, 2), f16(leak))
            same = np.full_like(x, s)
            file.add("scalar", "vmaxs.f16", scalar, ctrl, "all16", (2, 2), kept(maximum(x, same)))
            file.add("scalar", "vmins.f16", scalar, ctrl, "all16", (2, 2), kept(minimum(x, same)))
    return file


def unary_s16():
    file, bits = File("unary_s16"), SETS["all16"]()
    x = signed(bits, 16).astype(np.int64)
    word = lambda values: np.asarray(values).astype(np.int64).astype(np.uint64) & np.uint64(0xFFFF)
    file.add("two", "vnot", 0, SATURATE, "all16", (2, 2), word(~x))
    for s in [0, 1, 3, 8, 15, 16, 17]:
        by = s % 16
        file.add("scalar", "vshl.s16", s, SATURATE, "all16", (2, 2), word(x << by))
        file.add("scalar", "vshl.u16", s, SATURATE, "all16", (2, 2), word(x << by))
        file.add("scalar", "vshr.s16", s, SATURATE, "all16", (2, 2), word(x >> by))
        file.add("scalar", "vshr.u16", s, SATURATE, "all16", (2, 2), word((x & 0xFFFF) >> by))
    for scalar in [1, 0x7FFF, 0x8000, 0xFFFE, 0x1234]:
        s = int(np.uint16(scalar).view(np.int16))
        for inst, results in {
            "vadds.s16": x + s,
            "vmuls.s16": x * s,
            "vmaxs.s16": np.maximum(x, s),
            "vmins.s16": np.minimum(x, s),
        }.items():
            file.add("scalar", inst, scalar, SATURATE, "all16", (2, 2), word(results))
    return file


def casts_from_16():
    file, bits = File("casts_from_16"), SETS["all16"]()
    half, brain, short = value16(bits), value_bf16(bits), signed(bits, 16).astype(np.float64)
    file.add("two", "vconv.f16.f32", 0, SATURATE, "all16", (2, 4), to_float(half, F32))
    file.add("two", "vconv.bf16.f32", 0, SATURATE, "all16", (2, 4), to_float(brain, F32))
    file.add("two", "vconv.s16.f32", 0, SATURATE, "all16", (2, 4), to_float(short, F32))
    widths = {"s32": (32, True, 4), "s16": (16, True, 2), "s8": (8, True, 1), "u8": (8, False, 1)}
    for mode in "rfcaz":
        file.add("two", f"vconv.s16.f16.{mode}", 0, SATURATE, "all16", (2, 2), to_float(short, F16, mode))
        for ctrl, saturate in INT_MODES:
            for name, (width, sign, size) in widths.items():
                results = to_int(half, width, sign, mode, saturate)
                file.add("two", f"vconv.f16.{name}.{mode}", 0, ctrl, "all16", (2, size), results)
            results = to_int(brain, 32, True, mode, saturate)
            file.add("two", f"vconv.bf16.s32.{mode}", 0, ctrl, "all16", (2, 4), results)
            pairs = to_int(half, 4, True, mode, saturate).reshape(-1, 2)
            packed = pairs[:, 0] | pairs[:, 1] << np.uint64(4)
            file.add("s4", f"vconv_s4.{mode}", 0, ctrl, "all16", (2, 1), packed)
    for ctrl, saturate in INT_MODES:
        file.add("two", "vconv.s16.s8", 0, ctrl, "all16", (2, 1), to_int(short, 8, True, "r", saturate))
        file.add("two", "vconv.s16.u8", 0, ctrl, "all16", (2, 1), to_int(short, 8, False, "r", saturate))
    byte = SETS["all8"]()
    file.add("two", "vconv.u8.f16", 0, SATURATE, "all8", (1, 2), to_float(byte.astype(np.float64), F16))
    file.add("two", "vconv.s8.f16", 0, SATURATE, "all8", (1, 2), to_float(signed(byte, 8).astype(np.float64), F16))
    return file


def casts_from_32():
    file = File("casts_from_32")
    x = value32(SETS["near_f16"]())
    number = ~np.isnan(x)
    by_numpy = x.astype(np.float32).astype(np.float16).view(np.uint16)
    assert np.array_equal(to_float(x, F16)[number], by_numpy[number])
    for ctrl, keep in MODES:
        for mode in "rfcazo":
            file.add("two", f"vconv.f32.f16.{mode}", 0, ctrl, "near_f16", (4, 2), to_float(x, F16, mode, keep))
    x = value32(SETS["near_bf16"]())
    number = ~np.isnan(x)
    by_ml_dtypes = x.astype(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
    assert np.array_equal(to_float(x, BF16)[number], by_ml_dtypes[number])
    for ctrl, keep in MODES:
        for mode in "rfcaz":
            file.add("two", f"vconv.f32.bf16.{mode}", 0, ctrl, "near_bf16", (4, 2), to_float(x, BF16, mode, keep))
    x = value32(SETS["near_int"]())
    for mode in "rfcaz":
        low = np.floor(np.abs(x))
        whole = low + up(low, np.abs(x) - low, np.signbit(x), mode)
        integral = np.where(np.isfinite(x), np.copysign(whole, x), x)
        file.add("two", f"vconv.f32.f32.{mode}", 0, SATURATE, "near_int", (4, 4), to_float(integral, F32))
        for ctrl, saturate in INT_MODES[:2]:
            for width, size in [(16, 2), (32, 4), (64, 8)]:
                results = to_int(x, width, True, mode, saturate)
                file.add("two", f"vconv.f32.s{width}.{mode}", 0, ctrl, "near_int", (4, size), results)
    return file


def casts_of_whole_numbers():
    file = File("casts_of_whole_numbers")
    word, wide = SETS["s32"](), SETS["s64"]()
    x = signed(word, 32).astype(np.float64)
    mask = np.uint64(0xFFFFFFFF)
    for mode in "rfcaz":
        file.add("two", f"vconv.s32.f32.{mode}", 0, SATURATE, "s32", (4, 4), to_float(x, F32, mode))
        results = [whole_to_f32(value, mode) for value in wide.view(np.int64).tolist()]
        file.add("two", f"vconv.s64.f32.{mode}", 0, SATURATE, "s64", (8, 4), to_float(np.array(results), F32))
    file.add("two", "vconv.s32.s64", 0, SATURATE, "s32", (4, 8), signed(word, 32).astype(np.int64).view(np.uint64))
    for ctrl, saturate in INT_MODES:
        file.add("two", "vconv.s32.s16", 0, ctrl, "s32", (4, 2), to_int(x, 16, True, "r", saturate))
        ends = np.clip(wide.view(np.int64), -(2**31), 2**31 - 1).view(np.uint64) if saturate else wide
        file.add("two", "vconv.s64.s32", 0, ctrl, "s64", (8, 4), ends & mask)
    for scale in [0x3C00, 0x2E66, 0x0001, 0x7BFF, 0xB555]:
        for ctrl, keep in MODES:
            product = (x.astype(np.float32) * np.float32(value16(np.array([scale]))[0])).astype(np.float64)
            file.add("deq", "vdeq.s32f16", scale, ctrl, "s32", (4, 2), to_float(product, F16, "r", keep))
    return file


def whole_to_f32(value, mode):
    """A whole number to the f32 that a rounding chooses, as f64."""
    magnitude, negative = abs(value), value < 0
    shift = max(magnitude.bit_length() - 24, 0)
    low, rest = magnitude >> shift, magnitude & (1 << shift) - 1
    rest = rest / (1 << shift) if rest * 2 != 1 << shift else 0.5
    chosen = low + bool(up(np.int64(low), np.float64(rest), np.bool_(negative), mode))
    return math.ldexp(-chosen if negative else chosen, shift)


def quantisation():
    """The fixpipe's arithmetic and `vdeq`. For form `num` the field CTRL is the activation: none, ReLU, slope -0.125."""
    file = File("quantisation")
    short = signed(SETS["all16"](), 16).astype(np.float32)
    word32, x = signed(SETS["s32"](), 32), value32(SETS["near_int"]()).astype(np.float32)
    words = [(1.0, 0, True), (0.0078125, -3, True), (0.37, 200, False), (-1.5, -256, True), (65536.0, 255, False), (1e-30, 17, False)]
    for word in [quant_word(*fields) for fields in words]:
        scale = np.uint32(word & 0xFFFFFFFF).view(np.float32)
        dropped = np.clip(word32 >> (word >> 32 & 15) + 1, -(2**15), 2**15 - 1)
        file.add("deq", "vdeq.s16b8", word, SATURATE, "all16", (2, 1), req8(short * scale, word))
        file.add("num", "shift_s32_s16", word, 0, "s32", (4, 2), dropped.astype(np.int64).view(np.uint64) & np.uint64(0xFFFF))
        for slope, negative in enumerate([scale, np.float32(0), np.float32(-0.125)]):
            active = lambda values: np.where(values < 0, np.float32(0) if slope == 1 else values * negative, values * scale)
            for bits, shifted in [(0, word32), (1 << 36, dropped)]:
                whole = active(shifted.astype(np.float32))
                file.add("num", "requant_s32_s8", word | bits, slope, "s32", (4, 1), req8(whole, word))
                file.add("num", "requant_s32_s4", word | bits, slope, "s32", (4, 1), req8(whole, word, (-8, 7)))
                half = to_float(whole.astype(np.float64), F16, "r", False)
                file.add("num", "dequant_s32_f16", word | bits, slope, "s32", (4, 2), half)
            file.add("num", "quant_f32_s8", word, slope, "near_int", (4, 1), req8(active(x), word))
            file.add("num", "quant_f32_s4", word, slope, "near_int", (4, 1), req8(active(x), word, (-8, 7)))
    return file


def quant_word(scale, offset, sign):
    bits = int(np.float32(scale).view(np.uint32)) & 0xFFFFE000
    return bits | (7 << 32) | (offset & 0x1FF) << 37 | int(sign) << 46


def req8(scaled, word, ends=None):
    """Clip to nine bits, round half to even, add the offset, saturate."""
    offset = (word >> 37 & 0x1FF) - (word >> 37 & 0x100) * 2
    scaled = np.where(np.isnan(scaled), 0, scaled).astype(np.float64)
    whole = np.rint(np.clip(scaled, -256, 255)).astype(np.int64) + offset
    ends = ends or ((-128, 127) if word >> 46 & 1 else (0, 255))
    return np.clip(whole, *ends).astype(np.uint64) & np.uint64(0xFF)


def language():
    """Functions of f16 and bf16 that only the language has; the field CTRL is 1 to keep infinities, or the rounding."""
    file, bits = File("language"), SETS["all16"]()
    for name, form, x in [("f16", F16, value16(bits)), ("bf16", BF16, value_bf16(bits))]:
        for keep in [False, True]:
            narrow = lambda values: to_float(values, form, "r", keep)
            for function, results in {
                f"exp_{name}": narrow(exp_f32(x)),
                f"ln_{name}": narrow(ln_f32(x)),
                f"{name}_sqrt": narrow(np.sqrt(x)),
                f"{name}_neg": to_float(-x, form),
                f"{name}_abs": to_float(np.abs(x), form),
            }.items():
                file.add("num", function, 0, int(keep), "all16", (2, 2), results)
        for number, mode in enumerate("rafcz"):
            low = np.floor(np.abs(x))
            whole = np.copysign(low + up(low, np.abs(x) - low, np.signbit(x), mode), x)
            results = to_float(np.where(np.isfinite(x), whole, x), form)
            file.add("num", f"round_to_integral_{name}", 0, number, "all16", (2, 2), results)
    a, b = (value_bf16(operands(32, which) >> 16) for which in range(2))
    for keep in [False, True]:
        narrow = lambda values: to_float(values, BF16, "r", keep)
        for function, results in {
            # A sum of bf16 is not always exact in f64, but rounds to odd there and once more to bf16.
            "bf16_add": narrow(to_odd(a, b)),
            "bf16_sub": narrow(to_odd(a, -b)),
            "bf16_mul": narrow(a * b),
            "bf16_div": narrow(a / b),
            "bf16_max": to_float(maximum(a, b), BF16),
            "bf16_min": to_float(minimum(a, b), BF16),
        }.items():
            file.add("num", function, 0, int(keep), "pairs_bf16", (2, 2), results)
    return file


def to_odd(a, b):
    """A sum in f64 whose last bit is one where it is not exact."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    inexact = np.isfinite(total) & (error != 0)
    toward = np.where(inexact & (np.signbit(error) != np.signbit(total)), np.nextafter(total, 0), total)
    bits = toward.view(np.uint64)
    return np.where(inexact, (bits | np.uint64(1)).view(np.float64), total)


def unary_f32():
    file, bits = File("unary_f32"), SETS["near_int"]()
    x, single = value32(bits), bits.view(np.float32)
    f32 = lambda values: to_float(np.asarray(values).astype(np.float64), F32)
    zero = np.zeros_like(x)
    for inst, results in {
        "vabs.f32": f32(np.abs(x)),
        "vrelu.f32": f32(maximum(x, zero)),
        "vsqrt.f32": f32(np.sqrt(single)),
        "vrec.f32": f32(cut(np.float32(1) / single)),
    }.items():
        file.add("two", inst, 0, SATURATE, "near_int", (4, 4), results)
    for scalar in [0x3F800000, 0x3EAAAAAB, 0x7F7FFFFF, 0x80000001, 0x00800000, 0xC0490FDB, 0x7F800000, 0x7FC00000]:
        s = np.uint32(scalar).view(np.float32)
        same = np.full_like(x, float(s))
        file.add("scalar", "vadds.f32", scalar, SATURATE, "near_int", (4, 4), f32(single + s))
        file.add("scalar", "vmuls.f32", scalar, SATURATE, "near_int", (4, 4), f32(single * s))
        file.add("scalar", "vlrelu.f32", scalar, SATURATE, "near_int", (4, 4), f32(np.where(single < 0, single * s, single)))
        file.add("scalar", "vmaxs.f32", scalar, SATURATE, "near_int", (4, 4), f32(maximum(x, same)))
        file.add("scalar", "vmins.f32", scalar, SATURATE, "near_int", (4, 4), f32(minimum(x, same)))
    file.add("two", "vrsqrt.f32", 0, SATURATE, "positive", (4, 4), f32(rsqrt_f32(value32(positive()))))
    return file


def axpy():
    """`vaxpy` and the mixed forms: products rounded first where source and destination are of one type."""
    file = File("axpy")
    half, half2, z = (value16(operands(16, which)) for which in range(3))
    single, z32 = operands(32, 0).view(np.float32), operands(32, 2).view(np.float32)
    wide = z32.astype(np.float64)
    f32 = lambda values: to_float(np.asarray(values).astype(np.float64), F32)
    for scalar in [0x3C00, 0x3555, 0xC248, 0x7BFF, 0x0001, 0x7C00]:
        s = value16(np.array([scalar]))[0]
        for ctrl, keep in MODES:
            f16 = lambda values: to_float(values, F16, "r", keep)
            file.add("axpy", "vaxpy.f16", scalar, ctrl, "pairs16", (2, 2), f16(value16(f16(half * s)) + z))
        file.add("axpy", "vaxpy.f16f32", scalar, SATURATE, "mixed", (2, 4), f32(fused(half, np.full_like(half, s), wide)))
    for scalar in [0x3F800000, 0x3EAAAAAB, 0xC0490FDB, 0x7F7FFFFF]:
        s = np.uint32(scalar).view(np.float32)
        file.add("axpy", "vaxpy.f32", scalar, SATURATE, "pairs32", (4, 4), f32(single * s + z32))
    file.add("onto", "vmla.f16f32", 0, SATURATE, "mixed", (2, 4), f32(fused(half, half2, wide)))
    return file


def whole_numbers():
    file = File("whole_numbers")
    for width, inputs in [(16, "pairs16"), (32, "pairs32")]:
        x, y = (signed(operands(width, which), width).astype(np.int64) for which in range(2))
        mask, size = np.uint64((1 << width) - 1), width // 8
        for inst, results in {
            "vadd": x + y,
            "vsub": x - y,
            "vmul": x * y,
            "vmax": np.maximum(x, y),
            "vmin": np.minimum(x, y),
        }.items():
            file.add("three", f"{inst}.s{width}", 0, SATURATE, inputs, (size, size), results.view(np.uint64) & mask)
    x, y = (signed(operands(16, which), 16).astype(np.int64) for which in range(2))
    wrapped = lambda values: np.maximum(signed(values & 0xFFFF, 16).astype(np.int64), 0)
    for inst, results in {
        "vand": x & y,
        "vor": x | y,
        "vaddrelu.s16": wrapped(x + y),
        "vsubrelu.s16": wrapped(x - y),
    }.items():
        file.add("three", inst, 0, SATURATE, "pairs16", (2, 2), results.view(np.uint64) & np.uint64(0xFFFF))
    for ctrl, saturate in INT_MODES:
        for inst, results in {"vaddreluconv": wrapped(x + y), "vsubreluconv": wrapped(x - y)}.items():
            narrow = to_int(results.astype(np.float64), 8, True, "r", saturate)
            file.add("three", f"{inst}.s16s8", 0, ctrl, "pairs16", (2, 1), narrow)
    return file


def reductions():
    """Trees of neighbours, each sum rounded in the type of the lanes."""
    file = File("reductions")
    for ctrl, keep in MODES:
        half = lambda values: value16(to_float(values, F16, "r", keep))
        bits = lambda values: to_float(values, F16, "r", keep)
        reduce_all(file, "f16", ctrl, "pairs16", 2, value16(operands(16, 0)), half, bits)
    single = lambda values: value32(to_float(values.astype(np.float32).astype(np.float64), F32))
    bits = lambda values: to_float(values, F32)
    reduce_all(file, "f32", SATURATE, "pairs32", 4, value32(operands(32, 0)), single, bits)
    return file


def reduce_all(file, ty, ctrl, inputs, size, x, narrow, bits):
    lanes = 256 // size
    kept = lambda values: to_float(values, F16 if size == 2 else F32)
    for name, group in [("vc", lanes), ("vcg", 32 // size), ("vcp", 2)]:
        rows = x.reshape(-1, group)
        total = rows
        while total.shape[1] > 1:
            total = narrow(total[:, 0::2] + total[:, 1::2])
        file.add(f"groups{group}", f"{name}add.{ty}", 0, ctrl, inputs, (size, size), bits(total[:, 0]))
        if name == "vcp":
            continue
        for inst, join in [("max", maximum), ("min", minimum)]:
            best = rows[:, 0]
            for column in rows.T[1:]:
                best = join(best, column)
            file.add(f"groups{group}", f"{name}{inst}.{ty}", 0, ctrl, inputs, (size, size), kept(best))


def binary_f16():
    file = File("binary_f16")
    x, y, z = (value16(operands(16, which)) for which in range(3))
    for ctrl, keep in MODES:
        f16 = lambda values: to_float(values, F16, "r", keep)
        rounded = lambda values: value16(f16(values))
        relu = lambda values: maximum(values, np.zeros_like(values))
        for inst, results in {
            "vadd.f16": f16(x + y),
            "vsub.f16": f16(x - y),
            "vmul.f16": f16(x * y),
            "vdiv.f16": f16(x / y),
            "vmax.f16": to_float(maximum(x, y), F16),
            "vmin.f16": to_float(minimum(x, y), F16),
            "vaddrelu.f16": f16(relu(x + y)),
            "vsubrelu.f16": f16(relu(x - y)),
        }.items():
            file.add("three", inst, 0, ctrl, "pairs16", (2, 2), results)
        file.add("onto", "vmla.f16", 0, ctrl, "pairs16", (2, 2), f16(rounded(x * y) + z))
        file.add("onto", "vmadd.f16", 0, ctrl, "pairs16", (2, 2), f16(rounded(x * z) + y))
        file.add("onto", "vmaddrelu.f16", 0, ctrl, "pairs16", (2, 2), f16(relu(rounded(x * z) + y)))
        for saturate, bit in [(True, SATURATE), (False, 0)]:
            both = ctrl & KEEP | bit
            product, total = rounded(x * y), rounded(relu(x + y))
            file.add("three", "vmulconv.f16s8", 0, both, "pairs16", (2, 1), to_int(product, 8, True, "r", saturate))
            file.add("three", "vmulconv.f16u8", 0, both, "pairs16", (2, 1), to_int(product, 8, False, "r", saturate))
            file.add("three", "vaddreluconv.f16s8", 0, both, "pairs16", (2, 1), to_int(total, 8, True, "r", saturate))
    comparisons(file, "f16", "pairs16", 2, x, y)
    return file


def comparisons(file, ty, inputs, size, x, y):
    for cond, holds in {"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}.items():
        packed = np.packbits(holds, bitorder="little")
        file.add("bits", f"vcmpv.{cond}.{ty}", 0, SATURATE, inputs, (size, 1), packed)


def binary_f32():
    file = File("binary_f32")
    single = [operands(32, which).view(np.float32) for which in range(3)]
    x, y, z = (values.astype(np.float64) for values in single)
    f32 = lambda values: to_float(np.asarray(values).astype(np.float64), F32)
    a, b = single[:2]
    relu = lambda values: maximum(values, np.zeros_like(values))
    for inst, results in {
        "vadd.f32": f32(a + b),
        "vsub.f32": f32(a - b),
        "vmul.f32": f32(a * b),
        "vdiv.f32": f32(a / b),
        "vmax.f32": f32(maximum(x, y)),
        "vmin.f32": f32(minimum(x, y)),
        "vaddrelu.f32": f32(relu(a + b)),
    }.items():
        file.add("three", inst, 0, SATURATE, "pairs32", (4, 4), results)
    check_against_fractions(a, b)
    file.add("onto", "vmla.f32", 0, SATURATE, "pairs32", (4, 4), f32(fused(x, y, z)))
    file.add("onto", "vmadd.f32", 0, SATURATE, "pairs32", (4, 4), f32(fused(x, z, y)))
    for ctrl, keep in MODES:
        total = relu((a + b).astype(np.float64))
        file.add("three", "vaddreluconv.f32f16", 0, ctrl, "pairs32", (4, 2), to_float(total, F16, "r", keep))
    comparisons(file, "f32", "pairs32", 4, x, y)
    return file


def check_against_fractions(a, b):
    """numpy's f32 arithmetic is that of the host: a sample of it against exact fractions."""
    for x, y in zip(a.tolist()[2000:9000], b.tolist()[2000:9000]):
        if not (math.isfinite(x) and math.isfinite(y)) or y == 0:
            continue
        p, q = Fraction(x), Fraction(y)
        for exact, found in [(p + q, np.float32(x) + np.float32(y)), (p * q, np.float32(x) * np.float32(y)), (p / q, np.float32(x) / np.float32(y))]:
            assert not exact or nearest_f32(exact) == float(found), (x, y)


def elementary():
    file = File("elementary")
    for inst, function, name in [("vexp.f32", mpmath.exp, "small"), ("vln.f32", mpmath.log, "positive")]:
        x = TRANSCENDENT[name]()
        values = np.array([float(function(mpmath.mpf(v))) for v in value32(x).tolist()])
        file.add("ulp", inst, 0, SATURATE, name, (4, 8), values.view(np.uint64))
    return file


def small():
    """f32 between -87 and 88, of every size down to 2^-30."""
    random = mixed(4096)
    exponent = (97 + random % np.uint64(36)).astype(np.uint32)
    bits = exponent << 23 | ((random >> np.uint64(8)) & np.uint64(0x7FFFFF)).astype(np.uint32)
    magnitude = bits.view(np.float32)
    folded = np.where(magnitude > 87, magnitude / np.float32(64), magnitude).astype(np.float32)
    return folded.view(np.uint32) | ((random >> np.uint64(40) & np.uint64(1)).astype(np.uint32) << 31)


def positive():
    """Positive f32 of every exponent, half of them near one."""
    random = mixed(4096)
    wide = (random % np.uint64(0x7F7FFFFF)).astype(np.uint32) + 1
    near = 0x3F700000 + ((random >> np.uint64(32)) & np.uint64(0x1FFFFF)).astype(np.uint32)
    return np.where(np.arange(4096) % 2 == 0, wide, near).astype(np.uint32)


TRANSCENDENT = {"small": small, "positive": positive}

FILES = [
    unary_f16, unary_f32, unary_s16, casts_from_16, casts_from_32, casts_of_whole_numbers, quantisation,
    binary_f16, binary_f32, axpy, whole_numbers, reductions, elementary, language,
]


def show(name, number, block):
    file = next(make for make in FILES if make.__name__ == name)()
    form, inst, scalar, ctrl, inputs, sizes, results = file.cases[number]
    print(form, inst, hex(scalar), hex(ctrl), inputs)
    for n in range(block * BLOCK, (block + 1) * BLOCK):
        given = f"{int(SETS[inputs]()[n]):#x} " if inputs in SETS and len(SETS[inputs]()) == len(results) else ""
        print(f"{n}: {given}-> {int(results[n]):#x}")


def main():
    if len(sys.argv) > 1:
        return show(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    for make in FILES:
        file = make()
        path = Path(__file__).with_name(f"{file.name}.txt")
        path.write_text(file.text())
        print(path.name, len(file.cases), "cases", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
