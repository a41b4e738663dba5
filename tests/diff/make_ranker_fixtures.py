"""Writes ranker_fixtures.txt beside this script: small studies and what NumPy and SciPy make of them.

Each line is a name, a count and that many numbers. Needs numpy and scipy >= 1.11. Inputs are multiples of 1/8, so
that float32 products and sums are exact and the comparison may be strict.
"""
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(20251122)
out = []
D, F, PROMPTS = 6, 12, 8
ROWS_OF = np.array([1, 2, 4, 8, 1, 2, 4, 8])  # rows of each prompt: weights are powers of two


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def eighths(shape, scale=1.0):
    return np.round(rng.normal(0, scale, shape) * 8) / 8


W_enc, b_enc = eighths((F, D)), eighths(F, 0.5) - 0.25
W_dec, b_dec = eighths((F, D)), eighths(D)
W_enc[F - 1] = 0  # a latent that never fires
b_enc[F - 1] = -1
W_enc[F - 2] = 0  # and one that is on everywhere: no variance
b_enc[F - 2] = 1.5
threshold, r_mag, b_mag = np.abs(eighths(F)), np.zeros(F), eighths(F, 0.5)
for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold", "r_mag", "b_mag"):
    put(name, globals()[name])

prompt = np.repeat(np.arange(PROMPTS), ROWS_OF)
put("prompt", prompt)


def prompt_means(f, of_row=prompt):
    return np.stack([f[of_row == p].mean(0) for p in np.unique(of_row)])


def relu_codes(x):
    return np.maximum((x - b_dec) @ W_enc.T + b_enc, 0)


def study():
    n = prompt.size
    base = eighths((n, D))
    rows = {name: base + eighths((n, D), s) for name, s in
            (("before", 0.0), ("after", 0.7), ("after2", 0.7), ("control", 0.3), ("control2", 0.3))}
    rows["after"] += np.array([0.5, 0, 0, -0.25, 0, 0])
    # A control over other prompts, 7 of them.
    rows["foreign"] = eighths((n - ROWS_OF[-1], D))
    for name, x in rows.items():
        put(f"{name}_rows", x)
    a = {name: prompt_means(relu_codes(x), prompt[: len(x)]) for name, x in rows.items()}
    q = {name: prompt_means((relu_codes(x) > 0).astype(float), prompt[: len(x)]) for name, x in rows.items()}
    for after in ("after", "after2"):
        mean_control = (a["control"] + a["control2"]) / 2
        put(f"{after}_delta", (a[after] - a["before"]).mean(0))
        put(f"{after}_excess", (a[after] - mean_control).mean(0))
        worst = a[after].mean(0) - np.maximum(a["control"].mean(0), a["control2"].mean(0))
        put(f"{after}_excess_worst", worst)
        moments(after, a[after] - mean_control)
        put(f"{after}_frequency", (q[after] - q["before"]).mean(0))
        shift = prompt_means(rows[after]).mean(0) - prompt_means(rows["before"]).mean(0)
        put(f"{after}_shift", shift)
        put(f"{after}_cos_shift", W_dec @ shift / np.linalg.norm(W_dec, axis=1) / np.linalg.norm(shift))
    unpaired_moments(a["after"], a["foreign"])
    both = [(a[x] - a["before"]).mean(0) for x in ("after", "after2")]
    put("min_over_bad", np.min(both, axis=0))
    put("mean_over_bad", np.mean(both, axis=0))
    difference(rows["after"] - rows["before"])


def moderated(estimate, se, fires):
    return np.where(estimate == 0, 0, estimate / (se + np.median(se[fires])))


def plain(estimate, se):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(estimate == 0, 0, estimate / se)


def moments(name, d):
    fires = np.arange(F) != F - 1
    estimate, sd = d.mean(0), d.std(0, ddof=1)
    se = sd / np.sqrt(len(d))
    with np.errstate(divide="ignore", invalid="ignore"):
        put(f"{name}_t", plain(estimate, se))
        put(f"{name}_moderated_t", moderated(estimate, se, fires))
        put(f"{name}_effect", np.where(sd == 0, 0, estimate / sd))


def unpaired_moments(y, x):
    fires = np.arange(F) != F - 1
    estimate = y.mean(0) - x.mean(0)
    se = np.sqrt(y.var(0, ddof=1) / len(y) + x.var(0, ddof=1) / len(x))
    pooled = np.sqrt((y.var(0, ddof=1) * (len(y) - 1) + x.var(0, ddof=1) * (len(x) - 1)) / (len(y) + len(x) - 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        put("unpaired_t", plain(estimate, se))
        put("unpaired_effect", np.where(pooled == 0, 0, estimate / pooled))
    put("unpaired_moderated_t", moderated(estimate, se, fires))


def difference(delta):
    """The encoding of row differences: no centring, of the biases only what is negative."""
    projection = delta @ W_enc.T
    pi = projection + np.minimum(b_enc, 0)
    put("difference_relu", prompt_means(np.maximum(pi, 0)).mean(0))
    order = np.argsort(-np.maximum(pi, 0), axis=1, kind="stable")
    top = np.zeros_like(pi)
    for row, kept in enumerate(order[:, :3]):
        top[row, kept] = np.maximum(pi[row, kept], 0)
    put("difference_topk", prompt_means(top).mean(0))
    put("difference_jumprelu", prompt_means(np.where(pi > threshold, pi, 0)).mean(0))
    magnitude = np.maximum(np.exp(r_mag) * projection + np.minimum(b_mag, 0), 0)
    put("difference_gated", prompt_means(np.where(pi > 0, magnitude, 0)).mean(0))


def attribution():
    n = prompt.size
    result, means = {}, {}
    sides = {}
    for side in ("bad", "good"):
        x, g = eighths((n, D)) + 2, eighths((n, D))
        put(f"{side}_rows", x)
        put(f"{side}_gradients", g)
        sides[side] = x, g
        means[side] = prompt_means(x).mean(0)

    def of(side, mean):
        x, g = sides[side]
        return prompt_means(-(g @ W_dec.T) * ((x - mean) @ W_dec.T)).mean(0)

    put("attribution_bad", of("bad", means["bad"]))
    common = (means["bad"] + means["good"]) / 2
    put("attribution_contrast", of("bad", common) - of("good", common))


def agreement():
    n, rankers = 400, 12
    base = rng.normal(size=n)
    scores = np.stack([np.round(base * (i % 3) + rng.normal(size=n), 1 if i % 2 else 6) for i in range(rankers)])
    fires = rng.random(n) < 0.7
    put("agreement_scores", scores)
    put("agreement_fires", fires)
    compared = scores[:, fires]
    put("agreement_spearman", stats.spearmanr(compared, axis=1).statistic)
    put("average_ranks", stats.rankdata(compared[1]))
    for direction, key in (("rising", -compared), ("falling", compared), ("both", -np.abs(compared))):
        for k in (10, 100):
            first = [set(np.argsort(row, kind="stable")[:k]) for row in key]
            put(f"overlap_{direction}_{k}", [[len(a & b) / k for b in first] for a in first])
    put("agreement_spearman_both", stats.spearmanr(np.abs(compared), axis=1).statistic)


for part in (study, attribution, agreement):
    part()
Path(__file__).with_name("ranker_fixtures.txt").write_text("\n".join(out) + "\n")
