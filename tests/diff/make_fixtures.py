"""Writes fixtures.txt beside this script: inputs and what NumPy and SciPy make of them.

Each line is a name, a count and that many numbers. Needs numpy and scipy >= 1.11.
"""
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(20240607)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def sparse(n, scale, share):
    return np.where(rng.random(n) < share, np.abs(rng.normal(scale, 0.5, n)), 0.0)


def paired():
    y, x = sparse(20, 2.0, 0.7), sparse(20, 1.0, 0.5)
    d = y - x
    put("paired_y", y)
    put("paired_x", x)
    t = stats.ttest_rel(y, x).statistic
    put("paired_expected", [d.mean(), d.mean() / t, d.mean() / d.std(ddof=1)])


def unpaired():
    y, x = sparse(17, 2.0, 0.7), sparse(23, 1.0, 0.5)
    put("unpaired_y", y)
    put("unpaired_x", x)
    difference = y.mean() - x.mean()
    welch = stats.ttest_ind(y, x, equal_var=False).statistic
    student = stats.ttest_ind(y, x, equal_var=True).statistic
    put("unpaired_expected", [difference, difference / welch, student * np.sqrt(1 / 17 + 1 / 23)])


def false_discovery():
    p = np.concatenate([rng.random(40), rng.random(10) ** 6, [0.01, 0.01, 1.0]])
    put("bh_p", p)
    put("bh_q", stats.false_discovery_control(p, method="bh"))


def auroc():
    positive, negative = rng.integers(3, 12, 25) / 4, rng.integers(0, 9, 40) / 4
    put("auroc_positive", positive)
    put("auroc_negative", negative)
    psi = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    u = stats.mannwhitneyu(positive, negative).statistic
    variance = psi.mean(1).var(ddof=1) / 25 + psi.mean(0).var(ddof=1) / 40
    put("auroc_expected", [u / 1000, np.sqrt(variance)])


def quantiles():
    x = np.round(rng.normal(size=501), 2)
    q = np.array([0, 0.025, 0.3, 0.5, 0.975, 0.9999, 1])
    put("quantile_x", x)
    put("quantile_q", q)
    put("quantile_expected", np.quantile(x, q))


def whole():
    """Rows of three dumps for a model that returns relu(x): prompts scattered, 6 latents."""
    prompts, rows, d = 9, 70, 6
    result, activations = {}, {}
    for name, shift in (("before", 0.0), ("after", 0.8), ("control", 0.1)):
        x = rng.normal(0.2, 1.0, (rows, d)).astype(np.float32)
        x[:, 2] += np.float32(shift)
        x[:, 5] = -1
        prompt = np.concatenate([np.arange(prompts), rng.integers(0, prompts, rows - prompts)]) * 10.0 + 3
        put(f"whole_{name}_rows", x)
        put(f"whole_{name}_prompt", prompt)
        f = np.maximum(x.astype(np.float64), 0)
        ids = np.unique(prompt)
        activations[name] = np.stack([f[prompt == i].mean(0) for i in ids])
        result[name] = activations[name].mean(0), np.stack([(f[prompt == i] > 0).mean(0) for i in ids]).mean(0)
        error = ((x - f) ** 2).sum() / ((x - x.astype(np.float64).mean(0)) ** 2).sum()
        norms = np.linalg.norm(x.astype(np.float64), axis=1) * np.linalg.norm(f, axis=1)
        cosine = (x * f).sum(1) / np.where(norms > 0, norms, 1)
        put(f"whole_{name}_fidelity", [error, (f > 0).sum(1).mean(), (f.sum(0) == 0).mean(), cosine.mean()])
        put(f"whole_{name}_mean", result[name][0])
        put(f"whole_{name}_freq", result[name][1])
    for name, other in (("delta", "before"), ("excess", "control")):
        difference = activations["after"] - activations[other]
        se = difference.std(0, ddof=1) / 3
        put(f"whole_{name}", difference.mean(0))
        put(f"whole_{name}_se", se)
        put(f"whole_{name}_t", difference.mean(0) / (se + np.median(se[:5])))


for part in (paired, unpaired, false_discovery, auroc, quantiles, whole):
    part()
Path(__file__).with_name("fixtures.txt").write_text("\n".join(out) + "\n")
