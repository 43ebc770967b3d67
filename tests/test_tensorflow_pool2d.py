# SPDX-License-Identifier: BSD-3-Clause
"""Pooling of TensorFlow tensors: TensorFlow's results where it is right, right ones where it is not."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numerics import assert_close, assert_same_bits, fresh_rng, random_array
from pool_cases import POOL_CASES, PoolCase
from test_tensorflow_corr2d import FORMATS, four_pairs

import fastconv
import fastconv.tensorflow as fct

FLAT = [case for case in POOL_CASES if not case.ceil_mode and case.divisor_override is None]


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("case", FLAT, ids=str)
def test_both_pools_have_the_bits_of_numpy(case: PoolCase, data_format: str, in_graph: bool):
    a, _ = case.arrays(data_format, "float32")
    options = (case.kernel, case.stride, four_pairs(case.padding, data_format), data_format)
    same = {"stride": case.stride, "padding": case.padding, "dilation": case.dilation, "layout": data_format}
    for operation, more in (("max_pool2d", {}), ("avg_pool2d", {"count_include_pad": False})):
        call = lambda x, op=operation: getattr(fct, op)(x, *options, dilations=case.dilation)  # noqa: E731
        if in_graph:
            call = tf.function(call).get_concrete_function(tf.TensorSpec(a.shape))
            assert tuple(call.output_shapes) == case.y_shape(data_format)
        expected = getattr(fastconv, operation)(a, case.kernel, **same, **more)
        assert_same_bits(call(tf.constant(a)).numpy(), expected)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), ((1, 3), (2, 1)), (5, 1)])
def test_tensorflow_gives_the_same(padding: str, size: Any, stride: Any):
    x = tf.constant(fresh_rng(size).standard_normal((2, 9, 10, 3)).astype(np.float32))
    assert_same_bits(
        fct.max_pool2d(x, size, stride, padding).numpy(), tf.nn.max_pool2d(x, size, stride, padding).numpy()
    )
    theirs = tf.nn.avg_pool2d(x, size, stride, padding).numpy().astype(np.float64)
    assert_close(fct.avg_pool2d(x, size, stride, padding).numpy(), theirs)
    for batch in (False, True):
        ours = fct.max_pool2d_with_argmax(x, size, stride, padding, include_batch_in_index=batch)
        theirs = tf.nn.max_pool_with_argmax(
            x, size, stride, padding, output_dtype=tf.int64, include_batch_in_index=batch
        )
        for one, other in zip(ours, theirs, strict=True):
            assert_same_bits(one.numpy(), other.numpy())


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("data_format", FORMATS)
def test_places_are_flat_in_the_input(data_format: str, batch: bool):
    x = fresh_rng("places").standard_normal((2, 4, 5, 6))
    y, places = fct.max_pool2d_with_argmax(
        x, 2, 2, "SAME", data_format, output_dtype=tf.int32, include_batch_in_index=batch
    )
    assert places.dtype == tf.int32
    flat = np.concatenate([x.ravel(), x.ravel()]) if batch else x.reshape(2, -1)
    for image in range(2):
        source = flat if batch else flat[image]
        assert_same_bits(source[places[image].numpy()], y[image].numpy())


def test_padding_alone_has_no_place():
    _, places = fct.max_pool2d_with_argmax(tf.zeros((1, 1, 1, 3)), 1, 1, [[0, 0], [1, 0], [0, 1], [0, 0]])
    assert places[0, ..., 0].numpy().tolist() == [[-1, -1], [0, -1]]
    assert places[0, 1, 0].numpy().tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float64"])
def test_every_type_has_its_maximum(dtype: str):
    x = random_array(fresh_rng(dtype), (2, 7, 6, 5), dtype)
    y = fct.max_pool2d(x, 3, 2, "SAME")
    assert_same_bits(y.numpy(), fastconv.max_pool2d(x, 3, stride=2, padding="same", layout="NHWC"))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision(dtype: Any):
    x = tf.cast(fresh_rng("half").standard_normal((1, 6, 6, 2)), dtype)
    same = {"stride": 2, "padding": "same", "layout": "NHWC"}
    assert_same_bits(fct.max_pool2d(x, 3, 2, "SAME").numpy(), fastconv.max_pool2d(x.numpy(), 3, **same))
    average = fastconv.avg_pool2d(x.numpy(), 3, count_include_pad=False, **same)
    assert_same_bits(fct.avg_pool2d(x, 3, 2, "SAME").numpy(), average)
    y, places = fct.max_pool2d_with_argmax(x, 3, 2, "SAME")
    assert y.dtype == dtype
    assert_same_bits(np.take(x.numpy(), places.numpy()), y.numpy())


def test_nan_and_infinity_survive():
    for data_format in FORMATS:
        lowest = tf.fill((1, 4, 4, 4), -np.inf)
        assert np.isneginf(fct.max_pool2d(lowest, 2, 1, "SAME", data_format)).all()
        x = np.zeros((1, 6, 6, 6), np.float32)
        x[0, 2, 2, 2] = np.nan
        assert np.isnan(fct.max_pool2d(x, 2, 2, "VALID", data_format)).sum() == 1


def test_a_huge_window_is_quick_or_refused():
    x = tf.ones((1, 4, 4, 1))
    assert fct.max_pool2d(x, 2**31 - 1, 1, "SAME").numpy().tolist() == x.numpy().tolist()


def test_empty_batches_keep_their_shape():
    assert fct.max_pool2d(tf.ones((0, 8, 9, 3)), 3, 2, "VALID").shape == (0, 3, 4, 3)
    assert fct.avg_pool2d(tf.ones((0, 3, 8, 9)), 3, 2, "SAME", "NCHW").shape == (0, 3, 4, 5)


X = np.ones((1, 6, 6, 2), np.float32)
WRONG = {
    "rank": (lambda f: f(X[0], 2, 2, "SAME"), ValueError, r"x must have 4 dimensions, got shape \(6, 6, 2\)"),
    "window": (lambda f: f(X, 7, 1, "VALID"), ValueError, r"pool_size \(7, 7\) .* is larger than the padded input"),
    "no window": (lambda f: f(X, 0, 1, "VALID"), ValueError, "pool_size must be at least 1"),
    "ksize": (lambda f: f(X, [2, 2, 2], 1, "VALID"), ValueError, "ksize must be an integer or a list"),
    "batch": (lambda f: f(X, [2, 2, 2, 1], 1, "VALID"), ValueError, "ksize must be 1 for the batch"),
    "strides": (lambda f: f(X, 2, None, "VALID"), TypeError, "strides must be"),
    "stride": (lambda f: f(X, 2, 0, "VALID"), ValueError, "stride must be at least 1"),
    "complex": (lambda f: f(X + 0j, 2, 1, "VALID"), TypeError, "complex64"),
    "dilation": (lambda f: f(X, 2, 1, "VALID", dilations=0), ValueError, "dilation must be at least 1"),
}


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("operation", ["max_pool2d", "avg_pool2d", "max_pool2d_with_argmax"])
@pytest.mark.parametrize("what", WRONG)
def test_malformed_calls_are_errors(what: str, operation: str, in_graph: bool):
    call, error, words = WRONG[what]
    function = lambda: call(getattr(fct, operation))  # noqa: E731
    with pytest.raises(error, match=words):
        tf.function(function)() if in_graph else function()


def test_what_one_pool_alone_refuses():
    with pytest.raises(TypeError, match="average pooling takes floats"):
        fct.avg_pool2d(X.astype(np.int32), 2, 2, "VALID")
    with pytest.raises(ValueError, match="output_dtype must be"):
        fct.max_pool2d_with_argmax(X, 2, 2, "VALID", output_dtype=tf.float32)
    late = tf.function(lambda x: fct.max_pool2d(x, 3, 1, "VALID"), input_signature=[tf.TensorSpec(None)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="larger than the padded input"):
        late(tf.ones((1, 2, 2, 1)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="x must have 4 dimensions"):
        late(tf.ones((2, 2, 1)))


def test_indices_that_point_nowhere_are_refused():
    """The operation is public in a graph: it may be fed with anything."""
    from fastconv.tensorflow._library import ops

    def grad(indices: Any, x_like: Any, grad_y: Any = None) -> Any:
        grad_y = tf.ones(indices.shape) if grad_y is None else grad_y
        return ops.fastconv_max_pool2d_grad(grad_y, indices, x_like, data_format="NHWC")

    ones = tf.ones((1, 2, 2, 1), tf.int64)
    assert grad(ones, tf.constant([1, 4, 4, 1], tf.int64)).numpy().ravel()[1] == 4
    for wrong in (
        lambda: grad(ones * 16, tf.zeros((1, 4, 4, 1))),
        lambda: grad(ones * -2, tf.zeros((1, 4, 4, 1))),
        lambda: grad(ones, tf.zeros((2, 4, 4, 1))),
        lambda: grad(ones, tf.zeros((1, 4, 4, 2))),
        lambda: grad(ones, tf.zeros((4, 4, 1))),
        lambda: grad(ones, tf.constant([1, -4, 4, 1], tf.int64)),
        lambda: grad(ones, tf.constant([1, 2**40, 2**40, 1], tf.int64)),
        lambda: grad(ones, tf.zeros((1, 4, 4, 1)), tf.ones((1, 2, 1, 1))),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            wrong()
