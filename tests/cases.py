# SPDX-License-Identifier: BSD-3-Clause
"""Small geometries of correlation as data, shared by the tests of every operator and algorithm."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import reference as ref
from hypothesis import strategies as st
from numerics import fresh_rng, random_array, result_dtype

import fastconv

LAYOUTS = ("NCHW", "NHWC")
DTYPES = ("float32", "float64", "int8", "int64")

Shape = tuple[int, ...]
NO_PADDING = ref.NO_PADDING


@dataclass(frozen=True)
class Case:
    """One geometry, written for NCHW; ``x`` is N C H W and ``w`` is O kh kw."""

    id: str
    x: tuple[int, int, int, int]
    w: tuple[int, int, int]
    stride: ref.Pair = (1, 1)
    padding: ref.Padding = NO_PADDING
    dilation: ref.Pair = (1, 1)
    groups: int = 1
    bias: bool = True

    def __str__(self) -> str:
        return self.id

    @property
    def options(self) -> dict[str, Any]:
        """Give the keywords that every operator takes."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}

    def x_shape(self, layout: str = "NCHW") -> Shape:
        n, c, h, w = self.x
        return (n, h, w, c) if layout == "NHWC" else (n, c, h, w)

    def w_shape(self, layout: str = "NCHW") -> Shape:
        (o, kh, kw), c = self.w, self.x[1] // self.groups
        return (kh, kw, c, o) if layout == "NHWC" else (o, c, kh, kw)

    def y_shape(self, layout: str = "NCHW") -> Shape:
        axes = zip(self.x[2:], self.w[1:], self.stride, self.padding, self.dilation, strict=True)
        h, w = (ref.output_size(*axis) for axis in axes)
        n, o = self.x[0], self.w[0]
        return (n, h, w, o) if layout == "NHWC" else (n, o, h, w)


def pads(top: int, bottom: int, left: int, right: int) -> ref.Padding:
    return (top, bottom), (left, right)


def pad(amount: int) -> ref.Padding:
    return pads(amount, amount, amount, amount)


CASES = (
    Case("textbook", (1, 1, 3, 3), (1, 2, 2), bias=False),
    Case("one-pixel", (1, 1, 1, 1), (1, 1, 1)),
    Case("one-pixel-padded", (1, 3, 1, 1), (2, 3, 3), padding=pad(1)),
    Case("row-kernel", (1, 3, 7, 13), (4, 1, 5), padding=pads(0, 0, 2, 2)),
    Case("column-kernel", (1, 3, 13, 7), (4, 5, 1), padding=pads(2, 2, 0, 0)),
    Case("single-row", (2, 5, 1, 57), (6, 1, 3)),
    Case("single-column", (2, 5, 57, 1), (6, 3, 1)),
    Case("odd-7", (2, 3, 7, 7), (5, 3, 3), padding=pad(1)),
    Case("odd-13", (1, 7, 13, 13), (7, 3, 3), padding=pad(1), bias=False),
    Case("odd-57", (1, 3, 57, 57), (4, 3, 3), padding=pad(1)),
    Case("pixels-48", (1, 16, 6, 8), (48, 1, 1)),
    Case("pixels-49", (1, 32, 7, 7), (33, 3, 3), padding=pad(1)),
    Case("channels-past-24", (1, 26, 9, 11), (25, 3, 3)),
    Case("channels-past-48", (1, 50, 5, 7), (49, 1, 1)),
    Case("channels-past-64", (1, 66, 6, 5), (65, 2, 2), bias=False),
    Case("channels-full-tiles", (1, 48, 8, 8), (96, 1, 1)),
    Case("k-past-300", (1, 37, 9, 9), (8, 3, 3), padding=pad(1)),
    Case("k-past-1300", (1, 150, 6, 6), (17, 3, 3), padding=pad(1)),
    Case("k-past-1300-pointwise", (1, 1310, 3, 4), (9, 1, 1)),
    Case("k-past-2600", (2, 54, 7, 7), (5, 7, 7), padding=pad(3)),
    Case("several-images", (5, 4, 6, 5), (6, 3, 3), padding=pad(1)),
    Case("many-tiny-images", (19, 6, 2, 2), (7, 2, 2)),
    Case("first-layer", (1, 3, 33, 33), (16, 7, 7), (2, 2), pad(3)),
    Case("lenet", (3, 1, 28, 28), (6, 5, 5), padding=pad(2)),
    Case("fully-connected", (3, 4, 5, 7), (10, 5, 7)),
    Case("pointwise-stride", (1, 20, 9, 9), (12, 1, 1), (2, 2)),
    Case("stride-2", (1, 8, 14, 14), (12, 3, 3), (2, 2), pad(1)),
    Case("stride-both", (1, 5, 13, 17), (6, 3, 4), (3, 2), pads(1, 1, 2, 2)),
    Case("stride-past-kernel", (2, 3, 13, 16), (4, 2, 2), (5, 4)),
    Case("stride-leaves-rows", (1, 2, 8, 9), (3, 2, 2), (3, 3)),
    Case("stride-past-image", (1, 2, 5, 5), (3, 3, 3), (9, 7)),
    Case("stride-past-16", (1, 3, 41, 43), (4, 3, 2), (17, 19), pads(1, 2, 0, 1)),
    Case("patches-4", (1, 3, 61, 75), (17, 4, 4), (4, 4)),
    Case("patches-7", (2, 2, 36, 43), (5, 7, 7), (7, 7), bias=False),
    Case("patches-16", (1, 3, 80, 83), (50, 16, 16), (16, 16)),
    Case("patches-20", (1, 2, 61, 45), (6, 20, 19), (20, 20)),
    Case("patches-overlapping", (1, 3, 47, 60), (6, 9, 11), (4, 4), pad(3)),
    Case("wide-image", (1, 3, 4, 1100), (5, 3, 3), (1, 2), pad(1)),
    Case("tall-image", (1, 3, 1100, 4), (5, 3, 3), (2, 1), pad(1)),
    Case("dilation-2", (1, 6, 13, 13), (7, 3, 3), dilation=(2, 2), padding=pad(2)),
    Case("dilation-uneven", (1, 4, 15, 17), (5, 3, 4), dilation=(3, 2)),
    Case("dilation-past-image", (1, 3, 4, 4), (2, 3, 3), dilation=(5, 6), padding=pads(5, 6, 6, 7)),
    Case("padding-uneven", (1, 3, 6, 7), (4, 3, 3), padding=pads(1, 2, 0, 3)),
    Case("padding-past-kernel", (1, 3, 4, 5), (3, 2, 2), padding=pads(4, 3, 5, 2)),
    Case("padding-alone", (1, 2, 3, 3), (3, 2, 2), (3, 3), pads(7, 6, 6, 8)),
    Case("everything", (2, 6, 17, 14), (8, 3, 2), (2, 3), pads(3, 1, 0, 4), (2, 3), 2),
    Case("groups-2", (2, 6, 8, 8), (8, 3, 3), padding=pad(1), groups=2),
    Case("groups-3", (1, 9, 7, 6), (6, 2, 3), groups=3, bias=False),
    Case("groups-wide", (1, 66, 7, 7), (52, 3, 3), padding=pad(1), groups=2),
    Case("groups-of-eight", (2, 32, 6, 10), (32, 3, 3), padding=pad(1), groups=4),
    Case("groups-pointwise", (1, 32, 5, 5), (32, 1, 1), groups=8),
    Case("depthwise", (2, 13, 9, 11), (13, 3, 3), padding=pad(1), groups=13),
    Case("depthwise-stride", (1, 33, 15, 15), (33, 3, 3), (2, 2), pad(1), groups=33),
    Case("depthwise-multiplier", (1, 5, 8, 9), (15, 3, 3), groups=5),
    Case("depthwise-7", (1, 17, 14, 14), (17, 7, 7), padding=pad(3), groups=17),
    Case("depthwise-dilation", (1, 18, 12, 12), (18, 3, 3), padding=pad(2), dilation=(2, 2), groups=18, bias=False),
    Case("empty-batch", (0, 3, 5, 5), (4, 3, 3)),
    Case("zero-channels", (2, 0, 5, 6), (3, 2, 2)),
    Case("zero-channels-groups", (1, 0, 4, 4), (4, 3, 3), padding=pad(1), groups=2, bias=False),
    Case("zero-outputs", (2, 3, 5, 5), (0, 3, 3)),
)


@dataclass(frozen=True)
class Problem:
    """The arrays of a case in one layout and dtype; never written to."""

    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray | None
    grad_y: np.ndarray
    dtype: np.dtype


@lru_cache(maxsize=2048)
def problem(case: Case, layout: str, dtype: str) -> Problem:
    """Draw the inputs of a case; the same numbers for every caller in this run, whatever the layout."""
    rng = fresh_rng(case.id, dtype)
    x, w = random_array(rng, case.x_shape(), dtype), random_array(rng, case.w_shape(), dtype)
    out = result_dtype(x, w)
    bias = random_array(rng, case.w[:1], str(out)) if case.bias else None
    grad_y = random_array(rng, case.y_shape(), dtype)
    return Problem(
        ref.images(x, layout).copy(), ref.weights(w, layout).copy(), bias, ref.images(grad_y, layout).copy(), out
    )


@lru_cache(maxsize=2048)
def oracle(op: str, case: Case, dtype: str) -> tuple[np.ndarray, ...]:
    """Compute the oracle's results in NCHW, once for all layouts, instruction sets and algorithms."""
    return answer(op, case, problem(case, "NCHW", dtype))


@lru_cache(maxsize=2048)
def spread(op: str, case: Case, dtype: str) -> np.ndarray:
    """Compute the size of results with signs that fall as they may: some cancel, and errors are relative to this."""
    p = problem(case, "NCHW", dtype)
    x, w, bias, grad_y = (None if a is None else np.square(a.astype(np.float64)) for a in (p.x, p.w, p.bias, p.grad_y))
    return np.sqrt(answer(op, case, Problem(x, w, bias, grad_y, np.dtype(np.float64)))[0])


def answer(op: str, case: Case, p: Problem) -> tuple[np.ndarray, ...]:
    """Compute the oracle's results for a problem in NCHW."""
    if op == "corr2d":
        return (ref.corr2d(p.x, p.w, p.bias, **case.options),)
    if op == "corr2d_input_grad":
        return (ref.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **case.options),)
    return ref.corr2d_weight_grad(p.grad_y, p.x, p.w.shape, **case.options)


def sizes(case: Case, layout: str, dtype: str) -> np.ndarray:
    """Sum the sizes of what a weight gradient sums, which may cancel: its error is relative to this."""
    p = problem(case, layout, dtype)
    grad_y, x = (np.abs(a.astype(np.float64)) for a in (p.grad_y, p.x))
    return ref.corr2d_weight_grad(grad_y, x, p.w.shape, **case.options, layout=layout)[0]


def expected(op: str, case: Case, layout: str, dtype: str) -> tuple[np.ndarray, ...]:
    """Give the oracle's results for a case in a layout; weight gradients come with the bias gradient."""
    first, *bias = oracle(op, case, dtype)
    return (ref.weights if op == "corr2d_weight_grad" else ref.images)(first, layout), *bias


def each_algorithm(op: str, call: Callable[[str], Any]) -> dict[str, Any]:
    """Map the names that take the problem to ``call(name)``; "direct" and "auto" may not decline."""
    results = {}
    for name in (*fastconv.algorithms(op), "auto"):
        try:
            results[name] = call(name)
        except ValueError as error:
            if "declines" not in str(error) or name in ("direct", "auto"):
                raise
    return results


@st.composite
def drawn_cases(draw: st.DrawFn) -> Case:
    """Draw a valid geometry of a few thousand multiplications."""
    small, side = st.integers(1, 3), st.integers(0, 4)
    groups, kernel = draw(small), (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride, dilation = (draw(st.integers(1, 4)), draw(st.integers(1, 4))), (draw(small), draw(small))
    padding = (draw(side), draw(side)), (draw(side), draw(side))
    least = [max(1, d * (k - 1) + 1 - sum(p)) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    h, w = (draw(st.integers(low, low + 12)) for low in least)
    n, c, o = draw(st.integers(0, 3)), groups * draw(st.integers(0, 9)), groups * draw(st.integers(0, 9))
    return Case("drawn", (n, c, h, w), (o, *kernel), stride, padding, dilation, groups, draw(st.booleans()))
