# SPDX-License-Identifier: BSD-3-Clause
"""corr2d on TensorFlow tensors, and its gradients."""

from typing import Any

import tensorflow as tf

from fastconv.tensorflow import xla
from fastconv.tensorflow._library import in_xla, ops
from fastconv.tensorflow.arguments import Attributes, corr2d_attributes
from fastconv.tensorflow.calling import as_tensor, attributes_of, in_float32, is_half, like, refuse, shaped, skipped
from fastconv.tensorflow.judging import corr2d_shape, of_one_dtype

_executing_eagerly = tf.executing_eagerly  # asked in every call: two look-ups less

# A gradient chooses its own algorithm: a name that correlation knows may be unknown to it.
_ATTRIBUTES = ("windows", "padding", "groups", "layouts")


def corr2d(
    input: Any,
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    dilations: Any = None,
    name: str | None = None,
    *,
    groups: int | None = None,
    bias: Any = None,
) -> Any:
    """Two-dimensional cross-correlation: `tf.nn.conv2d` by fastconv's kernels.

    Parameters
    ----------
    input : tensor
        ``(..., H, W, C)``, or ``(..., C, H, W)`` with ``data_format="NCHW"``; at least 4 axes. float32 and float64;
        float16 and bfloat16 are computed in float32 and rounded once; int32 and int64 wrap around.
    filters : tensor
        ``(kh, kw, C/groups, O)`` in either data format, of the same dtype.
    strides : int or list of int
        Steps between windows, in pixels: one, two (height, width) or four, one for each axis of `input`.
    padding : str or list of pairs
        ``"VALID"``, ``"SAME"`` (output = ceil(input / stride), for every dilation), ``"SAME_LOWER"`` (the odd zero at
        the top and left), or four pairs (before, after), one for each axis of `input`.
    data_format : {"NHWC", "NCHW"}
        The order of the axes of `input` and of the result; both are computed as they lie.
    dilations : int or list of int, optional
        Steps between the taps of a window, in pixels, in the forms of `strides`; any together with any stride.
    name : str, optional
        A name for the operation.
    groups : int, optional
        Channel groups that are correlated apart; None: C divided by the channels of `filters`.
    bias : tensor, optional
        ``(O,)``, added to each output channel.

    Returns
    -------
    tensor
        ``(..., H', W', O)`` or ``(..., O, H', W')``, of the dtype of `input`. Differentiable to any order.

    Raises
    ------
    ValueError
        A shape or a value does not fit; in a graph, where it is only seen when the graph runs, InvalidArgumentError
        with the same words. They call `input` x and `filters` w.
    TypeError
        A dtype or an argument's type is not supported.
    MemoryError
        There is no room for the result or the workspace; in a graph, ResourceExhaustedError.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> images, filters = tf.ones((8, 32, 32, 3)), tf.Variable(tf.ones((3, 3, 3, 16)))
    >>> with tf.GradientTape() as tape:
    ...     y = fct.corr2d(images, filters, strides=2, padding="SAME", bias=tf.zeros(16))
    >>> y.shape
    TensorShape([8, 16, 16, 16])
    >>> tape.gradient(y, filters).shape
    TensorShape([3, 3, 3, 16])
    """
    return correlate(input, filters, bias, corr2d_attributes(strides, padding, data_format, dilations, groups), name)


def correlate(x: Any, w: Any, bias: Any, attributes: Attributes, name: str | None = None, word: int = 0) -> Any:
    """Correlate, with the attributes of the op; under a word that w stays, by what was made of it before."""
    x = as_tensor(x)
    w = as_tensor(w, x)
    if bias is not None:
        bias = as_tensor(bias, x)
    if is_half(x):
        of_one_dtype(x, w, bias)
        return in_float32(lambda x, w, b: correlate(x, w, b, attributes, name), x.dtype, x, w, bias)
    biases = [] if bias is None else [bias]
    if (x.shape.rank or 0) > 4:
        return _with_more_axes(x, w, bias, attributes, name)
    op = ops.fastconv_corr2d
    if word:
        op, attributes = ops.fastconv_corr2d_frozen, {**attributes, "word": word}
    if _executing_eagerly():
        try:
            return op(x, w, biases, name=name, **attributes)
        except tf.errors.OpError as error:
            refuse(error, lambda: corr2d_shape(x, w, bias, attributes))
    shape = corr2d_shape(x, w, bias, attributes)
    if in_xla():
        return xla.corr2d(x, w, bias, attributes)
    y = op(x, w, biases, name=name, **attributes)
    y.set_shape(shape)
    return y


def _with_more_axes(x: Any, w: Any, bias: Any, attributes: Attributes, name: str | None) -> Any:
    """Several axes of images as one, as TensorFlow allows them."""
    sizes = tf.shape(x)
    flat = tf.reshape(x, tf.concat([[tf.reduce_prod(sizes[:-3])], sizes[-3:]], 0))
    flat.set_shape([None, *x.shape[-3:]])
    y = correlate(flat, w, bias, attributes, name)
    result = tf.reshape(y, tf.concat([sizes[:-3], tf.shape(y)[1:]], 0))
    return tf.ensure_shape(result, [*x.shape[:-3], *y.shape[1:]])


def _input_grad(grad_y: Any, w: Any, x: Any, attributes: Attributes) -> Any:
    return shaped(ops.fastconv_corr2d_input_grad(grad_y, w, like(x), **attributes), x)


def _weight_grads(grad_y: Any, x: Any, w: Any, biases: Any, attributes: Attributes) -> tuple[Any, ...]:
    """The gradient of the weights and, in the same pass over grad_y, of a bias."""
    grads = ops.fastconv_corr2d_weight_grad(grad_y, x, like(w), num_bias=len(biases), **attributes)
    return (shaped(grads.grad_w, w), *map(shaped, grads.grad_bias, biases))


@tf.RegisterGradient("FastconvCorr2d")
@tf.RegisterGradient("FastconvCorr2dFrozen")
def _corr2d_grad(op: Any, grad_y: Any) -> list[Any]:
    """Gradients of both: an operation each for x and for the weights, so that a graph keeps what is used."""
    attributes, skip = attributes_of(op, _ATTRIBUTES), skipped(op)
    x, w, *biases = op.inputs
    grad_x = None if 0 in skip else _input_grad(grad_y, w, x, attributes)
    if 1 in skip and (not biases or 2 in skip):
        return [grad_x] + [None] * (1 + len(biases))
    return [grad_x, *_weight_grads(grad_y, x, w, biases, attributes)]


@tf.RegisterGradient("FastconvCorr2dInputGrad")
def _input_grad_grad(op: Any, grad: Any) -> list[Any]:
    """Gradients of FastconvCorr2dInputGrad, which is linear in grad_y and in w; `grad` has the shape of x."""
    attributes, skip = attributes_of(op, _ATTRIBUTES), skipped(op)
    grad_y, w, _ = op.inputs
    for_grad_y = None if 0 in skip else shaped(ops.fastconv_corr2d(grad, w, [], **attributes), grad_y)
    for_w = None if 1 in skip else _weight_grads(grad_y, grad, w, (), attributes)[0]
    return [for_grad_y, for_w, None]


@tf.RegisterGradient("FastconvCorr2dWeightGrad")
def _weight_grad_grad(op: Any, grad: Any, *bias_grads: Any) -> list[Any]:
    """Gradients of FastconvCorr2dWeightGrad, which is linear in grad_y and in x; `grad` has the shape of w."""
    attributes, skip = attributes_of(op, _ATTRIBUTES), skipped(op)
    grad_y, x, _ = op.inputs
    biases = [g for g in bias_grads if g is not None]
    for_grad_y = None if 0 in skip else shaped(ops.fastconv_corr2d(x, grad, biases, **attributes), grad_y)
    for_x = None if 1 in skip else _input_grad(grad_y, grad, x, attributes)
    return [for_grad_y, for_x, None]
