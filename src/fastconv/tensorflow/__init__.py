# SPDX-License-Identifier: BSD-3-Clause
"""fastconv for TensorFlow: differentiable operations, and Keras layers made of them.

`corr2d`, `max_pool2d`, `max_pool2d_with_argmax` and `avg_pool2d` take the arguments of `tf.nn`'s functions. A graph that
holds their operations, a SavedModel for one, is loaded after ``import fastconv.tensorflow``.
"""

from fastconv.tensorflow.correlation import corr2d
from fastconv.tensorflow.pooling import avg_pool2d, max_pool2d, max_pool2d_with_argmax

__all__ = ["avg_pool2d", "corr2d", "max_pool2d", "max_pool2d_with_argmax"]
