# SPDX-License-Identifier: BSD-3-Clause
"""fastconv itself: two layouts, weights as they come and prepared."""

from typing import ClassVar

import fastconv

from .base import Contestant, Peer, Problem, from_nhwc


class Fastconv(Peer):
    """Results are new arrays in every call."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")

    def __init__(self, threads: int) -> None:
        fastconv.set_num_threads(threads)
        self.version = fastconv.__version__

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Four of them."""
        options = problem.layer.options
        x, w, x_nhwc, w_hwio = problem.x, problem.w, problem.x_nhwc, problem.w_hwio
        prepared = fastconv.prepare(w, **options)
        prepared_nhwc = fastconv.prepare(w_hwio, layout="NHWC", **options)
        return {
            "fastconv NCHW": Contestant(lambda: fastconv.corr2d(x, w, **options), lambda y: y),
            "fastconv NCHW prepared": Contestant(lambda: prepared(x), lambda y: y),
            "fastconv NHWC": Contestant(lambda: fastconv.corr2d(x_nhwc, w_hwio, layout="NHWC", **options), from_nhwc),
            "fastconv NHWC prepared": Contestant(lambda: prepared_nhwc(x_nhwc), from_nhwc),
        }
