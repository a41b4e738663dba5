"""Writes fixtures.txt beside this script: a small ReLU model, rows, and what NumPy makes of them in float64.

Each line is a name, a count and that many numbers. All inputs are multiples of 1/16, so that they are short and exact
in float32. Needs numpy.
"""
from pathlib import Path

import numpy as np

ROWS, D, F = 600, 5, 9
rng = np.random.default_rng(20251121)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(f"{v:.17g}" for v in values))


def sixteenths(*shape):
    return np.round(16 * rng.normal(size=shape)) / 16


x = sixteenths(ROWS, D) + np.array([3, -2, 0, 0.5, 1])  # a common mean
x[[7, 400]] = 0  # rows without a direction
W_enc, W_dec = sixteenths(F, D), sixteenths(F, D) / 4
b_enc, b_dec = sixteenths(F) - 1, np.array([2.5, -1.5, 0, 0.5, 1])  # not quite the mean: e has a mean of its own
for name in ("x", "W_enc", "b_enc", "W_dec", "b_dec"):
    put(name, globals()[name])

f = np.maximum((x - b_dec) @ W_enc.T + b_enc, 0)
xhat = f @ W_dec + b_dec
e = x - xhat
e2, x2, h2 = (e**2).sum(1), (x**2).sum(1), (xhat**2).sum(1)
centred2 = ((x - x.mean(0)) ** 2).sum(1)
nonzero = x2 > 0

put("explained_variance", 1 - e2.mean() / (x2.mean() - (x.mean(0) ** 2).sum()))
put("saelens_legacy", (1 - e2 / centred2).mean())
put("dictionary_learning", 1 - e.var(0, ddof=1).sum() / x.var(0, ddof=1).sum())
put("sparsify_fvu", e2.sum() / ((x - x.mean(0)) ** 2).sum())
put("openai_nmse", (e2[nonzero] / x2[nonzero]).mean())
put("l0", (f > 0).sum(1).mean())
put("l1", np.abs(f).sum(1).mean())
put("cosine", ((x * xhat).sum(1)[nonzero] / np.sqrt(x2 * h2)[nonzero]).sum() / ROWS)
put("l2_ratio", np.sqrt(h2[nonzero] / x2[nonzero]).mean())
put("relative_reconstruction_bias", h2.mean() / (x * xhat).sum(1).mean())
put("fires", (f > 0).sum(0))

unit = W_dec / np.linalg.norm(W_dec, axis=1, keepdims=True)
cosines = unit @ unit.T
np.fill_diagonal(cosines, -np.inf)
nearest = cosines.max(1)
put("nearest", [nearest.mean(), np.median(nearest), np.quantile(nearest, 0.95), nearest.max()])
put("nearest_bins", np.histogram(nearest, bins=20, range=(0, 1))[0])
assert nearest.min() > 0

Path(__file__).with_name("fixtures.txt").write_text("\n".join(out) + "\n")
