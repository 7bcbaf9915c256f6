"""The same jobs in numpy, for benches/emulator.rs: one thread, best of a few calls.

Reads the name of a job from each line of standard input and answers with seconds, `skipped: why`, or, for `who`, with
what computes.
"""

import os
import sys
import time

for name in ("OPENBLAS", "OMP", "MKL", "VECLIB", "NUMEXPR"):
    os.environ[name + "_NUM_THREADS" if name != "VECLIB" else "VECLIB_MAXIMUM_THREADS"] = "1"

import numpy as np  # noqa: E402

CALLS = 5


def matrix(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def gemm():
    """f32, whatever the emulated element type: what the host can do at best."""
    a, b = matrix(1024, 1024), matrix(1024, 1024)
    return lambda: a @ b


def softmax():
    x = matrix(1024, 1024)

    def call():
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return call


def attention():
    q, k, v = matrix(1024, 64), matrix(1024, 64), matrix(1024, 64)

    def call():
        s = (q @ k.T) * 0.125
        e = np.exp(s - s.max(axis=1, keepdims=True))
        return (e / e.sum(axis=1, keepdims=True)) @ v

    return call


def attention_torch():
    import torch

    torch.set_num_threads(1)
    q, k, v = (torch.from_numpy(matrix(1, 1, 1024, 64)) for _ in range(3))
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v)


JOBS = {job.__name__: job for job in (gemm, softmax, attention, attention_torch)}
prepared = {}


def seconds(name):
    if name not in prepared:
        prepared[name] = JOBS[name]()
        prepared[name]()
    best = float("inf")
    for _ in range(CALLS):
        start = time.perf_counter()
        prepared[name]()
        best = min(best, time.perf_counter() - start)
    return best


def who():
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        library = "{name} {version}".format(**blas)
    except (KeyError, TypeError):
        library = "BLAS unknown"
    return f"numpy {np.__version__}, {library}, one thread"


for line in sys.stdin:
    name = line.strip()
    try:
        answer = who() if name == "who" else repr(seconds(name))
    except Exception as error:  # the bench prints why and goes on
        answer = f"skipped: {error}"
    print(answer.replace("\n", " "), flush=True)
