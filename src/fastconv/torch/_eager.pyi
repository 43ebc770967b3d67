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
def windows(stride: Any, padding: Any, dilation: Any, groups: Any) -> Windows: ...
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
