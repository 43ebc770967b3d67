# SPDX-License-Identifier: BSD-3-Clause
"""The trained networks in Keras, of Keras's layers alone; channels last."""

from typing import Any

import keras
from keras import layers

from .data import CLASSES, SHAPES, WIDTHS, mobilenet_blocks


def _conv(x: Any, channels: int, kernel: int, stride: int = 1, activation: str | None = None) -> Any:
    return layers.Conv2D(channels, kernel, stride, "same", activation=activation, kernel_initializer="he_normal")(x)


def _normed(x: Any, channels: int, kernel: int, stride: int = 1) -> Any:
    return layers.BatchNormalization()(layers.Conv2D(channels, kernel, stride, "same", use_bias=False)(x))


def lenet() -> Any:
    """LeCun's network for images of 8 x 8 pixels."""
    inputs = keras.Input(SHAPES["lenet"][1:])
    x = layers.MaxPooling2D(2)(_conv(inputs, 16, 5, activation="relu"))
    x = layers.AveragePooling2D(2)(_conv(x, 32, 3, activation="relu"))
    x = layers.Dense(84, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(CLASSES["lenet"])(x))


def resnet18() -> Any:
    """ResNet-18 (He et al., 2015) with the stem for images of 32 x 32 pixels: 3 x 3, and no pooling behind it."""
    inputs = keras.Input(SHAPES["resnet18"][1:])
    x, channels = layers.ReLU()(_normed(inputs, 64, 3)), 64
    for out_channels, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            y = _normed(layers.ReLU()(_normed(x, out_channels, 3, stride)), out_channels, 3)
            shortcut = x if (stride, channels) == (1, out_channels) else _normed(x, out_channels, 1, stride)
            x, channels = layers.ReLU()(layers.Add()([y, shortcut])), out_channels
    return keras.Model(inputs, layers.Dense(CLASSES["resnet18"])(layers.GlobalAveragePooling2D()(x)))


def mobilenetv2() -> Any:
    """MobileNetV2 (Sandler et al., 2018), of width 1."""
    inputs = keras.Input(SHAPES["mobilenetv2"][1:])
    x = layers.ReLU(6)(_normed(inputs, 32, 3, 2))
    for block in mobilenet_blocks():
        y = x if block.inner == block.channels else layers.ReLU(6)(_normed(x, block.inner, 1))
        y = layers.DepthwiseConv2D(3, block.stride, "same", use_bias=False)(y)
        y = _normed(layers.ReLU(6)(layers.BatchNormalization()(y)), block.out_channels, 1)
        x = layers.Add()([x, y]) if block.added else y
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6)(_normed(x, 1280, 1)))
    return keras.Model(inputs, layers.Dense(CLASSES["mobilenetv2"])(x))


def _double(x: Any, channels: int) -> Any:
    return _conv(_conv(x, channels, 3, activation="relu"), channels, 3, activation="relu")


def unet() -> Any:
    """A small U-Net (Ronneberger et al., 2015): down by maxima, up by repeated pixels and a convolution."""
    inputs = keras.Input(SHAPES["unet"][1:])
    x, kept = inputs, []
    for level, width in enumerate(WIDTHS):
        x = _double(layers.MaxPooling2D(2)(x) if level else x, width)
        kept.append(x)
    for width, beside in zip(WIDTHS[-2::-1], kept[-2::-1], strict=True):
        x = _double(layers.Concatenate()([beside, _conv(layers.UpSampling2D(2)(x), width, 3)]), width)
    return keras.Model(inputs, _conv(x, CLASSES["unet"], 1))


NETWORKS = {"lenet": lenet, "resnet18": resnet18, "mobilenetv2": mobilenetv2, "unet": unet}
