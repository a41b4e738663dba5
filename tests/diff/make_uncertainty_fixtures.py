"""Writes uncertainty_fixtures.txt beside this script: what NumPy and statsmodels make of the very draws of libsae.

The generator of random numbers and the draws (libsae/base/rng.c, libsae/diff/draws.c) are written out again here, so
that resampled figures are compared to rounding and not to a Monte Carlo error. Each line is a name, a count and that
many numbers. Needs numpy and statsmodels.
"""
import struct
from pathlib import Path

import numpy as np
from statsmodels.stats.multitest import multipletests

MASK = (1 << 64) - 1
PERMUTE, BOOTSTRAP, HALVES = 5, 6, 32  # saei_stream
BLOCK, EXCEEDANCES = 64, 100
SEED, DRAWS, CONFIDENCE, TOP, SELECT = 11, 700, 0.9, 5, 4

out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


class Rng:
    """xoshiro256** seeded through SplitMix64."""

    def __init__(self, seed, stream, index):
        self.state = seed
        self.state = self.splitmix() ^ (stream << 56)
        self.state = self.splitmix() ^ index
        self.s = [self.splitmix() for _ in range(4)]

    def splitmix(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def next(self):
        s = self.s
        rotate = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK
        result = (rotate((s[1] * 5) & MASK, 7) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        return result

    def below(self, n):
        reject_below = (1 << 64) % n
        while True:
            draw = self.next()
            if draw >= reject_below:
                return draw % n

    def uniform(self):
        return (self.next() >> 11) * 2.0**-53


def blocks(draws):
    return range((draws + BLOCK - 1) // BLOCK)


def permutations(n_y, n_x, paired, draws):
    """[draws, units] weights."""
    units, weights = n_y if paired else n_y + n_x, []
    for block in blocks(draws):
        rng = Rng(SEED, PERMUTE, block)
        if paired:
            bits = [rng.next() for _ in range(units)]
            weights += [[(1 if bits[u] >> b & 1 else -1) / n_y for u in range(units)] for b in range(BLOCK)]
            continue
        front = min(n_y, n_x)
        in_front, in_back = (1 / n_y, -1 / n_x) if n_y < n_x else (-1 / n_x, 1 / n_y)
        order = list(range(units))
        for _ in range(BLOCK):
            w = [in_back] * units
            for i in range(front):
                j = i + rng.below(units - i)
                order[i], order[j] = order[j], order[i]
                w[order[i]] = in_front
            weights.append(w)
    return np.array(weights)[:draws]


def resamples(n_y, n_x, paired, draws):
    """[draws, n_y] and [draws, n_x] how often each unit was drawn."""
    times_y, times_x = [], []
    for block in blocks(draws):
        rng = Rng(SEED, BOOTSTRAP, block)
        for times, n in ((times_y, n_y),) + (() if paired else ((times_x, n_x),)):
            for _ in range(BLOCK):
                times.append(np.bincount([rng.below(n) for _ in range(n)], minlength=n))
    return np.array(times_y)[:draws], None if paired else np.array(times_x)[:draws]


def mean_and_variance(times, values):
    """Of each resample: mean and squared standard error of the mean, of values written out unit by unit."""
    drawn = [np.repeat(np.arange(len(t)), t) for t in times]
    samples = np.stack([values[d] for d in drawn])
    return samples.mean(1), samples.var(1, ddof=1) / len(values)


def permutation_p(values, observed, weights, one_sided):
    drawn = weights @ values
    hits = drawn >= observed - 1e-12 * abs(observed) if one_sided else np.abs(drawn) >= abs(observed) * (1 - 1e-12)
    count = np.cumsum(hits)
    if count[-1] >= EXCEEDANCES:
        return EXCEEDANCES / (1 + np.argmax(count == EXCEEDANCES))
    return (count[-1] + 1) / (len(weights) + 1)


def compare(name, y, x, y_id, x_id, paired, direction):
    """y [n_y, latents], x [n_x, latents]; direction +1 or 0 for both."""
    n_y, n_x = len(y), len(x)
    latents = y.shape[1]
    units = y - x if paired else np.concatenate([y, x])
    estimate = y.mean(0) - x.mean(0)
    se = np.sqrt((units.var(0, ddof=1) / n_y) if paired else y.var(0, ddof=1) / n_y + x.var(0, ddof=1) / n_x)
    # Studentised interval and ranks.
    times_y, times_x = resamples(n_y, n_x, paired, DRAWS)
    mean, variance = mean_and_variance(times_y, units if paired else y)
    if not paired:
        mean_x, variance_x = mean_and_variance(times_x, x)
        mean, variance = mean - mean_x, variance + variance_x
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(np.abs(mean - estimate) <= 1e-12, 0, np.abs(mean - estimate) / np.sqrt(variance))
    t[:, estimate == 0] = 0
    half = np.sort(t, axis=0)[int(np.ceil(CONFIDENCE * (DRAWS + 1))) - 1] * se
    put(f"{name}_low", estimate - half)
    put(f"{name}_high", estimate + half)
    key = mean if direction else np.abs(mean)
    key[:, (units == 0).all(0)] = 0
    order = np.argsort(-(estimate if direction else np.abs(estimate)), kind="stable")[:TOP]
    ranks = np.sort(1 + (key[:, None, :] > key[:, order, None]).sum(2), axis=0)
    tail = (1 - CONFIDENCE) / 2
    put(f"{name}_rank_latent", order)
    put(f"{name}_rank_low", ranks[int(np.floor(tail * (DRAWS - 1)))])
    put(f"{name}_rank_high", ranks[int(np.ceil((1 - tail) * (DRAWS - 1)))])
    # The maximum over the family.
    weights = permutations(n_y, n_x, paired, DRAWS)
    if paired:
        sigma = np.sqrt((units**2).sum(0)) / n_y
    else:
        sigma = np.sqrt(units.var(0, ddof=1) * (1 / n_y + 1 / n_x))
    scale = np.where(sigma > 0, sigma, 1)
    maxima = (np.abs(weights @ units) / scale).max(1)
    u = np.abs(estimate) / scale * (1 - 1e-12)
    put(f"{name}_sd", sigma)
    put(f"{name}_family", [(1 + (maxima >= v).sum()) / (DRAWS + 1) for v in u])
    put(f"{name}_p", [permutation_p(units[:, j], estimate[j], weights, False) if units[:, j].any() else 1 for j in range(latents)])
    # Halves.
    ids = y_id if paired else np.concatenate([y_id, x_id])
    hashes = np.array([Rng(SEED, HALVES, struct.unpack("<Q", struct.pack("<d", i))[0]).uniform() for i in ids])
    second = hashes >= np.sort(hashes)[len(hashes) // 2]
    put(f"{name}_second", second)
    in_y = np.arange(len(units)) < n_y
    results = {}
    for half_index in (False, True):
        def means(half):
            return units[(second == half) & in_y].mean(0) - (0 if paired else units[(second == half) & ~in_y].mean(0))

        chooser, tester = means(half_index), means(not half_index)
        chosen = [j for j in np.argsort(-(chooser if direction else np.abs(chooser)), kind="stable")[:SELECT]
                  if (chooser[j] > 0 if direction else chooser[j] != 0)]
        keep = second != half_index
        weights = permutations(int((keep & in_y).sum()), int((keep & ~in_y).sum()), paired, DRAWS)
        signs = [-1 if chooser[j] < 0 else 1 for j in chosen]
        p = [permutation_p(s * units[keep, j], s * tester[j], weights, True) for s, j in zip(signs, chosen)]
        holm = np.minimum(2 * multipletests(p, method="holm")[1], 1)
        for s, j, adjusted in zip(signs, chosen, holm):
            results.setdefault(j, []).append((s * tester[j], tester[j], adjusted))
    put(f"{name}_heldout", [[j, min(tests)[1], max(test[2] for test in tests)] for j, tests in sorted(results.items())])


def samples(rng, n, shift):
    scale = np.array([1.0, 0.5, 2.0, 0.2, 1.0, 0.3, 1.5, 0.8])
    share = np.array([0.9, 0.5, 0.3, 0.8, 0.6, 0.4, 0.7, 0.5])
    values = (rng.random((n, 8)) < share) * scale * np.exp(rng.normal(0, 0.6, (n, 8))) + shift * scale * (rng.random((n, 8)) < 0.5)
    return np.concatenate([values, np.zeros((n, 1))], axis=1)


def main():
    rng = np.random.default_rng(5)
    shift = np.array([0.9, 0.6, 0.0, 0.3, 0.0, 1.2, 0.0, 0.1])
    for name, n_y, n_x, paired, direction in (("paired", 24, 24, True, 1), ("unpaired", 22, 17, False, 0)):
        y, x = samples(rng, n_y, shift), samples(rng, n_x, 0 * shift)
        y_id, x_id = np.arange(n_y) * 3.0, np.arange(n_x) * 3.0 + (0 if paired else 1000)
        put(f"{name}_y", y)
        put(f"{name}_x", x)
        put(f"{name}_y_id", y_id)
        put(f"{name}_x_id", x_id)
        compare(name, y, x, y_id, x_id, paired, direction)
    p = np.concatenate([rng.random(12) ** 3, [0.01, 0.01, 1.0, 0.0005]])
    put("holm_p", p)
    put("holm_adjusted", multipletests(p, method="holm")[1])
    Path(__file__).with_name("uncertainty_fixtures.txt").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
