"""Products, convolutions, pooling and attention of the library, by their definitions. See `make.py`."""

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
