# SPDX-License-Identifier: BSD-3-Clause
"""What a small call costs on NumPy arrays: its forms, and the smallest layers beside other libraries.

    python benchmarks/bench_overhead_numpy.py [--rounds 20] [--calls 200] [--threads 1]

First every kind of call on a 3 x 3 image, where there is next to nothing to compute, beside `np.add` on the same array.
Then layers of LeNet, beside the libraries that are installed. Microseconds of the fastest turn: a turn is so many calls
on end, and all take turns.
"""

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import peers
from layers import Layer
from peers.fastconv import Fastconv
from tqdm import tqdm

import fastconv

Call = Callable[[], object]

BESIDE = ("torch", "onnxruntime", "openvino", "mnn")
#                 channels, size, out_channels, kernel, padding
LAYERS = {
    "1x3x3 * 1x3x3": (1, 3, 1, 3, 0),
    "1x32x32 * 6x5x5, padding 2": (1, 32, 6, 5, 2),
    "6x14x14 * 16x5x5": (6, 14, 16, 5, 0),
    "16x5x5 * 120x5x5": (16, 5, 120, 5, 0),
}


def drawn(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Draw an array."""
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def forms() -> dict[str, Call]:
    """Calls on a 3 x 3 image."""
    x, w, bias, out = drawn(1, 1, 3, 3), drawn(1, 1, 3, 3), drawn(1), np.empty((1, 1, 1, 1), np.float32)
    image, kernel, x64, w64, half = x[0, 0], w[0, 0], x.astype("d"), w.astype("d"), x.astype(np.float16)
    swapped, spaced = x.astype(x.dtype.newbyteorder("S")), drawn(1, 1, 6, 6)[:, :, ::2, ::2]
    call, index = fastconv.prepare(w, bias), np.zeros((1, 1, 1, 1), np.int64)
    corr2d, max_pool2d, avg_pool2d = fastconv.corr2d, fastconv.max_pool2d, fastconv.avg_pool2d
    return {
        "np.add(x, w)": lambda: np.add(x, w),
        "corr2d(x, w)": lambda: corr2d(x, w),
        "corr2d(x, w, bias)": lambda: corr2d(x, w, bias),
        "corr2d(x, w, out=out)": lambda: corr2d(x, w, out=out),
        "corr2d(image, kernel)": lambda: corr2d(image, kernel),
        "corr2d, stride=2, padding=1": lambda: corr2d(x, w, stride=2, padding=1),
        "corr2d, stride=(2, 2), padding='same'": lambda: corr2d(x, w, stride=(2, 2), padding="same"),
        "corr2d, layout='NHWC', padding=1": lambda: corr2d(x, w, layout="NHWC", padding=1),
        "corr2d, float64": lambda: corr2d(x64, w64),
        "corr2d, algorithm='direct'": lambda: corr2d(x, w, algorithm="direct"),
        "corr2d, float16": lambda: corr2d(half, half),
        "corr2d, strided": lambda: corr2d(spaced, w),
        "corr2d, other byte order": lambda: corr2d(swapped, w),
        "prepared(x)": lambda: call(x),
        "prepared(x, out)": lambda: call(x, out),
        "max_pool2d(x, 2)": lambda: max_pool2d(x, 2),
        "max_pool2d, return_indices=True": lambda: max_pool2d(x, 2, return_indices=True),
        "avg_pool2d(x, 2)": lambda: avg_pool2d(x, 2),
        "corr2d_input_grad": lambda: fastconv.corr2d_input_grad(out, w, (1, 1, 3, 3)),
        "corr2d_weight_grad": lambda: fastconv.corr2d_weight_grad(out, x, (1, 1, 3, 3)),
        "max_pool2d_grad": lambda: fastconv.max_pool2d_grad(out, index, (1, 1, 3, 3)),
        "avg_pool2d_grad": lambda: fastconv.avg_pool2d_grad(out, 3, (1, 1, 3, 3)),
    }


def contestants(name: str, threads: int) -> dict[str, Call]:
    """Calls of every library for one layer."""
    channels, size, filters, kernel, padding = LAYERS[name]
    layer = Layer("", name, 1, channels, size, size, filters, kernel, kernel, 1, (padding, padding), 1, 1)
    problem = peers.Problem(layer, "float32")
    found = [Fastconv(threads), *(peers.load(peer, threads) for peer in BESIDE if peer in peers.installed())]
    return {name: one.call for peer in found for name, one in peer.contestants(problem).items()}


def seconds(call: Call, calls: int) -> float:
    """Of one call, among so many."""
    call()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def fastest(calls: dict[str, Call], rounds: int, each: int, title: str) -> dict[str, float]:
    """Microseconds of a call in the fastest turn of each."""
    best = dict.fromkeys(calls, math.inf)
    for _ in tqdm(range(rounds), title, leave=False):
        for name, call in calls.items():
            best[name] = min(best[name], 1e6 * seconds(call, each))
    return best


def show(title: str, times: dict[str, float]) -> None:
    """Print one table."""
    print(f"\n{title}")
    for name, microseconds in times.items():
        print(f"  {name:<42}{microseconds:>8.2f} us")


def main() -> None:
    """Print the forms, then one table a layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200, help="in one turn")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    fastconv.set_num_threads(args.threads)
    show("forms, on 3 x 3 pixels", fastest(forms(), args.rounds, args.calls, "forms"))
    for name in LAYERS:
        show(name, fastest(contestants(name, args.threads), args.rounds, args.calls, name))


if __name__ == "__main__":
    main()
