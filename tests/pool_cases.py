# SPDX-License-Identifier: BSD-3-Clause
"""Small geometries of pooling as data, shared by the forward and gradient tests."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import reference as ref
from cases import NO_PADDING, Shape, pad, pads
from hypothesis import assume
from hypothesis import strategies as st
from numerics import fresh_rng, random_array

LAYOUTS = ("NCHW", "NHWC")
DTYPES = ("float32", "float64", "int8", "int64")


@dataclass(frozen=True)
class PoolCase:
    """One geometry of pooling, written for NCHW; the last two fields are for averages alone."""

    id: str
    x: tuple[int, int, int, int]
    kernel: ref.Pair
    stride: ref.Pair = (1, 1)
    padding: ref.Padding = NO_PADDING
    dilation: ref.Pair = (1, 1)
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __str__(self) -> str:
        return self.id

    @property
    def max_options(self) -> dict[str, Any]:
        """Give the keywords of max pooling."""
        names = ("stride", "padding", "dilation", "ceil_mode")
        return {name: getattr(self, name) for name in names}

    @property
    def avg_options(self) -> dict[str, Any]:
        """Give the keywords of average pooling and of its gradient."""
        names = ("count_include_pad", "divisor_override")
        return {**self.max_options, **{name: getattr(self, name) for name in names}}

    def x_shape(self, layout: str = "NCHW") -> Shape:
        n, c, h, w = self.x
        return (n, h, w, c) if layout == "NHWC" else (n, c, h, w)

    def y_shape(self, layout: str = "NCHW") -> Shape:
        axes = zip(self.x[2:], self.kernel, self.stride, self.padding, self.dilation, strict=True)
        h, w = (ref.output_size(*axis, self.ceil_mode) for axis in axes)
        n, c = self.x[:2]
        return (n, h, w, c) if layout == "NHWC" else (n, c, h, w)

    def arrays(self, layout: str, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """Give the images, with many ties among them, and the gradient of the result."""
        return tuple(ref.images(a, layout).copy() for a in drawn_arrays(self, dtype))

    def expected(self, op: str, layout: str, dtype: str) -> tuple[np.ndarray, ...]:
        """Give the oracle's results in a layout; max pooling has two."""
        return tuple(ref.images(a, layout) for a in oracle(self, op, dtype))


@lru_cache(maxsize=1024)
def drawn_arrays(case: PoolCase, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a case's images and gradient in NCHW; the same ones for every caller in this run."""
    rng = fresh_rng(case.id, dtype)
    x = random_array(rng, case.x_shape(), dtype)
    x = np.where(rng.random(x.shape) < 0.3, x.dtype.type(1), x)
    return x, random_array(rng, case.y_shape(), dtype)


@lru_cache(maxsize=1024)
def oracle(case: PoolCase, op: str, dtype: str) -> tuple[np.ndarray, ...]:
    """Compute the oracle's results in NCHW, once for all layouts, instruction sets and algorithms."""
    x, grad_y = drawn_arrays(case, dtype)
    if op == "max_pool2d":
        return ref.max_pool2d(x, case.kernel, **case.max_options)
    if op == "avg_pool2d":
        return (ref.avg_pool2d(x, case.kernel, **case.avg_options),)
    if op == "avg_pool2d_grad":
        return (ref.avg_pool2d_grad(grad_y, case.kernel, x.shape, **case.avg_options),)
    return (ref.max_pool2d_grad(grad_y, oracle(case, "max_pool2d", dtype)[1], x.shape),)


TWO, THREE = (2, 2), (3, 3)

POOL_CASES = (
    PoolCase("textbook", (1, 1, 3, 3), TWO),
    PoolCase("one-pixel", (2, 3, 1, 1), (1, 1)),
    PoolCase("one-pixel-padded", (1, 3, 1, 1), THREE, padding=pad(1), count_include_pad=False),
    PoolCase("halves", (2, 5, 8, 10), TWO, TWO),
    PoolCase("halves-odd", (2, 5, 7, 13), TWO, TWO),
    PoolCase("resnet-stem", (1, 7, 57, 57), THREE, TWO, pad(1)),
    PoolCase("same-size", (1, 9, 13, 13), THREE, padding=pad(1), count_include_pad=False),
    PoolCase("many-channels", (1, 67, 7, 7), THREE, padding=pad(1)),
    PoolCase("many-planes", (9, 23, 5, 7), THREE, TWO, pad(1)),
    PoolCase("many-planes-wide-window", (5, 29, 6, 8), (5, 7), padding=pads(2, 2, 3, 3), count_include_pad=False),
    PoolCase("full-vectors", (1, 64, 16, 16), TWO, TWO),
    PoolCase("row-window", (1, 4, 7, 33), (1, 5), padding=pads(0, 0, 2, 2)),
    PoolCase("column-window", (1, 4, 33, 7), (5, 1), padding=pads(2, 2, 0, 0)),
    PoolCase("single-row", (2, 3, 1, 57), (1, 3), (1, 2)),
    PoolCase("single-column", (2, 3, 57, 1), (3, 1), (2, 1)),
    PoolCase("global", (3, 6, 7, 9), (7, 9), (7, 9)),
    PoolCase("wide-window", (1, 3, 40, 37), (33, 33)),
    PoolCase("wide-window-tall", (2, 20, 75, 11), (9, 7), padding=pads(4, 4, 3, 3)),
    PoolCase("wide-window-bands", (1, 2, 150, 700), (5, 20), padding=pads(1, 3, 10, 9), count_include_pad=False),
    PoolCase("wide-window-blocks", (1, 1, 12, 8300), (4, 30), padding=pads(2, 1, 0, 29)),
    PoolCase("wide-window-deep", (1, 35, 41, 150), (10, 9), padding=pads(0, 9, 8, 0)),
    PoolCase("wide-window-padded", (1, 2, 20, 57), (17, 25), padding=pads(8, 8, 12, 12)),
    *(
        PoolCase(f"wide-window-{k}-of-{c}-channels", (1, c, 9, 45), (3, k), padding=pads(1, 1, k // 2, k // 3))
        for c in (2, 4, 8)
        for k in (7, 13, 31, 33)
    ),
    PoolCase("even-window", (1, 5, 11, 12), (4, 6), padding=pads(1, 2, 2, 3)),
    PoolCase("stride-3", (1, 4, 19, 22), THREE, (3, 3), pad(1)),
    PoolCase("stride-past-window", (1, 4, 19, 22), TWO, (5, 4)),
    PoolCase("stride-past-image", (1, 3, 5, 4), THREE, (9, 8)),
    PoolCase("stride-uneven", (2, 3, 14, 15), (3, 2), (1, 3)),
    PoolCase("stride-within-window", (2, 19, 13, 17), (3, 4), (2, 3), pads(1, 0, 2, 1), count_include_pad=False),
    PoolCase("stride-within-dilation", (1, 37, 12, 11), (3, 2), (2, 2), pads(1, 2, 0, 0), (2, 3), ceil_mode=True),
    PoolCase("dilation", (1, 4, 13, 17), (3, 2), (1, 2), pad(1), (2, 3)),
    PoolCase(
        "dilation-past-image", (1, 3, 4, 5), THREE, padding=pads(5, 5, 6, 6), dilation=(4, 5), count_include_pad=False
    ),
    PoolCase("padding-uneven", (1, 3, 6, 9), THREE, (2, 1), pads(2, 0, 1, 3), count_include_pad=False),
    PoolCase("padding-past-window", (1, 3, 4, 5), TWO, padding=pads(4, 3, 5, 2)),
    PoolCase("padding-past-window-uncounted", (1, 3, 4, 5), TWO, padding=pads(4, 3, 5, 2), count_include_pad=False),
    PoolCase("padding-alone", (1, 2, 3, 3), TWO, (3, 3), pads(7, 6, 6, 8)),
    PoolCase("ceil", (1, 3, 8, 9), THREE, TWO, ceil_mode=True),
    PoolCase("ceil-uncounted", (1, 3, 8, 9), THREE, TWO, pad(1), ceil_mode=True, count_include_pad=False),
    PoolCase("ceil-counted", (1, 3, 8, 9), THREE, TWO, pads(1, 1, 0, 2), ceil_mode=True),
    PoolCase("ceil-drops-a-window", (1, 3, 6, 5), TWO, (4, 3), pad(1), ceil_mode=True),
    PoolCase("ceil-dilation", (1, 3, 10, 11), (2, 3), (3, 2), dilation=(3, 2), ceil_mode=True),
    PoolCase("wide-image", (1, 1, 5, 4200), THREE, padding=pad(1)),
    PoolCase("wide-image-stride", (1, 1, 3, 3300), (2, 40), (1, 3), pads(0, 1, 20, 9), count_include_pad=False),
    PoolCase("wide-image-dilation", (1, 1, 5, 2600), (2, 30), (1, 2), pads(1, 0, 30, 40), (3, 3)),
    PoolCase("tall-image", (1, 1, 2100, 4), (50, 2), padding=pads(25, 25, 1, 0), count_include_pad=False),
    PoolCase("tall-image-stride", (1, 1, 3300, 4), (6, 2), (4, 1), pads(3, 1, 0, 0), (2, 1)),
    PoolCase("bands-and-blocks", (1, 1, 70, 1050), THREE, padding=pad(1), count_include_pad=False),
    PoolCase("bands-of-strides", (1, 1, 281, 530), (4, 2), (2, 1), pads(1, 2, 0, 0)),
    PoolCase("deep", (1, 150, 9, 20), (3, 9), (1, 2), pad(1)),
    PoolCase("deep-wide-window", (1, 130, 7, 12), (13, 9), padding=pads(6, 6, 4, 4), count_include_pad=False),
    PoolCase("divisor", (1, 3, 7, 8), THREE, TWO, pad(1), divisor_override=7),
    PoolCase("divisor-ceil", (1, 3, 8, 8), THREE, TWO, ceil_mode=True, divisor_override=1),
    PoolCase("empty-batch", (0, 3, 5, 5), TWO),
    PoolCase("zero-channels", (2, 0, 5, 5), TWO, padding=pad(1)),
    PoolCase("several-images", (17, 2, 6, 5), (3, 2), TWO),
)


@st.composite
def drawn_pool_cases(draw: st.DrawFn) -> PoolCase:
    """Draw a valid geometry; with ceil_mode the far padding is narrower than the window, as PyTorch demands."""
    kernel = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    stride = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    side = st.integers(0, 6)
    padding = (draw(side), draw(side)), (draw(side), draw(side))
    least = [max(1, d * (k - 1) + 1 - sum(p)) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    h, w = (draw(st.integers(low, low + 14)) for low in least)
    shape = draw(st.integers(0, 2)), draw(st.integers(0, 20)), h, w
    case = PoolCase("drawn", shape, kernel, stride, padding, dilation)
    ceil_mode = draw(st.booleans())
    if ceil_mode:
        assume(all(p[1] < d * (k - 1) + 1 for k, d, p in zip(kernel, dilation, padding, strict=True)))
    divisor = draw(st.sampled_from([None, None, 1, 6]))
    return replace(case, ceil_mode=ceil_mode, count_include_pad=draw(st.booleans()), divisor_override=divisor)
