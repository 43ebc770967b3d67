# SPDX-License-Identifier: BSD-3-Clause
# mypy: disable-error-code="overload-cannot-match,overload-overlap"
# What type checkers see of the package: the functions by the type of the arrays they are given. NumPy's come first, so
# that they are known where torch is not installed. TensorFlow has no types: its tensors give Any.
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fastconv.config import get_batch_invariant as get_batch_invariant
from fastconv.config import get_isa as get_isa
from fastconv.config import get_num_threads as get_num_threads
from fastconv.config import isas as isas
from fastconv.config import set_batch_invariant as set_batch_invariant
from fastconv.config import set_isa as set_isa
from fastconv.config import set_num_threads as set_num_threads
from fastconv.config import show_config as show_config
from fastconv.functional import Explanation as Explanation
from fastconv.functional import Prepared as Prepared
from fastconv.functional import algorithms as algorithms
from fastconv.functional import avg_pool2d_grad as avg_pool2d_grad
from fastconv.functional import corr2d_input_grad as corr2d_input_grad
from fastconv.functional import corr2d_weight_grad as corr2d_weight_grad
from fastconv.functional import explain as explain
from fastconv.functional import max_pool2d_grad as max_pool2d_grad
from fastconv.functional import pool2d as pool2d
from fastconv.functional import prepare as prepare
from fastconv.geometry import IntOrPair, Layout, Padding

__version__: str

_Array: TypeAlias = NDArray[Any]
_Numbers: TypeAlias = np.ndarray[Any, Any] | np.generic | float | Sequence[Any]

@overload
def corr2d(
    x: _Numbers,
    w: _Numbers,
    bias: _Numbers | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> _Array: ...
@overload
def corr2d(
    x: Tensor,
    w: Tensor | _Numbers,
    bias: Tensor | _Numbers | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> Tensor: ...
@overload
def corr2d(
    x: Any,
    w: Any,
    bias: Any | None = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> Any: ...
@overload
def corr2d_multi_in(x: _Numbers, w: _Numbers, bias: _Numbers | None = None, **options: Any) -> _Array: ...
@overload
def corr2d_multi_in(
    x: Tensor, w: Tensor | _Numbers, bias: Tensor | _Numbers | None = None, **options: Any
) -> Tensor: ...
@overload
def corr2d_multi_in(x: Any, w: Any, bias: Any | None = None, **options: Any) -> Any: ...
@overload
def corr2d_multi_in_out(x: _Numbers, w: _Numbers, bias: _Numbers | None = None, **options: Any) -> _Array: ...
@overload
def corr2d_multi_in_out(
    x: Tensor, w: Tensor | _Numbers, bias: Tensor | _Numbers | None = None, **options: Any
) -> Tensor: ...
@overload
def corr2d_multi_in_out(x: Any, w: Any, bias: Any | None = None, **options: Any) -> Any: ...
@overload
def max_pool2d(
    x: _Numbers,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> _Array: ...
@overload
def max_pool2d(
    x: _Numbers,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[True],
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> tuple[_Array, _Array]: ...
@overload
def max_pool2d(
    x: Tensor,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> Tensor: ...
@overload
def max_pool2d(
    x: Tensor,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[True],
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> tuple[Tensor, Tensor]: ...
@overload
def max_pool2d(
    x: Any,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> Any: ...
@overload
def avg_pool2d(
    x: _Numbers,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> _Array: ...
@overload
def avg_pool2d(
    x: Tensor,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> Tensor: ...
@overload
def avg_pool2d(
    x: Any,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: _Array | None = None,
) -> Any: ...
