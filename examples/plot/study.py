#!/usr/bin/env python3
"""A study at one look: the dose series of the first candidates beside behaviour, and who rises where.

    python3 study.py study -o study.png

reads the folder that `sae study` wrote. Left, where the study has doses: the rise of each candidate over the controls, as a
share of its largest, and the rate of bad behaviour. Right: how far each candidate is beyond the control that it exceeds
least, in every condition (bad ones, probes, controls), as a share of its largest; q below the level is marked.
"""

import argparse
import csv
import math
import os

from ranking_plot import BLUE, GREY, INK, RED, output_path, plt, save

GREEN, PURPLE = "#009E73", "#CC79A7"
LINES = [RED, BLUE, GREEN, PURPLE]
ROLES = {"bad": 0, "probe": 1, "control": 2}


def read_table(folder, name):
    path = os.path.join(folder, name)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise SystemExit(f"{path}: missing; write the folder with `sae study STUDY.json --model MODEL -o FOLDER`")


def number(text):
    return float(text) if text else math.nan


def label_of(candidate):
    latents = candidate["latents"].split()
    more = f" +{len(latents) - 1}" if len(latents) > 1 else ""
    return f"{latents[0]}{more}" + (" *" if candidate["carries"] == "yes" else "")


def shares(values):
    """Of the largest absolute value; all zero stays zero."""
    largest = max((abs(value) for value in values if not math.isnan(value)), default=0)
    return [value / largest if largest > 0 else value for value in values]


def draw_doses(axes, doses, candidates):
    for candidate, color in zip(candidates, LINES):
        points = [row for row in doses if row["candidate"] == candidate["candidate"]]
        at = [number(row["at"]) for row in points]
        axes.plot(at, shares([number(row["rise"]) for row in points]), color=color, marker="o", markersize=4,
                  label=f"latent {label_of(candidate)}")
    first = [row for row in doses if row["candidate"] == candidates[0]["candidate"]]
    axes.plot([number(row["at"]) for row in first], [number(row["behaviour"]) for row in first], color=INK,
              linestyle="--", marker="s", markersize=4, label="bad behaviour (rate)")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("share of bad data in the fine-tuning")
    axes.set_ylabel("rise over the controls, share of the largest")
    axes.set_title("Doses")
    axes.legend(loc="upper left", fontsize=8.5)


def draw_heat(figure, axes, evidence, candidates, level):
    conditions = sorted({(ROLES[row["role"]], row["condition"]) for row in evidence})
    rows = {(row["candidate"], row["condition"]): row for row in evidence}
    image = [shares([number(rows[candidate["candidate"], name]["beyond"]) for _, name in conditions])
             for candidate in candidates]
    drawn = axes.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for i, candidate in enumerate(candidates):
        for c, (_, name) in enumerate(conditions):
            if number(rows[candidate["candidate"], name]["beyond_q"]) < level:
                axes.plot(c, i, marker=".", markersize=4, color=INK)
    axes.set_xticks(range(len(conditions)), [name for _, name in conditions], rotation=60, ha="right", fontsize=8.5)
    axes.set_yticks(range(len(candidates)), [label_of(candidate) for candidate in candidates], fontsize=8.5)
    for c in range(1, len(conditions)):
        if conditions[c][0] != conditions[c - 1][0]:
            axes.axvline(c - 0.5, color=INK, linewidth=1)
    axes.grid(False)
    axes.set_title(f"Beyond every control (dot: q < {level:g}, *: carries)")
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.outline.set_edgecolor(GREY)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="written by `sae study`")
    parser.add_argument("-n", "--candidates", type=int, default=8, help="rows of the heat map (default 8)")
    parser.add_argument("--level", type=float, default=0.05, help="of q (default 0.05)")
    parser.add_argument("-o", "--output", help="picture to write; default: study.png in the folder")
    args = parser.parse_args()
    candidates = read_table(args.folder, "candidates.csv")[:args.candidates]
    if not candidates:
        raise SystemExit(f"{args.folder}: the study has no candidates")
    doses = read_table(args.folder, "doses.csv")
    evidence = read_table(args.folder, "evidence.csv")

    panels = 2 if doses else 1
    figure, axes = plt.subplots(1, panels, figsize=(6.5 * panels, 4.6), squeeze=False,
                                gridspec_kw={"width_ratios": [1, 1.5][-panels:]})
    if doses:
        draw_doses(axes[0][0], doses, candidates[:len(LINES)])
    draw_heat(figure, axes[0][-1], evidence, candidates, args.level)
    figure.tight_layout()
    save(figure, output_path(args.output, os.path.join(args.folder, ""), "study.png"))


if __name__ == "__main__":
    main()
