# SPDX-License-Identifier: BSD-3-Clause
"""Correlation and its gradients as differentiable operators: each is the derivative of the others."""

from typing import Any, ClassVar

from torch import Tensor
from torch.autograd import forward_ad

from fastconv.torch import _eager
from fastconv.torch.forms import is_channels_last, order_of
from fastconv.torch.operator import Operator, added, primal


class Corr2d(Operator):
    """``forward(ctx, below, input, weight, bias, *windows, channels_last, algorithm)``; windows are five arguments."""

    name: ClassVar[str] = "corr2d"
    tensors: ClassVar[int] = 3
    kernel = staticmethod(_eager.corr2d)

    @staticmethod
    def forward(ctx: Any, below: Any, input: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Tensor:
        _, for_input, for_weight, *_ = ctx.needs_input_grad
        ctx.save_for_backward(input if for_weight else None, weight if for_input else None)
        ctx.save_for_forward(input, weight)
        ctx.set_materialize_grads(False)
        ctx.sizes = input.shape, weight.shape
        ctx.formats = options[5] if options[5] is not None else is_channels_last(input), order_of(weight)
        ctx.options = options
        result = below(input, weight, bias, *options)
        ctx.output_size = result.shape
        return result

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        if grad is None:
            return (None,) * 11
        grad_input = grad_weight = grad_bias = None
        (input_size, weight_size), (channels_last, order) = ctx.sizes, ctx.formats
        windows = ctx.options[:5]
        _, for_input, for_weight, for_bias, *_ = ctx.needs_input_grad
        input, weight = ctx.saved_tensors
        if for_input:
            grad_input = Corr2dInputGrad.call(grad, weight, input_size, *windows, channels_last)
        if for_weight:
            grad_weight, grad_bias = Corr2dWeightGrad.call(
                grad, input, weight_size, *windows, channels_last, order, for_bias
            )
        elif for_bias:
            grad_bias = grad.sum((0, 2, 3))
        return None, grad_input, grad_weight, grad_bias if for_bias else None, None, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, _: Any, input: Tensor | None, weight: Tensor | None, bias: Tensor | None, *rest: Any) -> Any:
        x, w = map(primal, ctx.saved_tensors)
        with forward_ad._set_fwd_grad_enabled(True):
            by_input = None if input is None else Corr2d.call(input, w, bias, *ctx.options)
            if input is None and weight is None:
                return None if bias is None else bias[:, None, None].expand(ctx.output_size)
            rest_of_bias = bias if input is None else None
            by_weight = None if weight is None else Corr2d.call(x, weight, rest_of_bias, *ctx.options)
            return added(by_input, by_weight)


class Corr2dInputGrad(Operator):
    """``forward(ctx, below, grad, weight, input_size, *windows, channels_last)``."""

    name: ClassVar[str] = "corr2d_input_grad"
    tensors: ClassVar[int] = 2
    kernel = staticmethod(_eager.corr2d_input_grad)

    @staticmethod
    def forward(ctx: Any, below: Any, grad: Tensor, weight: Tensor, input_size: Any, *options: Any) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.save_for_forward(grad, weight)
        ctx.set_materialize_grads(False)
        ctx.input_size, ctx.options = input_size, options
        return below(grad, weight, input_size, *options)

    @staticmethod
    def backward(ctx: Any, v: Tensor | None) -> tuple[Tensor | None, ...]:
        if v is None:
            return (None,) * 10
        grad_grad = grad_weight = None
        grad, weight = ctx.saved_tensors
        *windows, channels_last = ctx.options
        if ctx.needs_input_grad[1]:
            grad_grad = Corr2d.call(v, weight, None, *windows, channels_last, "auto")
        if ctx.needs_input_grad[2]:
            grad_weight, _ = Corr2dWeightGrad.call(
                grad, v, weight.shape, *windows, channels_last, order_of(weight), False
            )
        return None, grad_grad, grad_weight, None, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, _: Any, grad: Tensor | None, weight: Tensor | None, *rest: Any) -> Any:
        g, w = map(primal, ctx.saved_tensors)
        with forward_ad._set_fwd_grad_enabled(True):
            by_grad = None if grad is None else Corr2dInputGrad.call(grad, w, ctx.input_size, *ctx.options)
            by_weight = None if weight is None else Corr2dInputGrad.call(g, weight, ctx.input_size, *ctx.options)
            return added(by_grad, by_weight)


class Corr2dWeightGrad(Operator):
    """``forward(ctx, below, grad, input, weight_size, *windows, channels_last, order, with_bias)``.

    Answers the gradients of weight and bias; without a bias the second is empty.
    """

    name: ClassVar[str] = "corr2d_weight_grad"
    tensors: ClassVar[int] = 2
    kernel = staticmethod(_eager.corr2d_weight_grad)

    @staticmethod
    def forward(ctx: Any, below: Any, grad: Tensor, input: Tensor, weight_size: Any, *options: Any) -> Any:
        ctx.save_for_backward(grad, input)
        ctx.save_for_forward(grad, input)
        ctx.set_materialize_grads(False)
        ctx.weight_size, ctx.options = weight_size, options
        grad_weight, grad_bias = below(grad, input, weight_size, *options)
        if not options[-1]:
            ctx.mark_non_differentiable(grad_bias)
        return grad_weight, grad_bias

    @staticmethod
    def backward(ctx: Any, v: Tensor | None, v_bias: Tensor | None) -> tuple[Tensor | None, ...]:
        grad_grad = grad_input = None
        grad, input = ctx.saved_tensors
        *windows, channels_last, _, with_bias = ctx.options
        if not with_bias:
            v_bias = None
        if ctx.needs_input_grad[1] and v is not None:
            grad_grad = Corr2d.call(input, v, v_bias, *windows, channels_last, "auto")
        elif ctx.needs_input_grad[1] and v_bias is not None:
            grad_grad = v_bias[:, None, None].expand_as(grad)
        if ctx.needs_input_grad[2] and v is not None:
            grad_input = Corr2dInputGrad.call(grad, v, input.shape, *windows, channels_last)
        return None, grad_grad, grad_input, None, None, None, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, _: Any, grad: Tensor | None, input: Tensor | None, *rest: Any) -> Any:
        g, x = map(primal, ctx.saved_tensors)
        with_bias = ctx.options[-1]
        by_grad = by_input = by_bias = None
        with forward_ad._set_fwd_grad_enabled(True):
            if grad is not None:
                by_grad, by_bias = Corr2dWeightGrad.call(grad, x, ctx.weight_size, *ctx.options)
            if input is not None:
                by_input, _ = Corr2dWeightGrad.call(g, input, ctx.weight_size, *ctx.options[:-1], False)
            if with_bias and by_bias is None:
                by_bias = g.new_zeros(g.shape[1])
            return added(by_grad, by_input), by_bias if with_bias else None
