# SPDX-License-Identifier: BSD-3-Clause
"""What the choice of an algorithm costs: the time of the one that "auto" takes, to that of the fastest one.

    python benchmarks/choice.py [--isa NAME] [--families NAME ...] [--quick] [--json FILE]

A sweep of correlations and their gradients: kernels of several forms, few and many channels on either side, groups of
any size, small and large maps, strides, one image and eight, both layouts. 1.00 is the best choice. One thread, since
the choice does not look at threads, and raw weights. --quick takes every fifteenth shape of each family.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from conditions import conditions
from report import condition_line
from timing import geometric_mean
from tqdm import tqdm

import fastconv

OPERATIONS = ("corr2d", "corr2d_input_grad", "corr2d_weight_grad")
QUICK_STEP = 15
MOST_FLOPS = 2e9
SECONDS, LEAST_CALLS, TURNS = 0.01, 5, 2
HOPELESS = 3.0  # times the fastest one: it runs no second turn
WORST = 40  # rows that are printed and written

EQUAL = [(n, n) for n in (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)]
UNEQUAL = [(3, 64), (64, 3), (4, 64), (64, 4), (6, 32), (32, 6), (8, 16), (16, 8), (8, 64), (64, 8), (24, 8), (128, 8),
           (12, 48), (16, 96), (96, 24), (32, 16)]  # fmt: skip
THIN = [(16, 96), (96, 24), (64, 64), (64, 256), (256, 64), (192, 32), (384, 64), (256, 1024), (1024, 256), (160, 960)]
FIRST = [(1, 6), (1, 16), (1, 32), (3, 16), (3, 32), (6, 16), (4, 8)]
LINES = [(16, 16), (16, 32), (32, 32), (48, 64), (64, 8), (96, 24), (128, 128), (160, 192)]
GROUPED = [(members * groups, members * groups, groups) for members in (8, 12, 16, 20, 24, 32, 40, 48, 64)
           for groups in (4, 16, 32) if members * groups <= 1280]  # fmt: skip
FEW = [(16, 1), (64, 2), (256, 3), (64, 4), (32, 8), (128, 12)]
LARGE = [(1, 32), (3, 64), (16, 16), (64, 24), (128, 128)]
DEPTHWISE = [(c, c, c) for c in (1, 3, 8, 16, 24, 64)]
MULTIPLIED = [(c, c * filters, c) for c, filters in ((2, 8), (3, 2), (8, 4), (16, 2), (16, 8), (64, 2))]


class Shape(NamedTuple):
    """One correlation."""

    channels: int
    filters: int
    groups: int
    window: tuple[int, int]
    side: int
    stride: int
    batch: int
    layout: str
    dilation: int = 1

    @property
    def flops(self) -> int:
        """Multiplications and additions by the definition."""
        outputs = self.batch * (-(-self.side // self.stride)) ** 2
        return 2 * outputs * self.filters * self.channels // self.groups * self.window[0] * self.window[1]

    @property
    def options(self) -> dict[str, Any]:
        """What fastconv's functions take by name."""
        return {
            "stride": self.stride,
            "padding": tuple(taps // 2 * self.dilation for taps in self.window),
            "dilation": self.dilation,
            "groups": self.groups,
            "layout": self.layout,
        }

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and weights, random numbers."""
        rng, (c, members) = np.random.default_rng(0), (self.channels, self.channels // self.groups)
        x = (self.batch, c, self.side, self.side), (self.batch, self.side, self.side, c)
        w = (self.filters, members, *self.window), (*self.window, members, self.filters)
        deep = self.layout == "NHWC"
        return rng.standard_normal(x[deep], np.float32), rng.standard_normal(w[deep], np.float32)


def _product(
    channels: list[tuple[int, ...]],
    windows: list[tuple[int, int]],
    sides: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...] = (1,),
) -> list[Shape]:
    return [
        Shape(c, o, groups[0] if groups else 1, window, side, stride, batch, layout, dilation)
        for (c, o, *groups), window, side, stride, dilation, batch, layout in itertools.product(
            channels, windows, sides, strides, dilations, (1, 8), ("NCHW", "NHWC")
        )
        if side > 7 or stride == 1
    ]


FAMILIES = {
    "3x3": _product(EQUAL, [(3, 3)], (7, 14, 28, 56), (1, 2)),
    "few on one side": _product(UNEQUAL, [(3, 3), (5, 5)], (7, 14, 28, 56), (1, 2)),
    "small images": _product(FIRST, [(3, 3), (5, 5)], (4, 8, 14, 28), (1, 2)),
    "few filters": _product(FEW, [(1, 1), (4, 4), (7, 7)], (7, 16, 64), (1, 2)),
    "large windows": _product(LARGE, [(6, 6), (11, 11)], (16, 28, 64), (1, 2, 4)),
    "1x1": _product(THIN, [(1, 1)], (7, 14, 28), (1, 2)),
    "dilated": _product(sorted({*EQUAL[3:], *LINES}), [(3, 3), (5, 5), (1, 3)], (10, 14, 28, 56), (1,), (2, 4)),
    "lines": _product(LINES, [(1, 3), (1, 7), (7, 1)], (8, 17, 35), (1,)),
    "depthwise": _product(DEPTHWISE, [(3, 3), (5, 5), (9, 9), (1, 9)], (14, 28, 112), (1, 2)),
    "depthwise multiplier": _product(MULTIPLIED, [(3, 3), (5, 5)], (14, 28, 112), (1, 2)),
    "groups": _product(GROUPED, [(3, 3)], (7, 14, 28, 56), (1, 2)),
}


def _seconds(call: Callable[[str], object], name: str) -> float:
    call(name)
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < LEAST_CALLS:
        start = time.perf_counter()
        call(name)
        times.append(time.perf_counter() - start)
    return min(times)


def _call(operation: str, shape: Shape) -> Callable[[str], object]:
    x, w = shape.arrays()
    y, function = fastconv.corr2d(x, w, **shape.options), getattr(fastconv, operation)
    operands = {"corr2d": (x, w), "corr2d_input_grad": (y, w, x.shape), "corr2d_weight_grad": (y, x, w.shape)}
    return lambda name: function(*operands[operation], algorithm=name, **shape.options)


def measure(operation: str, shape: Shape) -> dict[str, Any]:
    """The seconds of every algorithm that takes the shape, and which one "auto" does."""
    call = _call(operation, shape)
    x, w = (array.shape for array in shape.arrays())
    told = fastconv.explain(operation, x, w, **shape.options)
    names = [name for name in fastconv.algorithms(operation) if name not in told.declined]
    names = [name for name in names if name != "direct" or name == told.algorithm]
    seconds: dict[str, float] = {}
    for _ in range(TURNS):
        for name in names:
            if name == told.algorithm or seconds.get(name, 0) <= HOPELESS * min(seconds.values(), default=0):
                seconds[name] = min(_seconds(call, name), seconds.get(name, np.inf))
    return {
        "operation": operation,
        "shape": shape._asdict(),
        "auto": told.algorithm,
        "seconds": seconds,
        "loss": seconds[told.algorithm] / min(seconds.values()),
    }


def summary_lines(losses: dict[str, dict[str, list[float]]]) -> Iterator[str]:
    """One line a family and operation."""
    yield f"{'family':<22}{'operation':<20}{'shapes':>7}{'mean':>7}{'worst':>7}"
    for family, by_operation in losses.items():
        for operation, found in by_operation.items():
            yield f"{family:<22}{operation:<20}{len(found):>7}{geometric_mean(found):>7.3f}{max(found):>7.2f}"


def row_line(row: dict[str, Any]) -> str:
    """A shape, and its three fastest algorithms."""
    s = Shape(**row["shape"])
    fastest = sorted(row["seconds"].items(), key=lambda item: item[1])[:3]
    told = ", ".join(f"{name} {seconds * 1e6:.0f} us" for name, seconds in fastest)
    kernel = f"{s.window[0]}x{s.window[1]}/{s.stride}" + (f" dilated {s.dilation}" if s.dilation > 1 else "")
    problem = f"{s.layout} {s.batch} x {s.channels}-{s.filters}/{s.groups} {kernel} @{s.side}"
    return f"{row['loss']:.2f} {row['operation']} {problem}: {row['auto']}; {told}"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isa", default=fastconv.get_isa())
    parser.add_argument("--families", nargs="+", choices=tuple(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--quick", action="store_true", help="a few shapes of each family")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args()
    fastconv.set_isa(options.isa)
    fastconv.set_num_threads(1)
    about = conditions(1, "float32", TURNS)
    print(condition_line({**about, "peers": {}}))
    losses: dict[str, dict[str, list[float]]] = {}
    rows = []
    for family in options.families:
        fitting = [shape for shape in FAMILIES[family] if shape.flops <= MOST_FLOPS]
        taken = fitting[:: QUICK_STEP if options.quick else 1]
        for operation in options.operations:
            measured = [measure(operation, shape) for shape in tqdm(taken, desc=f"{family} {operation}", disable=None)]
            losses.setdefault(family, {})[operation] = [row["loss"] for row in measured]
            rows += measured
    rows.sort(key=lambda row: -row["loss"])
    print("\n".join(map(row_line, rows[:WORST])))
    print("\n".join(summary_lines(losses)))
    if options.json:
        means = {
            family: {
                operation: {"shapes": len(found), "mean": geometric_mean(found), "worst": max(found)}
                for operation, found in by_operation.items()
            }
            for family, by_operation in losses.items()
        }
        result = {"conditions": about, "means": means, "worst": rows[:WORST]}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
