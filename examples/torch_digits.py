# SPDX-License-Identifier: BSD-3-Clause
"""A LeNet learns scikit-learn's handwritten digits, with fastconv's layers or with torch's own.

Run ``python examples/torch_digits.py`` and ``python examples/torch_digits.py --backend torch``: same seed, same split,
same curve. The curve of the loss is saved as a picture.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from tqdm import tqdm

import fastconv.torch

BATCH = 32
EPOCHS = 20
RATE = 0.05
SHIFTS = 0.1  # how often a training digit moves by a pixel, in each of the four directions


def data(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, test images and labels; a quarter is for the test."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=0.25, stratify=labels, random_state=seed)
    x, x_test = (torch.tensor(part, dtype=torch.float32).view(-1, 1, 8, 8) / 16 for part in parts[:2])
    y, y_test = (torch.tensor(part) for part in parts[2:])
    return x, y, x_test, y_test


def lenet(backend: Any) -> nn.Sequential:
    """LeCun's network for images of 8 x 8 pixels; `backend` is a module that has the layers."""
    return nn.Sequential(
        backend.Conv2d(1, 16, 5, padding=2),
        nn.ReLU(),
        backend.MaxPool2d(2),
        backend.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        backend.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Every image, moved by a pixel now and then."""
    draw = torch.rand(2, len(images), generator=generator)
    rows, columns = 1 + (draw > 1 - SHIFTS).int() - (draw < SHIFTS).int()
    padded = F.pad(images, (1, 1, 1, 1))
    moved = [p[:, r : r + 8, c : c + 8] for p, r, c in zip(padded, rows.tolist(), columns.tolist(), strict=True)]
    return torch.stack(moved)


def train(backend: Any, epochs: int = EPOCHS, seed: int = 0, steps: int | None = None) -> tuple[list[float], float]:
    """Losses of all steps, and the accuracy on the test set."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    x, y, x_test, y_test = data()
    model = lenet(backend)
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9)
    wanted = epochs * math.ceil(len(x) / BATCH) if steps is None else steps
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * math.ceil(len(x) / BATCH))
    losses: list[float] = []
    with tqdm(total=wanted, unit="step") as bar:
        while len(losses) < wanted:
            for batch in torch.randperm(len(x), generator=generator).split(BATCH)[: wanted - len(losses)]:
                loss = F.cross_entropy(model(shifted(x[batch], generator)), y[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                losses.append(loss.item())
                bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
                bar.update()
    with torch.inference_mode():
        accuracy = (model.eval()(x_test).argmax(1) == y_test).float().mean().item()
    return losses, accuracy


def plot(losses: list[float], title: str, file: Path) -> None:
    """Save the curve of the loss."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.semilogy(losses, linewidth=0.8)
    axes.set(title=title, xlabel="step", ylabel="cross entropy")
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def main() -> None:
    """Train, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("fastconv", "torch"), default="fastconv", help="whose layers")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="the picture (torch_digits_BACKEND.png)")
    args = parser.parse_args()
    losses, accuracy = train(fastconv.torch if args.backend == "fastconv" else nn, args.epochs, args.seed)
    file = args.plot or Path(f"torch_digits_{args.backend}.png")
    plot(losses, f"LeNet on digits, {args.backend}: {accuracy:.1%} right", file)
    print(f"{args.backend}: {accuracy:.2%} of the test digits right after {len(losses)} steps; curve in {file}")


if __name__ == "__main__":
    main()
