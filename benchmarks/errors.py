# SPDX-License-Identifier: BSD-3-Clause
"""The error of each algorithm of corr2d against float64, by kernel, over more and more channels.

    python benchmarks/errors.py

Images and weights are normally distributed; the reference is the definition in float64 ("direct"), whose own error is
below 1e-15.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastconv

KERNELS = ((3, 3, 1), (3, 3, 2), (5, 5, 1), (1, 3, 1), (1, 7, 1))  # and strides: those of Winograd's forms
CHANNELS = (16, 64, 128, 256, 512)
SIZE = 14
OUT_CHANNELS = 32


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


def main() -> None:
    """Measure and print."""
    print(f"{fastconv.get_isa()}; relative L2 error, float32")
    for *kernel, stride in KERNELS:
        title = f"{kernel[0]}x{kernel[1]}/{stride}, channels"
        print(f"{title:24}" + "".join(f"{channels:>10}" for channels in CHANNELS))
        for layout in ("NCHW", "NHWC"):
            columns = [errors(layout, channels, (kernel[0], kernel[1]), stride) for channels in CHANNELS]
            for name in columns[0]:
                present = [f"{column[name]:10.1e}" if name in column else f"{'-':>10}" for column in columns]
                print(f"{layout} {name:19}" + "".join(present))


if __name__ == "__main__":
    main()
