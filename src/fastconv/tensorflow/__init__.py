# SPDX-License-Identifier: BSD-3-Clause
"""fastconv for TensorFlow: differentiable operations, and Keras layers made of them.

`corr2d`, `max_pool2d`, `max_pool2d_with_argmax` and `avg_pool2d` take the arguments of `tf.nn`'s functions; `Conv2D`,
`DepthwiseConv2D`, `MaxPooling2D` and `AveragePooling2D` those of Keras's layers; `accelerate` puts the layers into a
model. A graph that holds their operations, a SavedModel for one, is loaded after ``import fastconv.tensorflow``.
"""

from fastconv.tensorflow.accelerating import accelerate
from fastconv.tensorflow.correlation import corr2d
from fastconv.tensorflow.layers import AveragePooling2D, Conv2D, DepthwiseConv2D, MaxPooling2D
from fastconv.tensorflow.pooling import avg_pool2d, max_pool2d, max_pool2d_with_argmax

__all__ = [
    "AveragePooling2D",
    "Conv2D",
    "DepthwiseConv2D",
    "MaxPooling2D",
    "accelerate",
    "avg_pool2d",
    "corr2d",
    "max_pool2d",
    "max_pool2d_with_argmax",
]
