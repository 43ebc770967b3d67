# SPDX-License-Identifier: BSD-3-Clause
"""SciPy's filters: maximum_filter and uniform_filter over planes, in one thread, as SciPy has it."""

from typing import ClassVar

import numpy as np
import scipy
from scipy import ndimage

from .base import Contestant, Peer, PoolProblem, Problem, from_nhwc


class SciPy(Peer):
    """Pooling whose result has the size of the image, in both layouts."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    integers: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int32", "int64")

    def __init__(self, threads: int) -> None:
        self.version = scipy.__version__

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """None: its correlations are of one channel."""
        return {}

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """One a layout."""
        pool, x, x_nhwc = problem.pool, problem.x, problem.x_nhwc
        if not pool.same or (pool.mode == "avg" and not pool.count_include_pad):
            return {}
        kh, kw = pool.kernel
        border = {"mode": "constant", "cval": 0.0}
        if pool.mode == "max":
            border["cval"] = -np.inf if problem.dtype.kind == "f" else np.iinfo(problem.dtype).min
        call = ndimage.maximum_filter if pool.mode == "max" else ndimage.uniform_filter
        return {
            "SciPy NCHW": Contestant(lambda: call(x, (1, 1, kh, kw), **border), lambda y: y),
            "SciPy NHWC": Contestant(lambda: call(x_nhwc, (1, kh, kw, 1), **border), from_nhwc),
        }
