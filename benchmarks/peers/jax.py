# SPDX-License-Identifier: BSD-3-Clause
"""JAX: compiled functions of both layouts, weights captured as constants."""

import os
from typing import ClassVar

import numpy as np

from .base import Contestant, Peer, Problem, from_nhwc


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
        layer, on_device, weights = problem.layer, self.jax.numpy.asarray(x), self.jax.numpy.asarray(w)
        compiled = self.jax.jit(
            lambda x: self.jax.lax.conv_general_dilated(
                x,
                weights,
                window_strides=(layer.stride, layer.stride),
                padding=[(pad, pad) for pad in layer.padding],
                rhs_dilation=(layer.dilation, layer.dilation),
                dimension_numbers=layouts,
                feature_group_count=layer.groups,
            )
        )
        last = layouts[0] == "NHWC"
        return Contestant(
            lambda: compiled(on_device).block_until_ready(),
            lambda y: from_nhwc(np.asarray(y)) if last else np.asarray(y),
        )
