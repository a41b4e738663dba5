"""Writes steering_fixtures.txt beside this script: a small TopK model, rows, and the rows steered by NumPy in float64.

Each line is a name, a count and that many numbers. All inputs are multiples of 1/16, so that they are short and exact
in float32 and float16. Needs numpy.
"""
from pathlib import Path

import numpy as np

ROWS, D, F, K = 80, 6, 11, 3
LATENTS, WEIGHTS, STRENGTH = np.array([7, 2, 4]), np.array([1.0, -0.5, 2.0]), 1.5
rng = np.random.default_rng(1648)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(f"{v:.17g}" for v in values))


def sixteenths(*shape):
    return np.round(16 * rng.normal(size=shape)) / 16


x = sixteenths(ROWS, D) * 4
W_enc, W_dec, b_enc, b_dec = sixteenths(F, D), sixteenths(F, D), sixteenths(F), sixteenths(D)
for name in ("x", "W_enc", "b_enc", "W_dec", "b_dec"):
    put(name, globals()[name])
put("latents", LATENTS)
put("weights", WEIGHTS)
put("strength", [STRENGTH])

pre = np.maximum((x - b_dec) @ W_enc.T + b_enc, 0)
order = np.argsort(-pre, axis=1, kind="stable")  # ties to the lower index
f = np.zeros_like(pre)
np.put_along_axis(f, order[:, :K], np.take_along_axis(pre, order[:, :K], 1), 1)

d, v = W_dec[LATENTS], WEIGHTS @ W_dec[LATENTS]
u = v / np.linalg.norm(v)
mean_norm = np.linalg.norm(x, axis=1).mean()
Q = np.linalg.svd(d)[2][: len(LATENTS)]  # an orthonormal basis that owes nothing to Gram and Schmidt
put("add_raw", x + STRENGTH * v)
put("add_norm", x + STRENGTH * mean_norm * u)
put("clamp", x + (STRENGTH * WEIGHTS - f[:, LATENTS]) @ d)
put("ablate", x - f[:, LATENTS] @ d)
put("project-out", x - x @ Q.T @ Q)

part = f[:, LATENTS] @ (d @ u)
active = (f[:, LATENTS] > 0).any(1)
assert 0 < active.sum() < ROWS
put("mean_norm", [mean_norm])
put("active_rows", [active.sum()])
put("typical", [part[active].mean() / mean_norm])
put("largest", [part[active].max() / mean_norm])

Path(__file__).with_name("steering_fixtures.txt").write_text("\n".join(out) + "\n")
