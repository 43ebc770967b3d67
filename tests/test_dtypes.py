# SPDX-License-Identifier: BSD-3-Clause
"""The dtypes of arguments and results: integers modulo a power of two, halves, promotion and refusals."""

from itertools import product

import numpy as np
import pytest
import reference as ref
from cases import LAYOUTS, each_algorithm
from numerics import BFLOAT16, assert_close, assert_same_bits, fresh_rng, random_array

import fastconv

BYTES = ("int8", "uint8", "bool")
INTEGERS = (*BYTES, "int16", "uint16", "int32", "uint32", "int64")
FLOATS = ("float16", BFLOAT16, "float32", "float64")
NARROW = ("int8", "uint8", "int16", "int64")
OPTIONS = {"stride": (2, 1), "padding": ((1, 2), (0, 1))}


def pairs(first: tuple, second: tuple) -> list[tuple]:
    """List every pair of the two."""
    return list(product(first, second))


MEETING_FLOATS = [pair for pair in pairs(FLOATS, FLOATS) if set(pair) != {"float16", BFLOAT16}]


def drawn(dtype_x: object, dtype_w: object) -> tuple[np.ndarray, np.ndarray]:
    """Draw two images of six channels and five filters."""
    rng = fresh_rng(str(dtype_x), str(dtype_w))
    return random_array(rng, (2, 6, 8, 7), dtype_x), random_array(rng, (5, 6, 3, 2), dtype_w)


@pytest.mark.parametrize(("dtype_x", "dtype_w"), pairs(INTEGERS, INTEGERS))
def test_integers_are_exact_modulo_a_power_of_two(dtype_x: str, dtype_w: str):
    x, w = drawn(dtype_x, dtype_w)
    expected_dtype = np.int32 if dtype_x in BYTES and dtype_w in BYTES else np.int64
    reference = ref.corr2d(x, w, **OPTIONS)
    for layout in LAYOUTS:
        xs, ws = ref.images(x, layout), ref.weights(w, layout)
        results = each_algorithm(
            "corr2d",
            lambda name: fastconv.corr2d(xs, ws, **OPTIONS, layout=layout, algorithm=name),  # noqa: B023
        )
        for name, y in results.items():
            assert y.dtype == expected_dtype, f"{name}: {dtype_x} with {dtype_w} gave {y.dtype}"
            np.testing.assert_array_equal(ref.planes(y, layout), reference.astype(expected_dtype), err_msg=name)


@pytest.mark.parametrize(("dtype_x", "dtype_w"), pairs(BYTES, BYTES))
def test_byte_sums_wrap_at_32_bits(dtype_x: str, dtype_w: str):
    """A sum of extreme bytes with a bias at the end of int32 wraps around."""
    top_x, top_w = (1 if d == "bool" else np.iinfo(d).max for d in (dtype_x, dtype_w))
    x, w = np.full((1, 100, 5, 5), top_x, dtype_x), np.full((1, 100, 5, 5), top_w, dtype_w)
    y = fastconv.corr2d(x, w, np.array([2**31 - 1], np.int32))
    assert y.dtype == np.int32
    assert int(y.flat[0]) == (2500 * int(top_x) * int(top_w) + 2**31 - 1 + 2**31) % 2**32 - 2**31


def test_wide_sums_wrap_at_64_bits():
    x, w = np.full((1, 3, 2, 2), 2**62 + 5), np.full((1, 3, 2, 2), -3)
    y = fastconv.corr2d(x, w, np.array([7]))
    assert int(y.flat[0]) == (12 * (2**62 + 5) * -3 + 7 + 2**63) % 2**64 - 2**63


@pytest.mark.parametrize("dtype", ["int8", "int64"])
def test_wider_bias_wraps_to_the_output(dtype: str):
    x, w = drawn(dtype, dtype)
    bias = np.array([2**40 + 3, -(2**35), 1, 0, -(2**62)])
    np.testing.assert_array_equal(
        fastconv.corr2d(x, w, bias), ref.corr2d(x, w, bias).astype(np.int32 if dtype == "int8" else np.int64)
    )


@pytest.mark.parametrize(("op", "pair"), pairs(("input", "weight"), pairs(NARROW, NARROW)))
def test_integer_gradients(op: str, pair: tuple[str, str]):
    x, w = drawn(pair[1], pair[1])
    grad_y = random_array(fresh_rng("integer gradient", pair), ref.corr2d(x, w, **OPTIONS).shape, pair[0])
    dtype = np.int32 if pair[0] in BYTES and pair[1] in BYTES else np.int64
    if op == "input":
        gradient = fastconv.corr2d_input_grad(grad_y, w, x.shape, **OPTIONS)
        reference = ref.corr2d_input_grad(grad_y, w, x.shape, **OPTIONS)
    else:
        gradient, grad_bias = fastconv.corr2d_weight_grad(grad_y, x, w.shape, **OPTIONS, with_bias=True)
        reference, reference_bias = ref.corr2d_weight_grad(grad_y, x, w.shape, **OPTIONS)
        np.testing.assert_array_equal(grad_bias, reference_bias.astype(dtype))
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, reference.astype(dtype))


def test_the_two_halves_meet_in_nothing():
    """NumPy knows no type for float16 with bfloat16, so there is none here."""
    x, w = drawn("float16", BFLOAT16)
    for one in (lambda: fastconv.corr2d(x, w), lambda: fastconv.prepare(w)(x)):
        with pytest.raises(TypeError, match=r"\bx\b.*\bw\b|\bw\b.*\bx\b"):
            one()
    with pytest.raises(TypeError, match=r"\bgrad_y\b"):
        fastconv.corr2d_input_grad(x[:, :5], w, (2, 6, 10, 8))


@pytest.mark.parametrize(("dtype_x", "dtype_w"), MEETING_FLOATS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_floats_meet_by_result_type(dtype_x: object, dtype_w: object, layout: str):
    x, w = drawn(dtype_x, dtype_w)
    xs, ws, expected_dtype = ref.images(x, layout), ref.weights(w, layout), np.result_type(x, w)
    y = fastconv.corr2d(xs, ws, **OPTIONS, layout=layout)
    assert y.dtype == expected_dtype
    assert_close(y, ref.corr2d(xs, ws, **OPTIONS, layout=layout), f"{dtype_x} with {dtype_w}")
    grad_x = fastconv.corr2d_input_grad(y, ws, xs.shape, **OPTIONS, layout=layout)
    assert grad_x.dtype == expected_dtype
    assert_close(grad_x, ref.corr2d_input_grad(y, ws, xs.shape, **OPTIONS, layout=layout), "input gradient")
    grad_w, grad_b = fastconv.corr2d_weight_grad(y, xs, ws.shape, **OPTIONS, layout=layout, with_bias=True)
    reference_w, reference_b = ref.corr2d_weight_grad(y, xs, ws.shape, **OPTIONS, layout=layout)
    assert grad_w.dtype == grad_b.dtype == expected_dtype
    assert_close(grad_w, reference_w, "weight gradient")
    assert_close(grad_b, reference_b, "bias gradient")


@pytest.mark.parametrize(("real", "integer"), pairs(("float16", "float32", "float64"), INTEGERS))
def test_a_float_meets_an_integer_by_result_type(real: str, integer: str):
    x, w = drawn(real, integer)
    y, expected_dtype = fastconv.corr2d(x, w, **OPTIONS), np.result_type(x, w)
    assert y.dtype == expected_dtype
    assert y.dtype == expected_dtype
    assert_close(y, ref.corr2d(x, w, **OPTIONS), f"{real} with {integer}")
    assert fastconv.corr2d(random_array(fresh_rng(), (3, 3), integer), np.ones((2, 2), real)).dtype == expected_dtype


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_halves_are_summed_in_float32_and_rounded_once(isa: str, dtype: object, layout: str):
    x, w = (a.astype(dtype) for a in drawn("float32", "float32"))
    bias = random_array(fresh_rng("half bias"), (5,), "float32").astype(dtype)
    xs, ws = ref.images(x, layout), ref.weights(w, layout)
    for name in each_algorithm("corr2d", lambda name: fastconv.corr2d(xs, ws, layout=layout, algorithm=name)):
        options = {**OPTIONS, "layout": layout, "algorithm": name}
        wide = fastconv.corr2d(*(a.astype(np.float32) for a in (xs, ws, bias)), **options)
        assert_same_bits(fastconv.corr2d(xs, ws, bias, **options), wide.astype(dtype), f"{isa} {name}")


def test_halves_overflow_to_infinity_only_in_the_end():
    """60000 + 60000 - 60000 is no infinity in float32; 120000 is one once rounded to float16."""
    x, w = np.array([[60000, 60000, -60000]], np.float16), np.ones((1, 3), np.float16)
    np.testing.assert_array_equal(fastconv.corr2d(x, w), np.array([[60000]], np.float16))
    np.testing.assert_array_equal(fastconv.corr2d(x[:, :2], w[:, :2]), np.array([[np.inf]], np.float16))


@pytest.mark.parametrize("dtype", [*INTEGERS, "uint64", *FLOATS], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_max_pooling_keeps_every_dtype(isa: str, dtype: object, layout: str):
    x = random_array(fresh_rng("max", str(dtype)), (2, 9, 8, 7), dtype)
    options = {"stride": (1, 2), "padding": ((3, 1), (0, 4)), "layout": layout}
    value, index = ref.max_pool2d(x, (3, 2), **options)
    results = each_algorithm(
        "max_pool2d",
        lambda name: fastconv.max_pool2d(x, (3, 2), **options, return_indices=True, algorithm=name),
    )
    for name, (y, where) in results.items():
        assert y.dtype == x.dtype
        assert_same_bits(np.ascontiguousarray(y), np.ascontiguousarray(value), f"{isa} {name}")
        np.testing.assert_array_equal(where, index, err_msg=f"{isa} {name}")


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_average_keeps_floats_and_makes_float64_of_integers(isa: str, dtype: object, layout: str):
    x = random_array(fresh_rng("avg", str(dtype)), (2, 9, 8, 7), dtype)
    options = {"stride": (1, 2), "padding": ((1, 1), (0, 1)), "layout": layout}
    reference = ref.avg_pool2d(x, (3, 2), **options)
    results = each_algorithm("avg_pool2d", lambda name: fastconv.avg_pool2d(x, (3, 2), **options, algorithm=name))
    for name, y in results.items():
        assert y.dtype == (np.float64 if dtype in INTEGERS else x.dtype)
        assert_close(y, reference, f"{isa} {name}")


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_pooling_gradients_keep_floats(dtype: object):
    rng = fresh_rng("pool gradient", str(dtype))
    x, grad_y = random_array(rng, (2, 3, 7, 7), dtype), random_array(rng, (2, 3, 5, 5), dtype)
    _, index = fastconv.max_pool2d(x, 3, stride=1, return_indices=True)
    grad_x = fastconv.max_pool2d_grad(grad_y, index, x.shape)
    assert grad_x.dtype == x.dtype
    assert_close(grad_x, ref.max_pool2d_grad(grad_y, index, x.shape), "max")
    grad_x = fastconv.avg_pool2d_grad(grad_y, 3, x.shape, stride=1)
    assert grad_x.dtype == x.dtype
    assert_close(grad_x, ref.avg_pool2d_grad(grad_y, (3, 3), x.shape, stride=(1, 1)), "avg")


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integer_gradients_of_max_pooling_are_exact(dtype: str):
    rng = fresh_rng("integer max gradient", dtype)
    grad_y, index = random_array(rng, (2, 3, 5, 5), dtype), rng.integers(-1, 9, (2, 3, 5, 5))
    grad_x = fastconv.max_pool2d_grad(grad_y, index, (2, 3, 3, 3))
    assert grad_x.dtype == grad_y.dtype
    np.testing.assert_array_equal(grad_x, ref.max_pool2d_grad(grad_y, index, (2, 3, 3, 3)).astype(dtype))


def test_python_numbers_take_numpy_dtypes():
    assert fastconv.corr2d([[1, 2]], [[3]]).dtype == np.int64
    assert fastconv.corr2d([[1.0, 2]], [[3]]).dtype == np.float64
    assert fastconv.corr2d([[True, False]], [[True]]).dtype == np.int32
    assert fastconv.max_pool2d([[1.0, 2]], (1, 2)).dtype == np.float64
