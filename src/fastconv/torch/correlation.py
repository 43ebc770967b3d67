# SPDX-License-Identifier: BSD-3-Clause
"""Correlation and its gradients as differentiable operators: each is the derivative of the others.

The options of each begin with the windows: stride, kind of padding, padding, dilation and groups.
"""

from typing import Any, ClassVar

from torch import Tensor
from torch.autograd import forward_ad

from fastconv.torch import _eager
from fastconv.torch.forms import is_channels_last, order_of
from fastconv.torch.operator import Operator, added, primal


class Corr2d(Operator):
    """``forward(ctx, below, input, weight, bias, (*windows, channels_last, algorithm))``.

    The input is kept for the gradient of the weight, the weight for that of the input; of what is not kept, the size
    and the memory format.
    """

    name: ClassVar[str] = "corr2d"
    tensors: ClassVar[int] = 3
    kernel = staticmethod(_eager.corr2d)

    @staticmethod
    def forward(ctx: Any, below: Any, input: Tensor, weight: Tensor, bias: Tensor | None, options: Any) -> Tensor:
        _, for_input, for_weight, _, _ = ctx.needs_input_grad
        if for_input and for_weight:
            ctx.save_for_backward(input, weight)
        else:
            ctx.save_for_backward(input if for_weight else None, weight if for_input else None)
            ctx.input_form = input.shape, is_channels_last(input)
            ctx.weight_form = weight.shape, order_of(weight)
        ctx.save_for_forward(input, weight)
        ctx.set_materialize_grads(False)
        ctx.options = options
        return below(input, weight, bias, *options)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_input = grad_weight = grad_bias = None
        if grad is None:
            return None, None, None, None, None
        _, for_input, for_weight, for_bias, _ = ctx.needs_input_grad
        input, weight = ctx.saved_tensors
        together = _eager.try_corr2d_backward(grad, input, weight, ctx.options, for_bias)
        if together is not None:
            return together
        *windows, channels_last, _ = ctx.options
        if for_input or for_weight:
            input_size, last = ctx.input_form if input is None else (input.shape, is_channels_last(input))
            weight_size, order = ctx.weight_form if weight is None else (weight.shape, order_of(weight))
            channels_last = last if channels_last is None else channels_last
        if for_input:
            grad_input = Corr2dInputGrad.call(grad, weight, input_size, *windows, channels_last)
        if for_weight:
            rest = *windows, channels_last, order, for_bias
            grad_weight, grad_bias = Corr2dWeightGrad.call(grad, input, weight_size, *rest)
        elif for_bias:
            grad_bias = grad.sum((0, 2, 3))
        return None, grad_input, grad_weight, grad_bias if for_bias else None, None

    @staticmethod
    def jvp(ctx: Any, _: Any, input: Tensor | None, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Any:
        x, w = map(primal, ctx.saved_tensors)
        with forward_ad._set_fwd_grad_enabled(True):
            if input is None and weight is None:
                return None if bias is None else bias[:, None, None].expand(Corr2d.call(x, w, None, *ctx.options).shape)
            by_input = None if input is None else Corr2d.call(input, w, bias, *ctx.options)
            rest_of_bias = bias if input is None else None
            by_weight = None if weight is None else Corr2d.call(x, weight, rest_of_bias, *ctx.options)
            return added(by_input, by_weight)


class Corr2dInputGrad(Operator):
    """``forward(ctx, below, grad, weight, (input_size, *windows, channels_last))``."""

    name: ClassVar[str] = "corr2d_input_grad"
    tensors: ClassVar[int] = 2
    kernel = staticmethod(_eager.corr2d_input_grad)

    @staticmethod
    def forward(ctx: Any, below: Any, grad: Tensor, weight: Tensor, options: Any) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.save_for_forward(grad, weight)
        ctx.set_materialize_grads(False)
        ctx.options = options
        return below(grad, weight, *options)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_grad = grad_weight = None
        grad, weight = ctx.saved_tensors
        _, *windows, channels_last = ctx.options
        if v is not None and ctx.needs_input_grad[1]:
            grad_grad = Corr2d.call(v, weight, None, *windows, channels_last, "auto")
        if v is not None and ctx.needs_input_grad[2]:
            rest = *windows, channels_last, order_of(weight), False
            grad_weight, _ = Corr2dWeightGrad.call(grad, v, weight.shape, *rest)
        return None, grad_grad, grad_weight, None

    @staticmethod
    def jvp(ctx: Any, _: Any, grad: Tensor | None, weight: Tensor | None, *rest: Any) -> Any:
        g, w = map(primal, ctx.saved_tensors)
        with forward_ad._set_fwd_grad_enabled(True):
            by_grad = None if grad is None else Corr2dInputGrad.call(grad, w, *ctx.options)
            by_weight = None if weight is None else Corr2dInputGrad.call(g, weight, *ctx.options)
            return added(by_grad, by_weight)


class Corr2dWeightGrad(Operator):
    """``forward(ctx, below, grad, input, (weight_size, *windows, channels_last, order, with_bias))``.

    Answers the gradients of weight and bias; without a bias the second is empty.
    """

    name: ClassVar[str] = "corr2d_weight_grad"
    tensors: ClassVar[int] = 2
    kernel = staticmethod(_eager.corr2d_weight_grad)

    @staticmethod
    def forward(ctx: Any, below: Any, grad: Tensor, input: Tensor, options: Any) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(grad, input)
        ctx.save_for_forward(grad, input)
        ctx.set_materialize_grads(False)
        ctx.options = options
        grad_weight, grad_bias = below(grad, input, *options)
        if not options[-1]:
            ctx.mark_non_differentiable(grad_bias)
        return grad_weight, grad_bias

    @staticmethod
    def backward(ctx: Any, v: Tensor | None, v_bias: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_grad = grad_input = None
        grad, input = ctx.saved_tensors
        _, *windows, channels_last, _, with_bias = ctx.options
        if not with_bias:
            v_bias = None
        if ctx.needs_input_grad[1] and v is not None:
            grad_grad = Corr2d.call(input, v, v_bias, *windows, channels_last, "auto")
        elif ctx.needs_input_grad[1] and v_bias is not None:
            grad_grad = v_bias[:, None, None].expand_as(grad)
        if ctx.needs_input_grad[2] and v is not None:
            grad_input = Corr2dInputGrad.call(grad, v, input.shape, *windows, channels_last)
        return None, grad_grad, grad_input, None

    @staticmethod
    def jvp(ctx: Any, _: Any, grad: Tensor | None, input: Tensor | None, *rest: Any) -> Any:
        g, x = map(primal, ctx.saved_tensors)
        *options, with_bias = ctx.options
        by_grad = by_input = by_bias = None
        with forward_ad._set_fwd_grad_enabled(True):
            if grad is not None:
                by_grad, by_bias = Corr2dWeightGrad.call(grad, x, *options, with_bias)
            if input is not None:
                by_input, _ = Corr2dWeightGrad.call(g, input, *options, False)
            if with_bias and by_bias is None:
                by_bias = g.new_zeros(g.shape[1])
            return added(by_grad, by_input), by_bias if with_bias else None
