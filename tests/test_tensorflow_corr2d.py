# SPDX-License-Identifier: BSD-3-Clause
"""corr2d on TensorFlow tensors: the NumPy front end's bits, TensorFlow's own arguments, shapes known in graphs."""

from typing import Any

import numpy as np
import pytest
import reference as ref
import tensorflow as tf
from cases import CASES, Case, expected, problem, spread
from numerics import assert_close, assert_same_bits, fresh_rng

import fastconv
import fastconv.tensorflow as fct

FORMATS = ("NHWC", "NCHW")


def four_pairs(padding: ref.Padding, data_format: str) -> list[list[int]]:
    """Write a padding as TensorFlow does: a pair for each axis."""
    pairs = [list(pair) for pair in padding]
    return [[0, 0], *pairs, [0, 0]] if data_format == "NHWC" else [[0, 0], [0, 0], *pairs]


def options_of(case: Case, data_format: str) -> dict[str, Any]:
    """Give the case in TensorFlow's words."""
    return {
        "strides": list(case.stride),
        "padding": four_pairs(case.padding, data_format),
        "data_format": data_format,
        "dilations": list(case.dilation),
        "groups": case.groups,
    }


def images(case: Case, data_format: str, dtype: str = "float32") -> tuple[Any, Any, Any]:
    """Give the case's tensors: filters are HWIO in either format."""
    p = problem(case, data_format, dtype)
    return tf.constant(p.x), tf.constant(problem(case, "NHWC", dtype).w), p.bias


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_nhwc_has_the_bits_of_numpy(case: Case, dtype: str):
    p = problem(case, "NHWC", dtype)
    y = fct.corr2d(p.x, p.w, bias=p.bias, **options_of(case, "NHWC"))
    assert_same_bits(y.numpy(), fastconv.corr2d(p.x, p.w, p.bias, layout="NHWC", **case.options))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nchw_agrees_with_the_oracle(case: Case):
    x, w, bias = images(case, "NCHW")
    y = fct.corr2d(x, w, bias=bias, **options_of(case, "NCHW"))
    assert_close(y.numpy(), expected("corr2d", case, "NCHW", "float32")[0], case, spread("corr2d", case, "float32"))


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_graphs_compute_the_same_and_know_the_shape(case: Case, data_format: str):
    x, w, bias = images(case, data_format)
    options = options_of(case, data_format)
    traced = tf.function(lambda x, w: fct.corr2d(x, w, bias=bias, **options)).get_concrete_function(x, w)
    assert tuple(traced.output_shapes) == case.y_shape(data_format)
    assert_same_bits(traced(x, w).numpy(), fct.corr2d(x, w, bias=bias, **options).numpy())


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_named_padding_is_tensorflows(data_format: str, padding: str, stride: int, dilation: int):
    rng = fresh_rng(padding, stride, dilation)
    x, w = tf.constant(rng.standard_normal((2, 13, 12, 4))), tf.constant(rng.standard_normal((3, 4, 4, 6)))
    theirs = tf.nn.conv2d(x, w, stride, padding, "NHWC", dilation)  # the one format that it computes in float64
    x = tf.constant(ref.planes(x.numpy(), "NHWC")) if data_format == "NCHW" else x
    ours = fct.corr2d(x, w, stride, padding, data_format, dilation)
    assert_close(ours.numpy(), ref.images(ref.planes(theirs.numpy(), "NHWC"), data_format))
    assert_same_bits(fct.corr2d(x, w, stride, padding.lower(), data_format, [dilation]).numpy(), ours.numpy())


def test_arguments_have_tensorflows_forms():
    x, w = tf.ones((1, 9, 9, 2)), tf.ones((3, 3, 2, 4))
    expected = fct.corr2d(x, w, (2, 3), [[0, 0], [1, 2], [0, 3], [0, 0]], dilations=(1, 2)).numpy()
    for strides, dilations in (([2, 3], [1, 2]), ([1, 2, 3, 1], [1, 1, 2, 1]), (np.array([2, 3]), np.array([1, 2]))):
        y = fct.corr2d(x, w, strides, ((0, 0), (1, 2), (0, 3), (0, 0)), dilations=dilations, data_format=None)
        assert_same_bits(y.numpy(), expected)
    lower = fct.corr2d(x, w[:2], 1, "SAME_LOWER").numpy()
    assert_same_bits(lower, fct.corr2d(x, w[:2], 1, [[0, 0], [1, 0], [1, 1], [0, 0]]).numpy())


def test_groups_are_counted_from_the_channels():
    rng = fresh_rng("groups")
    x, w = tf.constant(rng.standard_normal((1, 6, 6, 6))), tf.constant(rng.standard_normal((3, 3, 2, 9)))
    assert_same_bits(fct.corr2d(x, w, 1, "VALID").numpy(), fct.corr2d(x, w, 1, "VALID", groups=3).numpy())
    with pytest.raises(ValueError, match="w must have 6"):
        fct.corr2d(x, w, 1, "VALID", groups=1)


@pytest.mark.parametrize("in_graph", [False, True])
def test_more_axes_of_images(in_graph: bool):
    x = tf.constant(fresh_rng("axes").standard_normal((2, 0, 3, 5, 6, 4)))
    for images in (x, tf.ones((2, 3, 5, 6, 4), tf.float64)):
        call = lambda x: fct.corr2d(x, tf.ones((3, 3, 4, 2), tf.float64), 1, "VALID")  # noqa: E731
        y = tf.function(call)(images) if in_graph else call(images)
        assert y.shape == (*images.shape[:-3], 3, 4, 2)
        np.testing.assert_array_equal(
            y.numpy().reshape(-1, 3, 4, 2),
            call(tf.reshape(images, (-1, 5, 6, 4))).numpy() if tf.size(images) else np.zeros((0, 3, 4, 2)),
        )


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_is_rounded_once(dtype: Any):
    rng = fresh_rng("half")
    x = tf.cast(rng.standard_normal((2, 8, 8, 5)), dtype)
    w, bias = tf.cast(rng.standard_normal((3, 3, 5, 7)), dtype), tf.cast(rng.standard_normal(7), dtype)
    y = fct.corr2d(x, w, 2, "SAME", bias=bias)
    assert y.dtype == dtype
    same = {"stride": 2, "padding": "same", "layout": "NHWC"}
    assert_same_bits(y.numpy(), fastconv.corr2d(x.numpy(), w.numpy(), bias.numpy(), **same))


def test_what_is_unknown_stays_unknown():
    spec = [tf.TensorSpec([None, None, 12, 3]), tf.TensorSpec([3, 3, 3, None])]
    traced = tf.function(lambda x, w: fct.corr2d(x, w, 2, "SAME")).get_concrete_function(*spec)
    assert traced.output_shapes.as_list() == [None, None, 6, None]
    assert traced(tf.ones((2, 9, 12, 3)), tf.ones((3, 3, 3, 5))).shape == (2, 5, 6, 5)
    spec = [tf.TensorSpec(None), tf.TensorSpec(None)]
    traced = tf.function(lambda x, w: fct.corr2d(x, w, 1, "VALID", "NCHW")).get_concrete_function(*spec)
    assert traced.output_shapes.as_list() == [None] * 4
    assert traced(tf.ones((2, 3, 9, 9)), tf.ones((3, 3, 3, 5))).shape == (2, 5, 7, 7)
    spec = [tf.TensorSpec([1, None, 8, 8]), tf.TensorSpec([3, 3, 2, 6])]
    traced = tf.function(lambda x, w: fct.corr2d(x, w, 1, "VALID", "NCHW", groups=3)).get_concrete_function(*spec)
    assert traced.output_shapes.as_list() == [1, 6, 6, 6]


X, W = np.ones((1, 6, 6, 4), np.float32), np.ones((3, 3, 4, 2), np.float32)
WRONG = {
    "rank of x": (lambda: fct.corr2d(X[0], W, 1, "VALID"), ValueError, r"x must have 4 dimensions, got shape \(6, 6"),
    "rank of w": (lambda: fct.corr2d(X, W[0], 1, "VALID"), ValueError, r"w must have 4 dimensions"),
    "large kernel": (lambda: fct.corr2d(X, np.ones((7, 3, 4, 2), "f4"), 1, "VALID"), ValueError, "is larger than"),
    "channels": (lambda: fct.corr2d(X, np.ones((3, 3, 3, 2), np.float32), 1, "VALID"), ValueError, "w must have 4"),
    "groups": (lambda: fct.corr2d(X, W, 1, "VALID", groups=3), ValueError, "groups must divide the channels of x"),
    "no groups": (lambda: fct.corr2d(X, W, 1, "VALID", groups=0), ValueError, "groups must be at least 1, got 0"),
    "bias": (lambda: fct.corr2d(X, W, 1, "VALID", bias=np.ones(3, np.float32)), ValueError, r"bias has shape \(3,\)"),
    "rank of bias": (lambda: fct.corr2d(X, W, 1, "VALID", bias=np.ones((2, 1), np.float32)), ValueError, "bias has"),
    "dtypes": (lambda: fct.corr2d(X, W.astype(np.float64), 1, "VALID"), TypeError, "w has float64"),
    "half and whole": (lambda: fct.corr2d(X.astype(np.float16), W, 1, "VALID"), TypeError, "w has float32"),
    "complex": (lambda: fct.corr2d(X + 0j, W + 0j, 1, "VALID"), TypeError, "complex64"),
    "strings": (lambda: fct.corr2d(X.astype(str), W, 1, "VALID"), TypeError, "string"),
    "stride": (lambda: fct.corr2d(X, W, 0, "VALID"), ValueError, "stride must be at least 1"),
    "bool stride": (lambda: fct.corr2d(X, W, (True, 1), "VALID"), TypeError, "strides must be an integer"),
    "strides": (lambda: fct.corr2d(X, W, (1, 1, 1), "VALID"), ValueError, "a list of 1, 2 or 4"),
    "batch stride": (lambda: fct.corr2d(X, W, (2, 1, 1, 1), "VALID"), ValueError, "must be 1 for the batch"),
    "stride's type": (lambda: fct.corr2d(X, W, "2", "VALID"), TypeError, "strides must be"),
    "dilation": (lambda: fct.corr2d(X, W, 1, "VALID", dilations=-1), ValueError, "dilation must be at least 1"),
    "wide dilation": (lambda: fct.corr2d(X, W, 1, "SAME", dilations=2**63 - 1), ValueError, "beyond 64 bits"),
    "padding": (lambda: fct.corr2d(X, W, 1, "FULL"), ValueError, "padding must be 'valid', 'same'"),
    "negative padding": (
        lambda: fct.corr2d(X, W, 1, [[0, 0], [-1, 0], [0, 0], [0, 0]]), ValueError, "padding must be at least 0",
    ),
    "channel padding": (
        lambda: fct.corr2d(X, W, 1, [[0, 0], [0, 0], [0, 0], [1, 0]]), ValueError, "for the batch and for the channels",
    ),
    "pairs": (lambda: fct.corr2d(X, W, 1, [[0, 0], [1, 1]]), ValueError, "four pairs"),
    "padding's type": (lambda: fct.corr2d(X, W, 1, 3), TypeError, "padding must be"),
    "format": (lambda: fct.corr2d(X, W, 1, "VALID", "NHCW"), ValueError, "data_format must be"),
    "format's type": (lambda: fct.corr2d(X, W, 1, "VALID", 4), TypeError, "data_format must be"),
}  # fmt: skip


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize("what", WRONG)
def test_malformed_calls_are_errors(what: str, in_graph: bool):
    call, error, words = WRONG[what]
    with pytest.raises(error, match=words):
        tf.function(call)() if in_graph else call()


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "bias_shape", "words"),
    [
        ((6, 6, 4), (3, 3, 4, 2), (2,), r"x must have 4 dimensions, got shape \(6, 6, 4\)"),
        ((1, 6, 6, 4), (3, 3, 4), (2,), r"w must have 4 dimensions, got shape \(3, 3, 4\)"),
        ((1, 2, 2, 4), (3, 3, 4, 2), (2,), "is larger than the padded input: the height of x is 2"),
        ((1, 6, 6, 4), (3, 3, 3, 2), (2,), "w must have 4"),
        ((1, 6, 6, 4), (3, 3, 4, 2), (3,), r"bias has shape \(3,\) but must have \(2,\)"),
        ((1,) * 12, (3, 3, 4, 2), (2,), "x must have 4 dimensions, got shape of too many dimensions"),
    ],
)
def test_what_a_graph_sees_late_is_told_in_the_same_words(x_shape, w_shape, bias_shape, words):
    call = tf.function(lambda x, w, b: fct.corr2d(x, w, 1, "VALID", bias=b), input_signature=[tf.TensorSpec(None)] * 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        call(tf.ones(x_shape), tf.ones(w_shape), tf.ones(bias_shape))


def test_no_room_is_a_memory_error():
    x = tf.ones((1, 2, 2, 1))
    with pytest.raises(MemoryError):
        fct.corr2d(x, tf.ones((1, 1, 1, 1)), 1, [[0, 0], [2**24, 0], [2**24, 0], [0, 0]])
    with pytest.raises(ValueError, match="too large"):
        fct.corr2d(x, tf.ones((1, 1, 1, 1)), 1, [[0, 0], [2**31, 0], [2**31, 0], [0, 0]])


def test_variables_and_lists_are_tensors_too():
    x, w = tf.Variable(tf.ones((1, 3, 3, 1))), tf.Variable(tf.ones((2, 2, 1, 1)))
    assert fct.corr2d(x, w, 1, "VALID").numpy().tolist() == [[[[4.0], [4.0]], [[4.0], [4.0]]]]
    assert fct.corr2d(x, [[[[2.0]]]], 2, "VALID", bias=[1.0]).numpy().ravel().tolist() == [3.0] * 4


def test_the_operations_themselves_refuse_what_no_function_passes():
    """They are public in a graph: attributes and inputs may be anything."""
    from fastconv.tensorflow._library import ops

    x, w = tf.ones((1, 4, 4, 2)), tf.ones((3, 3, 2, 2))
    right = {"windows": [1, 1, 1, 1, 0, 0, 0, 0], "padding": "VALID", "groups": 1, "layouts": "NHWC HWIO"}
    y = ops.fastconv_corr2d(x, w, [tf.ones(2)], **right)
    for wrong in (
        {"windows": [1, 1]},
        {"layouts": "NHWC"},
        {"layouts": "N" * 500},
        {"padding": "FULL"},
        {"groups": -1},
        {"algorithm": "fft"},
        {"algorithm": "direct" * 50},
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            ops.fastconv_corr2d(x, w, [], **{**right, **wrong})
    for call in (
        lambda: ops.fastconv_corr2d(x, w, [tf.ones(2)] * 2, **right),
        lambda: ops.fastconv_corr2d_weight_grad(y, x, w, num_bias=2, **right),
        lambda: ops.fastconv_corr2d_weight_grad(y, x, tf.ones(4), num_bias=0, **right),
        lambda: ops.fastconv_corr2d_weight_grad(y[:, 1:], x, w, num_bias=0, **right),
        lambda: ops.fastconv_corr2d_input_grad(y, w, tf.constant([1, -4, 4, 2], tf.int64), **right),
        lambda: ops.fastconv_corr2d_input_grad(y, w, tf.constant([1, 4, 4], tf.int64), **right),
        lambda: ops.fastconv_corr2d_input_grad(y, w, tf.constant([2**40, 2**40, 2**40, 2], tf.int64), **right),
        lambda: ops.fastconv_corr2d_input_grad(y[..., :1], w, x, **right),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError):
            call()
    like = ops.fastconv_corr2d_input_grad(y, w, tf.constant([1, 4, 4, 2], tf.int64), **right)
    assert_same_bits(like.numpy(), ops.fastconv_corr2d_input_grad(y, w, x, **right).numpy())
