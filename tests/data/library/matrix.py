"""Products, convolutions, pooling and attention of the library, by their definitions. See `make.py`."""

import ml_dtypes
import numpy as np  # noqa: F401
from make import case, floats, ints, kernel, ramp  # noqa: F401


@kernel(
    "gemm", "1 ulp or 1e-5",
    case("M=1 K=1 N=1", a=floats("f16", 1, 1), b=floats("f16", 1, 1)),
    case("M=70 K=300 N=45", a=floats("f16", 70, 300), b=floats("f16", 300, 45)),
    case("M=256 K=128 N=512", a=floats("f16", 256, 128), b=floats("f16", 128, 512)),
    case("M=128 K=768 N=3072", real="BERT-base, first feed-forward product of 128 tokens", a=floats("f16", 128, 768),
         b=floats("f16", 768, 3072)),
)
def gemm(a, b):
    return {"y": a @ b}


def tanh_gelu(x):
    u = np.float64(np.float32(0.7978845608)) * (x + np.float64(np.float32(0.044715)) * x**3)
    return x / (1 + np.exp(-2 * u))


@kernel("gemm_bias_gelu", "1 ulp or 1e-5", *[
    case(f"M={m} K={k} N={n}", real, a=floats("f16", m, k), b=floats("f16", k, n), bias=floats("f32", n, low=-2, high=2))
    for m, k, n, real in [(1, 1, 1, ""), (70, 130, 45, ""), (64, 96, 160, ""),
                          (16, 768, 3072, "GPT-2, first feed-forward product of 16 tokens")]
])
def gemm_bias_gelu(a, b, bias):
    return {"y": tanh_gelu(a @ b + bias)}


@kernel("gemm_i8", "exact", *[
    case(f"M={m} K={k} N={n}", real, a=ints("i8", m, k, low=-128, high=127), b=ints("i8", k, n, low=-128, high=127),
         scale=floats("f32", n, low=0.0001, high=0.001))
    for m, k, n, real in [(1, 1, 1, ""), (70, 300, 45, ""), (32, 64, 160, ""),
                          (16, 768, 3072, "BERT-base in 8 bits, first feed-forward product of 16 tokens")]
])
def gemm_i8(a, b, scale):
    # The kernel's scales are bf16 by its definition, and its products f32.
    short = scale.astype(ml_dtypes.bfloat16).astype(np.float32)
    return {"y": np.clip(np.round((a @ b).astype(np.float32) * short), -128, 127)}


@kernel(
    "gemm_batched", {"y": "1 ulp or 1e-5"},
    case("B=1 M=1 K=1 N=1", a=floats("f16", 1, 1, 1), b=floats("f16", 1, 1, 1)),
    case("B=3 M=37 K=70 N=45", a=floats("f16", 3, 37, 70), b=floats("f16", 3, 70, 45)),
    case("B=2 M=50 K=33 N=20 T=bf16", a=floats("bf16", 2, 50, 33), b=floats("bf16", 2, 33, 20)),
    case("B=12 M=128 K=64 N=128", real="BERT-base, scores of 12 heads over 128 tokens", a=floats("f16", 12, 128, 64),
         b=floats("f16", 12, 64, 128)),
)
def gemm_batched(a, b):
    return {"y": a @ b}


@kernel(
    "gemm_nt", "1 ulp or 1e-5",
    case("M=1 K=1 N=1", a=floats("f16", 1, 1), b=floats("f16", 1, 1)),
    case("M=70 K=130 N=45", a=floats("f16", 70, 130), b=floats("f16", 45, 130)),
    case("M=33 K=64 N=272 T=bf16", a=floats("bf16", 33, 64), b=floats("bf16", 272, 64)),
    case("M=64 K=768 N=768", real="GPT-2, attention projection of 64 tokens", a=floats("f16", 64, 768), b=floats("f16", 768, 768)),
)
def gemm_nt(a, b):
    return {"y": a @ b.T}


@kernel(
    "gemm_tn", "1 ulp or 1e-5",
    case("M=1 K=1 N=1", a=floats("f16", 1, 1), b=floats("f16", 1, 1)),
    case("M=70 K=130 N=45", a=floats("f16", 130, 70), b=floats("f16", 130, 45)),
    case("M=48 K=96 N=80 T=bf16", a=floats("bf16", 96, 48), b=floats("bf16", 96, 80)),
    case("M=768 K=128 N=768", real="BERT-base, gradient of an attention projection over 128 tokens", a=floats("f16", 128, 768),
         b=floats("f16", 128, 768)),
)
def gemm_tn(a, b):
    return {"y": a.T @ b}


@kernel(
    "gemm_tt", "1 ulp or 1e-4",
    case("M=1 K=1 N=1", a=floats("f16", 1, 1), b=floats("f16", 1, 1)),
    case("M=70 K=130 N=45", a=floats("f16", 130, 70), b=floats("f16", 45, 130)),
    case("M=17 K=40 N=33 T=f32", a=floats("f32", 40, 17), b=floats("f32", 33, 40)),
    case("M=8 K=2048 N=1000", real="ResNet-50, classifier of 8 images", a=floats("f16", 2048, 8), b=floats("f16", 1000, 2048)),
)
def gemm_tt(a, b):
    return {"y": a.T @ b.T}


@kernel(
    "gemm_split_k", "1 ulp or 1e-4",
    case("M=1 N=1 S=2 K=1", a=floats("f16", 1, 2), b=floats("f16", 2, 1)),
    case("M=37 N=45 S=3 K=70", a=floats("f16", 37, 210), b=floats("f16", 210, 45)),
    case("M=16 N=64 S=4 K=64 T=bf16", a=floats("bf16", 16, 256), b=floats("bf16", 256, 64)),
    case("M=8 N=256 S=16 K=448", real="DeepSeek-V3, scores of 256 experts for 8 tokens", a=floats("f16", 8, 7168),
         b=floats("f16", 7168, 256)),
)
def gemm_split_k(a, b):
    return {"y": a @ b}


def chosen(expert, count):
    """Numbers of experts that can be read, and where they are right."""
    return np.clip(expert, 0, count - 1), (expert >= 0) & (expert < count)


@kernel(
    "gemm_grouped", "1 ulp or 1e-4",
    case("B=1 R=1 K=1 N=1 E=1", x=floats("f16", 1, 1, 1), w=floats("f16", 1, 1, 1), expert=ints("i32", 1, low=0, high=0)),
    case("B=5 R=7 K=33 N=17 E=4", x=floats("f16", 5, 7, 33), w=floats("f16", 4, 33, 17), expert=ints("i32", 5, low=-1, high=4)),
    case("B=6 R=32 K=64 N=48 E=3 T=bf16", x=floats("bf16", 6, 32, 64), w=floats("bf16", 3, 64, 48),
         expert=ints("i32", 6, low=-1, high=2)),
    case("B=6 R=16 K=1024 N=512 E=4", real="Granite-3.0-1B-A400M, first product of four experts", x=floats("f16", 6, 16, 1024),
         w=floats("f16", 4, 1024, 512), expert=ints("i32", 6, low=-1, high=3)),
)
def gemm_grouped(x, w, expert):
    at, right = chosen(expert, len(w))
    return {"y": (x @ w[at]) * right[:, None, None]}


@kernel(
    "gemm_w8a8", "1 ulp",
    case("M=1 K=1 N=1", x=ints("i8", 1, 1, low=-128, high=127), w=ints("i8", 1, 1, low=-128, high=127),
         token=floats("f32", 1, low=0.001, high=0.01), channel=floats("f32", 1, low=0.001, high=0.01)),
    case("M=70 K=130 N=45", x=ints("i8", 70, 130, low=-128, high=127), w=ints("i8", 130, 45, low=-128, high=127),
         token=floats("f32", 70, low=0.001, high=0.01), channel=floats("f32", 45, low=0.001, high=0.01)),
    case("M=32 K=96 N=64 T=bf16", x=ints("i8", 32, 96, low=-128, high=127), w=ints("i8", 96, 64, low=-128, high=127),
         token=floats("f32", 32, low=0.001, high=0.01), channel=floats("f32", 64, low=0.001, high=0.01)),
    case("M=64 K=768 N=768", real="OPT-125M, attention projection of 64 tokens", x=ints("i8", 64, 768, low=-128, high=127),
         w=ints("i8", 768, 768, low=-128, high=127), token=floats("f32", 64, low=0.001, high=0.01),
         channel=floats("f32", 768, low=0.001, high=0.01)),
)
def gemm_w8a8(x, w, token, channel):
    return {"y": (x @ w) * token[:, None] * channel[None, :]}


def windows(x, window, stride, pad, dilation, border):
    """x[b, h, w, …] as [b, i, j, p, q, …]."""
    x = np.pad(x, [(0, 0), (pad, pad), (pad, pad)] + [(0, 0)] * (x.ndim - 3), constant_values=border)
    high, wide = ((x.shape[d + 1] - dilation * (window[d] - 1) - 1) // stride + 1 for d in (0, 1))
    rows = stride * np.arange(high)[:, None] + dilation * np.arange(window[0])
    cols = stride * np.arange(wide)[:, None] + dilation * np.arange(window[1])
    return x[:, rows[:, None, :, None], cols[None, :, None, :]]


@kernel(
    "conv2d", "1 ulp or 1e-4",
    case("B=1 H=3 W=2 C=1 O=1 KH=3 KW=3 S=1 P=1 D=1", x=floats("f16", 1, 3, 2, 1), w=floats("f16", 1, 3, 3, 1)),
    case("B=2 H=9 W=7 C=18 O=5 KH=3 KW=2 S=2 P=1 D=2", x=floats("f16", 2, 9, 7, 18), w=floats("f16", 5, 3, 2, 18)),
    case("B=1 H=12 W=17 C=32 O=40 KH=5 KW=5 S=2 P=2 D=1", x=floats("f16", 1, 12, 17, 32), w=floats("f16", 40, 5, 5, 32)),
    case("B=1 H=28 W=28 C=128 O=128 KH=3 KW=3 S=1 P=1 D=1", real="ResNet-50, conv3_x", x=floats("f16", 1, 28, 28, 128),
         w=floats("f16", 128, 3, 3, 128)),
)
def conv2d(x, w, S, P, D):
    return {"y": np.einsum("bijpqc,opqc->bijo", windows(x, w.shape[1:3], S, P, D, 0.0), w, optimize=True)}


@kernel(
    "conv2d_valid", "1 ulp or 1e-4",
    case("B=1 H=1 W=1 C=1 O=1 KH=1 KW=1 S=1", x=floats("f16", 1, 1, 1, 1), w=floats("f16", 1, 1, 1, 1)),
    case("B=1 H=9 W=8 C=17 O=5 KH=2 KW=3 S=2", x=floats("f16", 1, 9, 8, 17), w=floats("f16", 5, 2, 3, 17)),
    case("B=2 H=10 W=20 C=16 O=33 KH=3 KW=3 S=1", x=floats("f16", 2, 10, 20, 16), w=floats("f16", 33, 3, 3, 16)),
    case("B=1 H=56 W=56 C=64 O=128 KH=1 KW=1 S=2", real="ResNet-18, shortcut of conv3_1", x=floats("f16", 1, 56, 56, 64),
         w=floats("f16", 128, 1, 1, 64)),
)
def conv2d_valid(x, w, S):
    return {"y": np.einsum("bijpqc,opqc->bijo", windows(x, w.shape[1:3], S, 0, 1, 0.0), w, optimize=True)}


@kernel(
    "conv2d_grouped", "1 ulp or 1e-4",
    case("B=1 H=3 W=2 G=1 C=1 O=1 KH=3 KW=3 S=1 P=1", x=floats("f16", 1, 3, 2, 1, 1), w=floats("f16", 1, 1, 3, 3, 1)),
    case("B=2 H=9 W=7 G=3 C=4 O=5 KH=3 KW=2 S=2 P=1", x=floats("f16", 2, 9, 7, 3, 4), w=floats("f16", 3, 5, 3, 2, 4)),
    case("B=1 H=6 W=6 G=4 C=16 O=16 KH=3 KW=3 S=1 P=1", x=floats("f16", 1, 6, 6, 4, 16), w=floats("f16", 4, 16, 3, 3, 16)),
    case("B=1 H=7 W=7 G=32 C=32 O=32 KH=3 KW=3 S=1 P=1", real="ResNeXt-50 32x4d, conv5_x", x=floats("f16", 1, 7, 7, 32, 32),
         w=floats("f16", 32, 32, 3, 3, 32)),
)
def conv2d_grouped(x, w, S, P):
    return {"y": np.einsum("bijpqgc,gopqc->bijgo", windows(x, w.shape[2:4], S, P, 1, 0.0), w, optimize=True)}


@kernel(
    "conv2d_depthwise", "1 ulp or 1e-5",
    case("B=1 H=3 W=2 C=1 KH=3 KW=3 S=1 P=1", x=floats("f16", 1, 3, 2, 1), w=floats("f16", 3, 3, 1)),
    case("B=2 H=9 W=7 C=37 KH=3 KW=2 S=2 P=1", x=floats("f16", 2, 9, 7, 37), w=floats("f16", 3, 2, 37)),
    case("B=1 H=4 W=5 C=64 KH=5 KW=5 S=1 P=2 T=bf16", x=floats("bf16", 1, 4, 5, 64), w=floats("bf16", 5, 5, 64)),
    case("B=1 H=14 W=14 C=512 KH=3 KW=3 S=1 P=1", real="MobileNet, the depthwise layers at 14×14", x=floats("f16", 1, 14, 14, 512),
         w=floats("f16", 3, 3, 512)),
)
def conv2d_depthwise(x, w, S, P):
    return {"y": np.einsum("bijpqc,pqc->bijc", windows(x, w.shape[:2], S, P, 1, 0.0), w)}


@kernel(
    "max_pool2d", "exact",
    case("B=1 H=2 W=3 C=1 K=2 S=1 P=1", x=floats("f16", 1, 2, 3, 1)),
    case("B=1 H=5 W=7 C=37 K=3 S=2 P=1", x=floats("f16", 1, 5, 7, 37)),
    case("B=2 H=4 W=6 C=16 K=3 S=2 P=1 T=f32", x=floats("f32", 2, 4, 6, 16)),
    case("B=1 H=112 W=112 C=64 K=3 S=2 P=1", real="ResNet-50, after the first convolution", x=floats("f16", 1, 112, 112, 64)),
)
def max_pool2d(x, K, S, P):
    return {"y": windows(x, (K, K), S, P, 1, -np.inf).max(axis=(3, 4))}


@kernel(
    "avg_pool2d", "1 ulp or 1e-7",
    case("B=1 H=1 W=1 C=1 K=1 S=1", x=floats("f16", 1, 1, 1, 1)),
    case("B=1 H=5 W=7 C=37 K=3 S=2 T=bf16", x=floats("bf16", 1, 5, 7, 37)),
    case("B=2 H=4 W=6 C=16 K=2 S=2", x=floats("f16", 2, 4, 6, 16)),
    case("B=1 H=56 W=56 C=128 K=2 S=2", real="DenseNet-121, first transition", x=floats("f16", 1, 56, 56, 128)),
)
def avg_pool2d(x, K, S):
    return {"y": windows(x, (K, K), S, 0, 1, 0.0).mean(axis=(3, 4))}


@kernel(
    "global_avg_pool", "1 ulp or 1e-7",
    case("B=1 H=1 W=1 C=1", x=floats("f16", 1, 1, 1, 1)),
    case("B=2 H=5 W=7 C=37", x=floats("f16", 2, 5, 7, 37)),
    case("B=2 H=3 W=4 C=64 T=f32", x=floats("f32", 2, 3, 4, 64)),
    case("B=2 H=7 W=7 C=2048", real="ResNet-50, before the classifier", x=floats("f16", 2, 7, 7, 2048)),
)
def global_avg_pool(x):
    return {"y": x.mean(axis=(1, 2))}


@kernel(
    "upsample_nearest", "exact",
    case("B=1 H=1 W=1 C=1 S=3", x=floats("f16", 1, 1, 1, 1)),
    case("B=2 H=3 W=5 C=37 S=2", x=floats("f16", 2, 3, 5, 37)),
    case("B=1 H=3 W=4 C=64 S=2 T=i8", x=ints("i8", 1, 3, 4, 64, low=-128, high=127)),
    case("B=1 H=13 W=13 C=256 S=2", real="YOLOv3, first upsampling", x=floats("f16", 1, 13, 13, 256)),
)
def upsample_nearest(x, S):
    return {"y": x.repeat(S, axis=1).repeat(S, axis=2)}


def attend(s, v, seen=True):
    """softmax over the last index of the scores that are seen, times v."""
    s = np.where(seen, s, -np.inf)
    top = s.max(axis=-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0.0))
    z = e.sum(axis=-1, keepdims=True)
    return e / np.where(z == 0.0, 1.0, z) @ v


def heads(*shape, elem="f16"):
    return floats(elem, *shape)


@kernel(
    "attention", "1 ulp or 5e-4",
    case("H=1 S=1 T=1 D=1", q=heads(1, 1, 1), k=heads(1, 1, 1), v=heads(1, 1, 1)),
    case("H=2 S=5 T=70 D=33", q=heads(2, 5, 33), k=heads(2, 70, 33), v=heads(2, 70, 33)),
    case("H=1 S=64 T=48 D=64", q=heads(1, 64, 64), k=heads(1, 48, 64), v=heads(1, 48, 64)),
    case("H=12 S=128 T=128 D=64", real="BERT-base, 128 tokens", q=heads(12, 128, 64), k=heads(12, 128, 64), v=heads(12, 128, 64)),
)
def attention(q, k, v):
    return {"y": attend(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), v)}


@kernel(
    "attention_causal", "1 ulp or 5e-4",
    case("H=1 S=1 T=1 D=1", q=heads(1, 1, 1), k=heads(1, 1, 1), v=heads(1, 1, 1)),
    case("H=2 S=5 T=37 D=33", q=heads(2, 5, 33), k=heads(2, 37, 33), v=heads(2, 37, 33)),
    case("H=1 S=24 T=24 D=32", q=heads(1, 24, 32), k=heads(1, 24, 32), v=heads(1, 24, 32)),
    case("H=12 S=64 T=64 D=64", real="GPT-2, 64 tokens", q=heads(12, 64, 64), k=heads(12, 64, 64), v=heads(12, 64, 64)),
)
def attention_causal(q, k, v):
    S, T = q.shape[1], k.shape[1]
    seen = np.arange(T) + S <= np.arange(S)[:, None] + T
    return {"y": attend(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), v, seen)}


@kernel(
    "attention_grouped", "1 ulp or 5e-4",
    case("N=1 G=1 S=1 T=1 D=1", q=heads(1, 1, 1, 1), k=heads(1, 1, 1), v=heads(1, 1, 1)),
    case("N=2 G=3 S=5 T=35 D=33", q=heads(2, 3, 5, 33), k=heads(2, 35, 33), v=heads(2, 35, 33)),
    case("N=1 G=6 S=1 T=50 D=32", q=heads(1, 6, 1, 32), k=heads(1, 50, 32), v=heads(1, 50, 32)),
    case("N=8 G=4 S=1 T=256 D=128", real="Llama-3-8B, one token after 255", q=heads(8, 4, 1, 128), k=heads(8, 256, 128),
         v=heads(8, 256, 128)),
)
def attention_grouped(q, k, v):
    return {"y": attend(q @ k[:, None].swapaxes(-1, -2) / np.sqrt(q.shape[-1]), v[:, None])}


@kernel(
    "attention_varlen", "1 ulp or 5e-4",
    case("B=1 H=1 S=1 T=1 D=1", q=heads(1, 1, 1, 1), k=heads(1, 1, 1, 1), v=heads(1, 1, 1, 1), len=ints("i32", 1, low=1, high=1)),
    case("B=3 H=2 S=3 T=50 D=17", q=heads(3, 2, 3, 17), k=heads(3, 2, 50, 17), v=heads(3, 2, 50, 17),
         len=ramp("i32", 3, start=0, step=25)),
    case("B=2 H=1 S=4 T=80 D=32", q=heads(2, 1, 4, 32), k=heads(2, 1, 80, 32), v=heads(2, 1, 80, 32),
         len=ints("i32", 2, low=0, high=80)),
    case("B=2 H=12 S=64 T=64 D=64", real="BERT-base, two sequences of at most 64 tokens", q=heads(2, 12, 64, 64),
         k=heads(2, 12, 64, 64), v=heads(2, 12, 64, 64), len=ramp("i32", 2, start=40, step=24)),
)
def attention_varlen(q, k, v, len):
    seen = np.arange(k.shape[2]) < len[:, None, None, None]
    return {"y": attend(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), v, seen)}


@kernel(
    "attention_split_kv", "1 ulp or 5e-4",
    case("N=1 G=1 P=1 J=1 D=1", q=heads(1, 1, 1), k=heads(1, 1, 1), v=heads(1, 1, 1)),
    case("N=2 G=3 P=2 J=35 D=33", q=heads(2, 3, 33), k=heads(2, 70, 33), v=heads(2, 70, 33)),
    case("N=1 G=4 P=3 J=32 D=64", q=heads(1, 4, 64), k=heads(1, 96, 64), v=heads(1, 96, 64)),
    case("N=8 G=4 P=4 J=128 D=128", real="Llama-3-8B, one token after 511", q=heads(8, 4, 128), k=heads(8, 512, 128),
         v=heads(8, 512, 128)),
)
def attention_split_kv(q, k, v):
    return {"y": attend(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), v)}


SCALE = floats("f32", low=0.07216878364870323, high=0.07216878364870323)


@kernel(
    "mla_decode", "1 ulp or 5e-4",
    case("B=1 H=1 L=1 R=1 T=1", q=heads(1, 1, 2), cache=heads(1, 1, 2), len=ints("i32", 1, low=1, high=1), scale=SCALE),
    case("B=2 H=5 L=40 R=8 T=33", q=heads(2, 5, 48), cache=heads(2, 33, 48), len=ramp("i32", 2, start=13, step=20), scale=SCALE),
    case("B=3 H=2 L=8 R=4 T=21", q=heads(3, 2, 12), cache=heads(3, 21, 12), len=ramp("i32", 3, start=0, step=10), scale=SCALE),
    case("B=1 H=16 L=32 R=16 T=80", q=heads(1, 16, 48), cache=heads(1, 80, 48), len=ints("i32", 1, low=70, high=80), scale=SCALE),
    case("B=1 H=128 L=512 R=64 T=256", real="DeepSeek-V3, one token after 255", q=heads(1, 128, 576), cache=heads(1, 256, 576),
         len=ints("i32", 1, low=256, high=256), scale=SCALE),
)
def mla_decode(q, cache, len, scale, L):
    seen = np.arange(cache.shape[1]) < len[:, None, None]
    return {"y": attend(q @ cache.swapaxes(-1, -2) * scale, cache[:, :, :L], seen)}


def swiglu(x, gate, up, down):
    g = x @ gate.swapaxes(-1, -2)
    return g / (1.0 + np.exp(-g)) * (x @ up.swapaxes(-1, -2)) @ down.swapaxes(-1, -2)


@kernel(
    "mlp_swiglu", "2 ulp or 2e-2",
    case("M=1 D=1 F=1", x=floats("f16", 1, 1), gate=floats("f16", 1, 1), up=floats("f16", 1, 1), down=floats("f16", 1, 1)),
    case("M=5 D=33 F=40", x=floats("f16", 5, 33), gate=floats("f16", 40, 33), up=floats("f16", 40, 33), down=floats("f16", 33, 40)),
    case("M=20 D=64 F=48", x=floats("f16", 20, 64), gate=floats("f16", 48, 64), up=floats("f16", 48, 64), down=floats("f16", 64, 48)),
    case("M=16 D=576 F=1536", real="SmolLM-135M, 16 tokens", x=floats("f16", 16, 576), gate=floats("f16", 1536, 576, low=-0.1, high=0.1),
         up=floats("f16", 1536, 576, low=-0.1, high=0.1), down=floats("f16", 576, 1536, low=-0.1, high=0.1)),
)
def mlp_swiglu(x, gate, up, down):
    return {"y": swiglu(x, gate, up, down)}


def experts(values, real="", *, B, R, D, F, E, size=1.0, low=0):
    return case(
        values, real, x=floats("f16", B, R, D), gate=floats("f16", E, F, D, low=-size, high=size),
        up=floats("f16", E, F, D, low=-size, high=size), down=floats("f16", E, D, F, low=-size, high=size),
        expert=ints("i32", B, low=low, high=E - 1),
    )


@kernel(
    "moe_experts", "2 ulp or 2e-2",
    experts("B=1 R=1 D=1 F=1 E=1", B=1, R=1, D=1, F=1, E=1),
    experts("B=7 R=5 D=33 F=17 E=4", B=7, R=5, D=33, F=17, E=4, low=-1),
    experts("B=4 R=16 D=64 F=48 E=3", B=4, R=16, D=64, F=48, E=3, low=-1),
    experts("B=3 R=16 D=1024 F=512 E=2", "Granite-3.0-1B-A400M, two of its experts", B=3, R=16, D=1024, F=512, E=2, size=0.1),
)
def moe_experts(x, gate, up, down, expert):
    at, right = chosen(expert, len(gate))
    return {"y": swiglu(x, gate[at], up[at], down[at]) * right[:, None, None]}


def packed(values, real="", *, M, J, G, C):
    return case(
        values, real, x=floats("f16", M, J * G), w=ints("u8", J * G, C, low=0, high=255),
        scale=floats("f16", J, 2, C, low=0.01, high=0.05),
    )


@kernel(
    "gemm_w4a16", "1 ulp or 1e-4",
    packed("M=1 J=1 G=1 C=1", M=1, J=1, G=1, C=1),
    packed("M=5 J=3 G=11 C=23", M=5, J=3, G=11, C=23),
    packed("M=20 J=2 G=32 C=32", M=20, J=2, G=32, C=32),
    packed("M=16 J=6 G=128 C=384", "OPT-125M, attention projection of 16 tokens", M=16, J=6, G=128, C=384),
)
def gemm_w4a16(x, w, scale):
    halves = np.stack([w & 15, w >> 4], axis=1)
    groups = scale.shape[0]
    weights = ((halves ^ 8) - 8) * scale.repeat(len(w) // groups, axis=0)
    # The kernel's weights are f16 by its definition.
    return {"y": np.einsum("mk,khc->mhc", x, weights.astype(np.float16).astype(np.float64))}
