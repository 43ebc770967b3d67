# SPDX-License-Identifier: BSD-3-Clause
"""What an adapter is: a Peer that offers Contestants for a Problem."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from layers import Layer


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
        return np.ascontiguousarray(self.x.transpose(0, 2, 3, 1))

    @cached_property
    def w_hwio(self) -> np.ndarray:
        """The weights as NHWC frameworks have them."""
        return np.ascontiguousarray(self.w.transpose(2, 3, 1, 0))


def from_nhwc(y: np.ndarray) -> np.ndarray:
    """An answer with channels last, as NCHW."""
    return y.transpose(0, 3, 1, 2)


class Peer(ABC):
    """A library at its best with so many threads."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    version: str

    @abstractmethod
    def __init__(self, threads: int) -> None: ...

    @abstractmethod
    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Everything that is ready before a call, weights above all, is made ready here."""


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
