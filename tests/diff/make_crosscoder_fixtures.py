"""Writes crosscoder_fixtures.txt beside this script: a ReLU crosscoder, pairs of rows, and latent scaling by NumPy.

Each line is a name, a count and that many numbers. The betas come from least squares over all rows and coordinates
(numpy.linalg.lstsq), not from the closed form. Inputs are multiples of 1/16, exact in float32. Needs numpy.
"""
from pathlib import Path

import numpy as np

ROWS, D, F = 90, 4, 9
rng = np.random.default_rng(20250407)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(f"{v:.17g}" for v in values))


def sixteenths(*shape):
    return np.round(16 * rng.normal(size=shape)) / 16


x, W_enc, W_dec = sixteenths(ROWS, 2 * D), sixteenths(F, 2 * D), sixteenths(F, 2 * D)
b_enc, b_dec = sixteenths(F), sixteenths(2 * D)
W_dec[1, :D] /= 16  # nearly the model after's own
W_dec[2, D:] = 0  # the model before's own
b_enc[8] = -1000  # never fires
for name in ("x", "W_enc", "b_enc", "W_dec", "b_dec"):
    put(name, globals()[name])

f = np.maximum((x - b_dec) @ W_enc.T + b_enc, 0)
part = f @ W_dec
error = x - part - b_dec
norm = np.stack([np.linalg.norm(W_dec[:, :D], axis=1), np.linalg.norm(W_dec[:, D:], axis=1)])
halves = (slice(0, D), slice(D, 2 * D))
beta_error, beta_reconstruction = np.full((2, F), np.nan), np.full((2, F), np.nan)
for j in range(F):
    if not (f[:, j] > 0).any():
        continue
    own = int(norm[1, j] >= norm[0, j])
    regressor = np.outer(f[:, j], W_dec[j, halves[own]]).reshape(-1, 1)
    for m, half in enumerate(halves):
        restored = error[:, half] + np.outer(f[:, j], W_dec[j, half])
        beta_error[m, j] = np.linalg.lstsq(regressor, restored.ravel(), rcond=None)[0][0]
        beta_reconstruction[m, j] = np.linalg.lstsq(regressor, part[:, half].ravel(), rcond=None)[0][0]

put("fires", (f > 0).sum(0))
put("norm_before", norm[0])
put("norm_after", norm[1])
put("relative_norm", norm[1] / norm.sum(0))
put("delta_norm", ((norm[0] - norm[1]) / norm.max(0) + 1) / 2)
fires = (f > 0).any(0)
assert not fires[8] and fires[:8].all()
for name, beta in (("error", beta_error), ("reconstruction", beta_reconstruction)):
    put(f"beta_{name}_before", beta[0, fires])
    put(f"beta_{name}_after", beta[1, fires])

Path(__file__).with_name("crosscoder_fixtures.txt").write_text("\n".join(out) + "\n")
