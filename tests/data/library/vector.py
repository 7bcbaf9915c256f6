"""Element-wise, row-wise and data-moving kernels of the library, by their definitions. See `make.py`."""

import numpy as np
from make import case, floats, ints, kernel, ramp  # noqa: F401


@kernel(
    "softmax", "1 ulp or 1e-7",
    case("R=1 C=1 T=f16", x=floats("f16", 1, 1)),
    case("R=5 C=333 T=f32", x=floats("f32", 5, 333, low=-9, high=9)),
    case("R=64 C=128 T=bf16", x=floats("bf16", 64, 128, low=-4, high=4)),
    case("R=32 C=1000 T=f16", real="ResNet-50, the classifier, a batch of 32", x=floats("f16", 32, 1000, low=-8, high=8)),
)
def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return {"y": e / e.sum(-1, keepdims=True)}


@kernel(
    "layernorm", "1 ulp or 1e-6",
    case("R=3 D=1 T=f16 G=f16", x=floats("f16", 3, 1), g=floats("f16", 1), b=floats("f16", 1)),
    case("R=5 D=333 T=f32 G=f32", x=floats("f32", 5, 333), g=floats("f32", 333), b=floats("f32", 333)),
    case("R=9 D=64 T=bf16 G=f32", x=floats("bf16", 9, 64, low=-3, high=5), g=floats("f32", 64), b=floats("f32", 64)),
    case("R=128 D=768 T=f16 G=f16", real="BERT-base, 128 tokens", x=floats("f16", 128, 768), g=floats("f16", 768),
         b=floats("f16", 768)),
)
def layernorm(x, g, b):
    mid = x - x.mean(-1, keepdims=True)
    return {"y": mid / np.sqrt((mid * mid).mean(-1, keepdims=True) + np.float64(np.float32(1e-5))) * g + b}


# ------------------------------------------------------------------------------------------------ rows

EPS = np.float64(np.float32(1e-5))


def rows(columns="C", low=-4, high=4, real_rows=8, real=("Llama-2 7B, 8 tokens", 4096), **more):
    """Four shapes of a matrix `x`: one element, ragged, of whole repeats, and a real one."""
    shapes = [("f16", 1, 1, ""), ("f32", 5, 333, ""), ("bf16", 9, 64, ""), ("f16", real_rows, real[1], real[0])]
    return [
        case(f"R={r} {columns}={c} T={t}", real=name, x=floats(t, r, c, low=low, high=high),
             **{key: make(r, c) for key, make in more.items()})
        for t, r, c, name in shapes
    ]


def sums(x):
    top = x.max(-1, keepdims=True)
    return top, np.exp(x - top).sum(-1, keepdims=True)


@kernel("log_softmax", "1 ulp or 4e-6", *rows(low=-9, high=9, real=("GPT-2, 8 positions of a part of the vocabulary", 1571)))
def log_softmax(x):
    top, z = sums(x)
    return {"y": x - top - np.log(z)}


@kernel("logsumexp", "1 ulp or 4e-6", *rows(low=-9, high=9))
def logsumexp(x):
    top, z = sums(x)
    return {"y": (top + np.log(z))[:, 0]}


@kernel("rmsnorm", "1 ulp or 1e-6", *[
    case(f"R={r} D={c} T={t} G={t}", real=real, x=floats(t, r, c, low=-3, high=3), g=floats(t, c))
    for t, r, c, real in [("f16", 3, 1, ""), ("f32", 5, 333, ""), ("bf16", 9, 64, ""), ("f16", 8, 4096, "Llama-2 7B, 8 tokens")]
])
def rmsnorm(x, g):
    return {"y": x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * g}


@kernel("groupnorm", "1 ulp or 4e-6", *[
    case(f"B={b} G={k} C={c} N={n} T={t} P={p}", real=real, x=floats(t, b, k * c, n, low=-3, high=5), g=floats(p, k * c),
         b=floats(p, k * c))
    for t, p, b, k, c, n, real in [
        ("f16", "f16", 1, 1, 1, 1, ""), ("f32", "f32", 2, 3, 5, 37, ""), ("bf16", "f32", 2, 2, 4, 16, ""),
        ("f16", "f16", 1, 32, 10, 64, "Stable Diffusion 1.5, a block of 320 channels at 8 x 8")]
])
def groupnorm(x, g, b, G):
    parts = x.reshape(x.shape[0], G, -1)
    mid = parts - parts.mean(-1, keepdims=True)
    y = (mid / np.sqrt((mid * mid).mean(-1, keepdims=True) + EPS)).reshape(x.shape)
    return {"y": y * g[:, None] + b[:, None]}


@kernel("batchnorm", "1 ulp or 4e-6", *[
    case(f"B={b} C={c} N={n} T={t}", real=real, x=floats(t, b, c, n, low=-3, high=5), mean=floats("f32", c),
         var=floats("f32", c, low=0.1, high=4), g=floats("f32", c), b=floats("f32", c))
    for t, b, c, n, real in [("f16", 1, 1, 1, ""), ("f32", 2, 5, 37, ""), ("bf16", 3, 16, 64, ""),
                             ("f16", 1, 64, 3136, "ResNet-50, the first block at 56 x 56")]
])
def batchnorm(x, mean, var, g, b):
    return {"y": (x - mean[:, None]) * (g / np.sqrt(var + EPS))[:, None] + b[:, None]}


@kernel("cross_entropy", "1 ulp or 4e-6", *[
    case(f"R={r} C={c} T={t}", real=real, x=floats(t, r, c, low=-9, high=9), label=ints("i32", r, low=low, high=c - 1))
    for t, r, c, low, real in [("f16", 1, 1, 0, ""), ("f32", 5, 333, 0, ""), ("bf16", 37, 70, -20, ""),
                               ("f16", 16, 1000, 0, "ResNet-50, the classifier, a batch of 16")]
])
def cross_entropy(x, label):
    top, z = sums(x)
    counts = (label >= 0) & (label < x.shape[1])
    chosen = x[np.arange(len(x)), np.where(counts, label, 0)]
    loss = np.where(counts, (top + np.log(z))[:, 0] - chosen, 0.0)
    return {"loss": loss, "mean": loss.sum() / max(counts.sum(), 1)}


@kernel("row_sum", "1 ulp or 2e-4", *rows())
def row_sum(x):
    return {"y": x.sum(-1)}


@kernel("cumsum", "1 ulp or 1e-3", *rows(low=-1, high=1, real_rows=4, real=("Mamba-130M, 4 channels of 512 steps", 512)))
def cumsum(x):
    return {"y": np.cumsum(x, 1)}


@kernel("cumsum_columns", "1 ulp or 1e-4", *rows(low=-1, high=1, real_rows=32, real=("Mamba-130M, 32 steps of 1536 channels", 1536)))
def cumsum_columns(x):
    return {"y": np.cumsum(x, 0)}


@kernel("cummax", "exact", *rows(real_rows=4, real=("GPT-2, 4 rows of scores of 512 positions", 512)))
def cummax(x):
    return {"y": np.maximum.accumulate(x, 1)}


@kernel("argmax_rows", "exact", *rows(real=("ResNet-50, the classifier, a batch of 8", 1000)))
def argmax_rows(x):
    return {"y": x.argmax(-1)}


@kernel("argmin_rows", "exact", *rows(real=("VQ-GAN, distances to 1024 codes", 1024)))
def argmin_rows(x):
    return {"y": x.argmin(-1)}


SORTED = [("f16", 1, 1, ""), ("f32", 5, 333, ""), ("bf16", 9, 64, ""), ("i8", 3, 45, "")]


def items(t, *shape):
    return ints(t, *shape, low=-100, high=100) if t == "i8" else floats(t, *shape, low=-4, high=4)


@kernel("sort_rows", "exact", *[
    case(f"R={r} N={n} T={t}", real=real, x=items(t, r, n))
    for t, r, n, real in [*SORTED, ("f32", 4, 1000, "nucleus sampling over the 1000 classes of ResNet-50")]
])
def sort_rows(x):
    at = np.argsort(x, -1, kind="stable")
    return {"values": np.take_along_axis(x, at, -1), "indices": at}


@kernel("topk_rows", "exact", *[
    case(f"R={r} N={n} K={k} T={t}", real=real, x=items(t, r, n))
    for t, r, n, k, real in [("f16", 1, 1, 1, ""), ("f32", 5, 333, 7, ""), ("bf16", 9, 64, 64, ""), ("i8", 3, 45, 40, ""),
                             ("f32", 32, 1000, 5, "ResNet-50, the best 5 of 1000 classes")]
])
def topk_rows(x, K):
    at = np.argsort(-x, -1, kind="stable")[:, :K]
    return {"values": np.take_along_axis(x, at, -1), "indices": at}


# ------------------------------------------------------------------------------------------------ gates and experts

def gate_cases(*shapes, **more):
    return [case(f"N={n} E={e} K={k} T={t}", real=real, logits=floats(t, n, e, low=-4, high=4),
                 **{key: make(n, e) for key, make in more.items()}) for t, n, e, k, real in shapes]


GATES = [("f32", 1, 1, 1, ""), ("f32", 5, 37, 3, ""), ("f32", 33, 16, 16, "")]


@kernel("moe_gate", {"weight": "1 ulp or 1e-6", "expert": "exact"},
        *gate_cases(*GATES, ("f32", 64, 8, 2, "Mixtral 8x7B, 64 tokens")))
def moe_gate(logits, K):
    top, z = sums(logits)
    share = (np.exp(logits - top) / z).astype(np.float32)
    at = np.argsort(-share, -1, kind="stable")[:, :K]
    v = np.take_along_axis(np.exp(logits - top) / z, at, -1)
    return {"weight": v / v.sum(-1, keepdims=True), "expert": at}


@kernel("moe_gate_sigmoid", {"weight": "1 ulp or 4e-6", "expert": "exact"},
        *gate_cases(*GATES, ("f32", 64, 256, 8, "DeepSeek-V3, 64 tokens"),
                    bias=lambda n, e: floats("f32", e, low=-0.1, high=0.1), scale=lambda n, e: floats("f32", low=2.5, high=2.5)))
def moe_gate_sigmoid(logits, bias, scale, K):
    score = 1 / (1 + np.exp(-logits))
    at = np.argsort(-(score + bias), -1, kind="stable")[:, :K]
    v = np.take_along_axis(score, at, -1)
    return {"weight": v / v.sum(-1, keepdims=True) * scale, "expert": at}


@kernel("moe_permute", "exact", *[
    case(f"N={n} K={k} E={e} D={d} T={t}", real=real, x=floats(t, n, d), expert=ints("i32", n, k, low=0, high=e - 1))
    for t, n, k, e, d, real in [("f16", 1, 1, 1, 1, ""), ("f32", 5, 2, 7, 33, ""), ("bf16", 9, 3, 4, 64, ""),
                                ("f16", 8, 2, 8, 4096, "Mixtral 8x7B, 8 tokens")]
])
def moe_permute(x, expert, K, E):
    flat = expert.ravel()
    order = np.argsort(flat, kind="stable")
    place = np.empty_like(flat)
    place[order] = np.arange(len(flat))
    return {"rows": x[order // K], "place": place.reshape(expert.shape), "count": np.bincount(flat, minlength=E)}


@kernel("moe_unpermute", "1 ulp or 1e-6", *[
    case(f"N={n} K={k} D={d} T={t}", real=real, rows=floats(t, n * k, d), place=ints("i32", n, k, low=0, high=n * k - 1),
         weight=floats("f32", n, k, low=0))
    for t, n, k, d, real in [("f16", 1, 1, 1, ""), ("f32", 5, 2, 33, ""), ("bf16", 9, 3, 64, ""),
                             ("f16", 2, 2, 4096, "Mixtral 8x7B, 2 tokens")]
])
def moe_unpermute(rows, place, weight):
    return {"y": (weight[:, :, None] * rows[place]).sum(1)}


@kernel("embedding", "exact", *[
    case(f"V={v} B={b} D={d} T={t}", real=real, table=floats(t, v, d), token=ints("i32", b, low=low, high=v - 1))
    for t, v, b, d, low, real in [("f16", 1, 1, 1, 0, ""), ("f32", 37, 21, 70, -3, ""), ("bf16", 90, 33, 64, 0, ""),
                                  ("f16", 1024, 16, 768, 0, "GPT-2, 16 positions")]
])
def embedding(table, token):
    return {"y": np.where((token >= 0)[:, None], table[np.maximum(token, 0)], 0)}


def rope_cases():
    shapes = [("f16", 1, 1, 1, ""), ("f32", 5, 3, 7, ""), ("bf16", 4, 2, 32, ""), ("f16", 2, 32, 64, "Llama-2 7B, 2 tokens")]
    return [case(f"S={s} H={h} P={p} T={t}", real=real, x=floats(t, s, h, 2 * p, low=-3, high=3), cosine=floats("f32", s, p),
                 sine=floats("f32", s, p)) for t, s, h, p, real in shapes]


@kernel("rope", "1 ulp or 1e-6", *rope_cases())
def rope(x, cosine, sine):
    a, b = np.split(x, 2, -1)
    c, s = cosine[:, None], sine[:, None]
    return {"y": np.concatenate([a * c - b * s, b * c + a * s], -1)}


@kernel("rope_interleaved", "1 ulp or 1e-6", *rope_cases())
def rope_interleaved(x, cosine, sine):
    a, b = x[..., 0::2], x[..., 1::2]
    c, s = cosine[:, None], sine[:, None]
    return {"y": np.stack([a * c - b * s, b * c + a * s], -1).reshape(x.shape)}


def gates():
    shapes = [("f16", 1, 1, ""), ("f32", 5, 333, ""), ("bf16", 9, 64, ""), ("f16", 2, 11008, "Llama-2 7B, 2 tokens")]
    return [case(f"R={r} C={c} T={t}", real=real, x=floats(t, r, 2 * c, low=-5, high=5)) for t, r, c, real in shapes]


def gelu_of(x):
    return x / (1 + np.exp(-2 * np.float64(np.float32(0.7978845608)) * (x + np.float64(np.float32(0.044715)) * x**3)))


@kernel("swiglu", "1 ulp or 1e-6", *gates())
def swiglu(x):
    a, b = np.split(x, 2, -1)
    return {"y": a / (1 + np.exp(-a)) * b}


@kernel("geglu", "1 ulp or 4e-6", *gates())
def geglu(x):
    a, b = np.split(x, 2, -1)
    return {"y": gelu_of(a) * b}


# ------------------------------------------------------------------------------------------------ element-wise

from math import erf as one_erf  # noqa: E402

ERF = np.vectorize(one_erf)


def matrices(low, high, two=False):
    shapes = [("f16", 1, 1, ""), ("f32", 5, 333, ""), ("bf16", 9, 64, ""), ("f32", 2, 4096, "Llama-2 7B, 2 tokens")]
    for t, r, c, real in shapes:
        yield case(f"R={r} C={c} T={t}", real=real, x=floats(t, r, c, low=low, high=high))


ELEMENTWISE = {
    "exp_of": ("1 ulp", (-80, 80), np.exp), "log_of": ("1 ulp", (1e-6, 1e4), np.log), "log2_of": ("2 ulp", (1e-6, 1e4), np.log2),
    "sqrt_of": ("0.51 ulp", (0, 1e4), np.sqrt), "rsqrt_of": ("1.5 ulp", (1e-4, 1e4), lambda x: 1 / np.sqrt(x)),
    "reciprocal_of": ("0.51 ulp", (1e-4, 1e4), lambda x: 1 / x), "tanh_of": ("1.5 ulp", (-6, 6), np.tanh),
    "sigmoid_of": ("2.5 ulp", (-80, 30), lambda x: 1 / (1 + np.exp(-x))), "erf_of": ("1.5 ulp", (-4, 4), ERF),
    "sin_of": ("2.5 ulp or 1.4e-7", (-4000, 4000), np.sin), "cos_of": ("2.5 ulp or 1.4e-7", (-4000, 4000), np.cos),
    "asin_of": ("2.5 ulp", (-1, 1), np.arcsin), "acos_of": ("1.5 ulp", (-1, 1), np.arccos),
    "atan_of": ("2 ulp", (-20, 20), np.arctan), "floor_of": ("exact", (-90, 90), np.floor), "ceil_of": ("exact", (-90, 90), np.ceil), "round_of": ("exact", (-90, 90), np.round),
    "abs_of": ("exact", (-90, 90), np.abs), "sign_of": ("exact", (-2, 2), np.sign),
}
for name, (within, (low, high), formula) in ELEMENTWISE.items():
    # Results of exp below the least normal f16 or beyond the greatest are no matter of precision.
    kernel(f"elementwise.{name}", within, *matrices(low, min(high, 11) if name == "exp_of" else high))(
        lambda x, formula=formula: {"y": formula(x)})

kernel("gelu", "2 ulp or 4e-7", *rows(low=-6, high=6))(lambda x: {"y": gelu_of(x)})
kernel("silu", "2 ulp or 4e-7", *rows(low=-6, high=6))(lambda x: {"y": x / (1 + np.exp(-x))})
kernel("relu", "exact", *rows(low=-6, high=6))(lambda x: {"y": np.maximum(x, 0)})

PAIRS = [("f16", 1, 1, ""), ("f32", 5, 333, ""), ("bf16", 9, 64, ""), ("f16", 2, 4096, "Llama-2 7B, 2 tokens")]
kernel("add", "1 ulp", *[case(f"R={r} C={c} T={t}", real=real, a=floats(t, r, c), b=floats(t, r, c)) for t, r, c, real in PAIRS])(
    lambda a, b: {"y": a + b})
kernel("elementwise.pow_of", "25 ulp", *[
    case(f"R={r} C={c} T={t}", real=real, x=floats(t, r, c, low=0.1, high=9), y=floats(t, r, c, low=-5, high=5))
    for t, r, c, real in PAIRS
])(lambda x, y: {"z": x**y})
kernel("elementwise.atan2_of", "3 ulp", *[
    case(f"R={r} C={c} T={t}", real=real, y=floats(t, r, c, low=-9, high=9), x=floats(t, r, c, low=-9, high=9))
    for t, r, c, real in PAIRS
])(lambda y, x: {"z": np.arctan2(y, x)})
kernel("elementwise.fmod_of", "exact", *[
    case(f"R={r} C={c} T={t}", real=real, x=floats(t, r, c, low=-6e4, high=6e4), y=floats(t, r, c, low=-1, high=1))
    for t, r, c, real in PAIRS
], *[
    case(f"R=4 C=100 T={t}", x=floats(t, 4, 100, low=-3e38, high=3e38), y=floats(t, 4, 100, low=-high, high=high))
    for t, high in [("f32", 3e38), ("f32", 1e30), ("bf16", 1e37)]
])(lambda x, y: {"z": np.fmod(x, y)})
kernel("elementwise.clip", "exact", *[
    case(f"R={r} C={c} T={t}", real=real, x=floats(t, r, c), low=floats(t, low=-0.5, high=-0.5), high=floats(t, low=0.25, high=0.25))
    for t, r, c, real in PAIRS
])(lambda x, low, high: {"y": np.clip(x, low, high)})
kernel("elementwise.where_of", "exact", *[
    case(f"R={r} C={c} T={t}", real=real, c_=ints("bool", r, c, low=0, high=1), a=floats(t, r, c), b=floats(t, r, c))
    for t, r, c, real in PAIRS
])(lambda c_, a, b: {"y": np.where(c_, a, b)})
kernel("scale_shift", "1 ulp or 1e-6", *rows(scale=lambda r, c: floats("f32", c), shift=lambda r, c: floats("f32", c)))(
    lambda x, scale, shift: {"y": x * scale + shift})


# ------------------------------------------------------------------------------------------------ quantisation

def quantised(dims, low, high, **x):
    for t, r, c, real in PAIRS:
        shape = {"": (), "C": (c,), "R": (r,)}[dims]
        make = x["x"]
        yield case(f"R={r} C={c} T={t}", real=real, x=make(t, r, c), scale=floats("f32", *shape, low=low, high=high),
                   zero=ints("i32", *shape, low=-9, high=9))


for name, dims in [("tensor", ""), ("channel", "C"), ("token", "R")]:
    def spread(p, dims=dims):
        return p[:, None] if dims == "R" else p

    kernel(f"quantize_{name}", "exact", *quantised(dims, 0.01, 0.05, x=lambda t, r, c: floats(t, r, c, low=-5, high=5)))(
        lambda x, scale, zero, spread=spread: {
            "y": np.clip(np.round((x / spread(scale)).astype(np.float32)) + spread(zero), -128, 127)})
    kernel(f"dequantize_{name}", "1 ulp", *quantised(dims, 0.01, 0.05, x=lambda t, r, c: ints("i8", r, c, low=-128, high=127)))(
        lambda x, scale, zero, spread=spread: {"y": (x - spread(zero)) * spread(scale)})


@kernel("dynamic_quantize_token", {"y": "1 ulp", "scale": "1 ulp"}, *rows(low=-7, high=7))
def dynamic_quantize_token(x):
    top = np.abs(x).max(-1)
    scale = np.where(top > 0, top / 127, 1)
    return {"y": np.round(x / scale[:, None]), "scale": scale}


# ------------------------------------------------------------------------------------------------ moves

CUBES = [("f16", 1, 1, 1, ""), ("f32", 3, 5, 37, ""), ("i8", 2, 16, 48, ""), ("bf16", 2, 33, 64, ""),
         ("f16", 2, 64, 128, "Llama-2 7B, 2 heads of 64 keys")]


def drawn(t, *shape):
    return ints(t, *shape, low=-128, high=127) if t == "i8" else ints(t, *shape, low=0, high=1) if t == "bool" else floats(t, *shape)


for order in ["021", "102", "120", "201", "210"]:
    kernel(f"permute.permute_{order}", "exact", *[
        case(f"A={a} B={b} C={c} T={t}", real=real, x=drawn(t, a, b, c)) for t, a, b, c, real in CUBES
    ])(lambda x, order=order: {"y": x.transpose([int(d) for d in order])})
for order in ["0213", "0231", "0312", "2301"]:
    kernel(f"permute4.permute_{order}", "exact", *[
        case(f"A={a} B={b} C={c} D={d} T={t}", real=real, x=drawn(t, a, b, c, d))
        for t, a, b, c, d, real in [("f16", 1, 1, 1, 1, ""), ("f32", 2, 5, 3, 37, ""), ("i8", 2, 16, 3, 32, ""),
                                    ("f16", 1, 16, 12, 64, "BERT-base, 16 tokens of 12 heads")]
    ])(lambda x, order=order: {"y": x.transpose([int(d) for d in order])})
kernel("transpose", "exact", *[
    case(f"R={r} C={c} T={t}", real=real, x=drawn(t, r, c))
    for t, r, c, real in [("f16", 1, 1, ""), ("f32", 37, 85, ""), ("i8", 32, 48, ""), ("f16", 768, 128, "BERT-base, 128 keys")]
])(lambda x: {"y": x.T})
JOINED = [("f16", 1, 1, 1, ""), ("f32", 5, 33, 70, ""), ("i8", 4, 64, 32, ""), ("f16", 8, 512, 64, "DeepSeek-V3, latent and rotary keys")]
kernel("concat.concat_columns", "exact", *[
    case(f"R={r} M={m} N={n} T={t}", real=real, a=drawn(t, r, m), b=drawn(t, r, n)) for t, r, m, n, real in JOINED
])(lambda a, b: {"y": np.concatenate([a, b], 1)})
kernel("concat.concat_rows", "exact", *[
    case(f"R={r} M={m} N={n} T={t}", real=real, a=drawn(t, m, r), b=drawn(t, n, r)) for t, r, m, n, real in JOINED
])(lambda a, b: {"y": np.concatenate([a, b], 0)})
kernel("pad_around", "exact", *[
    case(f"R={r} C={c} P={p} T={t}", real=real, x=drawn(t, r, c), value=drawn(t))
    for t, r, c, p, real in [("f16", 1, 1, 1, ""), ("f32", 5, 33, 3, ""), ("i8", 4, 64, 2, ""), ("f16", 56, 56, 1, "ResNet-50, a plane of 56 x 56")]
])(lambda x, value, P: {"y": np.pad(x, P, constant_values=value)})
kernel("pad_end", "exact", *[
    case(f"R={r} C={c} H={h} W={w} T={t}", real=real, x=drawn(t, r, c), value=drawn(t))
    for t, r, c, h, w, real in [("f16", 1, 1, 1, 1, ""), ("f32", 5, 33, 9, 40, ""), ("i8", 4, 64, 6, 96, ""),
                                ("f16", 25, 768, 32, 768, "BERT-base, 25 tokens of 32")]
])(lambda x, value, H, W: {"y": np.pad(x, [(0, H - x.shape[0]), (0, W - x.shape[1])], constant_values=value)})
kernel("slice", "exact", *[
    case(f"R={r} C={c} H={h} W={w} TOP={top} LEFT={left} T={t}", real=real, x=drawn(t, r, c))
    for t, r, c, h, w, top, left, real in [
        ("f16", 4, 4, 1, 1, 1, 1, ""), ("f32", 9, 70, 5, 33, 2, 3, ""), ("i8", 8, 128, 4, 64, 4, 64, ""),
        ("f16", 65, 2304, 64, 768, 1, 768, "GPT-2, the keys of 64 tokens")]
])(lambda x, H, W, TOP, LEFT: {"y": x[TOP:TOP + H, LEFT:LEFT + W]})
kernel("slice_strided", "exact", *[
    case(f"R={r} C={c} W={w} LEFT={left} T={t}", real=real, x=drawn(t, r, c))
    for t, r, c, w, left, real in [("f16", 1, 2, 1, 1, ""), ("f32", 9, 70, 33, 3, ""), ("i8", 8, 130, 64, 2, ""),
                                   ("f16", 64, 128, 64, 1, "Llama-2 7B, the odd half of 64 rows of queries")]
])(lambda x, W, LEFT: {"y": x[:, LEFT:LEFT + 2 * W:2]})

SPACE = [("f16", 1, 1, 1, ""), ("f32", 3, 5, 37, ""), ("bf16", 2, 16, 64, ""), ("f16", 1, 49, 512, "ResNet-50, 512 channels of 7 x 7 places")]
REDUCED = {
    "sum": ("1 ulp or 1e-4", np.sum), "mean": ("1 ulp or 1e-6", np.mean), "max": ("exact", np.max), "min": ("exact", np.min),
    "prod": ("1 ulp or 1e-4", np.prod), "any": ("exact", np.any), "all": ("exact", np.all),
}
for op, (within, formula) in REDUCED.items():
    for place, axis in [("first", 0), ("middle", 1), ("last", 2), ("all", None)]:
        logical = op in ("any", "all")
        # A product of very many factors is tried where they are near 1.
        shapes = SPACE if op != "prod" or place != "all" else [*SPACE[:3], ("f16", 1, 8, 64, "GPT-2, 8 rows of 64")]
        kernel(f"reduce_{op}.{op}_{place}", within, *[
            case(f"A={a} B={b} C={c}" + ("" if logical else f" T={t}"), real=real,
                 x=drawn("bool", a, b, c) if logical else
                 floats(t, a, b, c, low=0.99, high=1.01) if op == "prod" else floats(t, a, b, c))
            for t, a, b, c, real in shapes
        ])(lambda x, formula=formula, axis=axis: {"y": formula(x, axis=axis)})
