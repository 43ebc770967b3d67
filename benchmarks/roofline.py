# SPDX-License-Identifier: BSD-3-Clause
"""What this machine could do at best: arithmetic and memory, measured.

The peak of arithmetic is the best that two matrix products bound by it reach, fastconv's own (a 1x1 convolution) and
torch's: no machine code is written for the purpose, so that the true peak may lie a few per cent above. The bandwidth
is that of copying arrays far larger than the caches, bytes read and bytes written both counted. A layer that lies in
the caches may pass it, and Winograd, whose multiplications are fewer than the definition's, may pass the peak.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from layers import Layer
from timing import interleaved

import fastconv

SIZE = 768  # of the square matrices
COPY_BYTES = 1 << 27  # of one array
COPIES = 5


def peak_gflops(dtype: str, rounds: int = 4) -> float:
    """With the threads that fastconv and torch are set to."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIZE, SIZE)).astype(dtype) for _ in range(2))
    x, w = b.reshape(1, SIZE, SIZE // 24, 24), a.reshape(SIZE, SIZE, 1, 1)
    ta, tb = torch.from_numpy(a), torch.from_numpy(b)
    calls: dict[str, Callable[[], Any]] = {"fastconv": lambda: fastconv.corr2d(x, w), "torch": lambda: ta @ tb}
    return 2 * SIZE**3 / min(interleaved(calls, rounds).values()) / 1e9


def bandwidth(threads: int) -> float:
    """GB/s of copying, by so many threads."""
    source, target = np.ones(COPY_BYTES // 8), np.zeros(COPY_BYTES // 8)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(COPIES):
            start = time.perf_counter()
            list(pool.map(lambda part: np.copyto(*part), parts))
            best = min(best, time.perf_counter() - start)
    return 2 * source.nbytes / best / 1e9


def measure(threads: int, dtype: str) -> dict[str, float]:
    """Both; before and after the layers, as others may use the machine."""
    return {"peak_gflops": peak_gflops(dtype), "bandwidth_gbs": bandwidth(threads)}


def best(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """The greater of two measurements."""
    return {name: max(value, other[name]) for name, value in one.items()}


def intensity(layer: Layer, dtype: str) -> float:
    """Floating-point operations for every byte that must move."""
    return layer.flops / (layer.numbers * np.dtype(dtype).itemsize)


def bound(machine: dict[str, float], flops_per_byte: float) -> float:
    """GFLOP/s that the machine allows."""
    return min(machine["peak_gflops"], machine["bandwidth_gbs"] * flops_per_byte)
