# SPDX-License-Identifier: BSD-3-Clause
"""Draws a result of bench_operators.py: how many times as fast as each peer fastconv is, layer by layer.

python benchmarks/chart.py benchmarks/results/resnet50.json benchmarks/results/resnet50.png
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = ("#1b6ca8", "#e07a1f")


def draw(result: Path, picture: Path) -> None:
    """Read the JSON, write the PNG."""
    data = json.loads(result.read_text())
    about, rows, means = data["conditions"], data["rows"], data["means"]
    places = np.arange(len(rows))
    figure, axes = plt.subplots(figsize=(10, 4.2), layout="constrained")
    for i, (peer, mean) in enumerate(means.items()):
        ratios = [row["seconds"][peer] / row["seconds"]["fastconv"] for row in rows]
        label = f"{peer} {about['torch'].split('+')[0]} (geometric mean {mean:.2f}x)"
        axes.bar(places + (i - 0.5) * 0.4, ratios, 0.4, label=label, color=COLOURS[i])
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(places, [row["layer"] for row in rows], rotation=55, ha="right", fontsize=8)
    axes.set_ylabel("times as fast as")
    axes.set_title(
        f"corr2d, NCHW float32, batch 1: {about['cpu']}, {about['isa']}, {about['threads']} threads", fontsize=10
    )
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
