# SPDX-License-Identifier: BSD-3-Clause
"""torch's own operators, for tensors that the kernels do not compute on: another device, layout or element type.

Arguments are those of the operators in `library.py`. What torch's operators lack (padding of any kind, dilated
averages) is made of what they have.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fastconv.geometry import output_size

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
CORRELATED = (*_FLOATS, torch.int32, torch.int64)
AVERAGED = _FLOATS
COMPARED = (*_FLOATS, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)


def belongs(tensors: Sequence[Tensor | None], dtypes: Sequence[torch.dtype]) -> bool:
    """Whether a call with these tensors is torch's own."""
    return any(
        t is not None and (t.device.type not in ("cpu", "meta") or t.layout != torch.strided or t.dtype not in dtypes)
        for t in tensors
    )


def _resolved(
    size: Sequence[Any], window: Sequence[Any], options: Sequence[Any], ceil_mode: bool = False
) -> tuple[list[Any], list[Any], list[Any]]:
    """(padding before, padding after, windows) of each axis, the kinds of padding resolved."""
    stride, pad, padding, dilation = options
    before, after, count = [], [], []
    for i in range(2):
        out = output_size(size[i], window[i], stride[i], dilation[i], pad, padding[i], padding[2 + i], ceil_mode)
        first, last = (padding[i], padding[2 + i]) if pad == "explicit" else (0, 0)
        if pad in ("same", "same_lower"):
            total = max(0, (out - 1) * stride[i] + dilation[i] * (window[i] - 1) + 1 - size[i])
            first = total // 2 if pad == "same" else total - total // 2
            last = total - first
        before.append(first)
        after.append(last)
        count.append(out)
    return before, after, count


def _padded(images: Tensor, before: Sequence[Any], after: Sequence[Any], value: float = 0) -> Tensor:
    return functional.pad(images, (before[1], after[1], before[0], after[0]), value=value)


def _behind(
    size: Sequence[Any], window: Sequence[Any], options: Sequence[Any], before: Sequence[Any], count: Sequence[Any]
) -> list[Any]:
    """The padding behind the images with which exactly `count` windows fit; it may be negative."""
    stride, _, _, dilation = options
    return [(count[i] - 1) * stride[i] + dilation[i] * (window[i] - 1) + 1 - size[i] - before[i] for i in range(2)]


def corr2d(input: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Tensor:
    """As the operator of that name."""
    stride, _, _, dilation, groups, *_ = options
    before, after, _ = _resolved(input.shape[2:], weight.shape[2:], options[:4])
    if before == after:
        return functional.conv2d(input, weight, bias, stride, before, dilation, groups)
    return functional.conv2d(_padded(input, before, after), weight, bias, stride, 0, dilation, groups)


def max_pool2d(input: Tensor, kernel_size: Sequence[Any], *options: Any) -> tuple[Tensor, Tensor]:
    """Maxima and indices, as the operator ``max_pool2d_with_indices`` gives them."""
    *windows, ceil_mode, _, _ = options
    size = input.shape[2:]
    before, after, count = _resolved(size, kernel_size, windows, ceil_mode)
    if before == after and all(2 * p <= k for p, k in zip(before, kernel_size, strict=True)):
        maxima, indices = functional.max_pool2d(
            input, kernel_size, windows[0], before, windows[3], ceil_mode, return_indices=True
        )
        return maxima, indices
    lowest = -torch.inf if input.is_floating_point() else torch.iinfo(input.dtype).min
    behind = _behind(size, kernel_size, windows, before, count)
    padded = _padded(input, before, behind, lowest)
    maxima, indices = functional.max_pool2d(padded, kernel_size, windows[0], 0, windows[3], return_indices=True)
    rows, columns = indices // padded.shape[3] - before[0], indices % padded.shape[3] - before[1]
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    return maxima, torch.where(inside, rows * size[1] + columns, -1)


def avg_pool2d(input: Tensor, kernel_size: Sequence[Any], *options: Any) -> Tensor:
    """As the operator of that name."""
    *windows, ceil_mode, count_include_pad, divisor, _, _ = options
    size = input.shape[2:]
    before, after, count = _resolved(size, kernel_size, windows, ceil_mode)
    stride, dilation = windows[0], windows[3]
    half = all(2 * p <= k for p, k in zip(before, kernel_size, strict=True))
    if before == after and half and all(d == 1 for d in dilation):
        return functional.avg_pool2d(input, kernel_size, stride, before, ceil_mode, count_include_pad, divisor)
    behind = _behind(size, kernel_size, windows, before, count)
    ones = input.new_ones((1, 1, *kernel_size))
    planes = _padded(input, before, behind).flatten(0, 1).unsqueeze(1)
    sums = functional.conv2d(planes, ones, None, stride, 0, dilation).view(*input.shape[:2], *count)
    if divisor is not None:
        return sums / divisor
    plane = input.new_ones((1, 1, *size))
    if count_include_pad:
        plane = functional.pad(plane, (before[1], after[1], before[0], after[0]), value=1)
        behind = [b - a for b, a in zip(behind, after, strict=True)]
        before = [0, 0]
    counted = functional.conv2d(_padded(plane, before, behind), ones, None, stride, 0, dilation)
    return sums / (counted.clamp(min=1) if count_include_pad else counted)
