# SPDX-License-Identifier: BSD-3-Clause
from collections.abc import Sequence
from typing import Any

from torch import Tensor

def try_max_pool2d(
    input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any, return_indices: Any
) -> Tensor | tuple[Tensor, Tensor] | int: ...
def try_avg_pool2d(
    input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: Any, count_include_pad: Any, divisor: int | None
) -> Tensor | int: ...
def pool_windows(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]: ...
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
