# SPDX-License-Identifier: BSD-3-Clause
"""The TensorFlow operations where programs put them: functions, control flow, data sets, XLA."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numerics import assert_close, assert_same_bits, fresh_rng
from test_tensorflow_corr2d import FORMATS

import fastconv
import fastconv.tensorflow as fct


def drawn(*shape: int) -> Any:
    return tf.constant(fresh_rng(shape).standard_normal(shape).astype(np.float32))


def layers(x: Any, w: Any) -> Any:
    """Give a little of everything; the result has the shape of x."""
    y = tf.nn.relu(fct.corr2d(x, w, 1, "SAME", bias=tf.ones(w.shape[-1])))
    return fct.avg_pool2d(fct.max_pool2d(y, 2, 1, "SAME"), 3, 1, "SAME")


def test_control_flow():
    x, w = drawn(1, 6, 6, 3), drawn(3, 3, 3, 3) / 10

    @tf.function
    def run(x: Any, w: Any, times: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(w)
            y = tf.while_loop(lambda i, y: i < times, lambda i, y: (i + 1, layers(y, w)), (0, x))[1]
            y = tf.cond(tf.reduce_sum(y) > 0, lambda: layers(y, w), lambda: fct.corr2d(y, w, 1, "SAME"))
        return y, tape.gradient(y, w)

    with tf.GradientTape() as tape:
        tape.watch(w)
        expected = x
        for _ in range(4):
            expected = layers(expected, w)
    assert tf.reduce_sum(expected) > 0
    y, grad = run(x, w, tf.constant(3))
    assert_same_bits(y.numpy(), expected.numpy())
    np.testing.assert_allclose(grad, tape.gradient(expected, w), rtol=1e-5)


def test_data_sets_map_in_parallel():
    images, w = drawn(64, 9, 9, 3), drawn(3, 3, 3, 3)
    data = tf.data.Dataset.from_tensor_slices(images).map(lambda x: layers(x[None], w)[0], num_parallel_calls=8)
    assert data.element_spec.shape == (9, 9, 3)
    for x, y in zip(images, data, strict=True):
        assert_same_bits(y.numpy(), layers(x[None], w)[0].numpy())


# ---- XLA -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 2), (0, 1))])
def test_xla_gets_tensorflows_own_operation(padding: Any, data_format: str, groups: int):
    x, w, bias = drawn(2, 8, 8, 8), drawn(3, 3, 8 // groups, 4), drawn(4)
    if not isinstance(padding, str):
        axes = ((0, 0), *padding, (0, 0)) if data_format == "NHWC" else ((0, 0), (0, 0), *padding)
        padding = [list(pair) for pair in axes]
    call = lambda x, w: fct.corr2d(x, w, (2, 1), padding, data_format, (1, 2), bias=bias)  # noqa: E731

    def with_gradient(x: Any, w: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((x, w))
            y = call(x, w)
        return (y, *tape.gradient(y, (x, w)))

    traced = tf.function(with_gradient, jit_compile=True)
    for compiled, own in zip(traced(x, w), with_gradient(x, w), strict=True):
        assert_close(compiled.numpy(), own.numpy().astype(np.float64))
    names = {op.type for op in traced.get_concrete_function(x, w).graph.get_operations()}
    assert not any(name.startswith("Fastconv") for name in names)


def test_xla_gets_tensorflows_own_pools():
    x = drawn(2, 8, 8, 4)
    for operation in (fct.max_pool2d, fct.avg_pool2d):
        for padding in ("SAME", "VALID", [[0, 0]] * 4):
            compiled = tf.function(lambda x, op=operation, p=padding: op(x, 3, 2, p), jit_compile=True)(x)
            assert_close(compiled.numpy(), operation(x, 3, 2, padding).numpy().astype(np.float64))


PADDED = [[0, 0], [1, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: fct.corr2d(x, tf.ones((3, 3, 4, 4)), 1, "SAME_LOWER"),
        lambda x: fct.max_pool2d(x, 3, 2, PADDED),
        lambda x: fct.avg_pool2d(x, 3, 2, PADDED),
        lambda x: fct.max_pool2d(x, 2, 1, "SAME", dilations=2),
        lambda x: fct.max_pool2d_with_argmax(x, 2, 2, "SAME"),
        lambda x: fastconv.avg_pool2d(x, 3, ceil_mode=True),
        lambda x: fastconv.avg_pool2d(x, 3, divisor_override=2),
        lambda x: fastconv.avg_pool2d(x, 3, padding="same"),
    ],
)
def test_what_xla_lacks_is_a_clear_error(call: Any):
    x = drawn(1, 8, 8, 4)
    call(x)
    with pytest.raises(ValueError, match="cannot run inside jit_compile=True"):
        tf.function(call, jit_compile=True)(x)
