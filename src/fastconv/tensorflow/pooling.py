# SPDX-License-Identifier: BSD-3-Clause
"""Pooling of TensorFlow tensors, and its gradients."""

from typing import Any

import tensorflow as tf

from fastconv.tensorflow import xla
from fastconv.tensorflow._library import in_xla, ops, recording
from fastconv.tensorflow.arguments import Attributes, avg_pool2d_attributes, max_pool2d_attributes
from fastconv.tensorflow.calling import as_tensor, attributes_of, in_float32, is_half, like, refuse, shaped
from fastconv.tensorflow.judging import pool2d_shape

# A gradient chooses its own algorithm.
_MAX = ("ksize", "windows", "padding", "ceil_mode", "data_format")
_AVG = (*_MAX, "count_include_pad", "divisor")


def max_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    *,
    dilations: Any = None,
) -> Any:
    """Largest value of each window: `tf.nn.max_pool2d` by fastconv's kernels.

    Parameters
    ----------
    input : tensor
        ``(N, H, W, C)``, or ``(N, C, H, W)`` with ``data_format="NCHW"``; floats and integers.
    ksize : int or list of int
        Height and width of the window, in taps, in the forms of `strides`.
    strides : int or list of int
        Steps between windows, in pixels: one, two (height, width) or four, one for each axis of `input`.
    padding : str or list of pairs
        As in `corr2d`: any amount on any side. Padding never wins.
    data_format : {"NHWC", "NCHW"}
        The order of the axes of `input` and of the result.
    name : str, optional
        A name for the operation.
    dilations : int or list of int, optional
        Steps between the taps of a window, in pixels.

    Returns
    -------
    tensor
        The maxima, of the dtype of `input`. A NaN in a window wins, -inf stays -inf; among equals the first takes the
        gradient. A window of padding alone gives -inf (the least integer).

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `corr2d` does; the words call `input` x and `ksize` pool_size.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> fct.max_pool2d(x, 2, 2, "VALID")[0, :, :, 0].numpy().tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return max_pool(input, max_pool2d_attributes(ksize, strides, padding, data_format, dilations), False, name)


def max_pool2d_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    output_dtype: Any = tf.int64,
    include_batch_in_index: bool = False,
    name: str | None = None,
    *,
    dilations: Any = None,
) -> tuple[Any, Any]:
    """Largest value of each window and its place: `tf.nn.max_pool_with_argmax` by fastconv's kernels.

    Parameters
    ----------
    input, ksize, strides, padding, data_format, name, dilations
        As in `max_pool2d`.
    output_dtype : {tf.int64, tf.int32}
        Of the places.
    include_batch_in_index : bool
        Whether places are flat in the whole of `input`, or in one image of it.

    Returns
    -------
    tuple of tensor
        The maxima, and the flat place of each in an image of `input` as it lies in memory:
        ``(row * W + column) * C + channel``, or ``(channel * H + row) * W + column`` with ``data_format="NCHW"``. A
        NaN's place is the first NaN's; a window of padding alone has the place -1.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `max_pool2d` does.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> values, places = fct.max_pool2d_with_argmax(x, 2, 2, "VALID")
    >>> places[0, :, :, 0].numpy().tolist()
    [[5, 7], [13, 15]]
    """
    if tf.as_dtype(output_dtype) not in (tf.int64, tf.int32):
        raise ValueError(f"output_dtype must be tf.int64 or tf.int32, got {output_dtype!r}")
    x = as_tensor(input)
    attributes = max_pool2d_attributes(ksize, strides, padding, data_format, dilations)
    y, indices = max_pool(x, attributes, True, name)
    sizes = tf.shape(x, out_type=tf.int64)
    if attributes["data_format"] == "NCHW":
        channels = tf.reshape(tf.range(sizes[1]), (-1, 1, 1))
        places = channels * (sizes[2] * sizes[3]) + indices
    else:
        places = indices * sizes[3] + tf.range(sizes[3])
    if include_batch_in_index:
        places += tf.reshape(tf.range(sizes[0]), (-1, 1, 1, 1)) * tf.reduce_prod(sizes[1:])
    return y, tf.cast(tf.where(indices < 0, indices, places), output_dtype)


def avg_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    *,
    dilations: Any = None,
) -> Any:
    """Mean value of each window: `tf.nn.avg_pool2d` by fastconv's kernels.

    Parameters
    ----------
    input, ksize, strides, data_format, name, dilations
        As in `max_pool2d`; floats alone.
    padding : str or list of pairs
        As in `corr2d`. Padding does not count: a window's sum is divided by the pixels of the image that it holds.

    Returns
    -------
    tensor
        The means, of the dtype of `input`; NaN for a window of padding alone.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `max_pool2d` does.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> fct.avg_pool2d(x, 2, 2, padding=[[0, 0], [1, 0], [1, 0], [0, 0]])[0, :, :, 0].numpy().tolist()
    [[0.0, 1.5], [6.0, 7.5]]
    """
    return avg_pool(input, avg_pool2d_attributes(ksize, strides, padding, data_format, dilations), name)


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
    return shaped(ops.fastconv_max_pool2d_grad(grad_y, indices, like(x), **kept), x.shape)


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
    return [shaped(found if nchw else tf.transpose(found, (0, 2, 3, 1)), grad_y.shape), None, None]


@tf.RegisterGradient("FastconvAvgPool2d")
def _avg_pool2d_grad(op: Any, grad_y: Any) -> Any:
    """Gradient of average pooling."""
    (x,) = op.inputs
    return shaped(ops.fastconv_avg_pool2d_grad(grad_y, like(x), **attributes_of(op, _AVG)), x.shape)


@tf.RegisterGradient("FastconvAvgPool2dGrad")
def _avg_pool2d_grad_grad(op: Any, grad: Any) -> list[Any]:
    """Gradient with respect to grad_y: the means of `grad`, since both are one linear map and its transpose."""
    return [shaped(ops.fastconv_avg_pool2d(grad, **attributes_of(op, _AVG)), op.inputs[0].shape), None]
