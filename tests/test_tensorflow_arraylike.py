# SPDX-License-Identifier: BSD-3-Clause
"""fastconv's own functions on TensorFlow tensors: NumPy's results bit for bit, as tensors, differentiable."""

import sys
import types
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from cases import CASES, DTYPES, LAYOUTS, Case, problem
from numerics import BFLOAT16, assert_same_bits, fresh_rng, random_array
from pool_cases import POOL_CASES, PoolCase

import fastconv
from fastconv.functional import frontends


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_corr2d(case: Case, layout: str, dtype: str):
    p = problem(case, layout, dtype)
    y = fastconv.corr2d(tf.constant(p.x), p.w, p.bias, layout=layout, **case.options)
    assert isinstance(y, tf.Tensor)
    assert_same_bits(y.numpy(), fastconv.corr2d(p.x, p.w, p.bias, layout=layout, **case.options))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_pools(case: PoolCase, layout: str, dtype: str):
    a, _ = case.arrays(layout, dtype)
    x = tf.constant(a)
    found = fastconv.max_pool2d(x, case.kernel, layout=layout, return_indices=True, **case.max_options)
    expected = fastconv.max_pool2d(a, case.kernel, layout=layout, return_indices=True, **case.max_options)
    for one, other in zip(found, expected, strict=True):
        assert_same_bits(one.numpy(), other)
    mean = fastconv.avg_pool2d(x, case.kernel, layout=layout, **case.avg_options)
    assert_same_bits(mean.numpy(), fastconv.avg_pool2d(a, case.kernel, layout=layout, **case.avg_options))


SHAPES = {
    "NCHW": (((7, 6), (3, 2)), ((3, 7, 6), (3, 3, 2)), ((4, 7, 6), (6, 2, 3, 3)), ((2, 4, 7, 6), (6, 2, 3, 3))),
    "NHWC": (((7, 6), (3, 2)), ((7, 6, 3), (3, 2, 3)), ((7, 6, 4), (3, 3, 2, 6)), ((2, 7, 6, 4), (3, 3, 2, 6))),
}


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16, "float64", "bool", "uint8", "int16", "uint32"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rank", range(4))
def test_ranks_and_dtypes(rank: int, layout: str, dtype: Any):
    rng = fresh_rng(rank, layout)
    x, w = (random_array(rng, shape, dtype) for shape in SHAPES[layout][rank])
    filters = w.shape[0 if layout == "NCHW" else -1] if w.ndim == 4 else 1
    options = {"padding": ((1, 0), (0, 2)), "stride": (1, 2), "groups": 2 if w.ndim == 4 else 1, "layout": layout}
    for bias in (None, random_array(rng, (filters,), "float64"), *([3] if filters == 1 else [])):
        y = fastconv.corr2d(tf.constant(x), tf.Variable(w), bias, **options)
        assert_same_bits(y.numpy(), fastconv.corr2d(x, w, bias, **options))
    for call in (fastconv.pool2d, fastconv.max_pool2d, fastconv.avg_pool2d):
        assert_same_bits(call(tf.constant(x), 2, layout=layout).numpy(), call(x, 2, layout=layout))
    assert_same_bits(fastconv.pool2d(tf.constant(x), 2, "avg").numpy(), fastconv.pool2d(x, 2, "avg"))


def test_the_textbooks_functions():
    x, w = fresh_rng("x").standard_normal((3, 5, 6)), fresh_rng("w").standard_normal((2, 3, 2, 2))
    one = fastconv.corr2d_multi_in(tf.constant(x), w[0], stride=2)
    assert_same_bits(one.numpy(), fastconv.corr2d_multi_in(x, w[0], stride=2))
    several = fastconv.corr2d_multi_in_out(x, tf.constant(w))
    assert_same_bits(several.numpy(), fastconv.corr2d_multi_in_out(x, w))
    with pytest.raises(ValueError, match="w must have 3 dimensions"):
        fastconv.corr2d_multi_in(tf.constant(x), w)
    with pytest.raises(ValueError, match="x must have 3 or 4 dimensions"):
        fastconv.corr2d_multi_in_out(tf.constant(x[0]), w)
    with pytest.raises(ValueError, match="mode must be"):
        fastconv.pool2d(tf.constant(x), 2, "min")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rank", range(4))
def test_gradients(rank: int, layout: str):
    x, w = (tf.constant(fresh_rng(rank, s).standard_normal(s)) for s in SHAPES[layout][rank])
    options = {"padding": "same", "stride": 2, "groups": 2 if len(w.shape) == 4 else 1, "layout": layout}
    found = tf.test.compute_gradient(lambda x, w: fastconv.corr2d(x, w, **options), (x, w))
    for theoretical, numerical in zip(*found, strict=True):
        np.testing.assert_allclose(theoretical, numerical, rtol=1e-6, atol=1e-6)


def test_a_variable_of_keras_gets_its_gradient():
    w = keras.Variable(fresh_rng("keras").standard_normal((1, 1, 2, 2)))
    with tf.GradientTape() as tape:
        y = fastconv.corr2d(tf.ones((1, 1, 3, 3)), w)
    assert tape.gradient(y, w.value).numpy().tolist() == [[[[4.0, 4.0], [4.0, 4.0]]]]


def test_dtypes_meet_as_numpys_do():
    x, w = fresh_rng("x").standard_normal((5, 5)).astype(np.float32), fresh_rng("w").standard_normal((2, 2))
    assert fastconv.corr2d(tf.constant(x), w).dtype == tf.float64
    assert fastconv.corr2d(tf.constant(x), w.astype(np.float16)).dtype == tf.float32
    assert fastconv.corr2d(tf.constant([[1, 2]]), [[3]]).dtype == tf.int64


def test_in_a_graph():
    x = fresh_rng("graph").standard_normal((2, 3, 8, 8)).astype(np.float32)
    w = fresh_rng("graph w").standard_normal((4, 3, 3, 3)).astype(np.float32)
    traced = tf.function(lambda x: fastconv.max_pool2d(fastconv.corr2d(x, w, padding="same"), 2, ceil_mode=True))
    traced = traced.get_concrete_function(tf.TensorSpec([None, 3, 8, 8]))
    assert traced.output_shapes.as_list() == [None, 4, 4, 4]
    assert_same_bits(traced(tf.constant(x)).numpy(), fastconv.max_pool2d(fastconv.corr2d(x, w, padding="same"), 2))


T = tf.ones((1, 2, 5, 5))
WRONG = {
    "out": (lambda: fastconv.corr2d(T, np.ones((1, 2, 2, 2)), out=np.ones((1, 1, 4, 4))), TypeError, "NumPy arrays"),
    "pool's out": (lambda: fastconv.max_pool2d(T, 2, out=np.ones((1, 2, 2, 2))), TypeError, "out is for"),
    "ranks": (lambda: fastconv.corr2d(T, tf.ones((2, 2))), ValueError, "w must have 4 dimensions where x has 4"),
    "rank of x": (lambda: fastconv.max_pool2d(tf.ones(3), 2), ValueError, "x must have 2, 3 or 4 dimensions"),
    "groups": (lambda: fastconv.corr2d(T, tf.ones((2, 1, 2, 2)), groups=0), ValueError, "groups must be at least 1"),
    "default groups": (lambda: fastconv.corr2d(T, tf.ones((2, 1, 2, 2))), ValueError, "w must have 2"),
    "complex": (lambda: fastconv.corr2d(tf.cast(T, tf.complex64), T), TypeError, "x has dtype complex64"),
    "string": (lambda: fastconv.max_pool2d(tf.constant([["a"]]), 1), TypeError, "string"),
    "uint64": (lambda: fastconv.corr2d(tf.cast(T, tf.uint64), T), TypeError, "uint64"),
    "uint64 bias": (
        lambda: fastconv.corr2d(T, tf.ones((1, 2, 2, 2)), tf.ones(1, tf.uint64)), TypeError, "bias has dtype uint64",
    ),
    "algorithm": (lambda: fastconv.corr2d(T, tf.ones((1, 2, 2, 2)), algorithm="fft"), ValueError, "fft"),
    "declined": (
        lambda: fastconv.corr2d(T, tf.ones((1, 2, 2, 2)), algorithm="implicit_gemm_nhwc"), ValueError, "declines",
    ),
    "bias": (lambda: fastconv.corr2d(T, tf.ones((1, 2, 2, 2)), tf.ones(2)), ValueError, "bias has shape"),
    "divisor": (lambda: fastconv.avg_pool2d(T, 2, divisor_override=0), ValueError, "divisor_override must not be 0"),
    "layout": (lambda: fastconv.avg_pool2d(T, 2, layout="CHWN"), ValueError, "layout must be"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_malformed_calls_are_errors(what: str):
    call, error, words = WRONG[what]
    with pytest.raises(error, match=words):
        call()


def test_an_unknown_rank_is_an_error():
    with pytest.raises(ValueError, match="x must have a known number of dimensions"):
        tf.function(lambda x: fastconv.max_pool2d(x, 2)).get_concrete_function(tf.TensorSpec(None))


def test_a_named_algorithm_is_taken_and_its_gradients_choose_their_own():
    x = tf.constant(fresh_rng("algorithm").standard_normal((1, 40, 6, 6)).astype(np.float32))
    w = fresh_rng("algorithm w").standard_normal((3, 40, 3, 3)).astype(np.float32)
    for name in fastconv.algorithms("corr2d"):
        try:
            expected = fastconv.corr2d(x.numpy(), w, algorithm=name)
        except ValueError:
            continue
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = fastconv.corr2d(x, w, algorithm=name)
        assert_same_bits(y.numpy(), expected)
        assert_same_bits(tape.gradient(y, x).numpy(), fastconv.corr2d_input_grad(np.ones_like(y), w, x.shape))


def test_tensors_of_two_frameworks_do_not_meet(monkeypatch: pytest.MonkeyPatch):
    other = types.ModuleType("elsewhere")
    other.Tensor = type("Tensor", (), {})
    monkeypatch.setitem(sys.modules, "elsewhere", other)
    monkeypatch.setitem(frontends._FRONT_ENDS, "elsewhere", "fastconv.elsewhere")
    monkeypatch.setitem(frontends._TENSORS, "elsewhere", ("Tensor", "Missing"))
    with pytest.raises(TypeError, match="tensors of tensorflow and of elsewhere meet"):
        fastconv.corr2d(T, other.Tensor())
    assert frontends.tensor_front_end(np.ones(1), [1], None, "text") is None
