"""Writes series_fixtures.txt beside this script: conditions in a series, and what NumPy, SciPy, scikit-learn and
statsmodels make of them.

Each line is a name, a count and that many numbers. Needs numpy, scipy >= 1.11, scikit-learn, statsmodels.
"""
from itertools import permutations
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

rng = np.random.default_rng(41)
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def sparse(shape, scale, share):
    return np.where(rng.random(shape) < share, np.abs(rng.normal(scale, 0.5, shape)), 0.0)


def student():
    t = np.array([0, 0.1, -0.7, 1, 2.5, -3, 8, 40, 1e-3, 1e4])
    df = np.array([1, 2.5, 3, 10, 29, 263, 1000.5])
    put("student_t", t)
    put("student_df", df)
    put("student_upper", stats.t.sf(t[:, None], df[None, :]))


def corrections():
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.5, 0.04, 1.0])
    put("holm_p", p)
    put("holm", multipletests(p, method="holm")[1])
    put("among_q", stats.false_discovery_control(np.concatenate([p, np.ones(30)]))[:7])


def fisher():
    tables = [(10, 648, 2, 648), (32, 648, 2, 648), (1, 72, 1, 72), (0, 20, 3, 25), (5, 5, 0, 4), (7, 9, 8, 30)]
    put("fisher_table", tables)
    p = [stats.fisher_exact([[a, n - a], [b, m - b]], alternative="greater")[1] for a, n, b, m in tables]
    put("fisher_p", p)


def isotonic():
    y = np.array([-0.3, 0.1, 0.4, 0.2, 0.35, 0.3, 1.0, 0.9, 1.4])
    w = rng.random(9) * 5 + 0.1
    put("isotonic_y", y)
    put("isotonic_w", w)
    put("isotonic_fit", IsotonicRegression(y_min=0).fit_transform(np.arange(9), y, sample_weight=w))


def equivalence():
    y, x = sparse(14, 1.0, 0.8), sparse(14, 0.9, 0.8)
    z = sparse(23, 1.0, 0.7)
    put("tost_y", y)
    put("tost_x", x)
    put("tost_z", z)
    margins = np.array([0.05, 0.3, 0.8])
    put("tost_margin", margins)
    put("tost_paired", [ttost_paired(y, x, -m, m)[0] for m in margins])
    put("tost_unpaired", [ttost_ind(y, z, -m, m, usevar="unequal")[0] for m in margins])


def mean(a, axis=-1):
    return np.mean(a, axis=axis)


def rise_p(y, x):
    return stats.permutation_test((y, x), lambda a, b, axis: mean(a - b, axis), permutation_type="samples",
                                  alternative="greater", n_resamples=np.inf, vectorized=True).pvalue


def doses():
    """12 prompts; latents: rising, rising late with a dip, flat, silent."""
    n, at = 12, np.array([5.0, 25, 50, 100])
    control = np.stack([sparse(n, 1, 0.8), sparse(n, 0.5, 0.5), sparse(n, 1, 0.9), np.zeros(n)])
    prompts = rng.normal(0, 0.2, (4, n))
    rises = np.array([[0.3, 0.8, 1.1, 1.9], [0.05, 0.5, 0.4, 1.0], [0, 0, 0, 0], [0, 0, 0, 0]])
    conditions = []
    for k in range(4):
        noise = rng.normal(0, 0.15, (4, n)) + prompts * 0.2
        y = np.maximum(control + rises[:, k : k + 1] + noise, 0)
        y[3] = 0
        conditions.append(y)
    put("dose_control", control.T)
    for k, y in enumerate(conditions):
        put(f"dose_{k}", y.T)
    rise = np.array([[mean(y[j] - control[j]) for y in conditions] for j in range(4)])
    se = np.array([[np.std(y[j] - control[j], ddof=1) / np.sqrt(n) for y in conditions] for j in range(4)])
    put("dose_rise", rise)
    put("dose_se", se)
    put("dose_p", [[rise_p(y[j], control[j]) if j < 3 else 1 for y in conditions] for j in range(4)])
    fits, half = [], []
    for j in range(4):
        w = 1 / se[j] ** 2 if j < 3 else np.ones(4)
        fit = IsotonicRegression(y_min=0).fit_transform(at, rise[j], sample_weight=w)
        fits.append(fit)
        top = np.concatenate([[0], fit])
        half.append(np.interp(fit[-1] / 2, top, np.concatenate([[0], at])) if j < 2 else np.nan)
    put("dose_fit", fits)
    put("dose_half", half[:2])
    c = np.arange(5) - 2.0
    c /= (c**2).sum()
    slope = np.tensordot(c, np.stack([control, *conditions]), 1)
    put("dose_trend", slope.mean(1))
    put("dose_trend_p", [rise_p(s, np.zeros(n)) for s in slope[:3]] + [1])


def unpaired_trend():
    """Three conditions of three prompts each: all 9! orders of the values."""
    groups = np.array([[0.1, 0.0, 0.4], [0.3, 0.2, 0.6], [0.5, 0.0, 0.9]])
    put("unpaired_conditions", groups)
    weight = np.repeat([-0.5, 0, 0.5], 3) / 3
    values = groups.ravel()
    observed = weight @ values
    draws = np.array(list(permutations(values))) @ weight
    put("unpaired_trend", [observed, np.mean(draws >= observed - 1e-12)])


def trigger():
    """Four conditions over overlapping sets of prompts, two latents."""
    ids = [np.array([1, 2, 3, 5, 8, 9, 11]), np.array([1, 3, 4, 5, 8, 9]), np.array([0, 1, 3, 5, 8, 9]),
           np.array([1, 2, 3, 5, 8, 9, 20])]
    common = [1, 3, 5, 8, 9]
    dense = [sparse((len(i), 2), s, 0.9) for i, s in zip(ids, (3, 1, 0.6, 0.5))]
    for k in range(4):
        put(f"trigger_id_{k}", ids[k])
        put(f"trigger_{k}", dense[k])
    kept = [d[np.isin(i, common)] for d, i in zip(dense, ids)]
    double = kept[0] - kept[1] - kept[2] + kept[3]
    put("trigger_contrast", [double.mean(0), stats.sem(double)])
    plain = kept[0] - kept[1]
    put("trigger_plain", [plain.mean(0), stats.sem(plain)])
    standing = dense[1].mean(0) - dense[3].mean(0)
    se = np.sqrt(dense[1].var(0, ddof=1) / 6 + dense[3].var(0, ddof=1) / 7)
    put("trigger_standing", [standing, se])


def trajectory():
    """A rise that decays over five steps back to the control; 60 prompts."""
    n, at = 60, np.array([0.0, 10, 20, 40, 80])
    control = sparse(n, 0.5, 0.6)
    height = 2 * np.exp(-at / 15)
    prompts = np.abs(rng.normal(1, 0.4, n))
    steps = [np.maximum(control + h * prompts + rng.normal(0, 0.02, n), 0) for h in height]
    put("steps_control", control)
    for k, y in enumerate(steps):
        put(f"steps_{k}", y)
    d = np.array([y - control for y in steps])
    rise, se = d.mean(1), stats.sem(d, axis=1)
    put("steps_rise", rise)
    half = np.interp(-rise[0] / 2, -rise, at)
    positive = int(np.argmax(rise <= 0)) or 5
    slope = np.polyfit(at[:positive], np.log(rise[:positive]), 1, w=(rise / se)[:positive])[0]
    put("steps_half_life", [half, -np.log(2) / slope])
    put("steps_remaining", [rise[2] / rise[0]])
    draw = np.random.default_rng(7).integers(0, n, (200000, n))
    put("steps_remaining_interval", np.quantile(d[2][draw].mean(1) / d[0][draw].mean(1), [0.025, 0.975]))
    put("steps_tost", [ttost_paired(steps[4], control, -0.1 * rise[0], 0.1 * rise[0])[0]])


student()
corrections()
fisher()
isotonic()
equivalence()
doses()
unpaired_trend()
trigger()
trajectory()
Path(__file__).with_name("series_fixtures.txt").write_text("\n".join(out) + "\n")
