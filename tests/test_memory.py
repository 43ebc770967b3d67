# SPDX-License-Identifier: BSD-3-Clause
"""Memory is bounded: no columns of the whole image, no cache that grows, no leak of arrays or errors."""

import subprocess
import sys

import pytest

HEAD = """
import re
from pathlib import Path
import numpy as np
import fastconv
fastconv.set_num_threads(2)
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
def grown(function):
    before = peak()
    function()
    return peak() - before
"""

ONE_CALL = """
x, w = np.ones({x}, np.float32), np.ones({w}, np.float32)
y = np.ones(fastconv.corr2d(x[:1], w, padding="same", layout={layout!r}, algorithm="direct").shape, np.float32)
y = np.ones(({n}, *y.shape[1:]), np.float32)
out_x, out_w = np.ones_like(x), np.ones_like(w)
keys = dict(padding="same", layout={layout!r})
print(grown(lambda: fastconv.corr2d(x, w, **keys, out=y)))
print(grown(lambda: fastconv.corr2d_input_grad(y, w, x.shape, **keys, out=out_x)))
print(grown(lambda: fastconv.corr2d_weight_grad(y, x, w.shape, **keys, out=out_w)))
"""

MANY_CALLS = """
def call(n):
    side = 5 + n % 97
    x, w = np.ones((1, 3, side, 5 + n // 97), np.float32), np.ones((2, 3, 3, 3), np.float32)
    y = fastconv.corr2d(x, w)
    fastconv.prepare(w)(x)
    fastconv.corr2d_input_grad(y, w, x.shape)
    fastconv.corr2d_weight_grad(y, x, w.shape)
    fastconv.max_pool2d(x, 2, return_indices=True)
    fastconv.avg_pool2d(x, 2)
    fastconv.explain("corr2d", x.shape, w.shape)
    for wrong in (dict(stride=0), dict(padding=2**62), dict(algorithm="magic")):
        try:
            fastconv.corr2d(x, w, **wrong)
        except ValueError:
            pass
for n in range(300):
    call(n)
print(grown(lambda: [call(n) for n in range(300, 6000)]))
"""

PREPARED = """
x, w = np.ones((1, 64, 8, 8), np.float32), np.ones((64, 64, 3, 3), np.float32)
def work(times):
    for _ in range(times):
        fastconv.prepare(w)(x)
work(20)
print(grown(lambda: work(500)))
"""

LARGER_AND_LARGER = """
sizes = {sizes}
arrays = [[np.ones(shape, np.float32) for shape in ((1, c, 28, 28), (1, c, 28, 28), (c, c, 3, 3))] for c in sizes]
print(grown(lambda: [fastconv.corr2d_weight_grad(y, x, w.shape, padding=1, out=w) for x, y, w in arrays]))
"""

SPENDTHRIFT = """
kept = []
print(grown(lambda: kept.append(np.ones(30 * 2**20, np.uint8))))
"""


def mebibytes(script: str) -> list[float]:
    """Run a script that prints by how much the most memory it ever held has grown."""
    command = [sys.executable, "-c", HEAD + script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [float(line) for line in done.stdout.split()]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_no_columns_of_the_whole_image(layout: str):
    """The columns of this problem would take 138 MiB; transformed weights take 0.1 and partial sums 16 times that."""
    x, w = ((8, 32, 56, 56), (32, 32, 3, 5)) if layout == "NCHW" else ((8, 56, 56, 32), (3, 5, 32, 32))
    for number, size in enumerate(mebibytes(ONE_CALL.format(x=x, w=w, layout=layout, n=8))):
        assert size < 24, f"call {number} took {size:.0f} MiB beside its arguments and its result"


def test_no_cache_grows_with_the_shapes_seen():
    (size,) = mebibytes(MANY_CALLS)
    assert size < 4, f"5700 shapes took {size:.1f} MiB"


def test_prepared_weights_are_freed():
    (size,) = mebibytes(PREPARED)
    assert size < 4, f"500 prepared weights took {size:.1f} MiB"


def test_one_workspace_serves_all_calls():
    (largest,) = mebibytes(LARGER_AND_LARGER.format(sizes=[640]))
    (all_of_them,) = mebibytes(LARGER_AND_LARGER.format(sizes=list(range(128, 641, 64))))
    assert largest > 4
    assert all_of_them < 1.5 * largest, f"workspaces of up to {largest:.0f} MiB take {all_of_them:.0f} MiB together"


def test_the_measure_sees_what_is_kept():
    (size,) = mebibytes(SPENDTHRIFT)
    assert 25 < size < 40


def test_a_result_of_a_power_of_two_takes_no_more():
    """It has a header in front, and may be made of huge pages: twenty results of 2 MiB are not of 4 MiB each."""
    script = """
x, w = np.ones((1, 8, 256, 256), np.float32), np.ones((8, 1, 1, 1), np.float32)
results = [fastconv.corr2d(x, w, groups=8)]
print(grown(lambda: results.extend(fastconv.corr2d(x, w, groups=8) for _ in range(20))))
"""
    (grown,) = mebibytes(script)
    assert 40 <= grown < 46, f"{grown:.1f} MiB"
