"""Writes monitor.txt beside this script: rows of control, bad and new dumps, and what NumPy and SciPy make of them.

The rows are activations of three latents; four rows are a prompt. Each line is a name, a count and that many
numbers. Needs numpy and scipy >= 1.11.
"""
from pathlib import Path

import numpy as np
from scipy import optimize, stats

rng = np.random.default_rng(20261122)
LATENTS, ROWS = 3, 4
RATE = 0.05
SHRINKAGE = 0.1
out = []


def put(name, values):
    values = np.asarray(values, dtype=np.float64).ravel()
    out.append(f"{name} {values.size} " + " ".join(repr(float(v)) for v in values))


def dump(name, prompts, scale):
    """Sparse rows, exact in float32; returns the means of the prompts [prompts, LATENTS]."""
    rows = np.round(rng.gamma(1.5, 1.0, (prompts * ROWS, LATENTS)) * scale * 64) / 64
    rows[rng.random(rows.shape) < 0.5] = 0
    put(name, rows)
    return rows.reshape(prompts, ROWS, LATENTS).mean(1)


def weights(controls, bad, how):
    freedom = sum(len(c) - 1 for c in controls)
    s = sum((c - c.mean(0)).T @ (c - c.mean(0)) for c in controls) / freedom
    s = (1 - SHRINKAGE) * s + SHRINKAGE * np.trace(s) / LATENTS * np.eye(LATENTS)
    if how == "discriminant":
        delta = np.mean([b.mean(0) for b in bad], 0) - np.mean([c.mean(0) for c in controls], 0)
        w = np.linalg.solve(s, delta)
    else:
        w = np.ones(LATENTS) if how == "equal" else 1 / np.sqrt(np.diag(s))
    return w / np.abs(w).sum()


def margin(runs, prompt_sd, seen, prompts, rate):
    by_prompt = prompt_sd * np.sqrt(1 / prompts + 1 / seen) * stats.t.isf(rate, seen - 1)
    if len(runs) < 2:
        return by_prompt
    by_run = np.std(runs, ddof=1) * np.sqrt(1 + 1 / len(runs)) * stats.t.isf(rate, len(runs) - 1)
    return np.hypot(by_run, by_prompt)


def prompt_threshold(scores):
    """scores: one array for each run, over prompts 0, 1, …: a prompt weighs 1, shared among its runs."""
    n = max(len(s) for s in scores)
    runs_of = sum((np.arange(n) < len(s)).astype(float) for s in scores)
    value = np.concatenate(scores)
    weight = np.concatenate([1 / runs_of[:len(s)] for s in scores])
    order = np.argsort(value)
    mass = np.cumsum(weight[order])
    return value[order][np.searchsorted(mass, (n + 1) * (1 - RATE) - 1e-9 * n)]


def case(name, controls, bad, new, how):
    w = weights(controls, bad, how)
    scores = [c @ w for c in controls]
    runs = np.array([s.mean() for s in scores])
    freedom = sum(len(s) - 1 for s in scores)
    prompt_sd = np.sqrt(sum(((s - s.mean()) ** 2).sum() for s in scores) / freedom)
    seen = min(len(s) for s in scores)
    s = new @ w
    above = s.mean() - runs.mean()
    at = optimize.brentq(lambda log_rate: margin(runs, prompt_sd, seen, len(s), np.exp(log_rate)) - abs(above),
                         np.log(1e-12), np.log(0.5), xtol=1e-14)
    rate = np.exp(at) if above >= 0 else 1 - np.exp(at)
    put(f"{name}_weights", w)
    put(f"{name}_controls", [runs.mean(), runs.std(ddof=1) if len(runs) > 1 else 0, prompt_sd, prompt_threshold(scores)])
    put(f"{name}_runs", runs)
    put(f"{name}_new", [s.mean(), s.std(ddof=1) / np.sqrt(len(s)),
                        runs.mean() + margin(runs, prompt_sd, seen, len(s), RATE), rate,
                        (s > prompt_threshold(scores)).sum()])


scale = np.array([1.0, 0.3, 2.0])
control = [dump("control0", 40, scale), dump("control1", 40, 1.3 * scale), dump("control2", 25, 0.9 * scale)]
bad_dumps = [dump("bad0", 40, scale * [3, 1, 1]), dump("bad1", 30, scale * [2, 1.5, 0.8])]
new_dump = dump("new", 20, scale * [2.5, 1, 1])
low_dump = dump("low", 20, scale * [0.5, 1, 1])
case("scaled", control, [], new_dump, "scaled")
case("equal", control[:2], [], low_dump, "equal")
case("discriminant", control, bad_dumps, new_dump, "discriminant")
case("alone", control[:1], [], low_dump, "scaled")
Path(__file__).with_name("monitor.txt").write_text("\n".join(out) + "\n", encoding="utf-8")
