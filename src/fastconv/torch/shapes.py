# SPDX-License-Identifier: BSD-3-Clause
"""Results without numbers: the shapes and strides that the operators give for fake and meta tensors.

Sizes that are plain ints are judged in C, in its words. Sizes that are symbols follow `fastconv.geometry.output_size`;
the kernel judges them when they have become numbers.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fastconv import _core
from fastconv.geometry import output_size
from fastconv.torch import forms
from fastconv.torch.forms import is_channels_last

_COMPUTED = {torch.float16: "float32", torch.bfloat16: "float32"}


def _dtype_name(tensor: Tensor) -> str:
    name = _COMPUTED.get(tensor.dtype, str(tensor.dtype).removeprefix("torch."))
    if name not in _core.DTYPES:
        raise TypeError(f"input has dtype {tensor.dtype}, which is not supported")
    return name


def _numbers(*sizes: Sequence[Any]) -> bool:
    return all(type(size) is int for some in sizes for size in some)


def _plane(size: Sequence[Any], window: Sequence[Any], rest: Sequence[Any], ceil_mode: bool = False) -> tuple[Any, Any]:
    stride, pad, padding, dilation = rest
    height, width = (
        output_size(size[i], window[i], stride[i], dilation[i], pad, padding[i], padding[2 + i], ceil_mode)
        for i in range(2)
    )
    return height, width


def _empty(like: Tensor, shape: Sequence[Any], channels_last: bool, dtype: torch.dtype | None = None) -> Tensor:
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    return torch.empty(shape, dtype=dtype or like.dtype, device=like.device, memory_format=memory_format)


def _corr2d_plane(image: Tensor, size: Sequence[Any], weight: Sequence[Any], windows: Sequence[Any]) -> tuple[Any, Any]:
    stride, pad, padding, dilation, groups = windows
    if not _numbers(size, weight, stride, padding, dilation, (groups,)):
        return _plane(size[2:], weight[2:], windows[:4])
    judged = _core.Corr2d(
        _dtype_name(image), "NCHW", "OIHW", size[0], size[1], (size[2], size[3]), weight[0], weight[1],
        (weight[2], weight[3]), groups, (stride[0], stride[1]), (dilation[0], dilation[1]), pad,
        (padding[0], padding[1]), (padding[2], padding[3]),
    )  # fmt: skip
    return judged.out


def corr2d(input: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Tensor:
    """As the operator of that name."""
    *windows, channels_last, _ = options
    forms.judge_operands(input, weight, bias)
    plane = _corr2d_plane(input, input.shape, weight.shape, windows)
    last = is_channels_last(input) if channels_last is None else channels_last
    return _empty(input, (input.shape[0], weight.shape[0], *plane), last)


def corr2d_input_grad(grad: Tensor, weight: Tensor, input_size: Sequence[Any], *options: Any) -> Tensor:
    """As the operator of that name."""
    *windows, channels_last = options
    forms.judge_operands(grad, weight, None, "grad")
    _corr2d_plane(grad, input_size, weight.shape, windows)
    return _empty(grad, input_size, is_channels_last(grad) if channels_last is None else channels_last)


def corr2d_weight_grad(grad: Tensor, input: Tensor, weight_size: Sequence[Any], *options: Any) -> tuple[Tensor, Tensor]:
    """As the operator of that name."""
    *windows, _, order, with_bias = options
    forms.judge_operands(grad, input, None, "grad", "input")
    _corr2d_plane(grad, input.shape, weight_size, windows)
    grad_bias = grad.new_empty((weight_size[0] if with_bias else 0,))
    if order == "HWIO":
        o, i, _, w = (torch.sym_max(size, 1) for size in weight_size)
        strides = (1, o, w * i * o, i * o)
        return torch.empty_strided(tuple(weight_size), strides, dtype=grad.dtype, device=grad.device), grad_bias
    return _empty(grad, weight_size, order == "OHWI"), grad_bias


def _pool_plane(
    image: Tensor,
    size: Sequence[Any],
    kernel_size: Sequence[Any],
    windows: Sequence[Any],
    ceil_mode: bool,
    count_include_pad: bool = True,
    divisor: Any = None,
) -> tuple[Any, Any]:
    stride, pad, padding, dilation = windows
    if not _numbers(size, kernel_size, stride, padding, dilation, () if divisor is None else (divisor,)):
        return _plane(size[2:], kernel_size, windows, ceil_mode)
    judged = _core.Pool2d(
        _dtype_name(image), "NCHW", size[0], size[1], (size[2], size[3]), (kernel_size[0], kernel_size[1]),
        (stride[0], stride[1]), (dilation[0], dilation[1]), pad, (padding[0], padding[1]), (padding[2], padding[3]),
        ceil_mode, count_include_pad, divisor,
    )  # fmt: skip
    return judged.out


def max_pool2d(input: Tensor, kernel_size: Sequence[Any], *options: Any) -> Tensor:
    """As the operator of that name."""
    *windows, ceil_mode, channels_last, _ = options
    forms.judge_rank(input, input.dim())
    plane = _pool_plane(input, input.shape, kernel_size, windows, ceil_mode)
    last = is_channels_last(input) if channels_last is None else channels_last
    return _empty(input, (*input.shape[:2], *plane), last)


def max_pool2d_with_indices(input: Tensor, kernel_size: Sequence[Any], *options: Any) -> tuple[Tensor, Tensor]:
    """As the operator of that name."""
    maxima = max_pool2d(input, kernel_size, *options)
    return maxima, torch.empty_like(maxima, dtype=torch.int64)


def max_pool2d_grad(grad: Tensor, indices: Tensor, input_size: Sequence[Any], channels_last: bool | None) -> Tensor:
    """As the operator of that name."""
    forms.judge_indices(grad, indices, input_size)
    return _empty(grad, input_size, is_channels_last(grad) if channels_last is None else channels_last)


def avg_pool2d(input: Tensor, kernel_size: Sequence[Any], *options: Any) -> Tensor:
    """As the operator of that name."""
    *windows, ceil_mode, count_include_pad, divisor, channels_last, _ = options
    forms.judge_rank(input, input.dim())
    plane = _pool_plane(input, input.shape, kernel_size, windows, ceil_mode, count_include_pad, divisor)
    last = is_channels_last(input) if channels_last is None else channels_last
    return _empty(input, (*input.shape[:2], *plane), last)


def avg_pool2d_grad(grad: Tensor, input_size: Sequence[Any], kernel_size: Sequence[Any], *options: Any) -> Tensor:
    """As the operator of that name."""
    *windows, ceil_mode, count_include_pad, divisor, channels_last = options
    forms.judge_rank(grad, grad.dim(), "grad")
    _pool_plane(grad, input_size, kernel_size, windows, ceil_mode, count_include_pad, divisor)
    return _empty(grad, input_size, is_channels_last(grad) if channels_last is None else channels_last)
