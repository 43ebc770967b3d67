# SPDX-License-Identifier: BSD-3-Clause
"""TensorFlow: a traced function on NHWC images, weights captured as constants."""

import os
from typing import Any, ClassVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from .base import Contestant, Peer, Problem, from_nhwc


class TensorFlow(Peer):
    """Depthwise layers go by the operation for them."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")

    def __init__(self, threads: int) -> None:
        self.version = tf.__version__
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """One of them."""
        x = tf.constant(problem.x_nhwc)
        function = tf.function(_operation(problem), autograph=False).get_concrete_function(x)
        return {"TensorFlow": Contestant(lambda: function(x), lambda y: from_nhwc(y.numpy()))}


def _operation(problem: Problem) -> Any:
    layer = problem.layer
    vertical, horizontal = layer.padding
    padding = [[0, 0], [vertical] * 2, [horizontal] * 2, [0, 0]]
    dilations = [layer.dilation] * 2
    if not layer.depthwise:
        w = tf.constant(problem.w_hwio)
        return lambda x: tf.nn.conv2d(x, w, layer.stride, padding, dilations=dilations)
    split = problem.w.reshape(layer.channels, -1, layer.kernel_h, layer.kernel_w)
    w = tf.constant(np.ascontiguousarray(split.transpose(2, 3, 0, 1)))
    return lambda x: tf.nn.depthwise_conv2d(x, w, [1, layer.stride, layer.stride, 1], padding, dilations=dilations)
