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
