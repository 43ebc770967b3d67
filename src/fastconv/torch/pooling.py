# SPDX-License-Identifier: BSD-3-Clause
"""Pooling and its gradients as differentiable operators."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from fastconv.torch import _eager_pooling
from fastconv.torch.forms import is_channels_last
from fastconv.torch.operator import Operator, unpacked


def _picked(images: Tensor, indices: Tensor) -> Tensor:
    """The elements of each plane that the indices name; 0 for the index -1."""
    (n, c, h, w), (_, _, rows, columns) = images.shape, indices.shape
    places = indices.reshape(n, c, rows * columns)
    picked = images.reshape(n, c, h * w).gather(2, places.clamp(min=0)).masked_fill(places < 0, 0)
    return picked.reshape(n, c, rows, columns)


class MaxPool2d(Operator):
    """``forward(ctx, below, input, (kernel_size, *windows, ceil_mode, channels_last, algorithm))``: maxima and indices.

    Windows are the stride, the kind of padding, the padding and the dilation.
    """

    name: ClassVar[str] = "max_pool2d_with_indices"
    kernel = staticmethod(_eager_pooling.max_pool2d_with_indices)

    @staticmethod
    def forward(ctx: Any, below: Any, input: Tensor, options: Any) -> tuple[Tensor, Tensor]:
        maxima, indices = below(input, *options)
        ctx.mark_non_differentiable(indices)
        ctx.save_for_backward(indices)
        ctx.save_for_forward(indices)
        ctx.set_materialize_grads(False)
        ctx.input_size = input.shape
        ctx.channels_last = options[-2] if options[-2] is not None else is_channels_last(input)
        return maxima, indices

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        grad_input = None
        if grad is not None:
            grad_input = MaxPool2dGrad.call(grad, ctx.saved_tensors[0], ctx.input_size, ctx.channels_last)
        return None, grad_input, None

    @staticmethod
    def jvp(ctx: Any, _: Any, input: Tensor, *rest: Any) -> tuple[Tensor, None]:
        with forward_ad._set_fwd_grad_enabled(True):
            return _picked(input, ctx.saved_tensors[0]), None


class MaxPool2dGrad(Operator):
    """``forward(ctx, below, grad, indices, (input_size, channels_last))``; linear in `grad`."""

    name: ClassVar[str] = "max_pool2d_grad"
    tensors: ClassVar[int] = 2
    kernel = staticmethod(_eager_pooling.max_pool2d_grad)

    @staticmethod
    def forward(ctx: Any, below: Any, grad: Tensor, indices: Tensor, options: Any) -> Tensor:
        ctx.save_for_backward(indices)
        ctx.save_for_forward(indices)
        ctx.set_materialize_grads(False)
        ctx.options = options
        return below(grad, indices, *options)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None) -> tuple[Tensor | None, ...]:
        return None, None if v is None else _picked(v, ctx.saved_tensors[0]), None, None

    @staticmethod
    def jvp(ctx: Any, _: Any, grad: Tensor, *rest: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            return MaxPool2dGrad.call(grad, ctx.saved_tensors[0], *ctx.options)


class AvgPool2d(Operator):
    """``forward(ctx, below, input, (*options, channels_last, algorithm))``; linear.

    Options are the kernel size, the stride, the kind of padding, the padding, the dilation, ceil_mode,
    count_include_pad and the divisor.
    """

    name: ClassVar[str] = "avg_pool2d"
    kernel = staticmethod(_eager_pooling.avg_pool2d)

    @staticmethod
    def forward(ctx: Any, below: Any, input: Tensor, options: Any) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.input_size, ctx.options = input.shape, options
        ctx.channels_last = options[-2] if options[-2] is not None else is_channels_last(input)
        return below(input, *options)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_input = None
        if grad is not None:
            grad_input = AvgPool2dGrad.call(grad, ctx.input_size, *ctx.options[:-2], ctx.channels_last)
        return None, grad_input, None

    @staticmethod
    def jvp(ctx: Any, _: Any, input: Tensor, *rest: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            return AvgPool2d.call(input, *ctx.options)


class AvgPool2dGrad(Operator):
    """``forward(ctx, below, grad, (input_size, *options, channels_last))``; linear."""

    name: ClassVar[str] = "avg_pool2d_grad"
    kernel = staticmethod(_eager_pooling.avg_pool2d_grad)

    @staticmethod
    def forward(ctx: Any, below: Any, grad: Tensor, options: Any) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.options = options
        return below(grad, *options)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_grad = None if v is None else AvgPool2d.call(v, *ctx.options[1:], "auto")
        return None, grad_grad, None

    @staticmethod
    def jvp(ctx: Any, _: Any, grad: Tensor, *rest: Any) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):
            return AvgPool2dGrad.call(grad, *ctx.options)


def maxima_autograd_kernel(keyset: Any, input: Tensor, *options: Any) -> Tensor:
    """The Autograd kernel of the operator without indices: where a gradient is wanted, the one that has them."""
    recorded = torch.is_grad_enabled() and input.requires_grad
    if recorded or unpacked(input)[1] is not None:
        return torch.ops.fastconv.max_pool2d_with_indices.default(input, *options)[0]
    with torch._C._AutoDispatchBelowAutograd():
        operator = torch.ops.fastconv.max_pool2d.default
        return operator.redispatch(keyset & torch._C._after_autograd_keyset, input, *options)
