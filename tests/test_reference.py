# SPDX-License-Identifier: BSD-3-Clause
"""The oracle itself, checked by numbers made by hand and by identities that need no second implementation."""

import numpy as np
import pytest
import reference as ref
from cases import CASES, Case, fresh_rng

NAN, INF = np.nan, np.inf
X = np.arange(9.0).reshape(1, 1, 3, 3)
K = np.arange(4.0).reshape(1, 1, 2, 2)
TWO = (2, 2)


def test_textbook_corr2d():
    np.testing.assert_array_equal(ref.corr2d(X, K)[0, 0], [[19, 25], [37, 43]])


def test_textbook_multi_in():
    x, w = np.concatenate([X, X + 1], 1), np.concatenate([K, K + 1], 1)
    np.testing.assert_array_equal(ref.corr2d(x, w)[0, 0], [[56, 72], [104, 120]])


def test_textbook_multi_in_out():
    x, w = np.concatenate([X, X + 1], 1), np.concatenate([K, K + 1], 1)
    y = ref.corr2d(x, np.concatenate([w, w + 1, w + 2]), np.array([0, 0, 1000]))
    expected = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[1096, 1128], [1192, 1224]]]
    np.testing.assert_array_equal(y[0], expected)


def test_textbook_pooling():
    y, index = ref.max_pool2d(X, TWO, stride=ref.ONE)
    np.testing.assert_array_equal(y[0, 0], [[4, 5], [7, 8]])
    np.testing.assert_array_equal(index[0, 0], [[4, 5], [7, 8]])
    np.testing.assert_array_equal(ref.avg_pool2d(X, TWO, stride=ref.ONE)[0, 0], [[2, 3], [5, 6]])


def test_padding_stride_and_dilation_by_hand():
    y = ref.corr2d(X, K, padding=((1, 0), (0, 1)), stride=(2, 1), dilation=(1, 2))
    np.testing.assert_array_equal(y[0, 0], [[6, 2], [5 + 12 + 24, 14]])


def test_groups_by_hand():
    x = np.array([1, 2, 3, 4]).reshape(1, 4, 1, 1)
    w = np.array([[1, 10], [2, 20], [3, 30], [4, 40]]).reshape(4, 2, 1, 1)
    np.testing.assert_array_equal(ref.corr2d(x, w, groups=2).ravel(), [21, 42, 129, 172])


def test_integers_are_modulo_two_to_the_64():
    x, w = np.full((1, 1, 1, 1), 2**62), np.full((1, 1, 1, 1), 6)
    np.testing.assert_array_equal(ref.corr2d(x, w), -(2**63))


def test_gradients_by_hand():
    ones = np.ones((1, 1, 2, 2))
    np.testing.assert_array_equal(ref.corr2d_input_grad(ones, K, X.shape)[0, 0], [[0, 1, 1], [2, 6, 4], [2, 5, 3]])
    grad_w, grad_bias = ref.corr2d_weight_grad(ones, X, K.shape)
    np.testing.assert_array_equal(grad_w[0, 0], [[8, 12], [20, 24]])
    np.testing.assert_array_equal(grad_bias, [4])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_adjoint_to_the_forward_operator(case: Case):
    rng = fresh_rng("adjoint", case.id)
    x, w = rng.standard_normal(case.x_shape()), rng.standard_normal(case.w_shape())
    y = ref.corr2d(x, w, **case.options)
    assert y.shape == case.y_shape()
    grad_y = rng.standard_normal(y.shape)
    by_x = np.vdot(x, ref.corr2d_input_grad(grad_y, w, x.shape, **case.options))
    by_w = np.vdot(w, ref.corr2d_weight_grad(grad_y, x, w.shape, **case.options)[0])
    scale = 1e-12 * (1 + np.linalg.norm(y) * np.linalg.norm(grad_y))
    np.testing.assert_allclose([by_x, by_w], np.vdot(y, grad_y), rtol=0, atol=scale)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layouts_are_the_same_numbers(case: Case):
    rng = fresh_rng("layout", case.id)
    x, w = rng.standard_normal(case.x_shape()), rng.standard_normal(case.w_shape())
    y = ref.corr2d(ref.images(x, "NHWC"), ref.weights(w, "NHWC"), **case.options, layout="NHWC")
    np.testing.assert_array_equal(ref.planes(y, "NHWC"), ref.corr2d(x, w, **case.options))


def test_delta_kernel_shifts_the_image():
    x = fresh_rng("delta").standard_normal((2, 1, 5, 6))
    delta = np.zeros((1, 1, 3, 3))
    delta[0, 0, 0, 2] = 1
    y = ref.corr2d(x, delta, padding=((1, 1), (1, 1)))
    np.testing.assert_array_equal(y[:, :, 1:, :-1], x[:, :, :-1, 1:])
    assert not y[:, :, 0].any(), "the row above the image is not zero"
    assert not y[:, :, :, -1].any(), "the column right of the image is not zero"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "lower", "expected"),
    [
        (5, 3, 1, 1, False, (1, 1)),
        (5, 2, 1, 1, False, (0, 1)),
        (5, 2, 1, 1, True, (1, 0)),
        (6, 3, 2, 1, False, (0, 1)),
        (6, 3, 2, 1, True, (1, 0)),
        (5, 3, 1, 4, False, (4, 4)),
        (5, 1, 3, 1, False, (0, 0)),
        (7, 2, 4, 1, False, (0, 0)),
    ],
)
def test_same_padding(size: int, kernel: int, stride: int, dilation: int, lower: bool, expected: ref.Pair):
    assert ref.same_padding(size, kernel, stride, dilation, lower) == expected


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "floor", "ceil"),
    [
        (5, 2, 2, (0, 0), 2, 3),
        (4, 2, 2, (0, 0), 2, 2),
        (6, 3, 2, (0, 0), 2, 3),
        (5, 3, 3, (1, 1), 2, 2),
        (7, 2, 3, (1, 1), 3, 3),
        (6, 2, 4, (0, 0), 2, 2),
        (5, 2, 4, (0, 0), 1, 2),
        (5, 1, 4, (1, 0), 2, 2),
        (4, 1, 4, (1, 0), 2, 2),
        (3, 2, 4, (1, 1), 1, 1),
    ],
)
def test_output_size(size: int, kernel: int, stride: int, padding: ref.Pair, floor: int, ceil: int):
    assert ref.output_size(size, kernel, stride, padding, 1) == floor
    assert ref.output_size(size, kernel, stride, padding, 1, ceil_mode=True) == ceil


def test_max_pool_of_nan_infinity_ties_and_padding():
    x = np.array([[1, 1, -INF, -INF, NAN, 2, NAN, INF]]).reshape(1, 1, 1, 8)
    y, index = ref.max_pool2d(x, (1, 2), stride=(1, 2))
    np.testing.assert_array_equal(y.ravel(), [1, -INF, NAN, NAN])
    np.testing.assert_array_equal(index.ravel(), [0, 2, 4, 6])
    y, index = ref.max_pool2d(x[..., 2:4], (1, 2), stride=(1, 1), padding=((0, 0), (2, 1)))
    np.testing.assert_array_equal(y.ravel(), [-INF] * 4)
    np.testing.assert_array_equal(index.ravel(), [-1, 0, 0, 1])


def test_max_pool_of_integers_in_the_padding_gives_the_minimum():
    y, index = ref.max_pool2d(np.full((1, 1, 1, 1), -5, np.int8), TWO, stride=TWO, padding=((2, 2), (2, 0)))
    np.testing.assert_array_equal(y.ravel(), [-128, -128])
    np.testing.assert_array_equal(index.ravel(), [-1, -1])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[12 / 4]]),
        ({"ceil_mode": True}, [[3, 9 / 2], [15 / 2, 9]]),
        ({"ceil_mode": True, "divisor_override": 5}, [[12 / 5, 9 / 5], [15 / 5, 9 / 5]]),
        ({"padding": ((1, 1), (1, 1))}, [[1 / 4, 5 / 4], [11 / 4, 28 / 4]]),
        ({"padding": ((1, 1), (1, 1)), "count_include_pad": False}, [[1, 5 / 2], [11 / 2, 28 / 4]]),
    ],
)
def test_avg_pool_divisors_by_hand(options: dict, expected: list):
    x = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    np.testing.assert_allclose(ref.avg_pool2d(x, TWO, stride=TWO, **options)[0, 0], expected, rtol=1e-15)


def test_avg_pool_of_padding_alone():
    options = {"stride": TWO, "padding": ((2, 0), (2, 0))}
    x = np.ones((1, 1, 2, 2))
    np.testing.assert_array_equal(ref.avg_pool2d(x, TWO, **options)[0, 0], [[0, 0], [0, 1]])
    y = ref.avg_pool2d(x, TWO, **options, count_include_pad=False)
    np.testing.assert_array_equal(y[0, 0], [[NAN, NAN], [NAN, 1]])


def test_avg_pool_is_correlation_with_a_constant():
    x = fresh_rng("constant").standard_normal((2, 3, 9, 8))
    options = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (2, 1)}
    y = ref.corr2d(x, np.full((3, 1, 3, 2), 1 / 6), **options, groups=3)
    np.testing.assert_allclose(ref.avg_pool2d(x, (3, 2), **options), y, rtol=1e-13, atol=1e-15)


def test_pooling_gradients_by_hand():
    grad_y = np.arange(1.0, 5).reshape(1, 1, 2, 2)
    index = np.array([[4, 4], [-1, 8]]).reshape(1, 1, 2, 2)
    grad_x = ref.max_pool2d_grad(grad_y, index, X.shape)
    np.testing.assert_array_equal(grad_x[0, 0], [[0, 0, 0], [0, 3, 0], [0, 0, 4]])
    grad_x = ref.avg_pool2d_grad(grad_y, TWO, X.shape, stride=ref.ONE)
    np.testing.assert_array_equal(grad_x[0, 0], np.array([[1, 3, 2], [4, 10, 6], [3, 7, 4]]) / 4)


def test_avg_pool_gradient_is_adjoint():
    rng = fresh_rng("avg adjoint")
    options = {"stride": (2, 3), "padding": ((2, 0), (1, 1)), "ceil_mode": True, "count_include_pad": False}
    x = rng.standard_normal((2, 2, 8, 9))
    y = ref.avg_pool2d(x, (3, 2), **options)
    grad_y = rng.standard_normal(y.shape)
    grad_x = ref.avg_pool2d_grad(grad_y, (3, 2), x.shape, **options)
    np.testing.assert_allclose(np.vdot(grad_x, x), np.vdot(grad_y, y), rtol=1e-11)
