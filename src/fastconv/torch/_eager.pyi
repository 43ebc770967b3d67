# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fastconv.torch.forms import Windows

DISPATCHED: int
NATIVE: int
RECORDED: int

def route(image: Any, second: Any = None, bias: Any = None) -> int: ...
def use_direct_calls(on: bool) -> bool: ...
def try_corr2d(
    input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Tensor | int: ...
def try_corr2d_backward(
    grad: Tensor, input: Tensor | None, weight: Tensor | None, options: tuple[Any, ...], with_bias: bool
) -> tuple[Tensor | None, ...] | None: ...
def try_max_pool2d(
    input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any, return_indices: Any
) -> Tensor | tuple[Tensor, Tensor] | int: ...
def try_avg_pool2d(
    input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: Any, count_include_pad: Any, divisor: int | None
) -> Tensor | int: ...
def windows(stride: Any, padding: Any, dilation: Any, groups: Any) -> Windows: ...
def pool_windows(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]: ...
def corr2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    channels_last: bool | None,
    algorithm: str,
) -> Tensor: ...
def corr2d_input_grad(
    grad: Tensor,
    weight: Tensor,
    input_size: Sequence[int],
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    channels_last: bool | None,
) -> Tensor: ...
def corr2d_weight_grad(
    grad: Tensor,
    input: Tensor,
    weight_size: Sequence[int],
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    channels_last: bool | None,
    order: str,
    with_bias: bool,
) -> tuple[Tensor, Tensor]: ...
def max_pool2d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    channels_last: bool | None,
    algorithm: str,
) -> Tensor: ...
def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    channels_last: bool | None,
    algorithm: str,
) -> tuple[Tensor, Tensor]: ...
def max_pool2d_grad(grad: Tensor, indices: Tensor, input_size: Sequence[int], channels_last: bool | None) -> Tensor: ...
def avg_pool2d(
    input: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
    channels_last: bool | None,
    algorithm: str,
) -> Tensor: ...
def avg_pool2d_grad(
    grad: Tensor,
    input_size: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    pad: str,
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
    channels_last: bool | None,
) -> Tensor: ...
