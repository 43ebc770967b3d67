# SPDX-License-Identifier: BSD-3-Clause
"""The error of each algorithm against float64, by kernel.

Of corr2d over more and more channels, of its weight gradient over larger and larger maps:

    python benchmarks/errors.py

Images and weights are normally distributed; the reference is the definition in float64 ("direct"), whose own error is
below 1e-15.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastconv

KERNELS = ((1, 1, 1), (3, 3, 1), (3, 3, 2), (5, 5, 1), (1, 3, 1), (1, 7, 1))  # and strides: those of Winograd's forms
CHANNELS = (16, 64, 128, 256, 512)
SIZE = 14
OUT_CHANNELS = 32
SIZES = (14, 28, 56, 112)  # of the maps that a weight gradient sums over


def relative(y: NDArray[np.floating], reference: NDArray[np.float64]) -> float:
    """Error in the L2 norm."""
    return float(np.linalg.norm(y - reference) / np.linalg.norm(reference))


def errors(layout: str, channels: int, kernel: tuple[int, int], stride: int) -> dict[str, float]:
    """Of every algorithm that takes the problem."""
    rng = np.random.default_rng(channels)
    x = rng.standard_normal((1, channels, SIZE, SIZE), np.float32)
    w = rng.standard_normal((OUT_CHANNELS, channels, *kernel), np.float32)
    options: dict[str, Any] = {"padding": (kernel[0] // 2, kernel[1] // 2), "stride": stride, "layout": layout}
    if layout == "NHWC":
        x, w = np.ascontiguousarray(x.transpose(0, 2, 3, 1)), np.ascontiguousarray(w.transpose(2, 3, 1, 0))
    reference = fastconv.corr2d(x.astype(float), w.astype(float), **options, algorithm="direct")
    declined = fastconv.explain("corr2d", x.shape, w.shape, **options).declined
    return {
        name: relative(fastconv.corr2d(x, w, **options, algorithm=name), reference)
        for name in fastconv.algorithms("corr2d")
        if name not in declined
    }


def weight_grad_errors(layout: str, size: int, kernel: tuple[int, int], stride: int) -> dict[str, float]:
    """Of every algorithm that takes the problem."""
    rng = np.random.default_rng(size)
    x = rng.standard_normal((1, OUT_CHANNELS, size, size), np.float32)
    shape: tuple[int, ...] = (OUT_CHANNELS, OUT_CHANNELS, *kernel)
    options: dict[str, Any] = {"padding": (kernel[0] // 2, kernel[1] // 2), "stride": stride, "layout": layout}
    grad_y = rng.standard_normal((1, OUT_CHANNELS, *[(size - 1) // stride + 1] * 2), np.float32)
    if layout == "NHWC":
        x, grad_y = (np.ascontiguousarray(a.transpose(0, 2, 3, 1)) for a in (x, grad_y))
        shape = (*kernel, OUT_CHANNELS, OUT_CHANNELS)
    reference = fastconv.corr2d_weight_grad(
        grad_y.astype(float), x.astype(float), shape, **options, algorithm="implicit_gemm"
    )
    declined = fastconv.explain("corr2d_weight_grad", x.shape, shape, **options).declined
    return {
        name: relative(fastconv.corr2d_weight_grad(grad_y, x, shape, **options, algorithm=name), reference)
        for name in fastconv.algorithms("corr2d_weight_grad")
        if name not in declined
    }


def show(title: str, over: tuple[int, ...], measure: Callable[[str, int], dict[str, float]]) -> None:
    """A line an algorithm and layout."""
    print(f"{title:24}" + "".join(f"{value:>10}" for value in over))
    for layout in ("NCHW", "NHWC"):
        columns = [measure(layout, value) for value in over]
        for name in columns[0]:
            present = [f"{column[name]:10.1e}" if name in column else f"{'-':>10}" for column in columns]
            print(f"{layout} {name:19}" + "".join(present))


def main() -> None:
    """Measure and print."""
    print(f"{fastconv.get_isa()}; relative L2 error, float32")
    for kh, kw, stride in KERNELS:
        show(f"{kh}x{kw}/{stride}, channels", CHANNELS, lambda *at: errors(*at, (kh, kw), stride))  # noqa: B023 called at once
    for kh, kw, stride in KERNELS:
        title = f"{kh}x{kw}/{stride} weight grad"
        show(title, SIZES, lambda *at: weight_grad_errors(*at, (kh, kw), stride))  # noqa: B023 called at once


if __name__ == "__main__":
    main()
