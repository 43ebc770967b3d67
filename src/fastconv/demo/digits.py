# SPDX-License-Identifier: BSD-3-Clause
"""A small convolutional network that learns handwritten digits, in NumPy and fastconv alone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray

import fastconv

__all__ = ["Convolution", "Data", "Dense", "Network", "Training", "cross_entropy", "load", "train"]

Array = NDArray[Any]

BATCH = 32
RATE = 0.1
"""Learning rate of the first epoch; it falls in a straight line to a twentieth."""

SHIFT_CHANCES = (0.1, 0.8, 0.1)
"""How often a training digit moves up, stays or moves down by a pixel; left and right alike.

Chosen, with the number of channels, by five-fold cross-validation on the training digits alone.
"""


class Convolution:
    """Correlate with 3 x 3 kernels, keep what is positive, take the maximum of every 2 x 2 window."""

    def __init__(self, ic: int, oc: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> None:
        scale = np.sqrt(2 / (9 * ic))  # keeps the variance through a ReLU (He et al., 2015)
        self.weight: Array = (scale * rng.standard_normal((oc, ic, 3, 3))).astype(dtype)
        self.bias: Array = np.zeros(oc, dtype)
        self._indices: Array
        self.weight_grad: Array
        self.bias_grad: Array

    def forward(self, x: Array) -> Array:
        """Map images of shape (N, ic, H, W) to (N, oc, H/2, W/2)."""
        self._x = x
        y = fastconv.corr2d(x, self.weight, self.bias, padding=1)
        self._positive = y > 0
        pooled: Array
        pooled, self._indices = fastconv.max_pool2d(y * self._positive, 2, return_indices=True)
        return pooled

    def backward(self, grad: Array) -> Array:
        """Turn the gradient of the output into that of the input; keep the parameters' own."""
        grad = fastconv.max_pool2d_grad(grad, self._indices, self._positive.shape) * self._positive
        self.weight_grad, self.bias_grad = fastconv.corr2d_weight_grad(
            grad, self._x, self.weight.shape, padding=1, with_bias=True
        )
        return fastconv.corr2d_input_grad(grad, self.weight, self._x.shape, padding=1)


class Dense:
    """Connect every input to every output."""

    def __init__(self, inputs: int, outputs: int, rng: np.random.Generator, dtype: DTypeLike = np.float32) -> None:
        self.weight: Array = (rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)).astype(dtype)
        self.bias: Array = np.zeros(outputs, dtype)

    def forward(self, x: Array) -> Array:
        """Flatten the images and map them to shape (N, outputs)."""
        self._x = x
        return x.reshape(len(x), -1) @ self.weight + self.bias

    def backward(self, grad: Array) -> Array:
        """Turn the gradient of the output into that of the input; keep the parameters' own."""
        self.weight_grad = self._x.reshape(len(grad), -1).T @ grad
        self.bias_grad = grad.sum(axis=0)
        return (grad @ self.weight.T).reshape(self._x.shape)


class Network:
    """Two convolutions and a dense head.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the first weights.
    channels : (int, int)
        Output channels of the two convolutions.
    size : int
        Height and width of the images, a multiple of four.
    classes : int
    dtype : dtype
    """

    def __init__(
        self,
        rng: np.random.Generator,
        channels: tuple[int, int] = (32, 64),
        size: int = 8,
        classes: int = 10,
        dtype: DTypeLike = np.float32,
    ) -> None:
        first, second = channels
        self.layers = (
            Convolution(1, first, rng, dtype),
            Convolution(first, second, rng, dtype),
            Dense(second * (size // 4) ** 2, classes, rng, dtype),
        )

    @property
    def parameters(self) -> int:
        """How many numbers the network learns."""
        return sum(layer.weight.size + layer.bias.size for layer in self.layers)

    def forward(self, x: Array) -> Array:
        """Score images of shape (N, 1, size, size): shape (N, classes), the highest wins."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad: Array) -> None:
        """Give every layer the gradients of its parameters, from the gradient of the scores."""
        for layer in reversed(self.layers):
            grad = layer.backward(grad)

    def step(self, rate: float) -> None:
        """Move every parameter down its gradient."""
        for layer in self.layers:
            layer.weight -= rate * layer.weight_grad
            layer.bias -= rate * layer.bias_grad


def cross_entropy(scores: Array, labels: Array) -> tuple[float, Array]:
    """Mean cross-entropy of the softmax of `scores`, and its gradient.

    Parameters
    ----------
    scores : ndarray, shape (N, classes)
    labels : ndarray of int, shape (N,)

    Returns
    -------
    loss : float
    grad : ndarray, shape (N, classes)
    """
    rows = np.arange(len(labels))
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(totals[:, 0]) - shifted[rows, labels]))
    grad = exponentials / totals
    grad[rows, labels] -= 1
    return loss, grad / len(labels)


@dataclass(frozen=True)
class Data:
    """Digits of 8 x 8 pixels from 0 to 1, shape (N, 1, 8, 8), and what they show."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def load() -> Data:
    """Split scikit-learn's 1,797 digits, always alike: a fifth is held out, every digit in proportion."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images[:, np.newaxis] / 16).astype(np.float32)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=0.2, stratify=digits.target, random_state=0
    )
    return Data(train_images, train_labels, test_images, test_labels)


@dataclass(frozen=True)
class Training:
    """A trained network and how it got there, one loss and one held-out accuracy per epoch."""

    network: Network
    losses: list[float]
    accuracies: list[float]
    predictions: Array
    seconds: float

    @property
    def accuracy(self) -> float:
        """Held-out accuracy at the end."""
        return self.accuracies[-1]


def train(data: Data, epochs: int, seed: int = 0) -> Training:
    """Learn by plain stochastic gradient descent.

    Parameters
    ----------
    data : Data
    epochs : int
        Passes over the training images.
    seed : int
        Of the first weights and of the order of the images.
    """
    from tqdm import tqdm

    rng = np.random.default_rng(seed)
    network = Network(rng)
    losses: list[float] = []
    accuracies: list[float] = []
    predictions = np.empty(0, np.int64)
    start = time.perf_counter()
    with tqdm(range(epochs), "Learning digits", unit="epoch", disable=None, leave=False) as bar:
        for epoch in bar:
            rate = RATE * (1 - 0.95 * epoch / epochs)
            losses.append(_epoch(network, data, rate, rng))
            predictions = network.forward(data.test_images).argmax(axis=1)
            accuracies.append(float(np.mean(predictions == data.test_labels)))
            bar.set_postfix(loss=f"{losses[-1]:.4f}", accuracy=f"{accuracies[-1]:.1%}")
    return Training(network, losses, accuracies, predictions, time.perf_counter() - start)


def _epoch(network: Network, data: Data, rate: float, rng: np.random.Generator) -> float:
    """Show every training image once; the mean loss on the way."""
    order = rng.permutation(len(data.train_labels))
    total = 0.0
    for batch in np.split(order, range(BATCH, len(order), BATCH)):
        scores = network.forward(_shifted(data.train_images[batch], rng))
        loss, grad = cross_entropy(scores, data.train_labels[batch])
        network.backward(grad)
        network.step(rate)
        total += loss * len(batch)
    return total / len(order)


def _shifted(images: Array, rng: np.random.Generator) -> Array:
    """Move every image by at most a pixel each way, so that the network sees more than it was given."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    views = sliding_window_view(padded, images.shape[2:], axis=(2, 3))
    down, right = rng.choice(3, (2, len(images)), p=SHIFT_CHANCES)
    return views[np.arange(len(images)), :, down, right]
