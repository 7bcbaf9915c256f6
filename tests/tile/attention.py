"""Writes attention.npy, the result that attention.tile is compared with: computed in float64, rounded once.

Run it in this folder with numpy. The arguments are those that the tests draw, made here again (`ir::algo::data::draw`):
splitmix64, keyed by name, type and shape.
"""

import numpy as np

MASK = (1 << 64) - 1


def mixed(state):
    a = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
    b = (a ^ a >> 27) * 0x94D049BB133111EB & MASK
    return b ^ b >> 31


def drawn(name, rows, cols):
    state = 0
    for word in [*name.encode(), *b"f16", rows, cols]:
        state = mixed(state + 0x9E3779B97F4A7C15 & MASK) ^ word
    values = []
    for _ in range(rows * cols):
        state = state + 0x9E3779B97F4A7C15 & MASK
        values.append((mixed(state) >> 11) * 2.0**-52 - 1.0)
    return np.array(values).astype(np.float16).astype(np.float64).reshape(rows, cols)


q, k, v = (drawn(name, 1024, 64) for name in "qkv")
scores = q @ k.T / 8.0
weights = np.exp(scores - scores.max(axis=1, keepdims=True))
y = weights / weights.sum(axis=1, keepdims=True) @ v
np.save("attention.npy", y.astype(np.float16))
