# SPDX-License-Identifier: BSD-3-Clause
"""Arrays of more than 2**31 elements; runs only when asked, for it takes 10 GB of memory and minutes.

    pytest tests/trust/big.py

Zeros that nobody touches take no memory; what is looked at lies beyond every limit of 31 and 32 bits.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fastconv

HEIGHT, WIDTH = 60_000, 40_000  # 2.4e9 pixels
PATCH = 64


@pytest.fixture(autouse=True)
def memory_told() -> Iterator[None]:
    yield
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 2**20
    print(f"the most memory so far: {peak:.1f} GiB")


def corners(height: int, width: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Patches where offsets pass 2**31 and 2**32, at the ends, and a few others."""
    rng = np.random.default_rng(0)
    rows = [0, height - size, 2**31 // width - size // 2, *rng.integers(0, height - size, 5)]
    for row in rows:
        for column in (0, width - size, int(rng.integers(0, width - size))):
            yield slice(int(row), int(row) + size), slice(column, column + size)


def image(dtype: str) -> np.ndarray:
    x = np.zeros((HEIGHT, WIDTH), dtype)
    for number, (rows, columns) in enumerate(corners(HEIGHT, WIDTH, PATCH)):
        x[rows, columns] = np.random.default_rng(number).integers(1, 200, (PATCH, PATCH))
    return x


def test_max_pooling_and_its_gradient():
    """Slid by its own size; the places fit 64 bits only."""
    x, size = image("uint8"), 8
    y, places = fastconv.max_pool2d(x, size, return_indices=True)
    assert y.shape == (HEIGHT // size, WIDTH // size)
    squares = x.reshape(HEIGHT // size, size, WIDTH // size, size)
    for first in range(0, HEIGHT // size, 500):
        np.testing.assert_array_equal(y[first : first + 500], squares[first : first + 500].max((1, 3)))
    assert places.max() > 2**31
    flat = x.reshape(-1)
    np.testing.assert_array_equal(flat[places.reshape(-1)], y.reshape(-1))
    grad = fastconv.max_pool2d_grad(y, places, x.shape)
    assert np.count_nonzero(grad) == np.count_nonzero(y)
    np.testing.assert_array_equal(grad.reshape(-1)[places.reshape(-1)], y.reshape(-1))


def test_a_sliding_maximum():
    x = image("uint8")
    y = fastconv.max_pool2d(x, 3, stride=1, padding=1)
    assert y.size > 2**31
    for rows, columns in corners(HEIGHT, WIDTH, PATCH):
        inner = np.lib.stride_tricks.sliding_window_view(x[rows, columns], (3, 3)).max((2, 3))
        got = y[rows, columns][1:-1, 1:-1]
        np.testing.assert_array_equal(got, inner)


def test_correlation_of_a_file(tmp_path: Path):
    """8 GB of float32 in a file that is mostly holes, and the result in another."""
    side = 46_500
    assert side * side > 2**31
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(side, side))
    for number, (rows, columns) in enumerate(corners(side, side, PATCH)):
        x[rows, columns] = np.random.default_rng(number).integers(-9, 9, (PATCH, PATCH))
    w = np.arange(9, dtype=np.float32).reshape(3, 3)
    out = np.memmap(tmp_path / "y", np.float32, "w+", shape=((side - 3) // 2 + 1, (side - 3) // 2 + 1))
    assert fastconv.corr2d(x, w, stride=2, out=out) is out
    for rows, columns in corners(side, side, PATCH):
        first = [s.start + s.start % 2 for s in (rows, columns)]
        part = np.array(x[first[0] : rows.stop, first[1] : columns.stop])
        expected = fastconv.corr2d(part, w, stride=2, algorithm="direct")
        at = tuple(slice(f // 2, f // 2 + n) for f, n in zip(first, expected.shape, strict=True))
        np.testing.assert_array_equal(out[at], expected)
    assert np.count_nonzero(out[1000:1100, 100:200]) == 0


def test_a_result_larger_than_its_input():
    """2**31 pixels and more from one pixel and its padding."""
    y = fastconv.corr2d(np.ones((1, 1), np.int8), np.full((1, 1), 3, np.int8), padding=((23_300, 23_300),) * 2)
    assert y.size > 2**31
    assert y[23_300, 23_300] == 3
    assert y.sum(dtype=np.int64) == 3
