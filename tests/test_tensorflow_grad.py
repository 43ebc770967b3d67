# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of the TensorFlow operations: against numerical ones and NumPy's bits, of first and second order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cases import CASES, Case, expected, problem, spread
from numerics import assert_close, assert_same_bits, fresh_rng
from pool_cases import POOL_CASES, PoolCase
from test_tensorflow_corr2d import FORMATS, four_pairs, options_of

import fastconv
import fastconv.tensorflow as fct

Operation = Callable[[Any], Any]


def drawn(*shape: int) -> Any:
    return tf.constant(fresh_rng(shape).standard_normal(shape))


def assert_gradients(function: Callable[..., Any], *arguments: Any) -> None:
    """Compare the Jacobians with numerical ones."""
    theoretical, numerical = tf.test.compute_gradient(function, arguments, delta=1e-4)
    for one, other in zip(theoretical, numerical, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


GEOMETRIES = {
    "plain": {},
    "strided": {"strides": 2, "padding": "SAME"},
    "explicit": {"padding": ((1, 0), (2, 1)), "strides": (2, 1)},
    "dilated": {"dilations": (2, 1), "padding": "SAME"},
    "strided and dilated": {"dilations": 2, "strides": (2, 1), "padding": "SAME"},
    "grouped": {"groups": 2, "padding": "SAME_LOWER"},
    "depthwise": {"groups": 4, "strides": 2},
}


def corr2d_of(name: str, data_format: str) -> tuple[Callable[..., Any], Any, Any, Any]:
    """Give a geometry's function of (x, w, bias), and small arguments."""
    options = {"strides": 1, "padding": "VALID", **GEOMETRIES[name]}
    if not isinstance(options["padding"], str):
        options["padding"] = four_pairs(options["padding"], data_format)
    x = drawn(2, 5, 6, 4) if data_format == "NHWC" else drawn(2, 4, 5, 6)
    w = drawn(2, 3, 4 // options.get("groups", 1), 4)
    return lambda x, w, b: fct.corr2d(x, w, bias=b, data_format=data_format, **options), x, w, drawn(4)


def input_grads(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of its gradients, all in one vector, that is not linear in the arguments."""

    def call(*arguments: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = tf.reduce_sum(function(*arguments) ** 3)
        return tf.concat([tf.reshape(g, [-1]) for g in tape.gradient(y, arguments)], 0)

    return call


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_corr2d(name: str, data_format: str):
    function, *arguments = corr2d_of(name, data_format)
    assert_gradients(function, *arguments)


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_corr2d_second_order(name: str, data_format: str, in_graph: bool):
    """Gauss: the derivative along a direction, of the gradients, against a central difference."""
    function, *arguments = corr2d_of(name, data_format)
    grads = input_grads(function)
    grads = tf.function(grads) if in_graph else grads
    directions = [drawn(*a.shape, 1)[..., 0] for a in arguments]
    weights = drawn(int(grads(*arguments).shape[0]))
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        y = tf.reduce_sum(weights * grads(*arguments))
    found = sum(tf.reduce_sum(g * d) for g, d in zip(tape.gradient(y, arguments), directions, strict=True))
    step = 1e-4
    ends = [grads(*(a + s * d for a, d in zip(arguments, directions, strict=True))) for s in (step, -step)]
    numerical = tf.reduce_sum(weights * (ends[0] - ends[1])) / (2 * step)
    terms = float(tf.reduce_sum(tf.abs(weights * ends[0])))  # whose rounding stays where their sum cancels
    np.testing.assert_allclose(found, numerical, rtol=1e-5, atol=1e-7 * terms)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_corr2d_gradients_have_the_bits_of_numpy(case: Case):
    p = problem(case, "NHWC", "float32")
    x, w = tf.constant(p.x), tf.constant(p.w)
    bias = tf.constant(np.zeros(case.w[0], np.float32))
    with tf.GradientTape() as tape:
        tape.watch((x, w, bias))
        y = fct.corr2d(x, w, bias=bias, **options_of(case, "NHWC"))
    grad_x, grad_w, grad_b = (g.numpy() for g in tape.gradient(y, (x, w, bias), p.grad_y))
    same = {"layout": "NHWC", **case.options}
    assert_same_bits(grad_x, fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **same))
    expected_w, expected_b = fastconv.corr2d_weight_grad(p.grad_y, p.x, p.w.shape, with_bias=True, **same)
    assert_same_bits(grad_w, expected_w)
    assert_same_bits(grad_b, expected_b)
    what = ("corr2d_input_grad", case)
    assert_close(grad_x, expected(*what, "NHWC", "float32")[0], case, spread(*what, "float32"))


POOLS = {
    "halves": ("VALID", 2, 2, 1),
    "same": ("SAME", 3, 2, 1),
    "explicit": (((1, 0), (1, 2)), (2, 3), (1, 2), 1),
    "dilated": ("SAME_LOWER", 2, 2, (2, 1)),
}


def pool_of(operation: str, name: str, data_format: str) -> tuple[Operation, Any]:
    padding, size, stride, dilation = POOLS[name]
    padding = padding if isinstance(padding, str) else four_pairs(padding, data_format)
    function = getattr(fct, operation)
    x = tf.constant(fresh_rng(name).permutation(2 * 4 * 5 * 2).reshape((2, 4, 5, 2)) / 10.0)  # no two are equal
    x = x if data_format == "NHWC" else tf.transpose(x, (0, 3, 1, 2))
    return lambda x: function(x, size, stride, padding, data_format, dilations=dilation), x


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("operation", ["max_pool2d", "avg_pool2d"])
def test_pools(operation: str, name: str, data_format: str, in_graph: bool):
    function, x = pool_of(operation, name, data_format)
    function = tf.function(function) if in_graph else function
    assert_gradients(function, x)
    assert_gradients(lambda x: input_grads(function)(x), x / 10)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
def test_pool_gradients_have_the_bits_of_numpy(case: PoolCase, layout: str):
    a, grad_y = case.arrays(layout, "float32")
    x = tf.constant(a)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        largest = fastconv.max_pool2d(x, case.kernel, layout=layout, **case.max_options)
        mean = fastconv.avg_pool2d(x, case.kernel, layout=layout, **case.avg_options)
    indices = fastconv.max_pool2d(a, case.kernel, layout=layout, return_indices=True, **case.max_options)[1]
    of_max = fastconv.max_pool2d_grad(grad_y, indices, a.shape, layout=layout)
    of_mean = fastconv.avg_pool2d_grad(grad_y, case.kernel, a.shape, layout=layout, **case.avg_options)
    assert_same_bits(tape.gradient(largest, x, grad_y).numpy(), of_max)
    assert_same_bits(tape.gradient(mean, x, grad_y).numpy(), of_mean)


def test_equal_values_give_the_gradient_to_the_first():
    x = tf.ones((1, 2, 2, 1))
    for call in (fct.max_pool2d, tf.function(fct.max_pool2d)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = call(x, 2, 1, "VALID")
        assert tape.gradient(y, x).numpy().ravel().tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("data_format", FORMATS)
def test_a_window_of_padding_alone_passes_no_gradient_on(data_format: str):
    """Of first order to no pixel, of second order nothing back: its maximum is -inf whatever the image holds."""
    padding = four_pairs(((0, 2), (0, 0)), data_format)  # three windows: a pixel, and twice padding alone
    x, upstream = tf.constant([[[[3.0]]]]), tf.ones((1, 3, 1, 1) if data_format == "NHWC" else (1, 1, 3, 1))
    with tf.GradientTape() as outer:
        outer.watch(upstream)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = fct.max_pool2d(x, 1, 1, padding, data_format)
        grad = tape.gradient(y, x, upstream)
    assert y.numpy().ravel().tolist() == [3.0, -np.inf, -np.inf]
    assert grad.numpy().ravel().tolist() == [1.0]
    assert outer.gradient(grad, upstream).numpy().ravel().tolist() == [1.0, 0.0, 0.0]


def test_the_places_of_maxima_carry_no_gradient_but_maxima_do():
    function, x = pool_of("max_pool2d_with_argmax", "halves", "NHWC")
    assert_gradients(lambda x: function(x)[0], x)
