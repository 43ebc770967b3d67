# SPDX-License-Identifier: BSD-3-Clause
"""The trained networks in torch, of torch's layers alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import CLASSES, WIDTHS, MobileNetBlock, mobilenet_blocks


def lenet() -> nn.Module:
    """LeCun's network for images of 8 x 8 pixels."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, 84),
        nn.ReLU(),
        nn.Linear(84, CLASSES["lenet"]),
    )


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return F.relu(self.inner(x) + self.shortcut(x), inplace=True)


def resnet18() -> nn.Module:
    """ResNet-18 (He et al., 2015) with the stem for images of 32 x 32 pixels: 3 x 3, and no pooling behind it."""
    blocks: list[nn.Module] = []
    channels = 64
    for out_channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Residual(channels, out_channels, stride), Residual(out_channels, out_channels, 1)]
        channels = out_channels
    stem = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
    return nn.Sequential(
        *stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES["resnet18"])
    )


def _normed(channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(out_channels)]


class InvertedResidual(nn.Module):
    """1 x 1 to more channels, depthwise 3 x 3, 1 x 1 to fewer; beside it the input where the sizes allow."""

    def __init__(self, block: MobileNetBlock) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if block.inner != block.channels:
            layers += [*_normed(block.channels, block.inner, 1), nn.ReLU6(inplace=True)]
        layers += [*_normed(block.inner, block.inner, 3, block.stride, block.inner), nn.ReLU6(inplace=True)]
        self.layers = nn.Sequential(*layers, *_normed(block.inner, block.out_channels, 1))
        self.added = block.added

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return x + self.layers(x) if self.added else self.layers(x)


def mobilenetv2() -> nn.Module:
    """MobileNetV2 (Sandler et al., 2018), of width 1."""
    blocks = [InvertedResidual(block) for block in mobilenet_blocks()]
    return nn.Sequential(
        *_normed(3, 32, 3, 2),
        nn.ReLU6(inplace=True),
        *blocks,
        *_normed(320, 1280, 1),
        nn.ReLU6(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(1280, CLASSES["mobilenetv2"]),
    )


def _double(channels: int, out_channels: int) -> nn.Module:
    first, second = nn.Conv2d(channels, out_channels, 3, padding=1), nn.Conv2d(out_channels, out_channels, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True))


class UNet(nn.Module):
    """A small U-Net (Ronneberger et al., 2015): down by maxima, up by repeated pixels and a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(_double(i, o) for i, o in zip((3, *WIDTHS), WIDTHS, strict=False))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.widen = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, padding=1)) for i, o in pairs
        )
        self.up = nn.ModuleList(_double(2 * o, o) for _, o in pairs)
        self.head = nn.Conv2d(WIDTHS[0], CLASSES["unet"], 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # torch's own draw fades from layer to layer, and nothing normalizes here
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Images to the scores of every pixel."""
        kept: list[Tensor] = []
        for level, layers in enumerate(self.down):
            x = layers(self.pool(x) if level else x)
            kept.append(x)
        for widen, layers, beside in zip(self.widen, self.up, kept[-2::-1], strict=True):
            x = layers(torch.cat([beside, widen(x)], 1))
        return self.head(x)


NETWORKS = {"lenet": lenet, "resnet18": resnet18, "mobilenetv2": mobilenetv2, "unet": UNet}
