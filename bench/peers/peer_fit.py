"""How well a trained SAE reconstructs rows: one formula for every tool."""

import numpy as np


class Fit:
    """FVU = Σ‖x − x̂‖² / Σ‖x − mean x‖² over all rows, in double; L0 = mean number of latents above 0; dead = fraction
    of latents that are above 0 on none of the rows."""

    def __init__(self, rows):
        self.rows = rows
        self.mean = rows.mean(axis=0, dtype=np.float64)
        self.error = self.variance = 0.0
        self.active = 0
        self.fired = None

    def add(self, x, x_hat, active):
        self.error += float(np.sum((x.astype(np.float64) - x_hat) ** 2))
        self.variance += float(np.sum((x - self.mean) ** 2))
        self.active += int(np.count_nonzero(active))
        fired = active.any(axis=0)
        self.fired = fired if self.fired is None else self.fired | fired

    def result(self):
        return {"fvu": self.error / self.variance, "l0": self.active / len(self.rows),
                "dead": 1.0 - float(np.mean(self.fired))}


def measure(rows, reconstruct, chunk=1024):
    """reconstruct(x) gives x̂ and the boolean matrix of active latents, by the tool's own inference."""
    fit = Fit(rows)
    for start in range(0, len(rows), chunk):
        x = rows[start:start + chunk]
        fit.add(x, *reconstruct(x))
    return fit.result()
