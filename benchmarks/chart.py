# SPDX-License-Identifier: BSD-3-Clause
"""Draws a result of compare.py: fastconv's speed beside its peers', layer by layer, and beside the roofline.

python benchmarks/chart.py result.json chart.png
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt
from report import label
from summary import BEST, OURS, Row, gflops, is_plain_3x3, means, ratio

COLOURS = {"raw/torch": "#1b6ca8", "prep/best": "#e07a1f"}
NAMES = {"raw/torch": "against torch NCHW, raw weights", "prep/best": f"against the {BEST}, prepared weights"}
ROWS_IN_A_PANEL = 50
TICKS = (0.25, 0.5, 0.7, 1, 1.4, 2, 4, 8, 16, 32, 64)


def draw(result: dict[str, Any], picture: Path) -> None:
    """One PNG: speed-ups in rows of bars, the roofline below."""
    rows, about = result["rows"], result["conditions"]
    panels = [rows[start : start + ROWS_IN_A_PANEL] for start in range(0, len(rows), ROWS_IN_A_PANEL)]
    heights = [3.4] * len(panels) + [4.6]
    width = 3.5 + 0.25 * max(32, len(panels[0]))
    figure, axes = plt.subplots(
        len(heights), 1, figsize=(width, sum(heights)), height_ratios=heights, layout="constrained"
    )
    overall = means(rows)["all layers"]
    for axis, panel in zip(axes, panels, strict=False):
        _speed_ups(axis, panel, overall)
    axes[0].legend(frameon=False, fontsize=9, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    _roofline(axes[-1], rows, result["machine"])
    figure.suptitle(
        f"corr2d, {about['dtype']}: {about['cpu']}, {about['isa']}, {about['threads']} thread(s)\n"
        + ", ".join(f"{name} {version}" for name, version in about["peers"].items()),
        fontsize=9,
    )
    figure.savefig(picture, dpi=110)
    plt.close(figure)


def _speed_ups(axis: Any, rows: list[Row], overall: dict[str, float]) -> None:
    """Bars that begin at 1, on a logarithmic scale."""
    places = np.arange(len(rows))
    for i, (key, colour) in enumerate(COLOURS.items()):
        ratios = np.array([ratio(row, key) for row in rows])
        name = f"{NAMES[key]}: geometric mean {overall[key]:.2f}x"
        axis.bar(places + (i - 0.5) * 0.4, ratios - 1, 0.4, bottom=1, label=name, color=colour)
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    low, high = min(low, 0.65), max(high, 2.1)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}x" for tick in ticks], fontsize=8)
    axis.minorticks_off()
    axis.set_ylim(low, high)
    axis.set_xlim(-1, max(len(rows), 8))
    axis.grid(axis="y", linewidth=0.3)
    axis.set_axisbelow(True)
    axis.set_xticks(places, [_tick(row) for row in rows], rotation=60, ha="right", rotation_mode="anchor", fontsize=7)
    axis.set_ylabel("times as fast")
    axis.spines[["top", "right"]].set_visible(False)


def _tick(row: Row) -> str:
    batch = row["shape"]["batch"]
    return label(row) + (f", batch {batch}" if batch > 1 else "")


def _roofline(axis: Any, rows: list[Row], machine: dict[str, float]) -> None:
    """GFLOP/s over operations a byte."""
    reach = np.array([row["intensity"] for row in rows])
    x = np.geomspace(min(1, reach.min() / 2), reach.max() * 2, 200)
    peak, copy = machine["peak_gflops"], machine["bandwidth_gbs"]
    axis.plot(x, np.minimum(peak, copy * x), color="black", linewidth=1)
    axis.annotate(f"{peak:.0f} GFLOP/s, a matrix product", (x[-1], peak), ha="right", va="bottom", fontsize=8)
    axis.annotate(f"{copy:.1f} GB/s, a copy", (x[0], copy * x[0]), ha="left", va="bottom", fontsize=8)
    kinds = {
        "3x3, stride 1, 32 channels or more": (is_plain_3x3, "o", "#1b6ca8"),
        "1x1": (lambda row: (row["shape"]["kernel_h"], row["shape"]["kernel_w"]) == (1, 1), "s", "#e07a1f"),
        "grouped": (lambda row: row["shape"]["groups"] > 1, "^", "#3a9a5b"),
        "others": (lambda _: True, "x", "#8a4fa3"),
    }
    left = rows
    for name, (holds, marker, colour) in kinds.items():
        points = [(row["intensity"], gflops(row, OURS[1])) for row in left if holds(row)]
        left = [row for row in left if not holds(row)]
        if points:
            axis.scatter(*zip(*points, strict=True), marker=marker, color=colour, s=18, alpha=0.8, label=name)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("FLOP for every byte of x, w and y")
    axis.set_ylabel("GFLOP/s, weights prepared")
    axis.grid(linewidth=0.3)
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
