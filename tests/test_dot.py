# SPDX-License-Identifier: BSD-3-Clause
"""Images of one window: the sums that run along the weights of a channel."""

import numpy as np
import pytest
from cases import LAYOUTS
from numerics import assert_same_bits, fresh_rng

import fastconv

# x, w, options: fully connected, padded, strided, dilated downwards, grouped; short sums and long.
CASES = [
    ((1, 16, 5, 5), (120, 16, 5, 5), {}),
    ((3, 70, 1, 1), (33, 70, 1, 1), {}),
    ((2, 1, 1, 1), (1, 1, 1, 1), {}),
    ((2, 3, 2, 1), (5, 3, 2, 1), {}),
    ((40, 31, 1, 1), (7, 31, 1, 1), {}),
    ((1, 20000, 1, 1), (3, 20000, 1, 1), {}),
    ((2, 6, 2, 2), (9, 6, 3, 3), {"padding": 1, "stride": 2}),
    ((2, 6, 3, 4), (9, 6, 3, 4), {"padding": ((0, 2), (0, 1)), "stride": 3}),
    ((2, 6, 1, 1), (9, 6, 5, 5), {"padding": 2}),
    ((2, 6, 7, 3), (9, 6, 3, 3), {"dilation": (3, 1)}),
    ((2, 12, 3, 3), (15, 4, 3, 3), {"groups": 3}),
    ((2, 12, 7, 7), (12, 1, 7, 7), {"groups": 12}),
    ((2, 8, 2, 9), (4, 8, 2, 3), {"stride": (1, 8), "padding": ((0, 0), (1, 0))}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CASES)
def test_sums_are_bounded_and_depend_on_nothing_else(
    isa: str, x_shape: tuple, w_shape: tuple, options: dict, dtype: str
):
    rng = fresh_rng("dot", x_shape, w_shape)
    x, w = (rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape))
    bias = rng.standard_normal(w_shape[0]).astype(dtype)
    keys = {**options, "algorithm": "dot"}
    y = fastconv.corr2d(x, w, bias, **keys)
    wide = [a.astype(np.longdouble) for a in (x, w, bias)]
    exact = fastconv.corr2d(*(a.astype(np.float64) for a in wide), **options, algorithm="direct")
    sums = fastconv.corr2d(*(np.abs(a).astype(np.float64) for a in wide), **options, algorithm="direct")
    terms = w[0].size
    roundings = min(terms, 256) + terms // 512 + 40
    slack = (terms + 1) * np.finfo(np.float64).eps / 2  # of the reference itself
    assert np.all(np.abs(y - exact) <= (roundings * np.finfo(dtype).eps / 2 + slack) * sums)
    assert fastconv.explain("corr2d", x_shape, w_shape, dtype=dtype, **options).algorithm == "dot"
    fastconv.set_num_threads(1)
    assert_same_bits(fastconv.corr2d(x, w, bias, **keys), y, "one thread")
    for n in range(x_shape[0]):
        assert_same_bits(fastconv.corr2d(x[n : n + 1], w, bias, **keys), y[n : n + 1], f"image {n} alone")
    if options.get("groups", 1) == 1:
        for o in (0, w_shape[0] - 1):
            some = fastconv.corr2d(x, w[o : o + 1], bias[o : o + 1], **keys)
            assert_same_bits(some, np.ascontiguousarray(y[:, o : o + 1]), f"channel {o} alone")
    assert_same_bits(fastconv.prepare(w, bias, **keys)(x), y, "prepared")


@pytest.mark.parametrize(
    ("x", "w", "options", "told"),
    [
        ((1, 4, 3, 3), (5, 4, 2, 3), {}, "more than one output"),
        ((1, 4, 3, 5), (5, 4, 3, 3), {"dilation": (1, 2)}, "dilated along the width"),
        ((1, 4, 3, 3), (5, 4, 3, 3), {"dtype": "int32"}, "not floating"),
        ((1, 2**18, 2, 2), (5, 2**18, 2, 2), {"padding": ((0, 1), (0, 1)), "stride": 2}, None),
        ((1, 2**18, 1, 1), (5, 2**18, 2, 2), {"padding": ((1, 0), (1, 0))}, "exceeds 1 MiB"),
    ],
)
def test_what_it_declines(x: tuple, w: tuple, options: dict, told: str | None):
    explanation = fastconv.explain("corr2d", x, w, **options)
    assert (told is None and explanation.algorithm == "dot") or told in explanation.declined["dot"]


def test_it_reads_channels_first_alone():
    for layout in LAYOUTS:
        w = (6, 4, 3, 3) if layout == "NCHW" else (3, 3, 4, 6)
        x = (1, 4, 3, 3) if layout == "NCHW" else (1, 3, 3, 4)
        assert ("dot" in fastconv.explain("corr2d", x, w, layout=layout).declined) is (layout == "NHWC")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_reaches_its_window_alone(value: float):
    x, w = np.ones((3, 40, 1, 1), np.float32), np.ones((6, 40, 1, 1), np.float32)
    x[1, 33] = value
    y = fastconv.corr2d(x, w, algorithm="dot")
    assert np.isfinite(y[[0, 2]]).all()
    assert not np.isfinite(y[1]).any()
