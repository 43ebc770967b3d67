# SPDX-License-Identifier: BSD-3-Clause
"""Max and average pooling against the oracle, and the forms of a call."""

from typing import Any

import numpy as np
import pytest
from cases import each_algorithm
from guard import check_inputs, guarded, guarded_copy
from hypothesis import given
from hypothesis import strategies as st
from numerics import assert_close, assert_same_bits, fresh_rng
from pool_cases import DTYPES, LAYOUTS, POOL_CASES, PoolCase, drawn_pool_cases

import fastconv


def check_max(case: PoolCase, layout: str, dtype: str, what: str) -> None:
    """Compare values and indices of every algorithm with the oracle, between guard bytes, with and without indices."""
    images, _ = case.arrays(layout, dtype)
    options = {**case.max_options, "layout": layout}
    value, index = case.expected("max_pool2d", layout, dtype)
    x = guarded_copy(images)

    def call(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        one, two = guarded(value.shape, dtype), guarded(value.shape, dtype)
        y = fastconv.max_pool2d(x.array, case.kernel, **options, algorithm=name, out=one.array)
        assert y is one.array, f"{name}: the result is not out="
        with_index = fastconv.max_pool2d(
            x.array, case.kernel, **options, algorithm=name, return_indices=True, out=two.array
        )
        assert with_index[0] is two.array, f"{name}: the result with indices is not out="
        check_inputs(x, what=name)
        return one.check(name), two.check(name), with_index[1]

    for name, (y, y_again, indices) in each_algorithm("max_pool2d", call).items():
        label = f"{what} {name} {layout} {case!r}"
        np.testing.assert_array_equal(y, value, err_msg=label)
        np.testing.assert_array_equal(y_again, value, err_msg=f"with indices {label}")
        assert indices.dtype == np.int64
        np.testing.assert_array_equal(indices, index, err_msg=f"indices {label}")


def check_avg(case: PoolCase, layout: str, dtype: str, what: str) -> None:
    """Compare the averages of every algorithm with the oracle, between guard bytes."""
    images, _ = case.arrays(layout, dtype)
    options = {**case.avg_options, "layout": layout}
    (reference,) = case.expected("avg_pool2d", layout, dtype)
    x, out_dtype = guarded_copy(images), dtype if np.dtype(dtype).kind == "f" else "float64"

    def call(name: str) -> np.ndarray:
        out = guarded(reference.shape, out_dtype)
        y = fastconv.avg_pool2d(x.array, case.kernel, **options, algorithm=name, out=out.array)
        assert y is out.array, f"{name}: the result is not out="
        check_inputs(x, what=name)
        return out.check(name)

    for name, y in each_algorithm("avg_pool2d", call).items():
        empty = np.isnan(reference)
        np.testing.assert_array_equal(
            np.isnan(y), empty, err_msg=f"NaN where no pixel is counted: {what} {name} {case!r}"
        )
        assert_close(np.where(empty, 0, y), np.where(empty, 0, reference), f"{what} {name} {layout} {case!r}")


CHECKS = {"max": check_max, "avg": check_avg}


@pytest.mark.parametrize("case", POOL_CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", CHECKS)
def test_matches_the_oracle(isa: str, mode: str, dtype: str, layout: str, case: PoolCase):
    CHECKS[mode](case, layout, dtype, isa)


@given(data=st.data())
@pytest.mark.parametrize("mode", CHECKS)
def test_matches_the_oracle_on_drawn_geometries(isa: str, mode: str, data: st.DataObject):
    case, layout = data.draw(drawn_pool_cases()), data.draw(st.sampled_from(LAYOUTS))
    CHECKS[mode](case, layout, data.draw(st.sampled_from(DTYPES)), isa)


@pytest.mark.parametrize("op", ["max_pool2d", "avg_pool2d"])
def test_every_algorithm_takes_part(isa: str, op: str):
    taken: set[str] = set()
    for layout in LAYOUTS:
        for case in POOL_CASES:
            x, _ = case.arrays(layout, "float32")
            options: dict[str, Any] = {**case.max_options, "layout": layout}
            call = getattr(fastconv, op)
            taken |= set(each_algorithm(op, lambda name: call(x, case.kernel, **options, algorithm=name)))  # noqa: B023
    assert taken - {"auto"} == set(fastconv.algorithms(op)), "an algorithm declined every case of the table"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", CHECKS)
def test_images_larger_than_every_block(isa: str, mode: str, layout: str):
    fastconv.set_num_threads(3)
    case = PoolCase("large", (3, 37, 61, 59), (3, 3), (2, 2), ((1, 1), (1, 1)))
    CHECKS[mode](case, layout, "float32", isa)


@pytest.mark.parametrize("case", [case for case in POOL_CASES if case.x[0] > 1], ids=str)
@pytest.mark.parametrize("op", ["max_pool2d", "avg_pool2d", "avg_pool2d_grad"])
def test_an_image_alone_or_in_a_batch(isa: str, op: str, case: PoolCase):
    """Planes of many images are pooled together, and which others they are changes no bit."""
    x, grad_y = case.arrays("NCHW", "float32")

    def call(first: int, end: int, name: str) -> np.ndarray:
        if op == "avg_pool2d_grad":
            shape = (end - first, *x.shape[1:])
            return fastconv.avg_pool2d_grad(grad_y[first:end], case.kernel, shape, **case.avg_options, algorithm=name)
        options = case.max_options if op == "max_pool2d" else case.avg_options
        return getattr(fastconv, op)(x[first:end], case.kernel, **options, algorithm=name)

    together = each_algorithm(op, lambda name: call(0, len(x), name))
    together.pop("auto")
    for name, images in together.items():
        for number in range(len(x)):
            assert_same_bits(call(number, number + 1, name)[0], images[number], f"{isa} {name}, image {number}")


def test_textbook_example():
    x = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(fastconv.pool2d(x, (2, 2)), [[4, 5], [7, 8]])
    np.testing.assert_array_equal(fastconv.pool2d(x, (2, 2), "avg"), [[2, 3], [5, 6]])
    np.testing.assert_array_equal(fastconv.pool2d(x, 2, mode="avg", stride=2), [[2]])
    y = fastconv.max_pool2d(np.arange(16.0).reshape(4, 4), 3)
    np.testing.assert_array_equal(y, [[10]])


@pytest.mark.parametrize("mode", CHECKS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pool2d_is_the_named_function_sliding_by_one(mode: str, layout: str):
    x = fresh_rng("pool2d").standard_normal((2, 7, 6, 3))
    named = getattr(fastconv, f"{mode}_pool2d")
    for options in ({}, {"padding": 1, "layout": layout}, {"stride": (2, 1), "dilation": 2, "layout": layout}):
        y = fastconv.pool2d(x, (3, 2), mode, **options)
        assert_same_bits(y, named(x, (3, 2), **{"stride": 1, **options}), f"{mode} {options}")


@pytest.mark.parametrize("mode", CHECKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rank", [2, 3])
def test_lower_ranks(mode: str, layout: str, rank: int):
    x = fresh_rng("pool ranks").standard_normal((1, 8, 9, 1) if rank == 2 else (1, 8, 9, 4))
    x = x if layout == "NHWC" else x.transpose(0, 3, 1, 2)
    named = getattr(fastconv, f"{mode}_pool2d")
    low = x.reshape(8, 9) if rank == 2 else x[0]
    full = named(x, 2, padding=1, layout=layout)
    assert_same_bits(
        named(low, 2, padding=1, layout=layout), full.reshape((5, 5) if rank == 2 else full.shape[1:]), "y"
    )
    if mode == "max":
        y, index = named(low, 2, padding=1, layout=layout, return_indices=True)
        assert index.shape == y.shape
        assert_same_bits(
            index.ravel(), named(x, 2, padding=1, layout=layout, return_indices=True)[1].ravel(), "indices"
        )


@pytest.mark.parametrize("mode", CHECKS)
@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"pool_size": 2}, {"pool_size": (2, 2)}),
        ({"pool_size": [3, 2]}, {"pool_size": (3, 2), "stride": (3, 2)}),
        ({"pool_size": np.int64(2), "stride": None}, {"pool_size": 2, "stride": 2}),
        ({"pool_size": 3, "padding": 1}, {"pool_size": 3, "padding": ((1, 1), (1, 1))}),
        ({"pool_size": 3, "padding": (1, 2)}, {"pool_size": 3, "padding": ((1, 1), (2, 2))}),
        ({"pool_size": 3, "padding": "valid"}, {"pool_size": 3, "padding": 0}),
        ({"pool_size": 2, "dilation": 2}, {"pool_size": 2, "dilation": (2, 2)}),
        ({"pool_size": 3, "padding": "same", "stride": 1}, {"pool_size": 3, "padding": 1, "stride": 1}),
        ({"pool_size": 2, "padding": "same"}, {"pool_size": 2, "padding": ((0, 1), (0, 0))}),
        ({"pool_size": 2, "padding": "same_lower"}, {"pool_size": 2, "padding": ((1, 0), (0, 0))}),
    ],
    ids=lambda options: repr(options),
)
def test_spellings_of_one_thing(mode: str, short: dict, long: dict):
    x = fresh_rng("pool spellings").standard_normal((2, 3, 9, 10))
    named = getattr(fastconv, f"{mode}_pool2d")
    assert_same_bits(named(x, **short), named(x, **long), f"{short} {long}")
