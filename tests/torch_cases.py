# SPDX-License-Identifier: BSD-3-Clause
"""Tensors for the tests of the PyTorch front end: the cases of the NumPy tests, in torch's memory formats."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from cases import CASES, Case
from numerics import SEED
from pool_cases import POOL_CASES, PoolCase

from fastconv.torch import _eager, _tensors

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

# A few geometries for what is slow: gradients of gradients, compilers.
CORE = [
    case
    for case in CASES
    if case.id in ("textbook", "stride-both", "dilation-uneven", "padding-uneven", "groups-3", "depthwise-multiplier")
]
POOL_CORE = [
    case
    for case in POOL_CASES
    if case.id in ("textbook", "halves-odd", "stride-uneven", "dilation", "even-window", "ceil-uncounted", "divisor")
]


def tensor(array: np.ndarray, memory_format: str = "contiguous", grad: bool = False) -> torch.Tensor:
    """A tensor of its own, in a memory format."""
    made = torch.tensor(array).contiguous(memory_format=FORMATS[memory_format])
    return made.requires_grad_(grad)


def drawn(*shape: int, dtype: torch.dtype = torch.float64, grad: bool = True, seed: int = 0) -> torch.Tensor:
    """Random numbers from the seed of this run."""
    generator = torch.Generator().manual_seed(SEED + seed)
    return torch.randn(shape, dtype=dtype, generator=generator).requires_grad_(grad)


def operands(case: Case, grad: bool = True, most: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Input, weight and bias of a case in float64, with at most that many images."""
    n, *image = case.x_shape()
    bias = drawn(case.w[0], grad=grad, seed=3) if case.bias else None
    return drawn(min(n, most), *image, grad=grad, seed=1), drawn(*case.w_shape(), grad=grad, seed=2), bias


def arguments(case: Case) -> dict[str, Any]:
    """The keywords of `fastconv.torch.corr2d`."""
    return case.options


def pool_arguments(case: PoolCase) -> dict[str, Any]:
    """The keywords that max and average pooling share."""
    return {"stride": case.stride, "padding": case.padding, "ceil_mode": case.ceil_mode}


def through_the_dispatcher(call: Callable[[], Any]) -> Any:
    """What a call gives when it may not go to its kernel directly."""
    before = _eager.use_direct_calls(False)
    try:
        return call()
    finally:
        _eager.use_direct_calls(before)


@contextmanager
def without_exchange() -> Iterator[None]:
    """Tensors are read through their attributes, as of a torch without DLPack's exchange API."""
    _tensors.use_exchange(False)
    try:
        yield
    finally:
        _tensors.use_exchange(True)


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors hold the same bits in the same shape."""
    one, two = (t.detach().flatten().view(torch.uint8) for t in (a, b))
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(one, two)


def format_of(images: torch.Tensor) -> str:
    """The memory format as torch counts it here: channels_last only where not also contiguous."""
    if images.is_contiguous():
        return "contiguous"
    assert images.is_contiguous(memory_format=torch.channels_last)
    return "channels_last"
