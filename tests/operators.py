# SPDX-License-Identifier: BSD-3-Clause
"""Every operator on one middle-sized problem a layout, for tests of what all of them promise."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import reference as ref
from numerics import fresh_rng, random_array

import fastconv

LAYOUTS = ("NCHW", "NHWC")
FORWARD = ("corr2d", "max_pool2d", "avg_pool2d")
PER_IMAGE = (*FORWARD, "corr2d_input_grad", "max_pool2d_grad", "avg_pool2d_grad")
OPERATORS = (*PER_IMAGE, "corr2d_weight_grad")
POOL = {"stride": 2, "padding": 1}

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Geometry:
    """A correlation of `n` images of `c` channels to `o`; the pooling of the same images is 3x3 with stride 2."""

    name: str
    n: int
    c: int
    o: int
    side: int
    kernel: int = 3
    stride: int = 1
    groups: int = 1

    def __str__(self) -> str:
        return self.name

    @property
    def corr(self) -> dict[str, Any]:
        return {"stride": self.stride, "padding": self.kernel // 2, "groups": self.groups}


GEOMETRIES = (
    Geometry("plain", 4, 33, 26, 15),
    Geometry("pointwise", 3, 70, 65, 15, kernel=1),
    Geometry("strided", 4, 3, 24, 41, kernel=5, stride=2),
    Geometry("depthwise", 4, 40, 40, 31, groups=40),
    Geometry("grouped", 3, 24, 36, 19, groups=3),
    Geometry("deep", 2, 300, 72, 9),  # channels in several parts, each for threads of its own
)


@lru_cache(maxsize=64)
def arrays(geometry: Geometry, layout: str, dtype: str = "float32") -> Arrays:
    """Draw the arguments of every operator; never written to."""
    g, rng = geometry, fresh_rng(geometry, dtype)
    out, half = (g.side - 1) // g.stride + 1, (g.side - 1) // 2 + 1
    shapes = {"x": (g.n, g.c, g.side, g.side), "grad_y": (g.n, g.o, out, out), "grad_pooled": (g.n, g.c, half, half)}
    drawn = {name: ref.images(random_array(rng, shape, dtype), layout).copy() for name, shape in shapes.items()}
    w = random_array(rng, (g.o, g.c // g.groups, g.kernel, g.kernel), dtype)
    drawn |= {"w": ref.weights(w, layout).copy(), "bias": random_array(rng, (g.o,), dtype)}
    drawn["indices"] = fastconv.max_pool2d(drawn["x"], 3, **POOL, layout=layout, return_indices=True)[1]
    return drawn


def call(op: str, geometry: Geometry, layout: str, a: Arrays, algorithm: str = "auto") -> np.ndarray:
    """Call one operator on (a part of) its arrays."""
    options = {"layout": layout, "algorithm": algorithm}
    if op == "corr2d":
        return fastconv.corr2d(a["x"], a["w"], a["bias"], **geometry.corr, **options)
    if op == "corr2d_input_grad":
        return fastconv.corr2d_input_grad(a["grad_y"], a["w"], a["x"].shape, **geometry.corr, **options)
    if op == "corr2d_weight_grad":
        return fastconv.corr2d_weight_grad(a["grad_y"], a["x"], a["w"].shape, **geometry.corr, **options)
    if op == "max_pool2d_grad":
        return fastconv.max_pool2d_grad(a["grad_pooled"], a["indices"], a["x"].shape, **options)
    if op == "avg_pool2d_grad":
        return fastconv.avg_pool2d_grad(a["grad_pooled"], 3, a["x"].shape, **POOL, **options)
    return getattr(fastconv, op)(a["x"], 3, **POOL, **options)


def oracle(op: str, geometry: Geometry, layout: str, a: Arrays) -> np.ndarray:
    """Give the oracle's result for the same call."""
    g, pads = geometry, ((geometry.kernel // 2,) * 2,) * 2
    corr = {"stride": (g.stride, g.stride), "padding": pads, "groups": g.groups, "layout": layout}
    pool = {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "layout": layout}
    calls: dict[str, Callable[[], np.ndarray]] = {
        "corr2d": lambda: ref.corr2d(a["x"], a["w"], a["bias"], **corr),
        "corr2d_input_grad": lambda: ref.corr2d_input_grad(a["grad_y"], a["w"], a["x"].shape, **corr),
        "corr2d_weight_grad": lambda: ref.corr2d_weight_grad(a["grad_y"], a["x"], a["w"].shape, **corr)[0],
        "max_pool2d": lambda: ref.max_pool2d(a["x"], (3, 3), **pool)[0],
        "avg_pool2d": lambda: ref.avg_pool2d(a["x"], (3, 3), **pool),
        "max_pool2d_grad": lambda: ref.max_pool2d_grad(a["grad_pooled"], a["indices"], a["x"].shape, layout=layout),
        "avg_pool2d_grad": lambda: ref.avg_pool2d_grad(a["grad_pooled"], (3, 3), a["x"].shape, **pool),
    }
    return calls[op]()


@lru_cache(maxsize=256)
def expected(op: str, geometry: Geometry, layout: str) -> np.ndarray:
    """Give the oracle's result for the plain float32 call."""
    return oracle(op, geometry, layout, arrays(geometry, layout))


def part(a: Arrays, first: int, last: int) -> Arrays:
    """Keep some images of the batch."""
    return {name: value if name in ("w", "bias") else value[first:last] for name, value in a.items()}
