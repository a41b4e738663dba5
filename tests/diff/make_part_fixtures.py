"""Writes part_fixtures.txt beside this script: the parts of a rise, strata, shifts and matching weights by NumPy.

Each line is a name, a count and that many numbers. Needs numpy and scipy >= 1.11.
"""
from pathlib import Path

import numpy as np
from scipy import optimize

rng = np.random.default_rng(20250301)
out = []
ROWS, PROMPTS, D = 160, 12, 8
AFTER_SILENT = 1e-3


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def by_prompt(values, prompt, weight):
    """Mean over prompts of the weighted mean over the rows of each, for every column."""
    means = [np.average(values[prompt == p], axis=0, weights=weight[prompt == p]) for p in np.unique(prompt)]
    return np.stack(means)


def planted(after):
    """Latents: 0 amplified, 1 more often, 2 newly firing, 3 silent, 4 as before, 5 weaker, 6 less often, 7 gone."""
    rate = np.array([.5, .2, 0, 0, .5, .5, .6, .4]) if not after else np.array([.5, .7, .5, 0, .5, .5, .1, 0])
    level = np.array([1, 1, 1, 1, 1, 3, 1, 1.]) if not after else np.array([3, 1, 1, 1, 1, 1, 1, 1.])
    fires = rng.random((ROWS, D)) < rate
    return np.where(fires, level * rng.uniform(.8, 1.2, (ROWS, D)), -1).astype(np.float32)


def change(d, se, f0, f1, frequency, magnitude):
    if d == 0 or abs(d) <= 2 * se:
        return 0
    few, many = min(f0, f1), max(f0, f1)
    if (f1 > f0) == (d > 0) and few < AFTER_SILENT and many >= 10 * few:
        kind = 3
    else:
        kind = 2 if frequency * np.sign(d) >= magnitude * np.sign(d) else 1
    return int(kind * np.sign(d))


def side(after):
    name = "after" if after else "before"
    x = planted(after)
    prompt = np.concatenate([np.arange(PROMPTS), rng.integers(0, PROMPTS, ROWS - PROMPTS)]) * 7.0 + 2
    position = rng.integers(0, 40 if after else 20, ROWS).astype(float)
    region = (position > 6).astype(float)
    domain = rng.integers(0, 3, ROWS) * 1.0 - 1
    weight = rng.uniform(.5, 2, ROWS) * (rng.random(ROWS) < .8)
    weight[:PROMPTS] = 1
    f = np.maximum(x.astype(np.float64), 0)
    for column, values in (("rows", x), ("prompt", prompt), ("position", position), ("region", region),
                           ("domain", domain), ("weight", weight)):
        put(f"{name}_{column}", values)
    one = np.ones(ROWS)
    put(f"{name}_weighted_mean", by_prompt(f, prompt, weight).mean(0))
    put(f"{name}_weighted_freq", by_prompt((f > 0) * 1.0, prompt, weight).mean(0))
    put(f"{name}_residual", by_prompt(x.astype(np.float64), prompt, one).mean(0))
    put(f"{name}_weighted_residual", by_prompt(x.astype(np.float64), prompt, weight).mean(0))
    strata(name, f, prompt, position, region, domain)
    return by_prompt(f, prompt, one), by_prompt((f > 0) * 1.0, prompt, one)


def strata(name, f, prompt, position, region, domain):
    edges = [(0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 63)]
    chosen = [(v, v, region == v) for v in (0, 1)]
    chosen += [(a, b, (position >= a) & (position <= b)) for a, b in edges]
    chosen += [(v, v, domain == v) for v in (-1, 0, 1)]
    chosen = [c for c in chosen if c[2].any()]
    put(f"{name}_strata", [[low, high, rows.sum(), len(np.unique(prompt[rows]))] for low, high, rows in chosen])
    put(f"{name}_strata_mean", [by_prompt(f[r], prompt[r], np.ones(r.sum())).mean(0) for _, _, r in chosen])
    put(f"{name}_strata_freq",
        [by_prompt((f[r] > 0) * 1.0, prompt[r], np.ones(r.sum())).mean(0) for _, _, r in chosen])


def decomposition():
    (a0, f0), (a1, f1) = side(False), side(True)
    for paired in (0, 1):
        table = []
        for j in range(D):
            d = a1[:, j] - a0[:, j]
            se = d.std(ddof=1) / np.sqrt(PROMPTS) if paired else \
                np.sqrt((a1[:, j].var(ddof=1) + a0[:, j].var(ddof=1)) / PROMPTS)
            g0, g1, s0, s1 = f0[:, j].sum(), f1[:, j].sum(), a0[:, j].sum(), a1[:, j].sum()
            m0 = s0 / g0 if g0 > 0 else np.nan
            m1 = s1 / g1 if g1 > 0 else np.nan
            n0, n1 = (m1 if np.isnan(m0) else m0), (m0 if np.isnan(m1) else m1)
            g0, g1 = g0 / PROMPTS, g1 / PROMPTS
            frequency = 0 if g0 + g1 == 0 else (g1 - g0) * (n0 + n1) / 2
            magnitude = 0 if g0 + g1 == 0 else (n1 - n0) * (g0 + g1) / 2
            kind = change(d.mean(), se, g0, g1, frequency, magnitude)
            table.append([d.mean(), frequency, magnitude, g0, g1, -1 if np.isnan(m0) else m0,
                          -1 if np.isnan(m1) else m1, kind])
        put(f"decomposition_{'paired' if paired else 'unpaired'}", table)


def shift():
    n, d = 11, 6
    decoder = rng.normal(size=(n, d)).astype(np.float32)
    decoder[4] = 0
    before, after = rng.normal(size=d) + 5, rng.normal(size=d) + 5
    delta = np.where(rng.random(n) < .8, rng.normal(size=n), 0)
    order = np.argsort(-delta)
    s, w = after - before, decoder.astype(np.float64)

    def top(rows):
        s_hat = delta[rows] @ w[rows]
        return [s_hat @ s / (s @ s), 1 - ((s - s_hat) ** 2).sum() / (s @ s)]

    c2 = (delta * np.linalg.norm(w, axis=1)) ** 2
    for name, values in (("decoder", decoder), ("before", before), ("after", after), ("delta", delta),
                         ("order", order)):
        put(f"shift_{name}", values)
    put("shift_summary", [np.linalg.norm(s), np.linalg.norm(s) / np.linalg.norm(before), *top(np.arange(n)),
                          c2.sum() ** 2 / (c2 ** 2).sum()])
    put("shift_share", delta * (w @ s) / (s @ s))
    norms = np.linalg.norm(w, axis=1) * np.linalg.norm(s)
    put("shift_cosine", np.where(norms > 0, (w @ s) / np.where(norms > 0, norms, 1), -9))
    put("shift_top", [top(order[:i + 1]) for i in range(n)])


def matching():
    """Bins that hold one position each: 0 .. 7. The weights maximise the concave function, by another optimiser."""
    counts = []
    for name, lengths, start in (("short", rng.integers(3, 7, 15), 0), ("long", rng.integers(4, 9, 18), 0),
                                 ("other", rng.integers(4, 8, 9), 0)):
        prompt = np.repeat(np.arange(len(lengths)), lengths)
        position = np.concatenate([np.arange(start, n) for n in lengths])
        mixed = rng.permutation(len(prompt))
        put(f"match_{name}_prompt", prompt[mixed])
        put(f"match_{name}_position", position[mixed])
        counts.append(np.stack([np.bincount(position[prompt == p], minlength=8) for p in range(len(lengths))]))
    common = np.all([c.sum(0) > 0 for c in counts], axis=0)
    counts = [c[:, common].astype(float) for c in counts]
    shares = [(c / c.sum(1, keepdims=True)).mean(0) for c in counts]
    cumulative = np.maximum.reduce([np.cumsum(s) for s in shares])
    target = np.diff(cumulative, prepend=0)
    put("match_common", common)
    put("match_target", target)
    put("match_distance", [max(np.abs(s - target).sum() / 2 for s in shares)])
    for name, c in zip(("short", "long", "other"), counts):
        def minus(v):
            u = np.exp(np.concatenate([[0], v]))
            share = (c * u / (c @ u)[:, None]).mean(0)
            return np.log(c @ u).mean() - target @ np.log(u), (share - target)[1:]
        found = optimize.minimize(minus, np.zeros(common.sum() - 1), jac=True, method="BFGS",
                                  options={"gtol": 1e-12, "maxiter": 10000})
        put(f"match_{name}_weight", np.exp(np.concatenate([[0], found.x])))


for part in (decomposition, shift, matching):
    part()
Path(__file__).with_name("part_fixtures.txt").write_text("\n".join(out) + "\n")
