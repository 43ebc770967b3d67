# SPDX-License-Identifier: BSD-3-Clause
"""The operators under vmap: the new axis becomes part of the batch, or of the channels with as many groups more."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

Dims: TypeAlias = Sequence[int | None]
Batched: TypeAlias = tuple[Tensor, int | None]

_ops = torch.ops.fastconv


def _first(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """The tensor with its axis of vmap in front, repeated if it has none."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _into_batch(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """(B, N, ...) as (B * N, ...)."""
    return _first(tensor, dim, size).flatten(0, 1)


def _into_channels(tensor: Tensor, dim: int | None, size: int) -> Tensor:
    """(B, N, C, ...) as (N, B * C, ...)."""
    return _first(tensor, dim, size).movedim(0, 1).flatten(1, 2)


def _apart(tensor: Tensor, axis: int, size: int) -> Batched:
    """The axis of vmap, which came first in `axis`, apart again."""
    return tensor.unflatten(axis, (size, tensor.shape[axis] // size)), axis


def _with_groups(options: Sequence[Any], size: int) -> tuple[Any, ...]:
    return *options[:4], options[4] * size, *options[5:]


def corr2d(info: Any, in_dims: Dims, input: Tensor, weight: Tensor, bias: Tensor | None, *options: Any) -> Batched:
    """The rule of the operator of that name."""
    size, (at_input, at_weight, at_bias) = info.batch_size, in_dims[:3]
    if at_weight is None and at_bias is None:
        return _apart(_ops.corr2d(_into_batch(input, at_input, size), weight, bias, *options), 0, size)
    if bias is not None:
        bias = _first(bias, at_bias, size).flatten()
    filters = _into_batch(weight, at_weight, size)
    if at_input is None and options[4] == 1:  # all filters on the same images
        return _apart(_ops.corr2d(input, filters, bias, *options), 1, size)
    images = _into_channels(input, at_input, size)
    return _apart(_ops.corr2d(images, filters, bias, *_with_groups(options, size)), 1, size)


def corr2d_input_grad(
    info: Any, in_dims: Dims, grad: Tensor, weight: Tensor, input_size: Sequence[Any], *options: Any
) -> Batched:
    """The rule of the operator of that name."""
    size, (at_grad, at_weight) = info.batch_size, in_dims[:2]
    n, c, *plane = input_size
    if at_weight is None:
        grads = _into_batch(grad, at_grad, size)
        return _apart(_ops.corr2d_input_grad(grads, weight, [size * n, c, *plane], *options), 0, size)
    grads, filters = _into_channels(grad, at_grad, size), _into_batch(weight, at_weight, size)
    result = _ops.corr2d_input_grad(grads, filters, [n, size * c, *plane], *_with_groups(options, size))
    return _apart(result, 1, size)


def corr2d_weight_grad(
    info: Any, in_dims: Dims, grad: Tensor, input: Tensor, weight_size: Sequence[Any], *options: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int | None, int | None]]:
    """The rule of the operator of that name."""
    size, (at_grad, at_input) = info.batch_size, in_dims[:2]
    o, *filter_size = weight_size
    grads = _into_channels(grad, at_grad, size)
    if at_input is None and options[4] == 1:
        images = input
    else:
        images, options = _into_channels(input, at_input, size), _with_groups(options, size)
    weight, bias = _ops.corr2d_weight_grad(grads, images, [size * o, *filter_size], *options)
    weight, _ = _apart(weight, 0, size)
    return (weight, _apart(bias, 0, size)[0] if options[-1] else bias), (0, 0 if options[-1] else None)


def max_pool2d(info: Any, in_dims: Dims, input: Tensor, *options: Any) -> Batched:
    """The rule of the operator of that name."""
    return _apart(_ops.max_pool2d(_into_batch(input, in_dims[0], info.batch_size), *options), 0, info.batch_size)


def max_pool2d_with_indices(
    info: Any, in_dims: Dims, input: Tensor, *options: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    """The rule of the operator of that name."""
    results = _ops.max_pool2d_with_indices(_into_batch(input, in_dims[0], info.batch_size), *options)
    maxima, indices = (_apart(result, 0, info.batch_size)[0] for result in results)
    return (maxima, indices), (0, 0)


def max_pool2d_grad(
    info: Any, in_dims: Dims, grad: Tensor, indices: Tensor, input_size: Sequence[Any], channels_last: bool | None
) -> Batched:
    """The rule of the operator of that name."""
    size, (n, *image) = info.batch_size, input_size
    grads, places = _into_batch(grad, in_dims[0], size), _into_batch(indices, in_dims[1], size)
    return _apart(_ops.max_pool2d_grad(grads, places, [size * n, *image], channels_last), 0, size)


def avg_pool2d(info: Any, in_dims: Dims, input: Tensor, *options: Any) -> Batched:
    """The rule of the operator of that name."""
    return _apart(_ops.avg_pool2d(_into_batch(input, in_dims[0], info.batch_size), *options), 0, info.batch_size)


def avg_pool2d_grad(info: Any, in_dims: Dims, grad: Tensor, input_size: Sequence[Any], *options: Any) -> Batched:
    """The rule of the operator of that name."""
    size, (n, *image) = info.batch_size, input_size
    grads = _into_batch(grad, in_dims[0], size)
    return _apart(_ops.avg_pool2d_grad(grads, [size * n, *image], *options), 0, size)
