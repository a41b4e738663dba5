"""Writes student.txt beside this script: Student's t as SciPy computes it.

Each line is a name, a count and that many numbers. Needs numpy and scipy >= 1.11.
"""
from pathlib import Path

import numpy as np
from scipy import stats

df = np.array([1, 2, 3, 4, 7.5, 30, 263, 1e4, 1e6])
t = np.array([-40, -3, -0.5, -1e-3, 1e-4, 0.1, 1, 2.5, 6, 12, 60])
tail = np.array([1e-12, 1e-6, 0.001, 0.01, 0.05, 0.3, 0.5, 0.6, 0.975])
tails = [stats.t.sf(x, n) for n in df for x in t]
quantiles = [stats.t.isf(a, n) for n in df for a in tail]


def line(name, values):
    return f"{name} {len(values)} " + " ".join(repr(float(v)) for v in values) + "\n"


Path(__file__).with_name("student.txt").write_text(
    line("df", df) + line("t", t) + line("tail", tail) + line("tails", tails) + line("quantiles", quantiles),
    encoding="utf-8")
