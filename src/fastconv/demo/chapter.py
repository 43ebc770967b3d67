# SPDX-License-Identifier: BSD-3-Clause
"""The chapter, step by step: edges, channels, padding and stride, pooling, layers.

Every function returns data; `report` prints it and `figure` draws it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastconv
from fastconv.demo import loops

__all__ = [
    "EDGE",
    "MAPS",
    "Comparison",
    "Layers",
    "Shape",
    "Task",
    "layers",
    "measure",
    "shapes",
    "tasks",
]

Array = NDArray[Any]

EDGE = np.array([[1, -1]], np.float32)
"""Answers where a pixel differs from its right neighbour, and zero on even ground."""

_SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32) / 4
_LAPLACE = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]], np.float32)
_BLUR = np.full((3, 3), 1 / 9, np.float32)


def _per_channel(red: float, green: float, blue: float, plane: Array) -> Array:
    return np.stack([red * plane, green * plane, blue * plane]).astype(np.float32)


MAPS = {
    "edges across": _per_channel(1, 1, 1, _SOBEL),
    "edges down": _per_channel(1, 1, 1, _SOBEL.T),
    "red against blue": _per_channel(1, 0, -1, _BLUR),
    "green against the rest": _per_channel(-0.5, 1, -0.5, _BLUR),
}
"""Names and kernels of the four output channels."""


@dataclass(frozen=True)
class Task:
    """One operation, as loops and as a call of the library."""

    name: str
    window: str
    loop: Callable[[], Array]
    fast: Callable[[], Any]


@dataclass(frozen=True)
class Comparison:
    """A task done both ways: seconds, and how far the results lie apart."""

    name: str
    window: str
    loop_seconds: float
    fast_seconds: float
    absolute_error: float
    relative_error: float
    result: Array

    @property
    def ratio(self) -> float:
        """How many times faster the library is."""
        return self.loop_seconds / self.fast_seconds


def tasks(rgb: Array, grey: Array) -> list[Task]:
    """List the operations of the chapter on one picture.

    Parameters
    ----------
    rgb : ndarray, shape (3, H, W)
    grey : ndarray, shape (H, W)
    """
    outline = _per_channel(1, 1, 1, _LAPLACE)
    maps = np.stack(list(MAPS.values()))
    return [
        Task(
            "corr2d",
            "1 x 2",
            lambda: loops.corr2d(grey, EDGE),
            lambda: fastconv.corr2d(grey, EDGE),
        ),
        Task(
            "corr2d_multi_in",
            "3 x 3, 3 to 1",
            lambda: loops.corr2d_multi_in(rgb, outline),
            lambda: fastconv.corr2d_multi_in(rgb, outline),
        ),
        Task(
            "corr2d_multi_in_out",
            f"3 x 3, 3 to {len(maps)}",
            lambda: loops.corr2d_multi_in_out(rgb, maps),
            lambda: fastconv.corr2d_multi_in_out(rgb, maps),
        ),
        Task(
            "pool2d, max",
            "3 x 3",
            lambda: loops.pool2d(grey, (3, 3), "max"),
            lambda: fastconv.pool2d(grey, (3, 3), "max"),
        ),
        Task(
            "pool2d, avg",
            "3 x 3",
            lambda: loops.pool2d(grey, (3, 3), "avg"),
            lambda: fastconv.pool2d(grey, (3, 3), "avg"),
        ),
    ]


def measure(task: Task) -> Comparison:
    """Time both ways and compare what they answer.

    The loops run once, and their time is that of the processor: what other programs take away on a busy machine must
    not make the library look faster. The library is warm, and its time is that of the clock.
    """
    start = time.thread_time()
    expected = task.loop()
    loop_seconds = time.thread_time() - start
    result = task.fast()
    absolute = float(np.max(np.abs(result - expected)))
    scale = float(np.max(np.abs(expected)))
    return Comparison(
        task.name,
        task.window,
        loop_seconds,
        median_seconds(task.fast),
        absolute,
        absolute / scale if scale else absolute,
        result,
    )


def median_seconds(call: Callable[[], object], budget: float = 0.3, fewest: int = 9) -> float:
    """Time `call` over and over for `budget` seconds and take the median; the first fifth is warming up."""
    times: list[float] = []
    end = time.perf_counter() + budget
    while len(times) < fewest or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[len(times) // 5 :])


@dataclass(frozen=True)
class Shape:
    """What padding and stride make of an 8 x 8 plane."""

    call: str
    kernel: tuple[int, int]
    padding: str
    stride: str
    result: tuple[int, ...]
    agrees: bool


def shapes() -> list[Shape]:
    """Tabulate output sizes; each result is checked against the loops on a padded copy."""
    plane = np.random.default_rng(0).random((8, 8), np.float32)
    rows: list[Shape] = []
    cases: list[tuple[tuple[int, int], Any, tuple[int, int], tuple[int, int]]] = [
        # kernel, padding as the user writes it, rows and columns of zeros on each side, stride
        ((3, 3), 0, (0, 0), (1, 1)),
        ((3, 3), 1, (1, 1), (1, 1)),
        ((3, 3), "same", (1, 1), (1, 1)),
        ((5, 3), (2, 1), (2, 1), (1, 1)),
        ((3, 3), 1, (1, 1), (2, 2)),
        ((3, 5), (0, 1), (0, 1), (3, 4)),
    ]
    for kernel, padding, (ph, pw), stride in cases:
        w = np.random.default_rng(1).random(kernel, np.float32)
        y = fastconv.corr2d(plane, w, padding=padding, stride=stride)
        padded = np.pad(plane, ((ph, ph), (pw, pw)))
        expected = loops.corr2d(padded, w)[:: stride[0], :: stride[1]]
        rows.append(_shape_row("corr2d", kernel, padding, stride, y, expected))
    pooled: Any = fastconv.max_pool2d(plane, 3, padding=1, stride=2)
    padded = np.pad(plane, 1, constant_values=-np.inf)
    expected = loops.pool2d(padded, (3, 3))[::2, ::2]
    rows.append(_shape_row("max_pool2d", (3, 3), 1, (2, 2), pooled, expected))
    return rows


def _shape_row(
    call: str, kernel: tuple[int, int], padding: Any, stride: tuple[int, int], y: Array, expected: Array
) -> Shape:
    agrees = y.shape == expected.shape and np.allclose(y, expected, rtol=1e-5, atol=1e-6)
    steps = str(stride[0]) if stride[0] == stride[1] else str(stride)
    return Shape(call, kernel, str(padding), steps, y.shape, agrees)


@dataclass(frozen=True)
class Layers:
    """How a convolutional layer differs from a dense one on the same picture."""

    inputs: tuple[int, int]
    outputs: tuple[int, int]
    convolution_parameters: int
    dense_parameters: int
    convolution_reach: int
    shift: tuple[int, int]
    shift_error: float


def layers(grey: Array) -> Layers:
    """Count parameters, the outputs one pixel reaches, and test equivariance to translation.

    Parameters
    ----------
    grey : ndarray, shape (H, W)
    """
    kernel, bias = EDGE, np.zeros(1, np.float32)
    before = fastconv.corr2d(grey, kernel, bias)
    inputs, outputs = grey.size, before.size

    touched = grey.copy()
    touched[grey.shape[0] // 2, grey.shape[1] // 2] += 1
    reach = np.count_nonzero(fastconv.corr2d(touched, kernel, bias) != before)

    down, right = shift = (5, 3)
    shifted_first = fastconv.corr2d(np.roll(grey, shift, (0, 1)), kernel, bias)
    shifted_last = np.roll(before, shift, (0, 1))
    away_from_border = (slice(down, None), slice(right, None))
    error = np.max(np.abs(shifted_first[away_from_border] - shifted_last[away_from_border]))
    return Layers(
        (grey.shape[0], grey.shape[1]),
        (before.shape[0], before.shape[1]),
        kernel.size + bias.size,
        inputs * outputs + outputs,
        int(reach),
        shift,
        float(error),
    )
