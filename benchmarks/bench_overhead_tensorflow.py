# SPDX-License-Identifier: BSD-3-Clause
"""What a tiny call costs from TensorFlow, beside TensorFlow's own operation; and grouped beside ungrouped layers.

    python benchmarks/bench_overhead_tensorflow.py [--rounds 15]

The image has 8 x 8 pixels and 3 channels, the kernel 3 x 3: what is measured is the way to the kernel and back. Ratios
below 1 mean that fastconv is faster.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import interleaved

import fastconv.tensorflow as fct
from fastconv.tensorflow._library import ops
from fastconv.tensorflow.arguments import corr2d_attributes

OPS_IN_GRAPH = 200

Call = Callable[[], object]


def drawn(*shape: int) -> Any:
    """Draw a float32 tensor."""
    return tf.constant(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def backward(operation: Callable[..., Any], *arguments: Any) -> Call:
    """Make a call of the operation and of its gradients with respect to all arguments."""

    def call() -> object:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = operation(*arguments)
        return tape.gradient(y, arguments)

    return call


def in_graph(operation: Callable[..., Any], *arguments: Any) -> Call:
    """Make a call of a function that holds the operation many times, one behind the other."""

    @tf.function(autograph=False)
    def chain(x: Any, *others: Any) -> Any:
        for _ in range(OPS_IN_GRAPH):
            x = operation(x, *others)
        return x

    traced = chain.get_concrete_function(*arguments)
    return lambda: traced(*arguments)


def tiny() -> dict[str, tuple[Call, Call, int]]:
    """Give what is compared: fastconv's call, TensorFlow's, and how often each does its work."""
    x, w = drawn(1, 8, 8, 3), drawn(3, 3, 3, 3)
    rows: dict[str, tuple[Call, Call, int]] = {}
    for name, ours, theirs, arguments in (
        ("corr2d", lambda x, w: fct.corr2d(x, w, 1, "SAME"), lambda x, w: tf.nn.conv2d(x, w, 1, "SAME"), (x, w)),
        ("max_pool2d", lambda x: fct.max_pool2d(x, 3, 1, "SAME"), lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME"), (x,)),
        ("avg_pool2d", lambda x: fct.avg_pool2d(x, 3, 1, "SAME"), lambda x: tf.nn.avg_pool2d(x, 3, 1, "SAME"), (x,)),
    ):
        rows[f"{name}, eager"] = partial(ours, *arguments), partial(theirs, *arguments), 1
        rows[f"{name}, forward and backward"] = backward(ours, *arguments), backward(theirs, *arguments), 1
        rows[f"{name}, in tf.function"] = in_graph(ours, *arguments), in_graph(theirs, *arguments), OPS_IN_GRAPH
    return rows


@tf.custom_gradient
def custom(x: Any, w: Any) -> Any:
    """`fct.corr2d(x, w, 1, "SAME")` with its gradients by tf.custom_gradient in place of the registered ones."""
    attributes = corr2d_attributes(1, "SAME", "NHWC", None, None)

    def grad(grad_y: Any) -> tuple[Any, Any]:
        grad_w = ops.fastconv_corr2d_weight_grad(grad_y, x, w, num_bias=0, **attributes).grad_w
        return ops.fastconv_corr2d_input_grad(grad_y, w, x, **attributes), grad_w

    return ops.fastconv_corr2d(x, w, [], **attributes), grad


def gradients() -> dict[str, tuple[Call, Call, int]]:
    """Give what shows why gradients are registered: the same operations under tf.custom_gradient."""
    x, w = drawn(1, 8, 8, 3), drawn(3, 3, 3, 3)
    theirs = partial(tf.nn.conv2d, strides=1, padding="SAME")
    name = "corr2d as custom_gradient"
    return {
        f"{name}, both ways": (backward(custom, x, w), backward(theirs, x, w), 1),
        f"{name}, in graph": (in_graph(custom, x, w), in_graph(theirs, x, w), OPS_IN_GRAPH),
    }


def frozen() -> dict[str, tuple[Call, Call, int]]:
    """Give an eager Keras layer whose weights stay beside the same one without that word."""
    rows: dict[str, tuple[Call, Call, int]] = {}
    for name, size, channels in (("tiny", 8, 3), ("14 x 14 x 256", 14, 256)):
        x, layers = drawn(1, size, size, channels), [fct.Conv2D(channels, 3) for _ in range(2)]
        model = keras.Sequential([keras.Input(x.shape[1:]), layers[0]])
        fct.accelerate(model, freeze=True)
        rows[f"Conv2D, {name}, frozen / not"] = partial(layers[0], x), partial(layers[1], x), 1
    return rows


def groups() -> dict[str, tuple[Call, Call, int]]:
    """Give eager Keras layers: groups beside one group of as many multiplications, and beside Keras's own."""
    rows: dict[str, tuple[Call, Call, int]] = {}
    x = drawn(8, 28, 28, 128)
    for count in (2, 4, 8):
        thin = drawn(8, 28, 28, 128 // count)
        grouped, plain = fct.Conv2D(128, 3, groups=count), fct.Conv2D(128, 3)
        rows[f"Conv2D, {count} groups / 1 group"] = partial(grouped, x), partial(plain, thin), 1
    rows["Conv2D, 8 groups / Keras's"] = partial(grouped, x), partial(keras.layers.Conv2D(128, 3, groups=8), x), 1
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}; microseconds of one call")
    print(f"{'':38}{'fastconv':>10}{'other':>10}{'ratio':>8}")
    for name, (ours, theirs, times) in {**tiny(), **gradients(), **frozen(), **groups()}.items():
        seconds = interleaved({"ours": ours, "theirs": theirs}, rounds)
        one, other = (1e6 * seconds[key] / times for key in ("ours", "theirs"))
        print(f"{name:38}{one:10.1f}{other:10.1f}{one / other:8.2f}")


if __name__ == "__main__":
    main()
