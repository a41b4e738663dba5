"""What the plot scripts share: reading a ranking CSV of `sae rank`, the look of the pictures, saving them."""

import csv
import math
import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)

# Okabe & Ito's palette: told apart with every kind of colour vision, and in grey.
INK, GREY, BLUE, RED = "#222222", "#B8B8B8", "#0072B2", "#D55E00"

plt.rcParams.update({
    "font.size": 10, "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.grid": True, "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8, "axes.axisbelow": True, "legend.frameon": False,
})


def read_ranking(path):
    """The rows of a ranking in rank order, as dicts of numbers; an empty field is NaN."""
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"latent", "rank", "delta", "excess", "q"} <= set(reader.fieldnames or ()):
            raise SystemExit(f"{path}: not a ranking; write one with `sae rank ... -o {os.path.basename(path)}`")
        rows = [{name: float(text) if text else math.nan for name, text in row.items()} for row in reader]
    if not rows:
        raise SystemExit(f"{path}: the ranking has no latents")
    for row in rows:
        row["latent"], row["rank"] = int(row["latent"]), int(row["rank"])
    return sorted(rows, key=lambda row: row["rank"])


def has_control(rows):
    return not math.isnan(rows[0]["excess"])


def save(figure, path):
    figure.savefig(path, dpi=160, bbox_inches="tight")
    print(f"wrote {path}")


def output_path(args_output, source, name):
    return args_output or os.path.join(os.path.dirname(source), name)
