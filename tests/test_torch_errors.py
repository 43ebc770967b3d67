# SPDX-License-Identifier: BSD-3-Clause
"""What torch refuses is refused here, documented extensions aside: with an exception, before any kernel runs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch_cases import through_the_dispatcher

import fastconv.torch as ft
from fastconv.torch import _eager, _eager_pooling

BIG = 2**62


def t(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.ones(shape, dtype=dtype)


X, W, B = t(2, 4, 6, 5), t(6, 4, 3, 3), t(6)

# Arguments of corr2d or conv2d, and a word of the message.
CORR2D: list[tuple[tuple, dict[str, Any], str]] = [
    ((t(6, 5), W), {}, "input must have 4 dimensions"),
    ((t(1, 2, 4, 6, 5), W), {}, "input must have 4 dimensions"),
    ((t(), W), {}, "input must have 4 dimensions"),
    ((X, t(4, 3, 3)), {}, "weight must have 4 dimensions"),
    ((X, t(1, 6, 4, 3, 3)), {}, "weight must have 4 dimensions"),
    ((X, t(3, 3)), {}, "weight must have 4 dimensions"),
    ((X, t(6, 3, 3, 3)), {}, "3 input channels"),
    ((X, t(6, 5, 3, 3)), {}, "5 input channels"),
    ((X, W), {"groups": 2}, "4 input channels"),
    ((X, t(6, 1, 3, 3)), {"groups": 4}, "groups must divide"),
    ((X, t(6, 2, 3, 3)), {"groups": 3}, "groups must divide"),
    ((X, W), {"groups": 0}, "groups must be at least 1"),
    ((X, W), {"groups": -1}, "groups must be at least 1"),
    ((X, W), {"groups": 1.0}, "groups must be an integer"),
    ((X, W), {"groups": "1"}, "groups must be an integer"),
    ((X, W, t(5)), {}, "bias has shape"),
    ((X, W, t(6, 1)), {}, "bias has shape"),
    ((X, W, t()), {}, "bias has shape"),
    ((X, W, B.double()), {}, "bias has dtype"),
    ((X, W.double()), {}, "weight has dtype"),
    ((X.half(), W), {}, "weight has dtype"),
    ((X.half(), W.bfloat16()), {}, "weight has dtype"),
    ((X.long(), W), {}, "weight has dtype"),
    ((X, W), {"stride": 0}, "stride must be at least 1"),
    ((X, W), {"stride": (1, -1)}, "stride must be at least 1"),
    ((X, W), {"stride": (1, 1, 1)}, "stride must be an integer or a pair"),
    ((X, W), {"stride": ()}, "stride must be an integer or a pair"),
    ((X, W), {"stride": 1.5}, "stride must be an integer or a pair"),
    ((X, W), {"stride": (1, 1.5)}, "stride must be an integer"),
    ((X, W), {"stride": "2"}, "stride must be an integer or a pair"),
    ((X, W), {"stride": None}, "stride must be an integer or a pair"),
    ((X, W), {"padding": -1}, "padding must be at least 0"),
    ((X, W), {"padding": (0, -1)}, "padding must be at least 0"),
    ((X, W), {"padding": (1, 1, 1)}, "padding must be"),
    ((X, W), {"padding": "full"}, "padding must be"),
    ((X, W), {"padding": 0.5}, "padding must be"),
    ((X, W), {"padding": None}, "padding must be"),
    ((X, W), {"dilation": 0}, "dilation must be at least 1"),
    ((X, W), {"dilation": -1}, "dilation must be at least 1"),
    ((X, W), {"dilation": (1, 2, 3)}, "dilation must be"),
    ((X, W), {"dilation": 3}, "larger than the padded input"),
    ((X, t(6, 4, 7, 3)), {}, "larger than the padded input"),
    ((X, t(6, 4, 0, 3)), {}, "kernel size of w must be at least 1"),
    ((t(2, 4, 0, 5), W), {"padding": 3}, "height and width of x must be at least 1"),
    ((X, W), {"stride": 2**70}, "must fit 64 bits"),
    ((np.ones((2, 4, 6, 5), np.float32), W), {}, "input must be a torch.Tensor, got ndarray"),
    ((X, np.ones((6, 4, 3, 3), np.float32)), {}, "weight must be a torch.Tensor, got ndarray"),
    ((X, W, [0.0] * 6), {}, "bias must be a torch.Tensor, got list"),
    ((None, W), {}, "input must be a torch.Tensor, got NoneType"),
    ((X, None), {}, "weight must be a torch.Tensor, got NoneType"),
]
OVERFLOWS: list[tuple[tuple, dict[str, Any], str]] = [  # which torch computes nonsense for, or dies of
    ((X, W), {"dilation": BIG}, "larger than the padded input"),
    ((X, W), {"padding": BIG}, "too large|beyond 64 bits"),
    ((X, W), {"dilation": 2**63 - 1, "padding": 2**63 - 1}, "beyond 64 bits"),
    ((X, W), {"padding": 2**40}, "too large"),
]
POOLS: list[tuple[tuple, dict[str, Any], str]] = [
    ((t(6, 5), 2), {}, "input must have 4 dimensions"),
    ((t(5), 2), {}, "input must have 4 dimensions"),
    ((t(1, 2, 4, 6, 5), 2), {}, "input must have 4 dimensions"),
    ((X, 0), {}, "pool_size must be at least 1"),
    ((X, -2), {}, "pool_size must be at least 1"),
    ((X, (2, 2, 2)), {}, "kernel_size must be an integer or a pair"),
    ((X, ()), {}, "kernel_size must be an integer or a pair"),
    ((X, 2.0), {}, "kernel_size must be an integer or a pair"),
    ((X, None), {}, "kernel_size must be an integer or a pair"),
    ((X, 7), {}, "larger than the padded input"),
    ((X, 2), {"stride": 0}, "stride must be at least 1"),
    ((X, 2), {"stride": (2, -1)}, "stride must be at least 1"),
    ((X, 2), {"stride": (1, 2, 3)}, "stride must be"),
    ((X, 2), {"padding": -1}, "padding must be at least 0"),
    ((X, 2), {"padding": (1, 1, 1)}, "padding must be"),
    ((X, 2), {"padding": 1.0}, "padding must be"),
    ((t(2, 4, 0, 5), 2), {"padding": 1}, "height and width of x must be at least 1"),
    ((np.ones((2, 4, 6, 5)), 2), {}, "input must be a torch.Tensor, got ndarray"),
]
MAX = [*POOLS, ((X, 2), {"dilation": 0}, "dilation must be at least 1"), ((X, 3), {"dilation": 3}, "larger than")]
AVG = [
    *POOLS,
    ((X, 2), {"divisor_override": 0}, "divisor_override must not be 0"),
    ((X, 2), {"divisor_override": 1.5}, "divisor_override must be an integer"),
]
TABLES: dict[str, tuple[Callable, Callable, list]] = {
    "corr2d": (ft.corr2d, F.conv2d, CORR2D),
    "max_pool2d": (ft.max_pool2d, F.max_pool2d, MAX),
    "avg_pool2d": (ft.avg_pool2d, F.avg_pool2d, AVG),
}
ALL = [(name, *entry) for name, (_, _, table) in TABLES.items() for entry in table]


def short(value: Any) -> str:
    """A test's name without the numbers of its tensors."""
    if isinstance(value, tuple):
        return "(" + " ".join(map(short, value)) + ")"
    return "x".join(map(str, value.shape)) + str(value.dtype)[-3:] if hasattr(value, "shape") else str(value)


@pytest.mark.parametrize(("name", "args", "options", "message"), ALL, ids=short)
def test_refused_as_torch_refuses(name: str, args: tuple, options: dict, message: str):
    ours, theirs, _ = TABLES[name]
    with pytest.raises((RuntimeError, ValueError, TypeError, IndexError)):
        theirs(*args, **options)
    refused(ours, args, options, message)


@pytest.mark.parametrize(("args", "options", "message"), OVERFLOWS, ids=short)
def test_sizes_beyond_the_machine(args: tuple, options: dict, message: str):
    refused(ft.corr2d, args, options, message)


def refused(function: Callable, args: tuple, options: dict, message: str) -> None:
    """Whether it goes to its kernel or through the dispatcher, with a gradient or without, and on meta tensors."""
    for call in (
        lambda: function(*args, **options),
        lambda: through_the_dispatcher(lambda: function(*args, **options)),
        lambda: function(*map(recorded, args), **options),
        lambda: function(*(a.to("meta") if isinstance(a, torch.Tensor) else a for a in args), **options),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            call()


def recorded(value: Any) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.detach().requires_grad_() if floating else value


GRADS: list[tuple[str, tuple, str]] = [
    ("corr2d_input_grad", (t(2, 6, 4, 4), W, X.shape), "shape of the output"),
    ("corr2d_input_grad", (t(2, 6, 4, 3), W, (2, 4, 6)), "four entries"),
    ("corr2d_input_grad", (t(2, 6, 4, 3).double(), W, X.shape), "weight has dtype"),
    ("corr2d_weight_grad", (t(2, 5, 4, 3), X, W.shape), "shape of the output"),
    ("corr2d_weight_grad", (t(2, 6, 4, 3), X.double(), W.shape), "input has dtype"),
]


@pytest.mark.parametrize(("name", "args", "message"), GRADS, ids=short)
def test_gradient_operators_judge_as_well(name: str, args: tuple, message: str):
    rest = ((1, 1), "explicit", (0, 0, 0, 0), (1, 1), 1, None)
    rest = (*rest, "OIHW", True) if name == "corr2d_weight_grad" else rest
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(_eager, name)(*args, *rest)


@pytest.mark.parametrize(
    ("grad", "indices", "size", "message"),
    [
        (t(1, 1, 2, 2), t(1, 1, 2, 2), (1, 1, 4, 4), "indices must be int64"),
        (t(1, 1, 2, 2), t(1, 1, 2, 3, dtype=torch.int64), (1, 1, 4, 4), "indices have shape"),
        (t(1, 1, 2, 2), t(1, 1, 2, 2, dtype=torch.int64), (1, 2, 4, 4), "input_size is"),
        (t(1, 1, 2), t(1, 1, 2, dtype=torch.int64), (1, 1, 4, 4), "4 dimensions"),
    ],
)
def test_places_are_judged(grad: torch.Tensor, indices: torch.Tensor, size: tuple, message: str):
    with pytest.raises((ValueError, TypeError), match=message):
        _eager_pooling.max_pool2d_grad(grad, indices, size, None)


def test_the_unchanged_calls_are_right():
    ft.corr2d(X, W, B)
    ft.max_pool2d(X, 2)
    ft.avg_pool2d(X, 2)
