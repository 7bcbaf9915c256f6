"""Writes the arrays that epilogue.tile and two_products.tile are compared with: in float64 of the drawn arguments.

Run it in this folder with numpy. The arguments are those that the tests draw (`ir::algo::data::draw`).
"""

import numpy as np

MASK = (1 << 64) - 1


def mixed(state):
    a = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
    b = (a ^ a >> 27) * 0x94D049BB133111EB & MASK
    return b ^ b >> 31


def drawn(name, kind, *shape):
    state = 0
    for word in [*name.encode(), *kind.encode(), *shape]:
        state = mixed(state + 0x9E3779B97F4A7C15 & MASK) ^ word
    values = []
    for _ in range(int(np.prod(shape))):
        state = state + 0x9E3779B97F4A7C15 & MASK
        values.append((mixed(state) >> 11) * 2.0**-52 - 1.0)
    kind = {"f16": np.float16, "f32": np.float32}[kind]
    return np.array(values).astype(kind).astype(np.float64).reshape(shape)


a, b, bias = drawn("a", "f16", 200, 150), drawn("b", "f16", 150, 100), drawn("bias", "f32", 100)
y = a @ b + bias
np.save("epilogue_y.npy", y.astype(np.float32))
np.save("epilogue_top.npy", y.max(axis=1).astype(np.float32))

a, b, d = drawn("a", "f16", 100, 64), drawn("b", "f16", 64, 80), drawn("d", "f16", 80, 48)
middle = np.maximum(a @ b, 0).astype(np.float32).astype(np.float16).astype(np.float64)
np.save("two_products.npy", (middle @ d).astype(np.float32))
