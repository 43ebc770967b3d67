# SPDX-License-Identifier: BSD-3-Clause
"""OpenCV's filters: dilate and blur, over images with channels last or plane by plane."""

from collections.abc import Callable
from typing import Any, ClassVar

import cv2
import numpy as np

from .base import Contestant, Peer, PoolProblem, Problem, from_nhwc

MOST_CHANNELS = 512  # of one of its images


class OpenCV(Peer):
    """Pooling whose result has the size of the image; pixels outside count as dilate's least, and as blur's 0."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    integers: ClassVar[tuple[str, ...]] = ("uint8",)

    def __init__(self, threads: int) -> None:
        cv2.setNumThreads(threads)
        self.version = cv2.__version__

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """None: its correlations are of one channel."""
        return {}

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """One a layout."""
        pool = problem.pool
        if not pool.same or (pool.mode == "avg" and not pool.count_include_pad):
            return {}
        kh, kw = pool.kernel
        call: Callable[[Any], Any]
        if pool.mode == "max":
            ones = np.ones((kh, kw), np.uint8)
            call = lambda image: cv2.dilate(image, ones)  # noqa: E731
        else:
            call = lambda image: cv2.blur(image, (kw, kh), borderType=cv2.BORDER_CONSTANT)  # noqa: E731
        planes, images = list(problem.x.reshape(-1, pool.height, pool.width)), list(problem.x_nhwc)
        offered = {
            "OpenCV NCHW": Contestant(lambda: [*map(call, planes)], lambda ys: np.reshape(ys, pool.y_shape)),
        }
        if 1 < pool.channels <= MOST_CHANNELS:
            offered["OpenCV NHWC"] = Contestant(lambda: [*map(call, images)], lambda ys: from_nhwc(np.stack(ys)))
        return offered
