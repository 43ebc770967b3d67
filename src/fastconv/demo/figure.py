# SPDX-License-Identifier: BSD-3-Clause
"""One figure of everything the demo did. Drawn without pyplot, so that no display is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

import fastconv
from fastconv.demo.chapter import MAPS, Comparison
from fastconv.demo.digits import Data, Training
from fastconv.demo.picture import Picture
from fastconv.demo.report import geometric_mean

__all__ = ["check_path", "save"]

Array = NDArray[Any]

INK, BLUE, RED = "#222222", "#2a6f97", "#c1121f"
POOL = 8
"""Side of the pooling windows in the figure, large enough to be seen."""


def check_path(path: Path) -> None:
    """Raise OSError now if the figure could not be written later."""
    known = FigureCanvasAgg.filetypes
    if _format(path) not in known:
        raise OSError(f"'{path.suffix}' is none of {', '.join(sorted(known))}")
    existed = path.exists()
    with path.open("ab"):
        pass
    if not existed:
        path.unlink()


def save(path: Path, picture: Picture, comparisons: Sequence[Comparison], training: Training, data: Data) -> None:
    """Draw the figure and write it; the suffix of `path` decides the format, PNG without one."""
    figure = Figure(figsize=(15, 10.8), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    bands: Any = figure.subfigures(3, 1, height_ratios=(1, 0.84, 1.4), hspace=0.02)
    by_name = {each.name: each.result for each in comparisons}
    _draw_picture(bands[0], picture, by_name["corr2d"])
    _draw_channels(bands[1], by_name["corr2d_multi_in"], by_name["corr2d_multi_in_out"])
    left, middle, right, last = bands[2].subfigures(1, 4, width_ratios=(0.8, 1.05, 1.1, 1.15))
    _draw_kernels(left, training)
    _draw_curves(middle, training)
    _draw_digits(right, training, data)
    _draw_speedups(last, comparisons)
    figure.savefig(path, format=_format(path), dpi=150)


def _format(path: Path) -> str:
    return path.suffix[1:].lower() or "png"


def _heading(band: SubFigure, text: str) -> None:
    x = 15 / band.bbox.width  # a few pixels, whatever the width of the band
    band.suptitle(text, x=x, ha="left", fontsize=13, fontweight="bold", color=INK)


def _show(axes: Axes, image: Array, title: str, **options: Any) -> None:
    axes.imshow(image, **options)
    axes.set_title(title, fontsize=10.5, color=INK)
    axes.set_axis_off()


def _strength(image: Array) -> dict[str, Any]:
    """Colours for how strongly a kernel answers, dark on white; a few extremes are cut off."""
    return {"cmap": "gray_r", "vmin": 0, "vmax": float(np.percentile(image, 98)) or 1.0}


def _signed(image: Array, percentile: float = 99) -> dict[str, Any]:
    """Colours for values around zero: white is zero, a few extremes are cut off."""
    limit = float(np.nanpercentile(np.abs(image), percentile)) or 1.0
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def _draw_picture(band: SubFigure, picture: Picture, edges: Array) -> None:
    _heading(band, "Edges and pooling")
    axes = band.subplots(1, 4)
    height, width = picture.grey.shape
    largest: Any = fastconv.max_pool2d(picture.rgb, POOL)
    mean = fastconv.avg_pool2d(picture.rgb, POOL)
    _show(axes[0], picture.rgb.transpose(1, 2, 0), f"{picture.name}, {height} x {width}")
    edges = np.abs(edges)
    _show(axes[1], edges, "corr2d with the kernel [1, -1], absolute", **_strength(edges))
    size = f"{POOL} x {POOL} to {largest.shape[1]} x {largest.shape[2]}"
    _show(axes[2], largest.transpose(1, 2, 0), f"max_pool2d, {size}")
    _show(axes[3], mean.transpose(1, 2, 0), f"avg_pool2d, {size}")


def _draw_channels(band: SubFigure, outline: Array, maps: Array) -> None:
    _heading(band, "Channels: corr2d_multi_in and corr2d_multi_in_out on red, green and blue")
    axes = band.subplots(1, 1 + len(maps))
    planes = {"outlines": outline} | dict(zip(MAPS, maps, strict=True))
    for panel, (name, plane) in zip(axes, planes.items(), strict=True):
        title = f"{'multi_in' if plane is outline else 'multi_in_out'}: {name}"
        if "against" in name:  # one colour against another: the sign matters
            _show(panel, plane, title, **_signed(plane))
        else:
            _show(panel, np.abs(plane), title, **_strength(np.abs(plane)))


def _tile(images: Iterable[Array], columns: int, gap: tuple[int, int]) -> Array:
    """Lay images out in rows, NaN between and above them."""
    down, across = gap
    padded = [np.pad(np.asarray(each, np.float64), ((down, 0), (across, 0)), constant_values=np.nan) for each in images]
    padded += [np.full_like(padded[0], np.nan)] * (-len(padded) % columns)
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.vstack(rows)


def _draw_kernels(band: SubFigure, training: Training) -> None:
    _heading(band, "Learned kernels")
    weight = training.network.layers[0].weight[:, 0]
    tiles = _tile(weight, columns=4, gap=(1, 1))
    title = f"first layer, {len(weight)} of 3 x 3"
    _show(band.subplots(), tiles, title, **_signed(tiles, 100))


def _draw_curves(band: SubFigure, training: Training) -> None:
    _heading(band, "Training on digits")
    loss, accuracy = band.subplots(2, 1, sharex=True)
    epochs = np.arange(1, len(training.losses) + 1)
    mark = "o" if len(epochs) == 1 else None
    loss.semilogy(epochs, training.losses, color=BLUE, lw=2, marker=mark)
    loss.set_title("training loss", fontsize=10.5, color=INK)
    percent = 100 * np.asarray(training.accuracies)
    accuracy.plot(epochs, percent, color=RED, lw=2, marker=mark)
    accuracy.set_title(f"held-out accuracy in %, {training.accuracy:.1%} at the end", fontsize=10.5, color=INK)
    accuracy.set_ylim(max(0.0, min(float(percent.min()) - 2, 90.0)), 100.5)
    accuracy.set_xlabel("epoch")
    accuracy.xaxis.get_major_locator().set_params(integer=True)
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)


def _draw_digits(band: SubFigure, training: Training, data: Data) -> None:
    _heading(band, "Held-out digits")
    wrong = np.flatnonzero(training.predictions != data.test_labels)
    right = np.flatnonzero(training.predictions == data.test_labels)
    columns, rows = 6, 5
    mistakes = wrong[: 2 * columns]
    chosen = np.concatenate([right[: columns * rows - len(mistakes)], mistakes])
    above, beside = 4, 2
    images = _tile(data.test_images[chosen, 0], columns, (above, beside))
    axes = band.subplots()
    title = f"read as; in red the mistakes, {len(wrong)} of {len(data.test_labels)}"
    _show(axes, images, title, cmap="gray_r", vmin=0, vmax=1)
    for place, index in enumerate(chosen):
        read, truth = training.predictions[index], data.test_labels[index]
        row, column = divmod(place, columns)
        axes.text(
            column * (8 + beside) + beside + 3.5,
            row * (8 + above) + above - 1.2,
            f"{read}" if read == truth else f"{read}, is {truth}",
            color=INK if read == truth else RED,
            fontsize=9,
            ha="center",
            va="bottom",
        )


def _draw_speedups(band: SubFigure, comparisons: Sequence[Comparison]) -> None:
    _heading(band, "Times faster than Python loops")
    axes = band.subplots()
    names = [each.name for each in comparisons] + ["geometric mean"]
    ratios = [each.ratio for each in comparisons] + [geometric_mean(comparisons)]
    bars = axes.barh(names, ratios, color=[BLUE] * len(comparisons) + [INK], height=0.62)
    labels = [f"{ratio:,.0f} x" for ratio in ratios]
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axes.bar_label(bars, labels, padding=5, fontsize=10, color=INK, bbox=behind)
    axes.axvline(1000, color=RED, lw=1, ls="--", zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(min(100.0, 0.5 * min(ratios)), 6 * max(*ratios, 1000.0))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
