# SPDX-License-Identifier: BSD-3-Clause
"""A network of ResNet-18's shape, accelerated: same outputs, same gradients, and the speed before and after.

``python examples/torch_accelerate.py --size 112 --batch 4`` is quicker than the usual 224 pixels.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

import fastconv.torch


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x), inplace=True)


def resnet18(classes: int = 1000) -> nn.Sequential:
    """ResNet-18 (He et al., 2015), with weights drawn at random."""
    stages: list[nn.Module] = []
    channels = 64
    for out_channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        stages += [Block(channels, out_channels, stride), Block(out_channels, out_channels, 1)]
        channels = out_channels
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def step(model: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """The outputs; gradients are left in the parameters."""
    model.zero_grad()
    outputs = model(x)
    F.cross_entropy(outputs, labels).backward()
    return outputs.detach()


def relative(one: Tensor, two: Tensor) -> float:
    """The norm of the difference over that of the second."""
    return ((one - two).norm() / two.norm()).item()


def compare(model: nn.Module, x: Tensor, labels: Tensor) -> tuple[float, float]:
    """The largest relative differences of outputs and of gradients, accelerated and not; the model is left restored.

    In float64, where a ReLU's sign or the place of a maximum does not hang on the last bit.
    """
    model, x = model.double(), x.double()
    wanted = step(model, x, labels)
    gradients = [p.grad for p in model.parameters()]
    outputs = step(fastconv.torch.accelerate(model), x, labels)
    worst = max(relative(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    fastconv.torch.restore(model).float()
    return relative(outputs, wanted), worst


def seconds(model: nn.Module, call: Callable[[], object], rounds: int, what: str) -> tuple[float, float]:
    """Of one call with torch's layers and with fastconv's: medians of turns."""
    times: tuple[list[float], list[float]] = [], []
    for turn in tqdm(range(2 * (rounds + 1)), desc=what, leave=False):
        (fastconv.torch.accelerate if turn % 2 else fastconv.torch.restore)(model)
        start = time.perf_counter()
        call()
        if turn > 1:  # the first of each warms up
            times[turn % 2].append(time.perf_counter() - start)
    fastconv.torch.restore(model)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Check and time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224, help="height and width of the images, in pixels")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--channels-last", action="store_true", help="images and weights in torch.channels_last")
    args = parser.parse_args()

    torch.manual_seed(0)
    memory_format = torch.channels_last if args.channels_last else torch.contiguous_format
    model = resnet18().to(memory_format=memory_format)
    x = torch.randn(args.batch, 3, args.size, args.size).to(memory_format=memory_format)
    labels = torch.randint(1000, (args.batch,))

    outputs, gradients = compare(model, x[:2], labels[:2])
    print(f"relative differences in float64: outputs {outputs:.1e}, gradients at most {gradients:.1e}")
    if max(outputs, gradients) > 1e-9:
        raise SystemExit("they are not the same")

    def report(what: str, before: float, after: float) -> None:
        print(f"{what}: {1e3 * before:.0f} ms before, {1e3 * after:.0f} ms after: {before / after:.2f} times as fast")

    report("a training step", *seconds(model.train(), lambda: step(model, x, labels), args.rounds, "training"))
    with torch.inference_mode():
        report("inference", *seconds(model.eval(), lambda: model(x), args.rounds, "inference"))


if __name__ == "__main__":
    main()
