# SPDX-License-Identifier: BSD-3-Clause
"""Random calls of everything for as long as asked: memory stays flat, and a sample of the answers is right.

    python tests/trust/load.py [--minutes N] [--seed N] [--threads N]

Shapes never repeat for long, so that a cache that grows with them shows. Every 20th call is compared with the oracle in
float64, and every 50th is wrong and must be refused. Prints the memory once in a while, and exits with 1 when it grew.
"""

import argparse
import random
import re
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import reference as ref
from numerics import assert_close
from refusals import bytes_in_use

import fastconv

CHECKED, REFUSED, CHANGED = 20, 50, 200
PARTS, GROWN_MIB = 10, 4
DTYPES = ("float32", "float32", "float64", "float16", "int8", "int32")


def in_use() -> float:
    """Give the MiB that are allocated in this process, without what the library keeps for the next result.

    What the system counts as resident grows for a while by the gaps between blocks, whoever allocates them.
    """
    return bytes_in_use() / 2**20


def resident() -> float:
    """Give the MiB that the system counts."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if np.dtype(dtype).kind == "i":
        return rng.integers(-9, 9, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def one_call(rng: np.random.Generator, check: bool) -> str:
    """Call one operator with a problem that nobody drew before, and compare if asked."""
    layout, dtype = ("NCHW", "NHWC")[rng.integers(2)], DTYPES[rng.integers(len(DTYPES))]
    n, groups = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    c, o = groups * int(rng.integers(1, 24)), groups * int(rng.integers(1, 24))
    h, w, kernel = (int(v) for v in rng.integers((9, 9, 1), (64, 64, 6)))
    stride, pad, dilation = (int(v) for v in rng.integers((1, 0, 1), (4, 3, 3)))
    corr = {"stride": stride, "padding": pad, "dilation": dilation, "groups": groups, "layout": layout}
    wide = {**corr, "stride": (stride,) * 2, "padding": ((pad,) * 2,) * 2, "dilation": (dilation,) * 2}
    operation = str(
        rng.choice(["corr2d", "prepared", "input_grad", "weight_grad", "max", "avg", "max_grad", "avg_grad"])
    )
    if operation in ("input_grad", "weight_grad", "max_grad", "avg_grad", "avg") and dtype in ("int8", "int32"):
        dtype = "float32"
    x = ref.images(drawn(rng, (n, c, h, w), dtype), layout)
    if operation in ("corr2d", "prepared", "input_grad", "weight_grad"):
        span = dilation * (kernel - 1) + 1
        if span > min(h, w) + 2 * pad:
            return one_call(rng, check)
        weights = ref.weights(drawn(rng, (o, c // groups, kernel, kernel), dtype), layout)
        if operation in ("corr2d", "prepared"):
            call = fastconv.prepare(weights, **corr) if operation == "prepared" else None
            y = call(x) if call else fastconv.corr2d(x, weights, **corr)
            if check:
                # float64 also for halves, whose rounding the tolerance of the dtype covers
                assert_close(y, ref.corr2d(x, weights, **wide), operation)
            return operation
        out = [(side + 2 * pad - span) // stride + 1 for side in (h, w)]
        grad_y = ref.images(drawn(rng, (n, o, *out), dtype), layout)
        if operation == "input_grad":
            grad = fastconv.corr2d_input_grad(grad_y, weights, x.shape, **corr)
            if check:
                assert_close(grad, ref.corr2d_input_grad(grad_y, weights, x.shape, **wide), operation)
        else:
            grad = fastconv.corr2d_weight_grad(grad_y, x, weights.shape, **corr)
            if check:
                assert_close(grad, ref.corr2d_weight_grad(grad_y, x, weights.shape, **wide)[0], operation)
        return operation
    size = (kernel + 1, int(rng.integers(1, 8)))
    pool = {"stride": stride, "padding": ((0, 1), (1, 0)), "layout": layout}
    wide = {**pool, "stride": (stride,) * 2}
    if operation == "avg":
        y = fastconv.avg_pool2d(x, size, **pool)
        if check:
            assert_close(y, ref.avg_pool2d(x, size, **wide), operation)
        return operation
    y, places = fastconv.max_pool2d(x, size, **pool, return_indices=True)
    if operation == "max":
        if check:
            expected = ref.max_pool2d(x, size, **wide)
            np.testing.assert_array_equal(y, expected[0])
            np.testing.assert_array_equal(places, expected[1])
        return operation
    if operation == "max_grad":
        grad = fastconv.max_pool2d_grad(y, places, x.shape, layout=layout)
        if check:
            assert_close(grad, ref.max_pool2d_grad(y, places, x.shape, layout=layout), operation)
    else:
        grad = fastconv.avg_pool2d_grad(y, size, x.shape, **pool)
        if check:
            assert_close(grad, ref.avg_pool2d_grad(y, size, x.shape, **wide), operation)
    return operation


def one_refusal(rng: np.random.Generator) -> str:
    x = drawn(rng, (1, 2, 5 + int(rng.integers(50)), 7), "float32")
    wrong = [
        {"stride": 0},
        {"padding": -1},
        {"dilation": 2**62},
        {"groups": 3},
        {"algorithm": "magic"},
        {"padding": 2**62},
    ]
    try:
        fastconv.corr2d(x, np.ones((2, 2, 3, 3), np.float32), **wrong[rng.integers(len(wrong))])
    except ValueError:
        return "refusals"
    raise AssertionError("a wrong call was taken")


def work(seed: int, stop: float, done: Counter, failures: list) -> None:
    rng, number = np.random.default_rng(seed), 0
    try:
        while time.monotonic() < stop:
            number += 1
            done[one_refusal(rng) if number % REFUSED == 0 else one_call(rng, number % CHECKED == 0)] += 1
            done["calls"] += 1
            done["checked"] += number % CHECKED == 0 and number % REFUSED != 0
            if number % CHANGED == 0:
                fastconv.set_num_threads(int(rng.integers(1, 9)))
                fastconv.set_isa(str(rng.choice(fastconv.isas())))
    except BaseException as error:  # to be told by the main thread
        failures.append(error)


def main() -> int:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--threads", type=int, default=2, help="Python threads that call")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    sys.stdout.flush()
    start, counters, failures, held = time.monotonic(), [Counter() for _ in range(options.threads)], [], []
    # what assert_close prints is of no interest here
    printing, sys.stdout = sys.stdout, open("/dev/null", "w")  # noqa: PTH123, SIM115
    for part in range(PARTS):
        end = start + 60 * options.minutes * (part + 1) / PARTS
        threads = [
            threading.Thread(target=work, args=(options.seed + part * 1000 + i, end, counters[i], failures))
            for i in range(options.threads)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        held.append(in_use())  # while nobody calls
        calls = sum(c["calls"] for c in counters)
        told = f"{held[-1]:8.1f} MiB in use, {resident():8.1f} resident"
        print(f"{time.monotonic() - start:7.0f} s {calls:9} calls {told}", file=printing, flush=True)
        if failures:
            break
    sys.stdout = printing
    if failures:
        raise failures[0]
    total, grown = sum(counters, Counter()), held[-1] - held[1]
    print(", ".join(f"{name}: {count}" for name, count in sorted(total.items())))
    print(f"memory in use: {held[1]:.1f} MiB after a fifth of the time, {held[-1]:.1f} MiB at the end")
    return int(grown > GROWN_MIB)


if __name__ == "__main__":
    sys.exit(main())
