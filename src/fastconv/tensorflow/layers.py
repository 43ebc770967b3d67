# SPDX-License-Identifier: BSD-3-Clause
"""Keras layers made of fastconv's operations: Keras's own classes, arguments and weights, other arithmetic."""

from typing import Any

import keras
import tensorflow as tf

from fastconv.geometry import pair
from fastconv.tensorflow.arguments import corr2d_attributes
from fastconv.tensorflow.correlation import correlate
from fastconv.tensorflow.pooling import avg_pool2d, max_pool2d


def _format(layer: Any) -> str:
    return "NHWC" if layer.data_format == "channels_last" else "NCHW"


def _made(layer: Any) -> None:
    """Finish a layer's making: RuntimeError where Keras computes with something else than TensorFlow."""
    if keras.config.backend() != "tensorflow":
        raise RuntimeError(f"fastconv's layers need Keras's TensorFlow backend, not {keras.config.backend()}")
    layer.supports_jit = False  # inside of XLA they would be TensorFlow's operations


def _correlated(layer: Any, inputs: Any, filters: Any, groups: int) -> Any:
    attributes = corr2d_attributes(layer.strides, layer.padding, _format(layer), layer.dilation_rate, groups)
    bias = layer.bias if layer.use_bias else None
    outputs = correlate(inputs, filters, bias, attributes, word=layer._word)
    return outputs if layer.activation is None else layer.activation(outputs)


@keras.saving.register_keras_serializable(package="fastconv")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` by fastconv's kernels.

    It takes the arguments of Keras's layer and has its weights, which load from and into it. Grouped and
    ``channels_first`` convolutions train on the CPU without XLA, and strides go together with dilation. Keras's
    ``jit_compile="auto"`` leaves models with it uncompiled, since XLA would call TensorFlow's operation instead.

    Parameters
    ----------
    filters : int
        Output channels.
    kernel_size, strides, dilation_rate : int or pair of int
        In pixels: (height, width).
    padding : {"valid", "same"}
        As in `fastconv.tensorflow.corr2d`.
    data_format : {"channels_last", "channels_first"}, optional
        Keras's setting if None.
    *arguments, **options
        All that `keras.layers.Conv2D` takes after these, in its order.

    Raises
    ------
    ValueError, TypeError
        As Keras's layer does.
    RuntimeError
        Keras runs on another backend than TensorFlow.

    Examples
    --------
    >>> import keras
    >>> import tensorflow as tf
    >>> from fastconv.tensorflow import Conv2D
    >>> model = keras.Sequential([keras.Input((28, 28, 1)), Conv2D(6, 5, padding="same", activation="relu")])
    >>> model(tf.ones((2, 28, 28, 1))).shape
    TensorShape([2, 28, 28, 6])
    """

    _word: int = 0  # its owner's word that the weights stay, see freezing.py

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = (1, 1),
        *arguments: Any,
        **options: Any,
    ) -> None:
        # Keras refuses a stride together with a dilation: it is told of the dilation afterwards.
        super().__init__(filters, kernel_size, strides, padding, data_format, 1, *arguments, **options)
        self.dilation_rate = pair("dilation_rate", dilation_rate)
        if min(self.dilation_rate) < 1:
            raise ValueError(f"dilation_rate must be at least 1, got {dilation_rate!r}")
        _made(self)

    def call(self, inputs: Any) -> Any:
        """Correlate, add the bias in the same pass, activate."""
        return _correlated(self, inputs, self.kernel, self.groups)


@keras.saving.register_keras_serializable(package="fastconv")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` by fastconv's kernels: a correlation with a group for each channel.

    Parameters
    ----------
    *arguments, **options
        All that `keras.layers.DepthwiseConv2D` takes; strides may differ and go together with dilation.

    Raises
    ------
    ValueError, TypeError
        As Keras's layer does.
    RuntimeError
        Keras runs on another backend than TensorFlow.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from fastconv.tensorflow import DepthwiseConv2D
    >>> DepthwiseConv2D(3, strides=(1, 2), depth_multiplier=2)(tf.ones((1, 9, 9, 4))).shape
    TensorShape([1, 7, 4, 8])
    """

    _word: int = 0  # its owner's word that the weights stay, see freezing.py

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _made(self)

    def call(self, inputs: Any) -> Any:
        """Correlate each channel with its own filters, add the bias in the same pass, activate."""
        height, width, channels, multiplier = self.kernel.shape
        filters = tf.reshape(self.kernel, (height, width, 1, channels * multiplier))
        return _correlated(self, inputs, filters, channels)


@keras.saving.register_keras_serializable(package="fastconv")
class MaxPooling2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` by fastconv's kernels: NaN and -inf survive, and any window costs about the same.

    Parameters
    ----------
    *arguments, **options
        All that `keras.layers.MaxPooling2D` takes.

    Raises
    ------
    ValueError, TypeError
        As Keras's layer does.
    RuntimeError
        Keras runs on another backend than TensorFlow.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from fastconv.tensorflow import MaxPooling2D
    >>> MaxPooling2D(2, data_format="channels_first")(tf.ones((1, 3, 8, 6))).shape
    TensorShape([1, 3, 4, 3])
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _made(self)

    def call(self, inputs: Any) -> Any:
        """Take the largest value of each window."""
        return max_pool2d(inputs, self.pool_size, self.strides, self.padding, _format(self))


@keras.saving.register_keras_serializable(package="fastconv")
class AveragePooling2D(keras.layers.AveragePooling2D):
    """`keras.layers.AveragePooling2D` by fastconv's kernels; padding is left out of the count, as Keras does.

    Parameters
    ----------
    *arguments, **options
        All that `keras.layers.AveragePooling2D` takes.

    Raises
    ------
    ValueError, TypeError
        As Keras's layer does.
    RuntimeError
        Keras runs on another backend than TensorFlow.

    Examples
    --------
    >>> import tensorflow as tf
    >>> from fastconv.tensorflow import AveragePooling2D
    >>> AveragePooling2D(3, 2, "same")(tf.ones((1, 7, 7, 2))).shape
    TensorShape([1, 4, 4, 2])
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _made(self)

    def call(self, inputs: Any) -> Any:
        """Take the mean of each window."""
        return avg_pool2d(inputs, self.pool_size, self.strides, self.padding, _format(self))
