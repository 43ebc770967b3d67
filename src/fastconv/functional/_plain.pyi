# SPDX-License-Identifier: BSD-3-Clause
from typing import Any, TypeAlias

import numpy as np

_Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

def corr2d(
    x: Any,
    w: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | None: ...
def corr2d_input_grad(
    grad_y: Any,
    w: Any,
    x_shape: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | None: ...
def corr2d_weight_grad(
    grad_y: Any,
    x: Any,
    w_shape: Any,
    with_bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | tuple[_Array, _Array] | None: ...
def max_pool2d(
    x: Any,
    pool_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: Any,
    return_indices: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | tuple[_Array, _Array] | None: ...
def avg_pool2d(
    x: Any,
    pool_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor_override: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | None: ...
def max_pool2d_grad(
    grad_y: Any,
    indices: Any,
    x_shape: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | None: ...
def avg_pool2d_grad(
    grad_y: Any,
    pool_size: Any,
    x_shape: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor_override: Any,
    layout: Any,
    algorithm: Any,
    out: Any,
) -> _Array | None: ...

class Filters:
    def __init__(
        self,
        w: Any,
        bias: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: Any,
        layout: Any,
        algorithm: Any,
    ) -> None: ...
    def keep(self, algorithm: str, isa: str, weights: Any) -> None: ...
    def corr2d(self, x: Any, out: Any) -> _Array | None: ...
