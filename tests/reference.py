# SPDX-License-Identifier: BSD-3-Clause
"""The oracle: every operator in about ten lines of NumPy, in float64 or in integers modulo 2**64."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]

ONE: Pair = (1, 1)
NO_PADDING: Padding = ((0, 0), (0, 0))


def planes(images: Array, layout: str) -> Array:
    """View images of a layout as (N, C, H, W)."""
    return images.transpose(0, 3, 1, 2) if layout == "NHWC" else images


def images(planes: Array, layout: str) -> Array:
    """View (N, C, H, W) in a layout: the inverse of `planes`."""
    return planes.transpose(0, 2, 3, 1) if layout == "NHWC" else planes


def filters(weights: Array, layout: str) -> Array:
    """View weights of a layout as (O, C, kh, kw)."""
    return weights.transpose(3, 2, 0, 1) if layout == "NHWC" else weights


def weights(filters: Array, layout: str) -> Array:
    """View (O, C, kh, kw) in a layout: the inverse of `filters`."""
    return filters.transpose(2, 3, 1, 0) if layout == "NHWC" else filters


def widen(a: Array) -> Array:
    """Convert to int64 (whose arithmetic is modulo 2**64) or to float64; longdouble is kept."""
    if a.dtype == np.longdouble:
        return a
    return a.astype(np.int64 if a.dtype.kind in "biu" else np.float64)


def same_padding(size: int, kernel: int, stride: int, dilation: int, lower: bool = False) -> Pair:
    """Give the padding (before, after) for which the output has ceil(size / stride) pixels."""
    total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
    return (total - total // 2, total // 2) if lower else (total // 2, total - total // 2)


def output_size(size: int, kernel: int, stride: int, padding: Pair, dilation: int, ceil_mode: bool = False) -> int:
    """Count the windows along one axis; with ceil_mode by PyTorch's rule."""
    free = size + sum(padding) - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return free // stride + 1
    count = -(-free // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding[0] else count


def windows(plane: Array, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, fill: int = 0) -> Array:
    """View the taps (..., H', W', kh, kw) of every window of (..., H, W)."""
    padded = np.pad(plane, [(0, 0)] * (plane.ndim - 2) + list(padding), constant_values=fill)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    taps = sliding_window_view(padded, extent, axis=(-2, -1))
    return taps[..., :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def corr2d(
    x: Array,
    w: Array,
    bias: Array | None = None,
    *,
    stride: Pair = ONE,
    padding: Padding = NO_PADDING,
    dilation: Pair = ONE,
    groups: int = 1,
    layout: str = "NCHW",
) -> Array:
    """Cross-correlate a batch of images with a bank of filters."""
    xs, ws = widen(planes(x, layout)), widen(filters(w, layout))
    taps = np.split(windows(xs, ws.shape[2:], stride, padding, dilation), groups, axis=1)
    parts = zip(taps, np.split(ws, groups), strict=True)
    y = np.concatenate([np.einsum("nchwuv,ocuv->nohw", t, f, optimize=True) for t, f in parts], axis=1)
    if bias is not None:
        y = y + widen(bias)[:, None, None]
    return images(y, layout)


def corr2d_input_grad(
    grad_y: Array,
    w: Array,
    x_shape: tuple[int, ...],
    *,
    stride: Pair = ONE,
    padding: Padding = NO_PADDING,
    dilation: Pair = ONE,
    groups: int = 1,
    layout: str = "NCHW",
) -> Array:
    """Differentiate sum(grad_y * corr2d(x, w)) by x: every output adds its filter where it was read."""
    gs, ws = widen(planes(grad_y, layout)), widen(filters(w, layout))
    n, c, h, width = planes(np.empty(x_shape, np.int8), layout).shape
    (top, bottom), (left, right) = padding
    padded = np.zeros((n, c, h + top + bottom, width + left + right), gs.dtype)
    size = c // groups
    for g, (part, bank) in enumerate(zip(np.split(gs, groups, 1), np.split(ws, groups), strict=True)):
        for u, v in np.ndindex(*ws.shape[2:]):
            rows = slice(u * dilation[0], u * dilation[0] + (gs.shape[2] - 1) * stride[0] + 1, stride[0])
            columns = slice(v * dilation[1], v * dilation[1] + (gs.shape[3] - 1) * stride[1] + 1, stride[1])
            added = np.einsum("nohw,oc->nchw", part, bank[:, :, u, v], optimize=True)
            padded[:, g * size : (g + 1) * size, rows, columns] += added
    return images(padded[:, :, top : top + h, left : left + width], layout)


def corr2d_weight_grad(
    grad_y: Array,
    x: Array,
    w_shape: tuple[int, ...],
    *,
    stride: Pair = ONE,
    padding: Padding = NO_PADDING,
    dilation: Pair = ONE,
    groups: int = 1,
    layout: str = "NCHW",
) -> tuple[Array, Array]:
    """Differentiate sum(grad_y * (corr2d(x, w) + bias)) by w and by bias."""
    gs, xs = widen(planes(grad_y, layout)), widen(planes(x, layout))
    kernel = filters(np.empty(w_shape, np.int8), layout).shape[2:]
    taps = windows(xs, kernel, stride, padding, dilation)
    parts = zip(np.split(taps, groups, 1), np.split(gs, groups, 1), strict=True)
    grad_w = np.concatenate([np.einsum("nchwuv,nohw->ocuv", t, g, optimize=True) for t, g in parts])
    return weights(grad_w, layout), gs.sum(axis=(0, 2, 3))


def positions(h: int, w: int, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair, ceil_mode: bool) -> Array:
    """Give the flat positions (H', W', taps) that each window reads: -1 in the padding, -2 beyond it."""
    axes = list(zip((h, w), kernel, stride, padding, dilation, strict=True))
    count = [output_size(*axis, ceil_mode) for axis in axes]
    needed = [(n - 1) * s + d * (k - 1) + 1 for n, (_, k, s, _, d) in zip(count, axes, strict=True)]
    plane = np.pad(np.arange(h * w).reshape(h, w), padding, constant_values=-1)
    missing = [(0, max(0, n - size)) for n, size in zip(needed, plane.shape, strict=True)]
    taps = windows(np.pad(plane, missing, constant_values=-2), kernel, stride, NO_PADDING, dilation)
    return taps[: count[0], : count[1]].reshape(*count, -1)


def lowest(dtype: np.dtype) -> object:
    """Give the value that any other value of the dtype beats."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return False if dtype.kind == "b" else -np.inf


def max_pool2d(
    x: Array,
    kernel: Pair,
    *,
    stride: Pair,
    padding: Padding = NO_PADDING,
    dilation: Pair = ONE,
    ceil_mode: bool = False,
    layout: str = "NCHW",
) -> tuple[Array, Array]:
    """Give the first maximum (or the first NaN) of every window and its flat position, -1 if it holds padding alone."""
    xs = planes(x, layout)
    n, c, h, w = xs.shape
    at = positions(h, w, kernel, stride, padding, dilation, ceil_mode)
    best = np.full((n, c, *at.shape[:2]), lowest(x.dtype), x.dtype)
    index = np.full(best.shape, -1, np.int64)
    for here in np.moveaxis(at, -1, 0):
        value = xs.reshape(n, c, h * w)[:, :, np.where(here >= 0, here, -1)]
        better = (here >= 0) & ((index < 0) | (value > best) | ((value != value) & (best == best)))
        best, index = np.where(better, value, best), np.where(better, here, index)
    return images(best, layout), images(index, layout)


def max_pool2d_grad(grad_y: Array, indices: Array, x_shape: tuple[int, ...], *, layout: str = "NCHW") -> Array:
    """Add every output's gradient where its maximum was; the index -1 goes nowhere."""
    gs, index = widen(planes(grad_y, layout)), planes(indices, layout)
    n, c, h, w = planes(np.empty(x_shape, np.int8), layout).shape
    grad_x = np.zeros((n, c, h * w), gs.dtype)
    image, channel, *_ = np.nonzero(index >= 0)
    np.add.at(grad_x, (image, channel, index[index >= 0]), gs[index >= 0])
    return images(grad_x.reshape(n, c, h, w), layout)


def divisors(at: Array, count_include_pad: bool, divisor_override: int | None) -> Array:
    """Give the number (H', W') by which each window's sum is divided."""
    if divisor_override is not None:
        return np.full(at.shape[:2], float(divisor_override))
    return (at >= (-1 if count_include_pad else 0)).sum(axis=-1).astype(np.float64)


def avg_pool2d(
    x: Array,
    kernel: Pair,
    *,
    stride: Pair,
    padding: Padding = NO_PADDING,
    dilation: Pair = ONE,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: str = "NCHW",
) -> Array:
    """Average every window in float64."""
    xs = planes(x, layout).astype(np.float64)
    n, c, h, w = xs.shape
    at = positions(h, w, kernel, stride, padding, dilation, ceil_mode)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.where(at >= 0, xs.reshape(n, c, h * w)[:, :, np.maximum(at, 0)], 0).sum(axis=-1)
        return images(total / divisors(at, count_include_pad, divisor_override), layout)


def avg_pool2d_grad(
    grad_y: Array,
    kernel: Pair,
    x_shape: tuple[int, ...],
    *,
    stride: Pair,
    padding: Padding = NO_PADDING,
    dilation: Pair = ONE,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: str = "NCHW",
) -> Array:
    """Give every pixel of a window its share of the window's gradient."""
    gs = planes(grad_y, layout).astype(np.float64)
    n, c, h, w = planes(np.empty(x_shape, np.int8), layout).shape
    at = positions(h, w, kernel, stride, padding, dilation, ceil_mode)
    share = gs / np.maximum(divisors(at, count_include_pad, divisor_override), 1)
    grad_x = np.zeros((n, c, h * w))
    for here in np.moveaxis(at, -1, 0):
        grad_x[:, :, here[here >= 0]] += share[:, :, here >= 0]
    return images(grad_x.reshape(n, c, h, w), layout)
