# SPDX-License-Identifier: BSD-3-Clause
"""What the trained networks see, and the sizes that both frameworks' versions of them have."""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits

NAMES = ("lenet", "resnet18", "mobilenetv2", "unet")
CLASSES = {"lenet": 10, "resnet18": 10, "mobilenetv2": 100, "unet": 2}
SHAPES = {"lenet": (32, 8, 8, 1), "resnet18": (32, 32, 32, 3), "mobilenetv2": (8, 96, 96, 3), "unet": (4, 96, 96, 3)}
WIDTHS = (32, 64, 128, 256)  # channels of the U-Net's levels
MOMENTUM = 0.9
# So small that a step goes down the slope: a longer one of a network that normalizes few pixels ends where the last bit
# says, and the contestants' losses could not be compared.
RATES = {"lenet": 0.05, "resnet18": 0.001, "mobilenetv2": 0.0001, "unet": 0.0001}


class MobileNetBlock(NamedTuple):
    """One inverted residual."""

    channels: int
    inner: int
    out_channels: int
    stride: int

    @property
    def added(self) -> bool:
        """Whether the input is added."""
        return self.stride == 1 and self.channels == self.out_channels


def mobilenet_blocks() -> list[MobileNetBlock]:
    """Table 2 of the paper."""
    blocks, channels = [], 32
    stages = (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)
    for factor, out_channels, count, stride in stages:
        for index in range(count):
            blocks.append(MobileNetBlock(channels, channels * factor, out_channels, 1 if index else stride))
            channels = out_channels
    return blocks


def batch(network: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, H, W, C) in float32, and labels: of each image, or of each pixel."""
    rng = np.random.default_rng(0)
    n, h, w, _ = shape = SHAPES[network]
    if network == "lenet":
        images, labels = load_digits(return_X_y=True)
        return (images[:n].reshape(shape) / 16).astype(np.float32), labels[:n].astype(np.int64)
    images = rng.standard_normal(shape, np.float32)
    return images, rng.integers(0, CLASSES[network], (n, h, w) if network == "unet" else n)
