# SPDX-License-Identifier: BSD-3-Clause
"""Images of a few windows: sums that run along the weights of a channel, in tiles of channels and windows."""

import numpy as np
import pytest
from numerics import assert_same_bits, fresh_rng

import fastconv

# x, w, options: every remainder of a tile's windows and channels, sums that end within a vector, several pieces of one,
# blocks of windows, waves of images; pixels as they lie, and windows put together: strided, dilated, grouped.
CASES = [
    *(((1, 37, 1, width), (6, 37, 1, 1), {}) for width in range(2, 12)),
    *(((1, 64, 2, 3), (channels, 64, 1, 1), {}) for channels in range(1, 8)),
    *(((1, depth, 3, 3), (7, depth, 1, 1), {}) for depth in (1, 15, 16, 17, 33, 775)),
    ((2, 5001, 2, 2), (3, 5001, 1, 1), {}),
    ((1, 20, 13, 12), (31, 20, 1, 1), {}),
    ((5, 24, 7, 7), (61, 24, 3, 3), {"padding": 1}),
    ((2, 24, 14, 13), (33, 24, 3, 3), {"padding": 1, "stride": 2}),
    ((1, 9, 9, 8), (5, 9, 5, 3), {"padding": ((4, 0), (0, 2)), "dilation": (2, 1)}),
    ((3, 12, 5, 6), (15, 4, 2, 2), {"groups": 3}),
    ((2, 12, 5, 5), (6, 4, 1, 1), {"groups": 3}),
    ((1, 2, 20, 20), (4, 2, 17, 18), {}),
    ((1, 3, 1, 9), (4, 3, 1, 1), {"stride": 4}),
    ((9, 8000, 5, 6), (2, 8000, 1, 1), {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES, ids=str)
def test_sums_are_bounded_and_depend_on_nothing_else(
    isa: str, x_shape: tuple, w_shape: tuple, options: dict, dtype: str
):
    rng = fresh_rng("inner product", x_shape, w_shape)
    x, w = (rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape))
    bias = rng.standard_normal(w_shape[0]).astype(dtype)
    keys = {**options, "algorithm": "inner_product"}
    fastconv.set_num_threads(3)
    y = fastconv.corr2d(x, w, bias, **keys)
    exact, sums = (
        fastconv.corr2d(*(form(a.astype(np.float64)) for a in (x, w, bias)), **options, algorithm="direct")
        for form in (np.positive, np.abs)
    )
    terms = w[0].size
    roundings = min(terms, 256) + terms // 512 + 40
    slack = (terms + 1) * np.finfo(np.float64).eps / 2  # of the reference itself
    assert np.all(np.abs(y - exact) <= (roundings * np.finfo(dtype).eps / 2 + slack) * sums)
    fastconv.set_num_threads(1)
    assert_same_bits(fastconv.corr2d(x, w, bias, **keys), y, "one thread")
    for n in range(x_shape[0]):
        assert_same_bits(fastconv.corr2d(x[n : n + 1], w, bias, **keys), y[n : n + 1], f"image {n} alone")
    if options.get("groups", 1) == 1:
        last = fastconv.corr2d(x, w[-1:], bias[-1:], **keys)
        assert_same_bits(last, np.ascontiguousarray(y[:, -1:]), "the last channel alone")
    assert_same_bits(fastconv.prepare(w, bias, **keys)(x), y, "prepared")


@pytest.mark.parametrize(
    ("x", "w", "options", "taken"),
    [
        ((1, 512, 2, 2), (256, 512, 1, 1), {}, True),
        ((1, 1024, 7, 7), (512, 1024, 1, 1), {}, True),
        ((1, 256, 4, 4), (256, 256, 3, 3), {"padding": 1}, True),
        ((1, 512, 5, 5), (512, 512, 3, 3), {"padding": 1}, True),
        ((1, 512, 7, 7), (512, 512, 3, 3), {"padding": 1}, False),  # small tiles of Winograd's algorithm save more
        ((1, 256, 7, 7), (256, 256, 3, 3), {"padding": 1}, False),  # Winograd's transforms of weights stay in a cache
        ((8, 512, 14, 14), (512, 512, 3, 3), {"padding": 1, "stride": 2}, False),  # pixels of all images fill vectors
        ((8, 256, 7, 7), (256, 256, 3, 3), {"padding": 1}, False),  # Winograd's algorithm has tiles enough
        ((1, 256, 7, 7), (16, 256, 3, 3), {"padding": 1}, False),  # windows are copied for few channels
        ((1, 16, 7, 7), (64, 16, 1, 1), {}, False),  # short sums
        ((1, 64, 14, 14), (64, 64, 1, 1), {}, False),
    ],
    ids=str,
)
def test_where_it_is_taken(x: tuple, w: tuple, options: dict, taken: bool):
    explanation = fastconv.explain("corr2d", x, w, **options)
    assert (explanation.algorithm == "inner_product") is taken, explanation


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_reaches_its_windows_alone(value: float):
    x, w = np.ones((2, 40, 4, 5), np.float32), np.ones((6, 40, 1, 2), np.float32)
    x[1, 33, 2, 1] = value
    y = fastconv.corr2d(x, w, algorithm="inner_product")
    reached = np.zeros(y.shape, bool)
    reached[1, :, 2, :2] = True
    np.testing.assert_array_equal(np.isfinite(y), ~reached)


@pytest.mark.parametrize(
    ("x", "w", "options", "told"),
    [
        ((1, 4, 4, 4), (5, 3, 3, 4), {"layout": "NHWC"}, "NCHW"),
        ((1, 4, 3, 3), (5, 4, 2, 2), {"dtype": "int32"}, "float"),
        ((1, 4, 2, 2), (5, 4, 2, 2), {"padding": 2**29, "stride": 2**29}, "32-bit"),
        ((1, 4096, 300, 300), (5, 4096, 1, 1), {}, "256 MiB"),
    ],
)
def test_what_it_declines(x: tuple, w: tuple, options: dict, told: str):
    if options.get("layout") == "NHWC":
        w = (w[2], w[3], x[3], w[0])
    assert told in fastconv.explain("corr2d", x, w, **options).declined["inner_product"]
