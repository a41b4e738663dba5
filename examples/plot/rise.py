#!/usr/bin/env python3
"""Every latent: how much it rose (after - before) against how active it was before; the first ones are named.

    python3 rise.py ranking.csv -o rise.png
"""

import argparse

from matplotlib.patheffects import withStroke
from ranking_plot import BLUE, GREY, INK, RED, has_control, output_path, plt, read_ranking, save

SIGNIFICANT = 0.05
LABEL_GAP = 12  # points between two labels


def label(axes, rows):
    """Names each row beside its point; labels that would overlap are pushed apart vertically."""
    axes.figure.canvas.draw()
    to_points = 72 / axes.figure.dpi
    placed = []
    for row in sorted(rows, key=lambda row: -row["delta"]):
        x, y = axes.transData.transform((row["mean_before"], row["delta"])) * to_points
        want = y
        for other_x, other_y in placed:
            if abs(other_x - x) < 60 and want > other_y - LABEL_GAP:
                want = other_y - LABEL_GAP
        placed.append((x, want))
        axes.annotate(str(row["latent"]), (row["mean_before"], row["delta"]), xytext=(9, want - y),
                      textcoords="offset points", va="center", fontsize=9,
                      fontweight="bold" if row["rank"] == 1 else "normal",
                      arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 4},
                      path_effects=[withStroke(linewidth=3, foreground="white")], zorder=6)


def draw_controls(axes, rows):
    """A hollow ring and a thin line: how far the control alone moved the same latent."""
    for i, row in enumerate(rows):
        moved = row["mean_control"] - row["mean_before"]
        axes.plot([row["mean_before"]] * 2, [moved, row["delta"]], color=RED, linewidth=0.9, alpha=0.6, zorder=3)
        axes.plot(row["mean_before"], moved, "o", markersize=6, markerfacecolor="white", markeredgecolor=RED,
                  zorder=4, linestyle="none", label="the same latents in the control" if i == 0 else None)


def draw(rows, top, title):
    first = rows[:top]
    active = [row for row in rows[top:] if row["mean_before"] > 0 or row["mean_after"] > 0]
    sure = [row for row in active if row["q"] < SIGNIFICANT]
    rest = [row for row in active if not row["q"] < SIGNIFICANT]

    figure, axes = plt.subplots(figsize=(7.6, 4.8))
    axes.axhline(0, color=INK, linewidth=0.8)
    for group, colour, size, name in ((rest, GREY, 9, f"q ≥ {SIGNIFICANT}"),
                                      (sure, BLUE, 14, f"q < {SIGNIFICANT}")):
        axes.scatter([r["mean_before"] for r in group], [r["delta"] for r in group], s=size, color=colour,
                     linewidths=0, alpha=0.8, label=f"{len(group)} latents, {name}")
    axes.scatter([r["mean_before"] for r in first], [r["delta"] for r in first], s=42, color=RED, zorder=5,
                 edgecolors="white", linewidths=0.6, label=f"first {len(first)} of the ranking")
    if has_control(rows):
        draw_controls(axes, first)

    # Logarithmic, except near 0, where the silent latents sit.
    axes.set_xscale("symlog", linthresh=1e-3, linscale=0.5)
    axes.set_xlim(left=-1e-4)
    axes.set_xlabel("mean activation before (log scale, linear below 0.001)")
    axes.set_ylabel("change of the mean activation, after − before")
    axes.set_title(title)
    axes.legend(loc="upper left", fontsize=8.5)
    label(axes, first)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ranking", help="CSV written by `sae rank`")
    parser.add_argument("-o", "--output", help="picture to write; default: rise.png beside the ranking")
    parser.add_argument("--top", type=int, default=6, help="how many latents to name (default 6)")
    parser.add_argument("--title", default="What the fine-tuning raised")
    args = parser.parse_args()
    save(draw(read_ranking(args.ranking), args.top, args.title), output_path(args.output, args.ranking, "rise.png"))


if __name__ == "__main__":
    main()
