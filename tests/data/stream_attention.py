"""Attention at a real size (heads 8, 4096 queries and keys, 128 columns), in one pass, against numpy in float64.

    python stream_attention.py VINCI [HEADS QUERIES COLUMNS]

compiles and runs each form of it, plain and as a fold, causal and not, and prints how far the result is, cycles and
what crossed global memory. Not a test of `cargo test`: it takes a minute.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SCORES = {
    False: "let s[h, i, j] = r[h, i, j] * rsqrt(D as f32);",
    True: "let s[h, i, j] = if j <= i then r[h, i, j] * rsqrt(D as f32) else -inf;",
}
REST = {
    "plain": """
    let m[h, i] = max(j) s[h, i, j];
    let e[h, i, j] = exp(s[h, i, j] - m[h, i]);
    let z[h, i] = sum(j) e[h, i, j];
    let p[h, i, j] = (e[h, i, j] / z[h, i]) as f16;
    y[h, i, d] = (sum(j) p[h, i, j] * v[h, j, d]) as f16;""",
    "fold": """
    let st[h, i] = fold(j) attend<D>(s[h, i, j], v[h, j, :]);
    y[h, i, d] = (st[h, i].o[d] / st[h, i].l) as f16;""",
}


def source(form, causal):
    head = "pub kernel attention<H, S, D>(q: f16[H, S, D], k: f16[H, S, D], v: f16[H, S, D]) -> y: f16[H, S, D]"
    order = " order free" if form == "plain" else ""
    dots = "let r[h, i, j]: f32 = sum(d) q[h, i, d] * k[h, j, d];"
    return f"{head}{order} {{\n    {dots}\n    {SCORES[causal]}{REST[form]}\n}}\n"


def reference(q, k, v, causal):
    out = np.empty(q.shape)
    for h in range(q.shape[0]):
        w = q[h] @ k[h].T / np.sqrt(q.shape[2])
        if causal:
            w[np.triu_indices(w.shape[0], 1)] = -np.inf
        w = np.exp(w - w.max(1, keepdims=True))
        out[h] = (w @ v[h]) / w.sum(1, keepdims=True)
    return out


def main():
    vinci = sys.argv[1]
    heads, queries, columns = map(int, sys.argv[2:5]) if len(sys.argv) > 2 else (8, 4096, 128)
    rng = np.random.default_rng(7)
    folder = Path(tempfile.mkdtemp())
    arrays = {n: rng.standard_normal((heads, queries, columns)).astype(np.float16) for n in "qkv"}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    for causal in (False, True):
        expected = reference(*(arrays[n].astype(np.float64) for n in "qkv"), causal)
        for form in REST:
            (folder / "a.vn").write_text(source(form, causal))
            given = [f"--arg={n}={folder / n}.npy" for n in "qkv"]
            sizes = [f"-D{n}={x}" for n, x in zip("HSD", (heads, queries, columns))]
            words = [vinci, "run", folder / "a.vn", "-O1", *sizes, *given, f"--out=y={folder / 'y.npy'}"]
            text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            off = np.abs(np.load(folder / "y.npy").astype(np.float64) - expected)
            share = np.sqrt((off**2).mean() / (expected**2).mean())
            assert (off <= 2e-3 + 2e-3 * np.abs(expected)).all(), off.max()
            print(f"{form}{' causal' if causal else ''}: at most {off.max():.2e} off, {share:.2e} of the size on average")
            kept = ("cycles", "utilization", "gm → ", "ub → gm", "l0c → gm", "hbm", "compulsory", "peak")
            print("\n".join("    " + re.sub(" +", " ", line) for line in text.splitlines() if line.startswith(kept)))


main()
