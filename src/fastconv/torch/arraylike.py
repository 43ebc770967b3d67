# SPDX-License-Identifier: BSD-3-Clause
"""The functions of `fastconv` on tensors: its keywords, defaults, ranks, layouts and dtypes; differentiable."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fastconv.functional.pooling import Images
from fastconv.functional.problems import Ranks
from fastconv.geometry import Windows, integer, layout_name, pair
from fastconv.torch import forms, operators
from fastconv.torch.placing import placed

_SMALL = (torch.bool, torch.uint8, torch.int8)
_INTEGERS = (*_SMALL, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32)
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def corr2d(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: Any = "NCHW",
    algorithm: str = "auto",
    out: Any = None,
) -> Tensor:
    """`fastconv.corr2d` of tensors."""
    _judge(x=x, w=w)
    layout = layout_name(layout)
    dtype = _correlation_dtype(x.dtype, w.dtype)
    ranks = Ranks.of(tuple(x.shape), tuple(w.shape), layout)
    b = _as_bias(bias, ranks.out_channels, dtype, x.device)
    windows = _windows(stride, padding, dilation)
    filters = w.to(dtype)
    if w.dim() == 2:
        filters = filters[None, None]
    elif w.dim() == 3:
        filters = filters[None] if layout == "NCHW" else filters.permute(2, 0, 1)[None]
    elif layout == "NHWC":
        filters = filters.permute(3, 2, 0, 1)
    images, last = _images(x.to(dtype), layout)
    y = operators.corr2d(images, filters, b, *windows, integer("groups", groups), last, algorithm)
    return placed(_like_input(y, x.dim(), layout, w.dim() < 4), out, x, w, b)


def corr2d_multi_in(x: Any, w: Any, bias: Any = None, **options: Any) -> Tensor:
    """`fastconv.corr2d_multi_in` of tensors."""
    _judge(x=x, w=w)
    _must_have_rank("x", x, (3,))
    _must_have_rank("w", w, (3,))
    return corr2d(x, w, bias, **options)


def corr2d_multi_in_out(x: Any, w: Any, bias: Any = None, **options: Any) -> Tensor:
    """`fastconv.corr2d_multi_in_out` of tensors."""
    _judge(x=x, w=w)
    _must_have_rank("x", x, (3, 4))
    _must_have_rank("w", w, (4,))
    return corr2d(x, w, bias, **options)


def max_pool2d(
    x: Any,
    pool_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    layout: Any = "NCHW",
    algorithm: str = "auto",
    out: Any = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """`fastconv.max_pool2d` of tensors."""
    _judge(x=x)
    _judge_dtype("x", x.dtype)
    layout = layout_name(layout)
    Images.of("x", tuple(x.shape), layout)
    images, last = _images(x.view(torch.uint8) if x.dtype == torch.bool else x, layout)
    options = *_pool_windows(pool_size, stride, padding, dilation), bool(ceil_mode), last, algorithm
    if not return_indices:
        y = _like_input(operators.max_pool2d(images, *options), x.dim(), layout, x.dim() == 2)
        return placed(y.view(x.dtype) if x.dtype == torch.bool else y, out, x)
    results = operators.max_pool2d_with_indices(images, *options)
    y, indices = (_like_input(result, x.dim(), layout, x.dim() == 2) for result in results)
    return placed(y.view(x.dtype) if x.dtype == torch.bool else y, out, x), indices


def avg_pool2d(
    x: Any,
    pool_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: Any = "NCHW",
    algorithm: str = "auto",
    out: Any = None,
) -> Tensor:
    """`fastconv.avg_pool2d` of tensors."""
    _judge(x=x)
    _judge_dtype("x", x.dtype)
    layout = layout_name(layout)
    Images.of("x", tuple(x.shape), layout)
    images, last = _images(x.to(torch.float64) if x.dtype in _INTEGERS else x, layout)
    divisor = None if divisor_override is None else integer("divisor_override", divisor_override)
    options = *_pool_windows(pool_size, stride, padding, dilation), bool(ceil_mode), bool(count_include_pad), divisor
    y = operators.avg_pool2d(images, *options, last, algorithm)
    return placed(_like_input(y, x.dim(), layout, x.dim() == 2), out, x)


def _judge(**tensors: Any) -> None:
    forms.judge_tensors(**tensors)
    for name, tensor in tensors.items():
        if tensor.device.type not in ("cpu", "meta") or tensor.layout != torch.strided:
            raise ValueError(
                f"{name} lies on {tensor.device} as {tensor.layout}: fastconv takes dense tensors on the CPU; "
                "fastconv.torch.corr2d and its layers take others"
            )


def _judge_dtype(name: str, dtype: torch.dtype) -> None:
    if dtype not in _FLOATS and dtype not in _INTEGERS:
        raise TypeError(f"{name} has dtype {dtype}, which is not supported")


def _must_have_rank(name: str, tensor: Tensor, ranks: tuple[int, ...]) -> None:
    if tensor.dim() not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise ValueError(f"{name} must have {wanted} dimensions, got shape {tuple(tensor.shape)}")


def _numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    return np.dtype(str(dtype).removeprefix("torch."))


def _correlation_dtype(x: torch.dtype, w: torch.dtype) -> torch.dtype:
    """Where the dtypes of images and filters meet, by the rules of `fastconv.corr2d`."""
    _judge_dtype("x", x)
    _judge_dtype("w", w)
    if x in _INTEGERS and w in _INTEGERS:
        return torch.int32 if x in _SMALL and w in _SMALL else torch.int64
    if torch.bfloat16 in (x, w) or (x in _FLOATS and w in _FLOATS):
        return torch.promote_types(x, w)
    met: torch.dtype = getattr(torch, np.result_type(_numpy_dtype(x), _numpy_dtype(w)).name)
    return met


def _as_bias(bias: Any, out_channels: int, dtype: torch.dtype, device: torch.device) -> Tensor | None:
    if bias is None:
        return None
    tensor = bias if isinstance(bias, Tensor) else torch.as_tensor(bias, device=device)
    _judge_dtype("bias", tensor.dtype)
    if tensor.dim() == 0 and out_channels == 1:
        tensor = tensor.reshape(1)
    if tuple(tensor.shape) != (out_channels,):
        shape = tuple(tensor.shape)
        raise ValueError(f"bias has shape {shape} but must have ({out_channels},), one number an output channel")
    return tensor.to(dtype)


def _windows(stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]:
    w = Windows.of(stride, padding, dilation)
    return w.stride, w.padding, (*w.before, *w.after), w.dilation


def _pool_windows(pool_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]:
    size = pair("pool_size", pool_size)
    return size, *_windows(size if stride is None else stride, padding, dilation)


def _images(x: Tensor, layout: str) -> tuple[Tensor, bool]:
    """Images as (N, C, H, W), and whether they are to be computed in NHWC."""
    if x.dim() == 2:
        x = x[None] if layout == "NCHW" else x[:, :, None]
    if x.dim() == 3:
        x = x[None]
    return (x, False) if layout == "NCHW" else (x.permute(0, 3, 1, 2), True)


def _like_input(y: Tensor, x_rank: int, layout: str, drop_channels: bool) -> Tensor:
    """(N, O, H, W) in the rank and layout of the input."""
    if layout == "NHWC":
        y = y.permute(0, 2, 3, 1)
    if drop_channels:
        y = y.squeeze(1 if layout == "NCHW" else 3)
    return y if x_rank == 4 else y.squeeze(0)
