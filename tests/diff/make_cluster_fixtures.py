"""Writes cluster_fixtures.txt beside this script: latents with common causes, and what NumPy and SciPy make of them.

Each line is a name, a count and that many numbers. Needs numpy and scipy.
"""
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

D, LATENTS, PROMPTS, THRESHOLD = 24, 14, (30, 25), 0.3
rng = np.random.default_rng(20250311)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def model():
    """Latents 0..3 share a direction, 4..6 another one; 7 is like 0..3 in direction alone, 13 has none."""
    common = rng.normal(size=(2, D))
    rows = rng.normal(size=(LATENTS, D))
    rows[[0, 1, 2, 3, 7]] += 1.5 * common[0]
    rows[4:7] += 1.5 * common[1]
    rows *= rng.uniform(0.5, 2, (LATENTS, 1))
    rows[13] = 0
    return rows.astype(np.float32)


def activations(prompts, rise):
    """Latents 0..3 and, with another direction, 8 fire together; so do 4..6. Latent 12 never fires."""
    cause = np.abs(rng.normal(size=(prompts, 2))) * (rng.random((prompts, 2)) < 0.6)
    a = np.abs(rng.normal(size=(prompts, LATENTS))) * (rng.random((prompts, LATENTS)) < 0.3)
    a[:, [0, 1, 2, 3, 8]] += rise * cause[:, :1]
    a[:, 4:7] += cause[:, 1:]
    a[:, 12] = 0
    return a * rng.uniform(0.2, 3, LATENTS)


W = model()
profiles = [activations(n, rise) for n, rise in zip(PROMPTS, (1.0, 2.5))]
order = rng.permutation(LATENTS)
unit = np.divide(W, np.linalg.norm(W, axis=1, keepdims=True), where=np.any(W != 0, axis=1)[:, None],
                 out=np.zeros_like(W)).astype(np.float64)
cosine = (unit @ unit.T)[np.ix_(order, order)]
together = np.vstack(profiles)[:, order]
with np.errstate(invalid="ignore"):
    correlation = np.nan_to_num(np.corrcoef(together.T))
np.fill_diagonal(cosine, 1)
np.fill_diagonal(correlation, 1)
alike = np.minimum(cosine, correlation)
pairs = np.triu_indices(LATENTS, 1)
label = fcluster(linkage(1 - alike[pairs], "average"), 1 - THRESHOLD, "distance")
first = np.array([np.flatnonzero(label == c)[0] for c in label])

cluster = np.flatnonzero(first == first[np.flatnonzero(order == 0)[0]])
members = order[cluster]
share = np.vstack(profiles)[:, members].sum(0)
u = share @ W[members].astype(np.float64)
u /= np.linalg.norm(u)
weight = W[members].astype(np.float64) @ u
inside = np.triu_indices(len(cluster), 1)

put("decoder", W)
put("candidates", order)
for c, a in enumerate(profiles):
    put(f"activation_{c}", a)
put("threshold", [THRESHOLD])
put("cosine", cosine)
put("correlation", correlation)
put("first", first)
put("members", members)
put("direction", u)
put("weights", weight)
put("means_of_pairs", [cosine[np.ix_(cluster, cluster)][inside].mean(),
                       correlation[np.ix_(cluster, cluster)][inside].mean()])
put("cluster_activation", profiles[1][:, members] @ weight)
Path(__file__).with_name("cluster_fixtures.txt").write_text("\n".join(out) + "\n", encoding="utf-8")
