# SPDX-License-Identifier: BSD-3-Clause
"""The operations that bench_operators.py measures: who offers them, their exact results, the bytes that they move."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import peers
import torch
from layers import Layer
from pools import Pool

TOLERANCE = {"float32": 1e-4, "float64": 1e-12}  # relative error in the L2 norm
POOL_TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
INDEX_BYTES = 8


class Operation(NamedTuple):
    """One operation on the rows of one kind of table."""

    name: str
    row: type  # Layer or Pool
    offer: Callable[[peers.Peer, Any], dict[str, peers.Contestant]]
    reference: Callable[[Any], np.ndarray]

    def problem(self, row: Layer | Pool, dtype: str) -> Any:
        """The row with numbers."""
        return peers.Problem(row, dtype) if isinstance(row, Layer) else peers.PoolProblem(row, dtype)

    def takes(self, row: Layer | Pool, dtype: str) -> bool:
        """Of integers there are only maxima."""
        if not isinstance(row, self.row):
            return False
        return dtype in TOLERANCE or (isinstance(row, Pool) and row.mode == "max" and self.name == "pool")

    def tolerance(self, row: Layer | Pool, dtype: str) -> float:
        """The greatest error that is timed: none of a maximum."""
        if isinstance(row, Layer):
            return TOLERANCE[dtype]
        return 0.0 if row.mode == "max" and self.name == "pool" else POOL_TOLERANCE[dtype]

    def moved(self, row: Layer | Pool, itemsize: int) -> int:
        """Bytes of all operands and the result, each counted once; maxima's places are 64 bits wide."""
        if isinstance(row, Layer):
            return row.numbers * itemsize
        x, y = row.numbers()
        places = y * INDEX_BYTES if row.mode == "max" and self.name == "pool_gradient" else 0
        return (x + y) * itemsize + places


def error(found: np.ndarray, exact: np.ndarray) -> float:
    """Relative, in the L2 norm; infinite where the shape is another. Of what is equal it is 0."""
    if found.shape != exact.shape:
        return float("inf")
    if np.array_equal(found, exact):
        return 0.0
    return float(np.linalg.norm(found.astype(np.float64) - exact) / np.linalg.norm(exact))


def _double(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).double()


def _correlation(problem: peers.Problem) -> np.ndarray:
    return torch.nn.functional.conv2d(_double(problem.x), _double(problem.w), **problem.layer.options).numpy()


def _correlation_gradient(problem: peers.Problem, which: int) -> np.ndarray:
    layer = problem.layer
    operands = _double(problem.grad_y), _double(problem.x), _double(problem.w)
    where = [layer.stride] * 2, layer.padding, [layer.dilation] * 2, False, [0, 0], layer.groups
    mask = [which == 0, which == 1, False]
    return torch.ops.aten.convolution_backward(*operands, None, *where, mask)[which].numpy()


def _pool(problem: peers.PoolProblem) -> np.ndarray:
    return _pooled(problem, _double(problem.x)).numpy()


def _pooled(problem: peers.PoolProblem, x: torch.Tensor) -> torch.Tensor:
    pool, functional = problem.pool, torch.nn.functional
    if pool.mode == "max":
        return functional.max_pool2d(x, pool.kernel, **pool.options)
    return functional.avg_pool2d(x, pool.kernel, **pool.avg_options)


def _pool_gradient(problem: peers.PoolProblem) -> np.ndarray:
    x = _double(problem.x).requires_grad_()
    return torch.autograd.grad(_pooled(problem, x), x, _double(problem.grad_y))[0].numpy()


OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for operation in (
        Operation("pool", Pool, lambda peer, problem: peer.pools(problem), _pool),
        Operation("pool_gradient", Pool, lambda peer, problem: peer.pool_gradients(problem), _pool_gradient),
        Operation("corr2d", Layer, lambda peer, problem: peer.contestants(problem), _correlation),
        Operation(
            "input_gradient",
            Layer,
            lambda peer, problem: peer.input_gradients(problem),
            lambda problem: _correlation_gradient(problem, 0),
        ),
        Operation(
            "weight_gradient",
            Layer,
            lambda peer, problem: peer.weight_gradients(problem),
            lambda problem: _correlation_gradient(problem, 1),
        ),
    )
}
