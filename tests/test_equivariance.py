# SPDX-License-Identifier: BSD-3-Clause
"""Equivariance to translation: a shifted image gives the shifted result bit for bit, away from the border.

Algorithms that transform tiles of the image, or add up pairs of pixels, add in an order that depends on the place in
the tile or pair: theirs is as close as their errors are.
"""

import numpy as np
import pytest
import reference as ref
from cases import LAYOUTS, each_algorithm
from hypothesis import given
from hypothesis import strategies as st
from numerics import assert_close, assert_same_bits, fresh_rng, random_array

import fastconv

TRANSFORMS = ("winograd_nchw", "winograd_nhwc", "winograd_small", "strassen")
SHIFTS = ((0, 1), (1, 0), (1, 1), (3, 5), (7, 2))


def two_views(shift: ref.Pair, shape: tuple[int, ...], dtype: str, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Take two images of one scene, the second one with its origin moved by the shift."""
    n, c, h, w = shape
    scene = random_array(fresh_rng("scene", shape, dtype), (n, c, h + shift[0], w + shift[1]), dtype)
    views = scene[:, :, :h, :w], scene[:, :, shift[0] :, shift[1] :]
    return tuple(ref.images(view, layout).copy() for view in views)


def assert_shifted(
    one: np.ndarray, two: np.ndarray, shift: ref.Pair, border: int, layout: str, what: str, algorithm: str = ""
) -> None:
    """Assert that two[i, j] is one[i + shift] except within `border` of the edges."""
    (dy, dx), one, two = shift, ref.planes(one, layout), ref.planes(two, layout)
    h, w = one.shape[2:]
    inside_one = one[:, :, border + dy : h - border, border + dx : w - border]
    inside_two = two[:, :, border : h - border - dy, border : w - border - dx]
    assert inside_one.size, "nothing is compared"
    if algorithm in TRANSFORMS:
        assert_close(inside_two, inside_one.astype(np.float64), what)
    else:
        assert_same_bits(np.ascontiguousarray(inside_two), np.ascontiguousarray(inside_one), what)


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize(
    ("c", "o", "k", "groups"), [(5, 7, 3, 1), (40, 9, 5, 1), (26, 50, 1, 1), (12, 12, 3, 12), (8, 12, 3, 4)]
)
def test_correlation(isa: str, c: int, o: int, k: int, groups: int, dtype: str, layout: str, shift: ref.Pair):
    one, two = two_views(shift, (2, c, 19, 23), dtype, layout)
    w = ref.weights(random_array(fresh_rng("w", c, o, k), (o, c // groups, k, k), dtype), layout)
    options = {"padding": k // 2, "groups": groups, "layout": layout}
    ones = each_algorithm("corr2d", lambda name: fastconv.corr2d(one, w, **options, algorithm=name))
    chosen = fastconv.explain("corr2d", one.shape, w.shape, dtype=one.dtype, **options).algorithm
    for name, y in ones.items():
        shifted = fastconv.corr2d(two, w, **options, algorithm=name)
        taken = chosen if name == "auto" else name
        assert_shifted(y, shifted, shift, k // 2, layout, f"{isa} {name} ({taken}) {layout} shifted by {shift}", taken)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [(2, 2), (3, 1)], ids=str)
def test_strided_correlation_moves_by_whole_strides(isa: str, stride: ref.Pair, layout: str):
    shift, (dy, dx) = (2, 3), stride
    one, two = two_views((shift[0] * dy, shift[1] * dx), (1, 20, 31, 29), "float32", layout)
    w = ref.weights(random_array(fresh_rng("strided"), (13, 20, 3, 3), "float32"), layout)
    options = {"stride": stride, "padding": 1, "layout": layout}
    ones = each_algorithm("corr2d", lambda name: fastconv.corr2d(one, w, **options, algorithm=name))
    chosen = fastconv.explain("corr2d", one.shape, w.shape, dtype=one.dtype, **options).algorithm
    for name, y in ones.items():
        shifted = fastconv.corr2d(two, w, **options, algorithm=name)
        taken = chosen if name == "auto" else name
        assert_shifted(y, shifted, shift, 1, layout, f"{isa} {name} ({taken}) {layout} stride {stride}", taken)


@pytest.mark.parametrize("shift", SHIFTS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("k", [2, 3, 7])
def test_max_pooling(isa: str, k: int, dtype: str, layout: str, shift: ref.Pair):
    one, two = two_views(shift, (2, 21, 23, 25), dtype, layout)
    options = {"stride": 1, "padding": k // 2, "layout": layout}
    for name, y in each_algorithm(
        "max_pool2d", lambda name: fastconv.max_pool2d(one, k, **options, algorithm=name)
    ).items():
        shifted = fastconv.max_pool2d(two, k, **options, algorithm=name)
        assert_shifted(y, shifted, shift, k // 2, layout, f"{isa} {name} {layout} shifted by {shift}", name)


@given(data=st.data())
def test_correlation_of_drawn_shifts(isa: str, data: st.DataObject):
    shift = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    c, o, k = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30)), data.draw(st.sampled_from([1, 2, 3, 5]))
    layout = data.draw(st.sampled_from(LAYOUTS))
    one, two = two_views(shift, (1, c, 17 + data.draw(st.integers(0, 9)), 22), "float32", layout)
    w = ref.weights(random_array(fresh_rng(c, o, k), (o, c, k, k), "float32"), layout)
    for name, y in each_algorithm(
        "corr2d", lambda name: fastconv.corr2d(one, w, layout=layout, algorithm=name)
    ).items():
        shifted = fastconv.corr2d(two, w, layout=layout, algorithm=name)
        taken = fastconv.explain("corr2d", one.shape, w.shape, layout=layout).algorithm if name == "auto" else name
        what = f"{isa} {name} ({taken}) {layout} c={c} o={o} k={k} shifted by {shift}"
        assert_shifted(y, shifted, shift, 0, layout, what, taken)
