# SPDX-License-Identifier: BSD-3-Clause
"""TensorFlow: a traced function on NHWC images, weights captured as constants."""

import os
from typing import Any, ClassVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from .base import Contestant, Peer, PoolProblem, Problem, from_nhwc


class TensorFlow(Peer):
    """Depthwise layers go by the operation for them."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    integers: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int32", "int64")

    def __init__(self, threads: int) -> None:
        self.version = tf.__version__
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """One of them."""
        return _contestant(_operation(problem), problem.x_nhwc)

    def input_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """The raw operations of the gradients."""
        layer = problem.layer
        shape, options = problem.x_nhwc.shape, _options(problem)
        if layer.depthwise:
            w = tf.constant(_depthwise_weights(problem))
            gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropInput
        else:
            w, gradient = tf.constant(problem.w_hwio), tf.raw_ops.Conv2DBackpropInput
        return _contestant(
            lambda grad_y: gradient(input_sizes=shape, filter=w, out_backprop=grad_y, **options), problem.grad_y_nhwc
        )

    def weight_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """The raw operations of the gradients."""
        layer = problem.layer
        x, options = tf.constant(problem.x_nhwc), _options(problem)
        if layer.depthwise:
            shape = _depthwise_weights(problem).shape
            gradient = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter
            read = lambda w: w.numpy().transpose(2, 3, 0, 1).reshape(layer.w_shape)  # noqa: E731
        else:
            shape, gradient = problem.w_hwio.shape, tf.raw_ops.Conv2DBackpropFilter
            read = lambda w: w.numpy().transpose(3, 2, 0, 1)  # noqa: E731
        call = lambda grad_y: gradient(input=x, filter_sizes=shape, out_backprop=grad_y, **options)  # noqa: E731
        return _contestant(call, problem.grad_y_nhwc, read)

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """By windows; whole images by reduction as well."""
        offered = _contestant(lambda x: _pool(problem, x), problem.x_nhwc)
        if problem.pool.whole:
            reduce = tf.reduce_max if problem.pool.mode == "max" else tf.reduce_mean
            by_reduction = _contestant(lambda x: reduce(x, (1, 2), keepdims=True), problem.x_nhwc)
            offered["TensorFlow reduce"] = by_reduction["TensorFlow"]
        return offered

    def pool_gradients(self, problem: PoolProblem) -> dict[str, Contestant]:
        """The raw operations of the gradients: that of the maximum reads x and y."""
        pool, shape = problem.pool, problem.x_nhwc.shape
        windows = {"ksize": [1, *pool.kernel, 1], "strides": [1, pool.stride, pool.stride, 1]}
        if pool.mode == "max":
            x = tf.constant(problem.x_nhwc)
            y, explicit = _pool(problem, x), [0, 0, *(pad for pad in pool.padding for _ in range(2)), 0, 0]
            windows |= {"padding": "EXPLICIT", "explicit_paddings": explicit}
            gradient = lambda grad_y: tf.raw_ops.MaxPoolGrad(  # noqa: E731
                orig_input=x, orig_output=y, grad=grad_y, **windows
            )
        else:
            padding, before = _average_padding(problem)
            padded = [size + sum(pads) for size, pads in zip(shape, before, strict=True)]
            (top, _), (left, _) = before[1:3]
            inner = np.s_[:, top : top + pool.height, left : left + pool.width]
            gradient = lambda grad_y: tf.raw_ops.AvgPoolGrad(  # noqa: E731
                orig_input_shape=padded, grad=grad_y, padding=padding, **windows
            )[inner]
        return _contestant(gradient, problem.grad_y_nhwc)


def _contestant(call: Any, x: np.ndarray, read: Any = lambda y: from_nhwc(y.numpy())) -> dict[str, Contestant]:
    tensor = tf.constant(x)
    function = tf.function(call, autograph=False).get_concrete_function(tensor)
    return {"TensorFlow": Contestant(lambda: function(tensor), read)}


def _options(problem: Problem) -> dict[str, Any]:
    layer = problem.layer
    vertical, horizontal = layer.padding
    return {
        "strides": [1, layer.stride, layer.stride, 1],
        "padding": "EXPLICIT",
        "explicit_paddings": [0, 0, vertical, vertical, horizontal, horizontal, 0, 0],
        "dilations": [1, layer.dilation, layer.dilation, 1],
    }


def _pool(problem: PoolProblem, x: tf.Tensor) -> tf.Tensor:
    pool = problem.pool
    vertical, horizontal = pool.padding
    if pool.mode == "max":
        explicit = [[0, 0], [vertical] * 2, [horizontal] * 2, [0, 0]] if any(pool.padding) else "VALID"
        return tf.nn.max_pool2d(x, pool.kernel, pool.stride, explicit)
    padding, before = _average_padding(problem)
    return tf.nn.avg_pool2d(tf.pad(x, before) if np.any(before) else x, pool.kernel, pool.stride, padding)


def _average_padding(problem: PoolProblem) -> tuple[str, list[list[int]]]:
    """What AvgPool is told, and what must be padded before, since padding never counts for it."""
    pool, nothing = problem.pool, [[0, 0]] * 4
    if not any(pool.padding):
        return "VALID", nothing
    if pool.same and not pool.count_include_pad:
        return "SAME", nothing
    if not pool.count_include_pad:
        raise NotImplementedError("AvgPool has no explicit padding")
    return "VALID", [[0, 0], *([pad, pad] for pad in pool.padding), [0, 0]]


def _operation(problem: Problem) -> Any:
    layer = problem.layer
    vertical, horizontal = layer.padding
    padding = [[0, 0], [vertical] * 2, [horizontal] * 2, [0, 0]]
    dilations = [layer.dilation] * 2
    if not layer.depthwise:
        w = tf.constant(problem.w_hwio)
        return lambda x: tf.nn.conv2d(x, w, layer.stride, padding, dilations=dilations)
    w = tf.constant(_depthwise_weights(problem))
    return lambda x: tf.nn.depthwise_conv2d(x, w, [1, layer.stride, layer.stride, 1], padding, dilations=dilations)


def _depthwise_weights(problem: Problem) -> np.ndarray:
    """(KH, KW, C, multiplier)."""
    layer = problem.layer
    split = problem.w.reshape(layer.channels, -1, layer.kernel_h, layer.kernel_w)
    return np.ascontiguousarray(split.transpose(2, 3, 0, 1))
