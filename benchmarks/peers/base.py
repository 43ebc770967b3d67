# SPDX-License-Identifier: BSD-3-Clause
"""What an adapter is: a Peer that offers Contestants for a Problem or a PoolProblem."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from layers import Layer
from pools import Pool


class Contestant(NamedTuple):
    """What is timed, and how its answer is read as an NCHW array."""

    call: Callable[[], Any]
    read: Callable[[Any], np.ndarray]


class Problem:
    """A layer with its numbers, in both layouts."""

    def __init__(self, layer: Layer, dtype: str, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.layer = layer
        self.dtype = np.dtype(dtype)
        self.x: np.ndarray = rng.standard_normal(layer.x_shape, np.float32).astype(dtype, copy=False)
        self.w: np.ndarray = rng.standard_normal(layer.w_shape, np.float32).astype(dtype, copy=False)

    @cached_property
    def x_nhwc(self) -> np.ndarray:
        """The images, channels last."""
        return to_nhwc(self.x)

    @cached_property
    def w_hwio(self) -> np.ndarray:
        """The weights as NHWC frameworks have them."""
        return np.ascontiguousarray(self.w.transpose(2, 3, 1, 0))

    @cached_property
    def grad_y(self) -> np.ndarray:
        """A gradient of the result, NCHW."""
        return _drawn(self.layer.y_shape, self.dtype, 1)

    @cached_property
    def grad_y_nhwc(self) -> np.ndarray:
        """The same, channels last."""
        return to_nhwc(self.grad_y)


class PoolProblem:
    """A pooling with its numbers, in both layouts."""

    def __init__(self, pool: Pool, dtype: str) -> None:
        self.pool = pool
        self.dtype = np.dtype(dtype)
        self.x = _drawn(pool.x_shape, self.dtype, 0)

    @cached_property
    def x_nhwc(self) -> np.ndarray:
        """The images, channels last."""
        return to_nhwc(self.x)

    @cached_property
    def grad_y(self) -> np.ndarray:
        """A gradient of the result, NCHW."""
        return _drawn(self.pool.y_shape, self.dtype, 1)

    @cached_property
    def grad_y_nhwc(self) -> np.ndarray:
        """The same, channels last."""
        return to_nhwc(self.grad_y)

    @cached_property
    def indices(self) -> np.ndarray:
        """Where the maxima lie in their planes: what a forward pass that will be differentiated keeps, NCHW."""
        pool, function = self.pool, torch.nn.functional.max_pool2d
        return function(torch.from_numpy(self.x), pool.kernel, **pool.options, return_indices=True)[1].numpy()

    @cached_property
    def indices_nhwc(self) -> np.ndarray:
        """The same, channels last."""
        return to_nhwc(self.indices)


def _drawn(shape: tuple[int, ...], dtype: np.dtype, seed: int) -> np.ndarray:
    """Normally distributed, or small integers."""
    rng = np.random.default_rng(seed)
    if dtype.kind != "f":
        return rng.integers(0, 100, shape).astype(dtype)
    return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)


def to_nhwc(x: np.ndarray) -> np.ndarray:
    """Channels last in memory."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def from_nhwc(y: np.ndarray) -> np.ndarray:
    """An answer with channels last, as NCHW."""
    return y.transpose(0, 3, 1, 2)


class Peer(ABC):
    """A library at its best with so many threads. What it does not do it offers nobody for."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    integers: ClassVar[tuple[str, ...]] = ()  # dtypes of max pooling beside them
    version: str

    @abstractmethod
    def __init__(self, threads: int) -> None: ...

    @abstractmethod
    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Everything that is ready before a call, weights above all, is made ready here."""

    def input_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """Of a correlation; read as NCHW."""
        return {}

    def weight_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """Of a correlation; read as OIHW."""
        return {}

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Pooling, whose maxima come without places."""
        return {}

    def pool_gradients(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Its gradient, given whatever the forward pass of this library keeps."""
        return {}


@contextmanager
def silent_stdout() -> Iterator[None]:
    """For libraries whose C code prints."""
    kept = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(null)
