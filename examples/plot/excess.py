#!/usr/bin/env python3
"""The first latents of a ranking: their rise beyond the control's, with bootstrap intervals.

    python3 excess.py ranking.csv -o excess.png

Without a control in the ranking the bars are the plain rise, after - before.
"""

import argparse

import numpy as np
from ranking_plot import BLUE, GREY, INK, RED, has_control, output_path, plt, read_ranking, save

SIGNIFICANT = 0.05


def draw(rows, title):
    kind = "excess" if has_control(rows) else "delta"
    places = range(len(rows))
    value = [row[kind] for row in rows]
    below = [row[kind] - row[f"{kind}_low"] for row in rows]
    above = [row[f"{kind}_high"] - row[kind] for row in rows]
    colours = [GREY if not row["q"] < SIGNIFICANT else RED if row["rank"] == 1 else BLUE for row in rows]

    figure, axes = plt.subplots(figsize=(7.2, 0.8 + 0.36 * len(rows)))
    axes.barh(places, value, color=colours, height=0.62)
    axes.errorbar(value, places, xerr=[below, above], fmt="none", ecolor=INK, elinewidth=1.2, capsize=3)
    for place, row in zip(places, rows):
        end = np.nanmax([row[kind], row[f"{kind}_high"], 0])
        axes.annotate(f"q = {row['q']:.2g}", (end, place), xytext=(6, 0), textcoords="offset points", va="center",
                      fontsize=8.5, color="#666666")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(places, [f"{row['latent']}" for row in rows])
    axes.set_ylabel("latent")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.14)
    axes.invert_yaxis()
    axes.set_xlabel("rise of the mean activation beyond the control's" if kind == "excess"
                    else "rise of the mean activation, after − before")
    axes.set_title(title)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ranking", help="CSV written by `sae rank`")
    parser.add_argument("-o", "--output", help="picture to write; default: excess.png beside the ranking")
    parser.add_argument("--top", type=int, default=12, help="how many latents to show (default 12)")
    parser.add_argument("--title", default="The first latents, with intervals clustered by prompt")
    args = parser.parse_args()
    rows = read_ranking(args.ranking)[:args.top]
    save(draw(rows, args.title), output_path(args.output, args.ranking, "excess.png"))


if __name__ == "__main__":
    main()
