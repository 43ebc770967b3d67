# SPDX-License-Identifier: BSD-3-Clause
"""The three operators on images of four axes: by the shortest way, or as compilers see them."""

from typing import Any

import torch
from torch import Tensor
from torch.compiler import is_compiling

import fastconv.torch.library  # noqa: F401 (registers the operators)
from fastconv.torch import _eager, _eager_pooling
from fastconv.torch.correlation import Corr2d
from fastconv.torch.pooling import AvgPool2d, MaxPool2d


def corr2d(*args: Any) -> Tensor:
    """``(input, weight, bias, *windows, channels_last, algorithm)``."""
    if is_compiling():
        return torch.ops.fastconv.corr2d.default(*args)
    return Corr2d.call(*args)


def max_pool2d(*args: Any) -> Tensor:
    """``(input, kernel_size, *windows, ceil_mode, channels_last, algorithm)``; places only for a gradient."""
    if not is_compiling():
        route = _eager.route(args[0])
        if route == _eager.NATIVE:
            return _eager_pooling.max_pool2d(*args)
        if route == _eager.RECORDED:
            return MaxPool2d.record(MaxPool2d.kernel, *args)[0]
    return torch.ops.fastconv.max_pool2d.default(*args)


def max_pool2d_with_indices(*args: Any) -> tuple[Tensor, Tensor]:
    """The same, with places."""
    if is_compiling():
        return torch.ops.fastconv.max_pool2d_with_indices.default(*args)
    return MaxPool2d.call(*args)


def avg_pool2d(*args: Any) -> Tensor:
    """``(input, kernel_size, *windows, ceil_mode, count_include_pad, divisor, channels_last, algorithm)``."""
    if is_compiling():
        return torch.ops.fastconv.avg_pool2d.default(*args)
    return AvgPool2d.call(*args)
