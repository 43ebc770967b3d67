# SPDX-License-Identifier: BSD-3-Clause
"""What the operators share: how a call reaches a kernel, and what stands between it and the dispatcher.

A call on plain CPU tensors goes to its kernel directly, through its `torch.autograd.Function` if a gradient is wanted.
All others (torch.compile, functorch, modes, subclasses, autocast, dual tensors) go through the operator that
`library.py` registers, whose Autograd kernel is that same Function, applied once for every level of differentiation.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad

from fastconv.torch import _eager
from fastconv.torch._eager import NATIVE, RECORDED


class Operator(torch.autograd.Function):
    """A differentiable operator: `forward` gets the context, the kernel below, the tensors, and the rest in a tuple.

    Attributes
    ----------
    name : str
        Of the operator in ``torch.ops.fastconv``.
    tensors : int
        How many of the first arguments are tensors.
    kernel : callable
        The CPU kernel.
    """

    name: ClassVar[str]
    tensors: ClassVar[int] = 1
    kernel: ClassVar[Callable[..., Any]]

    @classmethod
    def call(cls, *args: Any) -> Any:
        """Compute, by the shortest way that is right for these tensors."""
        route = _eager.route(*args[: cls.tensors])
        if route == NATIVE:
            return cls.kernel(*args)
        if route == RECORDED:
            return cls.record(cls.kernel, *args)
        return getattr(torch.ops.fastconv, cls.name).default(*args)

    @classmethod
    def record(cls, below: Callable[..., Any], *args: Any) -> Any:
        """Apply the Function at this level of differentiation alone; `below` computes."""
        return super(torch.autograd.Function, cls).apply(below, *args[: cls.tensors], args[cls.tensors :])

    @classmethod
    def autograd_kernel(cls, keyset: Any, *args: Any) -> Any:
        """The operator's kernel for Autograd: the Function, over whatever the dispatcher has below it.

        Below may be another level of differentiation, so the modes of the caller hold there, not those that are in
        force while a Function computes.
        """
        grad, forward_grad = torch.is_grad_enabled(), torch._C._is_fwd_grad_enabled()
        operator = getattr(torch.ops.fastconv, cls.name).default

        def below(*args: Any) -> Any:
            with (
                torch.set_grad_enabled(grad),
                forward_ad._set_fwd_grad_enabled(forward_grad),
                torch._C._AutoDispatchBelowAutograd(),
            ):
                return operator.redispatch(keyset & torch._C._after_autograd_keyset, *args)

        with enable_single_level_autograd_function():
            return cls.record(below, *args)


def unpacked(tensor: torch.Tensor) -> Any:
    """(primal, tangent or None) at this level. Compiled graphs do not set the level that `forward_ad` looks at."""
    return torch._VF._unpack_dual(tensor, level=0)


def primal(tensor: Any) -> Any:
    """The tensor without its tangent at this level."""
    return unpacked(tensor)[0] if isinstance(tensor, torch.Tensor) else tensor


def added(*parts: Any) -> Any:
    """The sum of those that are not None; None without any."""
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else total + part
    return total
