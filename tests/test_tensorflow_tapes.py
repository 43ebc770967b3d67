# SPDX-License-Identifier: BSD-3-Clause
"""Gradients skipped where nobody asks for them, and what TensorFlow builds on gradients."""

from typing import Any
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from numerics import assert_same_bits
from test_tensorflow_grad import drawn

import fastconv
import fastconv.tensorflow as fct
from fastconv.tensorflow import _library

# ---- what is skipped -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "called"),
    [("x", {"input"}), ("w", {"weight"}), ("b", {"weight"}), ("xw", {"input", "weight"}), ("wb", {"weight"})],
)
def test_eager_mode_computes_the_gradients_that_are_asked_for(wanted: str, called: set[str]):
    arguments = {"x": drawn(1, 5, 5, 2), "w": drawn(3, 3, 2, 2), "b": drawn(2)}
    kinds = {"input": "fastconv_corr2d_input_grad", "weight": "fastconv_corr2d_weight_grad"}
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([arguments[name] for name in wanted])
        y = fct.corr2d(arguments["x"], arguments["w"], 1, "VALID", bias=arguments["b"])
    wrapped = {kind: mock.Mock(wraps=getattr(_library.ops, name)) for kind, name in kinds.items()}
    with mock.patch.multiple(_library.ops, **{kinds[kind]: spy for kind, spy in wrapped.items()}):
        grads = tape.gradient(y, [arguments[name] for name in wanted])
    assert all(g is not None for g in grads)
    assert {kind for kind, spy in wrapped.items() if spy.called} == called


@pytest.mark.parametrize(("wanted", "run"), [(0, "FastconvCorr2dInputGrad"), (1, "FastconvCorr2dWeightGrad")])
def test_a_graph_runs_the_gradient_that_is_used(wanted: int, run: str):
    x, w = drawn(1, 5, 5, 2).numpy(), drawn(3, 3, 2, 2).numpy()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        arguments = [tf.compat.v1.placeholder(tf.float64, a.shape) for a in (x, w)]
        grads = tf.gradients(fct.corr2d(*arguments, 1, "VALID"), arguments)
        options, seen = tf.compat.v1.RunOptions(trace_level=3), tf.compat.v1.RunMetadata()
        session.run(grads[wanted], dict(zip(arguments, (x, w), strict=True)), options, seen)
    done = {
        node.timeline_label.split(" = ")[-1].split("(")[0] for d in seen.step_stats.dev_stats for node in d.node_stats
    }
    assert {name for name in done if name.endswith("Grad")} == {run}


# ---- what TensorFlow builds on gradients -----------------------------------------------------------------------------


def test_forward_accumulator():
    x, w, tangent = drawn(1, 5, 5, 2), drawn(3, 3, 2, 2), drawn(3, 3, 2, 2, 1)[..., 0]
    with tf.autodiff.ForwardAccumulator(w, tangent) as accumulator:
        y = fct.max_pool2d(fct.corr2d(x, w, 1, "SAME"), 5, 1, "VALID")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(w)
        again = fct.max_pool2d(fct.corr2d(x, w, 1, "SAME"), 5, 1, "VALID")
    jacobian = tape.jacobian(again, w, experimental_use_pfor=False)
    np.testing.assert_allclose(accumulator.jvp(y), tf.tensordot(jacobian, tangent, 4), rtol=1e-12)


def test_vectorized_map_and_jacobian():
    x, w = drawn(3, 1, 5, 5, 2), drawn(3, 3, 2, 2)
    layers = lambda x: fct.avg_pool2d(fct.max_pool2d(fct.corr2d(x, w, 1, "SAME"), 2, 1, "SAME"), 3, 2, "VALID")  # noqa: E731
    np.testing.assert_array_equal(tf.vectorized_map(layers, x), tf.stack([layers(one) for one in x]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = layers(x[0])
    fast, slow = (tape.jacobian(y, x, experimental_use_pfor=pfor) for pfor in (True, False))
    np.testing.assert_allclose(fast, slow, rtol=1e-12)


def test_recompute_grad():
    x, w = drawn(1, 6, 6, 2), tf.Variable(drawn(3, 3, 2, 2))

    def block(x: Any) -> Any:
        return fct.max_pool2d(fct.corr2d(x, w, 1, "SAME"), 2, 2, "VALID")

    results = []
    for function in (block, tf.recompute_grad(block)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(function(x) ** 2)
        results.append(tape.gradient(y, [x, w]))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision(dtype: Any):
    x, w = tf.cast(drawn(1, 6, 6, 3), dtype), tf.cast(drawn(3, 3, 3, 4), dtype)
    with tf.GradientTape() as tape:
        tape.watch((x, w))
        y = fct.corr2d(x, w, 1, "SAME")
    grads = tape.gradient(y, (x, w))
    assert [g.dtype for g in grads] == [dtype, dtype]
    grad_y, same = np.ones(y.shape, y.numpy().dtype), {"padding": "same", "layout": "NHWC"}
    assert_same_bits(grads[0].numpy(), fastconv.corr2d_input_grad(grad_y, w.numpy(), x.shape, **same))
    assert_same_bits(grads[1].numpy(), fastconv.corr2d_weight_grad(grad_y, x.numpy(), w.shape, **same))
