# SPDX-License-Identifier: BSD-3-Clause
"""The definitions as plain Python loops: one output pixel at a time.

Slow and easy to check by eye. The demo times the library against them and compares the results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["corr2d", "corr2d_multi_in", "corr2d_multi_in_out", "pool2d"]

Array = NDArray[Any]


def corr2d(x: Array, w: Array) -> Array:
    """Slide one kernel over one plane.

    Parameters
    ----------
    x : ndarray, shape (H, W)
    w : ndarray, shape (kh, kw)

    Returns
    -------
    ndarray, shape (H - kh + 1, W - kw + 1)
    """
    kh, kw = w.shape
    oh, ow = x.shape[0] - kh + 1, x.shape[1] - kw + 1
    y = np.empty((oh, ow), x.dtype)
    for row in range(oh):
        for col in range(ow):
            window = x[row : row + kh, col : col + kw]
            y[row, col] = (window * w).sum()
    return y


def corr2d_multi_in(x: Array, w: Array) -> Array:
    """Correlate every channel with its own kernel and add the results up.

    Parameters
    ----------
    x : ndarray, shape (C, H, W)
    w : ndarray, shape (C, kh, kw)

    Returns
    -------
    ndarray, shape (H - kh + 1, W - kw + 1)
    """
    y = corr2d(x[0], w[0])
    for ic in range(1, len(x)):
        y += corr2d(x[ic], w[ic])
    return y


def corr2d_multi_in_out(x: Array, w: Array) -> Array:
    """Make one output channel from each set of kernels.

    Parameters
    ----------
    x : ndarray, shape (C, H, W)
    w : ndarray, shape (O, C, kh, kw)

    Returns
    -------
    ndarray, shape (O, H - kh + 1, W - kw + 1)
    """
    return np.stack([corr2d_multi_in(x, kernels) for kernels in w])


def pool2d(x: Array, pool_size: tuple[int, int], mode: str = "max") -> Array:
    """Keep the largest value or the mean of every window; windows slide by one.

    Parameters
    ----------
    x : ndarray, shape (H, W)
    pool_size : (int, int)
    mode : {'max', 'avg'}

    Returns
    -------
    ndarray, shape (H - pool_size[0] + 1, W - pool_size[1] + 1)
    """
    if mode not in ("max", "avg"):
        raise ValueError(f"mode must be 'max' or 'avg', got {mode!r}")
    kh, kw = pool_size
    oh, ow = x.shape[0] - kh + 1, x.shape[1] - kw + 1
    y = np.empty((oh, ow), x.dtype)
    for row in range(oh):
        for col in range(ow):
            window = x[row : row + kh, col : col + kw]
            y[row, col] = window.max() if mode == "max" else window.mean()
    return y
