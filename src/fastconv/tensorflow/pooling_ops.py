# SPDX-License-Identifier: BSD-3-Clause
"""The pooling operations and their gradients, side by side."""

from typing import Any

import tensorflow as tf

from fastconv.tensorflow import xla
from fastconv.tensorflow._library import in_xla, ops, recording
from fastconv.tensorflow.arguments import Attributes
from fastconv.tensorflow.calling import as_tensor, attributes_of, in_float32, is_half, like, refuse, shaped
from fastconv.tensorflow.judging import pool2d_shape

# A gradient chooses its own algorithm.
_MAX = ("ksize", "windows", "padding", "ceil_mode", "data_format")
_AVG = (*_MAX, "count_include_pad", "divisor")


def max_pool(x: Any, attributes: Attributes, with_indices: bool, name: str | None = None) -> Any:
    """Pool, with the attributes of the op; the maxima, or (maxima, places in the plane)."""
    x = as_tensor(x)
    if is_half(x):
        return in_float32(lambda t: max_pool(t, attributes, with_indices, name), x.dtype, x)
    eagerly = tf.executing_eagerly()
    if not eagerly:
        shape = pool2d_shape(x, attributes)
        if in_xla():
            return xla.max_pool2d(x, attributes, with_indices)
    # Places are made where a gradient may be asked for: without them it would have to find the maxima again.
    placed = with_indices or (recording() and x.dtype.is_floating)
    try:
        if placed:
            y, indices = ops.fastconv_max_pool2d_with_indices(x, name=name, **attributes)
        else:
            y, indices = ops.fastconv_max_pool2d(x, name=name, **attributes), None
    except tf.errors.OpError as error:
        refuse(error, lambda: pool2d_shape(x, attributes))
    if not eagerly:
        y.set_shape(shape)
        if placed:
            indices.set_shape(shape)
    return (y, indices) if with_indices else y


def avg_pool(x: Any, attributes: Attributes, name: str | None = None) -> Any:
    """Pool, with the attributes of the op."""
    x = as_tensor(x)
    if is_half(x):
        return in_float32(lambda t: avg_pool(t, attributes, name), x.dtype, x)
    if not tf.executing_eagerly():
        shape = pool2d_shape(x, attributes)
        if in_xla():
            return xla.avg_pool2d(x, attributes)
        y = ops.fastconv_avg_pool2d(x, name=name, **attributes)
        y.set_shape(shape)
        return y
    try:
        return ops.fastconv_avg_pool2d(x, name=name, **attributes)
    except tf.errors.OpError as error:
        refuse(error, lambda: pool2d_shape(x, attributes))


def _max_grad(grad_y: Any, indices: Any, x: Any, attributes: Attributes) -> Any:
    kept = {name: attributes[name] for name in ("data_format",)}
    return shaped(ops.fastconv_max_pool2d_grad(grad_y, indices, like(x), **kept), x)


@tf.RegisterGradient("FastconvMaxPool2d")
def _max_pool2d_grad(op: Any, grad_y: Any) -> Any:
    """Gradient of a pooling that kept no places: they are found again."""
    attributes = attributes_of(op, _MAX)
    (x,) = op.inputs
    return _max_grad(grad_y, ops.fastconv_max_pool2d_with_indices(x, **attributes).indices, x, attributes)


@tf.RegisterGradient("FastconvMaxPool2dWithIndices")
def _max_pool2d_with_indices_grad(op: Any, grad_y: Any, _: Any) -> Any:
    """Gradient of a pooling that kept the places of its maxima."""
    return _max_grad(grad_y, op.outputs[1], op.inputs[0], attributes_of(op, ("data_format",)))


@tf.RegisterGradient("FastconvMaxPool2dGrad")
def _max_pool2d_grad_grad(op: Any, grad: Any) -> list[Any]:
    """Gradient with respect to grad_y: what `grad`, of the shape of x, holds at the places of the maxima."""
    grad_y, indices, _ = op.inputs
    nchw = attributes_of(op, ("data_format",))["data_format"] in ("NCHW", b"NCHW")
    planes = grad if nchw else tf.transpose(grad, (0, 3, 1, 2))
    at = indices if nchw else tf.transpose(indices, (0, 3, 1, 2))
    flat = tf.reshape(planes, tf.concat([tf.shape(planes)[:2], [-1]], 0))
    found = tf.gather(flat, tf.maximum(at, 0), axis=2, batch_dims=2)
    found = tf.where(at < 0, tf.zeros_like(found), found)
    return [shaped(found if nchw else tf.transpose(found, (0, 2, 3, 1)), grad_y), None, None]


@tf.RegisterGradient("FastconvAvgPool2d")
def _avg_pool2d_grad(op: Any, grad_y: Any) -> Any:
    """Gradient of average pooling."""
    (x,) = op.inputs
    return shaped(ops.fastconv_avg_pool2d_grad(grad_y, like(x), **attributes_of(op, _AVG)), x)


@tf.RegisterGradient("FastconvAvgPool2dGrad")
def _avg_pool2d_grad_grad(op: Any, grad: Any) -> list[Any]:
    """Gradient with respect to grad_y: the means of `grad`, since both are one linear map and its transpose."""
    return [shaped(ops.fastconv_avg_pool2d(grad, **attributes_of(op, _AVG)), op.inputs[0]), None]
