# SPDX-License-Identifier: BSD-3-Clause
"""The time of every operator on denormal numbers, as a ratio to its time on ordinary ones.

    python benchmarks/denormals.py [--isa NAME] [--rounds N]

Two kinds of data: arrays of denormals, and ordinary arrays whose products are denormal. 1.00 is the same time; what is
promised is at most 1.2 (docs/trust.md). One thread, so that a ratio is not one of two schedules.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from timing import interleaved

import fastconv

PROMISED = 1.2
CHANNELS, SIDE = 32, 56
KINDS = {
    "float32": {"denormal": (1e-40, 1.0), "denormal products": (1e-22, 1e-20)},
    "float64": {"denormal": (1e-310, 1.0), "denormal products": (1e-160, 1e-155)},
}


def aligned(values: NDArray[np.float64], dtype: str) -> NDArray[np.floating]:
    """The numbers at the beginning of a page: where arrays lie must not show in a ratio."""
    memory = np.empty(values.size * np.dtype(dtype).itemsize + 4096, np.uint8)
    array = memory[-memory.ctypes.data % 4096 :][: memory.size - 4096].view(dtype).reshape(values.shape)
    array[...] = values
    return array


def calls(layout: str, dtype: str, images: float, weights: float) -> dict[str, Callable[[], object]]:
    """Every operator on numbers of that size, by name."""
    rng = np.random.default_rng(0)
    shape = (1, CHANNELS, SIDE, SIDE) if layout == "NCHW" else (1, SIDE, SIDE, CHANNELS)
    w_shape = (CHANNELS, CHANNELS, 3, 3) if layout == "NCHW" else (3, 3, CHANNELS, CHANNELS)
    deep = (CHANNELS, 1, 3, 3) if layout == "NCHW" else (3, 3, 1, CHANNELS)
    x = aligned(rng.uniform(0.5, 2, shape) * images, dtype)
    w, depthwise = (aligned(rng.uniform(0.5, 2, s) * weights, dtype) for s in (w_shape, deep))
    y, places = fastconv.max_pool2d(x, 2, layout=layout, return_indices=True)
    out = aligned(np.zeros(shape), dtype)
    keys = {"padding": 1, "layout": layout}
    found: dict[str, Callable[[], object]] = {
        "corr2d_input_grad": lambda: fastconv.corr2d_input_grad(x, w, x.shape, **keys),
        "corr2d_weight_grad": lambda: fastconv.corr2d_weight_grad(x, x, w.shape, **keys),
        "depthwise": lambda: fastconv.corr2d(x, depthwise, groups=CHANNELS, out=out, **keys),
        "max_pool2d": lambda: fastconv.max_pool2d(x, 2, layout=layout),
        "avg_pool2d": lambda: fastconv.avg_pool2d(x, 2, layout=layout),
        "avg_pool2d 9x9": lambda: fastconv.avg_pool2d(x, 9, stride=1, layout=layout),
        "max_pool2d_grad": lambda: fastconv.max_pool2d_grad(y, places, x.shape, layout=layout),
        "avg_pool2d_grad": lambda: fastconv.avg_pool2d_grad(y, 2, x.shape, layout=layout),
    }
    declined = fastconv.explain("corr2d", x.shape, w.shape, **keys).declined
    for name in fastconv.algorithms("corr2d"):
        if name not in declined and name != "direct":
            found[f"corr2d {name}"] = lambda name=name: fastconv.corr2d(x, w, **keys, algorithm=name)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--isa", default=fastconv.get_isa())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    fastconv.set_isa(options.isa)
    fastconv.set_num_threads(1)
    worst = 0.0
    print(f"{options.isa}, one thread, {CHANNELS} channels of {SIDE}x{SIDE}; ratios of the fastest calls")
    for dtype, kinds in KINDS.items():
        for layout in ("NCHW", "NHWC"):
            plain = calls(layout, dtype, 1, 1)
            others = {kind: calls(layout, dtype, *sizes) for kind, sizes in kinds.items()}
            for name, call in plain.items():
                turns = {"ordinary": call, **{kind: others[kind][name] for kind in kinds}}
                best = interleaved(turns, options.rounds)
                ratios = {kind: best[kind] / best["ordinary"] for kind in kinds}
                worst = max(worst, *ratios.values())
                told = "   ".join(f"{kind} {ratio:.2f}" for kind, ratio in ratios.items())
                print(f"{dtype} {layout} {name:28} {best['ordinary'] * 1e3:8.3f} ms   {told}")
    print(f"the worst: {worst:.2f}, promised: at most {PROMISED}")


if __name__ == "__main__":
    main()
