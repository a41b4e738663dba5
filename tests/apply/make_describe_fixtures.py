"""Writes describe_fixtures.txt beside this script: labelled rows and the AUROC of each latent under each label.

Each line is a name, a count and that many numbers. Needs numpy and scipy.
"""
from pathlib import Path

import numpy as np
from scipy import stats

ROWS, D, DOCS = 500, 6, 40
rng = np.random.default_rng(20250302)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def auroc(positive, negative):
    """Mann-Whitney and the standard error of DeLong et al. 1988."""
    m, n = len(positive), len(negative)
    u = stats.mannwhitneyu(positive, negative).statistic
    psi = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    se = np.sqrt(psi.mean(1).var(ddof=1) / m + psi.mean(0).var(ddof=1) / n)
    return [u / (m * n), se, m, n, positive.mean(), negative.mean()]


doc = rng.integers(0, DOCS, ROWS)
persona = (rng.random(DOCS) < 0.3)[doc].astype(float)
region = rng.integers(0, 4, ROWS).astype(float)
edu = (rng.random(ROWS) < 0.3).astype(float)
x = np.round(16 * rng.normal(size=(ROWS, D))) / 16  # short and exact in float32
x[:, 0] += persona
x[:, 1] += 2 * edu
x[:, 2] -= 3  # fires so rarely that most means are equal
x[:, 5] = -1  # never fires
for name, values in (("x", x), ("doc", doc), ("persona", persona), ("region", region), ("edu", edu)):
    put(name, values)
f = np.maximum(x, 0)
table = []
for label, keep, group in ((persona, region == 3, doc),
                           (edu, region == 3, 2 * doc + edu),  # split: rows of both kinds are two units
                           (persona, region >= 0, np.arange(ROWS))):
    units = np.unique(group[keep])
    means = np.stack([f[keep & (group == u)].mean(0) for u in units])
    kind = np.array([label[keep & (group == u)][0] for u in units]) == 1
    table += [auroc(means[kind, j], means[~kind, j]) for j in range(D)]
put("table", table)
Path(__file__).with_name("describe_fixtures.txt").write_text("\n".join(out) + "\n")
