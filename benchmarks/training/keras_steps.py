# SPDX-License-Identifier: BSD-3-Clause
"""Training steps in Keras as `fit` makes them: one compiled function of forward, loss, backward and SGD."""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import fastconv.tensorflow

from . import data
from .keras_networks import NETWORKS
from .summary import KERAS, KERAS_XLA, OURS_IN_KERAS

CONTESTANTS = (KERAS, KERAS_XLA, OURS_IN_KERAS)
# The profiler's events of operations are "name:kind": these kinds are convolutions and poolings, whoever computes them.
_INSIDE = re.compile(r":\w*(Conv2D|Conv2d|MaxPool|AvgPool|FastconvCorr2d)\w*$")


def set_threads(threads: int) -> None:
    """Of both; TensorFlow takes them before its first operation alone."""
    fastconv.set_num_threads(threads)
    if tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def step(network: str, contestant: str) -> Callable[[], float]:
    """A call makes one step and answers the loss before it; every contestant begins with the same weights."""
    keras.utils.set_random_seed(0)
    model = NETWORKS[network]()
    if contestant == OURS_IN_KERAS:
        model = fastconv.tensorflow.accelerate(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(data.RATES[network], data.MOMENTUM)
    model.compile(optimizer, loss, jit_compile=True if contestant == KERAS_XLA else "auto")
    x, y = map(tf.constant, data.batch(network))
    return lambda: float(model.train_on_batch(x, y))


def outside(call: Callable[[], float], steps: int) -> float:
    """The share of the time of warm steps that is spent in something else than convolution and pooling."""
    call()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            start = time.perf_counter()
            for _ in range(steps):
                call()
            took = time.perf_counter() - start
        space = xplane_pb2.XSpace()
        for file in Path(folder).rglob("*.xplane.pb"):
            space.MergeFromString(file.read_bytes())
    inside = sum(
        event.duration_ps
        for plane in space.planes
        for line in plane.lines
        for event in line.events
        if _INSIDE.search(plane.event_metadata[event.metadata_id].name)
    )
    return 1 - inside / 1e12 / took
