# SPDX-License-Identifier: BSD-3-Clause
"""JAX: compiled functions of both layouts, weights captured as constants."""

import os
from typing import Any, ClassVar

import numpy as np

from .base import Contestant, Peer, PoolProblem, Problem, from_nhwc


class Jax(Peer):
    """A call ends when its result is ready."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")

    def __init__(self, threads: int) -> None:
        os.environ["NPROC"] = str(threads)  # what XLA sizes its pool by, read once
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax = jax
        self.version = jax.__version__

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Two of them."""
        return {
            "JAX NCHW": self._contestant(problem, problem.x, problem.w, ("NCHW", "OIHW", "NCHW")),
            "JAX NHWC": self._contestant(problem, problem.x_nhwc, problem.w_hwio, ("NHWC", "HWIO", "NHWC")),
        }

    def _contestant(self, problem: Problem, x: np.ndarray, w: np.ndarray, layouts: tuple[str, str, str]) -> Contestant:
        weights, correlate = self.jax.numpy.asarray(w), self._correlation(problem, layouts)
        return self._compiled(lambda x: correlate(x, weights), x, layouts[0] == "NHWC")

    def _correlation(self, problem: Problem, layouts: tuple[str, str, str]) -> Any:
        layer = problem.layer
        return lambda x, w: self.jax.lax.conv_general_dilated(
            x,
            w,
            window_strides=(layer.stride, layer.stride),
            padding=[(pad, pad) for pad in layer.padding],
            rhs_dilation=(layer.dilation, layer.dilation),
            dimension_numbers=layouts,
            feature_group_count=layer.groups,
        )

    def _compiled(self, function: Any, x: np.ndarray, last: bool) -> Contestant:
        compiled, on_device = self.jax.jit(function), self.jax.numpy.asarray(x)
        return Contestant(
            lambda: compiled(on_device).block_until_ready(),
            lambda y: from_nhwc(np.asarray(y)) if last else np.asarray(y),
        )

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Both layouts, by windows or, of whole images, by reduction."""
        return {
            "JAX NCHW": self._compiled(self._pool(problem, False), problem.x, False),
            "JAX NHWC": self._compiled(self._pool(problem, True), problem.x_nhwc, True),
        }

    def pool_gradients(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Both layouts, as JAX derives them."""
        offered = {}
        sides = (problem.x, problem.grad_y), (problem.x_nhwc, problem.grad_y_nhwc)
        for last, (x, grad_y) in enumerate(sides):
            forward = self._pool(problem, bool(last))
            _, gradient = self.jax.vjp(forward, self.jax.numpy.asarray(x))
            name = "JAX NHWC" if last else "JAX NCHW"
            offered[name] = self._compiled(lambda g, gradient=gradient: gradient(g)[0], grad_y, bool(last))
        return offered

    def _pool(self, problem: PoolProblem, last: bool) -> Any:
        jax, pool = self.jax, problem.pool
        axes = (1, 2) if last else (2, 3)
        largest = pool.mode == "max"
        if pool.whole:
            reduce = jax.numpy.max if largest else jax.numpy.mean
            return lambda x: reduce(x, axes, keepdims=True)

        def along(sizes: tuple[Any, Any], beside: Any) -> tuple[Any, ...]:
            return (beside, *sizes, beside) if last else (beside, beside, *sizes)

        windows = along(pool.kernel, 1), along((pool.stride,) * 2, 1)
        padding = along(tuple((pad, pad) for pad in pool.padding), (0, 0))
        dilation = {"window_dilation": along((pool.dilation,) * 2, 1)}
        if largest:
            return lambda x: jax.lax.reduce_window(x, -np.inf, jax.lax.max, *windows, padding, **dilation)
        add = lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, *windows, padding, **dilation)  # noqa: E731
        if pool.count_include_pad or not any(pool.padding):
            return lambda x: add(x) / (pool.kernel_h * pool.kernel_w)
        counts = add(jax.numpy.ones(problem.x_nhwc.shape if last else problem.x.shape, problem.dtype))
        return lambda x: add(x) / counts
