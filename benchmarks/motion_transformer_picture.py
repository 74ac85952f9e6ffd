"""Draws time against frames and against vertices from the numbers of benchmarks/motion_transformer.py --sweep.

    python benchmarks/motion_transformer_picture.py NUMBERS.json PICTURE.png

Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

SERIES = (
    ("seconds", "whole job", "-o"),
    ("transformer", "of it: transformer", "--"),
    ("decoder", "of it: decoder", "--"),
    ("images", "of it: image encoder", "--"),
    ("floor", "floor at 800 TFLOP/s", ":"),
)


def draw(axes: pyplot.Axes, rows: list[dict], by: str, title: str) -> None:
    rows = sorted(rows, key=lambda row: row[by])
    for key, label, style in SERIES:
        axes.plot([row[by] for row in rows], [row[key] for row in rows], style, label=label, markersize=4)
    axes.set(xscale="log", yscale="log", xlabel=by, ylabel="seconds", title=title)
    axes.grid(True, which="both", alpha=0.25)
    for row in rows:
        axes.annotate(f"{row['seconds']:.3g}", (row[by], row["seconds"]), textcoords="offset points", xytext=(0, 6),
                      ha="center", fontsize=7)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    numbers = json.loads(arguments.numbers.read_text())
    sweep = numbers["sweep"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    draw(left, [row for row in sweep if row["vertices"] == 20_000], "frames", "20,000 vertices")
    draw(right, [row for row in sweep if row["frames"] == 256], "vertices", "256 frames")
    left.legend(fontsize=8)
    figure.suptitle(f"Motion transformer, {numbers['machine']['device']}, random weights of the full size, bfloat16")
    figure.savefig(arguments.picture, dpi=110)


if __name__ == "__main__":
    main()
