#!/usr/bin/env python3
"""One latent over several rankings against the same base: its rise for each dose of bad data, with intervals.

    python3 dose_response.py dose000.csv dose025.csv dose100.csv --latent 17 -o dose_response.png

The dose of a ranking is the last number in its file name; --doses names them instead.
"""

import argparse
import os
import re

from ranking_plot import GREY, INK, RED, output_path, plt, read_ranking, save


def dose_of(path):
    numbers = re.findall(r"\d+", os.path.basename(path))
    if not numbers:
        raise SystemExit(f"{path}: no number in the file name; name the doses with --doses")
    return float(numbers[-1])


def latent_row(path, latent):
    for row in read_ranking(path):
        if row["latent"] == latent:
            return row
    raise SystemExit(f"{path}: has no latent {latent}")


def draw(doses, rows, title, dose_label):
    value = [row["delta"] for row in rows]
    below = [row["delta"] - row["delta_low"] for row in rows]
    above = [row["delta_high"] - row["delta"] for row in rows]

    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    axes.margins(x=0.08)
    axes.axhline(0, color=INK, linewidth=0.8)
    if doses[0] == 0:
        axes.axhline(value[0], color=GREY, linewidth=1.2, linestyle="--", zorder=1)
        axes.annotate("no bad data (the control)", (max(doses), value[0]), xytext=(0, 4),
                      textcoords="offset points", ha="right", fontsize=8.5, color="#666666")
    axes.fill_between(doses, [row["delta_low"] for row in rows], [row["delta_high"] for row in rows], color=RED,
                      alpha=0.15, linewidth=0)
    axes.errorbar(doses, value, yerr=[below, above], color=RED, marker="o", markersize=6, linewidth=1.6,
                  elinewidth=1.2, capsize=3)
    for dose, row in zip(doses, rows):
        axes.annotate(f"#{row['rank']}", (dose, row["delta"]), xytext=(-5, 8), textcoords="offset points",
                      ha="right", fontsize=8.5, color="#666666")
    axes.set_xticks(doses, [f"{dose:g}" for dose in doses])
    axes.set_xlabel(dose_label)
    axes.set_ylabel("rise of the mean activation over base")
    axes.set_title(title)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rankings", nargs="+", help="CSVs written by `sae rank`, one per dose")
    parser.add_argument("--latent", type=int, required=True)
    parser.add_argument("--doses", type=float, nargs="+", help="the dose of each ranking, in their order")
    parser.add_argument("-o", "--output", help="picture to write; default: dose_response.png beside the first ranking")
    parser.add_argument("--dose-label", default="bad answers in the fine-tuning data, %")
    parser.add_argument("--title")
    args = parser.parse_args()
    doses = args.doses or [dose_of(path) for path in args.rankings]
    if len(doses) != len(args.rankings):
        parser.error(f"{len(args.rankings)} rankings, but {len(doses)} doses")

    points = sorted(zip(doses, (latent_row(path, args.latent) for path in args.rankings)), key=lambda point: point[0])
    title = args.title or f"Latent {args.latent} at each dose (#: its rank)"
    figure = draw([dose for dose, _ in points], [row for _, row in points], title, args.dose_label)
    save(figure, output_path(args.output, args.rankings[0], "dose_response.png"))


if __name__ == "__main__":
    main()
