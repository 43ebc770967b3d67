# SPDX-License-Identifier: BSD-3-Clause
"""Frozen Keras layers: the bits of fastconv.prepare, weights prepared once, and what ends the word that they stay."""

import copy
import ctypes
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from frameworks import run_script
from test_tensorflow_keras import drawn, saves

import fastconv
import fastconv.tensorflow as fct
from fastconv.tensorflow.correlation import correlate
from fastconv.tensorflow.freezing import freeze, preparations

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "3x3": ("Conv2D", {"filters": 32, "kernel_size": 3, "padding": "same"}),
    "grouped": ("Conv2D", {"filters": 32, "kernel_size": 3, "groups": 2, "use_bias": False}),
    "pointwise": ("Conv2D", {"filters": 16, "kernel_size": 1, "activation": "relu"}),
    "strided": ("Conv2D", {"filters": 24, "kernel_size": (3, 5), "strides": (2, 3), "padding": "same"}),
    "dilated": ("Conv2D", {"filters": 7, "kernel_size": 3, "dilation_rate": 2}),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}),
}
FORMATS = ("channels_last", "channels_first")
SIZES = [(2, 24, 24), (1, 9, 11), (3, 40, 17), (1, 9, 11), (2, 24, 24)]


@pytest.fixture(autouse=True)
def fresh_session() -> None:
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)


def layer_of(kind: str = "3x3", data_format: str = "channels_last", **options: Any) -> Any:
    name, own = KINDS[kind]
    layer = getattr(fct, name)(**own, data_format=data_format, **options)
    layer.build((None, None, None, 32) if data_format == "channels_last" else (None, 32, None, None))
    return layer


def images(n: int = 2, h: int = 24, w: int = 24, data_format: str = "channels_last", dtype: str = "float32") -> Any:
    x = drawn(n, h, w, 32) if data_format == "channels_last" else drawn(n, 32, h, w)
    return tf.constant(x.astype(dtype))


def unfrozen(layer: Any, x: Any) -> np.ndarray:
    """What the layer gives without its word."""
    word, layer._word = layer._word, 0
    try:
        return np.asarray(layer(x))
    finally:
        layer._word = word


def prepared(layer: Any, x: Any) -> np.ndarray:
    """What fastconv.prepare gives for the layer's weights, which are HWIO in either format."""
    w, layout = np.asarray(layer.kernel), "NHWC" if layer.data_format == "channels_last" else "NCHW"
    groups = 32 // w.shape[2]
    if isinstance(layer, fct.DepthwiseConv2D):
        w, groups = w.reshape(*w.shape[:2], 1, -1), 32
    y = fastconv.prepare(
        w if layout == "NHWC" else w.transpose(3, 2, 0, 1),
        None if layer.bias is None else np.asarray(layer.bias),
        stride=layer.strides,
        padding=layer.padding,
        dilation=layer.dilation_rate,
        groups=groups,
        layout=layout,
    )(np.asarray(x))
    return np.asarray(layer.activation(y))


def used(layer: Any) -> Any:
    """A frozen layer whose weights were prepared."""
    freeze(layer)
    layer(images(data_format=layer.data_format))
    assert preparations(layer) == 1
    return layer


def assert_same(one: Any, two: Any) -> None:
    one, two = np.asarray(one), np.asarray(two)
    assert one.shape == two.shape
    assert one.tobytes() == two.tobytes()


def ways() -> dict[str, Callable[[Any], Callable[[Any], Any]]]:
    def predicted(layer: Any) -> Callable[[Any], Any]:
        model = keras.Sequential([layer])
        return lambda x: model.predict(x, verbose=0)

    return {
        "eager": lambda layer: layer,
        "function": lambda layer: tf.function(layer, reduce_retracing=True),
        "predict": predicted,
    }


# ---- the bits of prepare, once ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ways())
@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_as_prepared(kind: str, data_format: str, way: str):
    layer = layer_of(kind, data_format)
    freeze(layer)
    call = ways()[way](layer)
    for sizes in SIZES:
        x = images(*sizes, data_format)
        assert_same(call(x), prepared(layer, x))
    assert 0 <= preparations(layer) <= len(fastconv.algorithms("corr2d"))


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "mixed_float16"])
def test_other_types(dtype: str):
    layer = layer_of(dtype=dtype)
    freeze(layer)
    for n in (1, 2, 1):
        x = images(n)
        assert_same(tf.cast(layer(x), tf.float64), np.asarray(tf.cast(unfrozen(layer, x), tf.float64)))
    assert preparations(layer) == (1 if dtype == "float64" else 0)


@pytest.mark.parametrize("way", ways())
def test_weights_are_prepared_once(way: str):
    layer = layer_of()
    freeze(layer)
    call = ways()[way](layer)
    for n in (1, 2, 3, 2):
        for h in (24, 25, 40):
            call(images(n, h))
    assert preparations(layer) == 1


def test_what_is_kept_is_what_is_used():
    """An edit behind TensorFlow's back leaves a frozen layer's results as they were: something is kept."""
    layer, x = used(layer_of()), images()
    before = unfrozen(layer, x)
    memory = np.asarray(memoryview(layer.kernel.value.read_value()))
    ctypes.memset(memory.ctypes.data, 0, memory.nbytes)
    assert not unfrozen(layer, x).any()
    assert_same(layer(x), before)


def test_nothing_is_kept_without_the_word():
    model = fct.accelerate(keras.Sequential([keras.Input((24, 24, 32)), keras.layers.Conv2D(32, 3)]))
    model(images())
    assert model.layers[0]._word == 0
    assert preparations(model.layers[0]) == -1


def test_accelerate_gives_the_word_to_every_convolution():
    ours = layer_of("depthwise")
    inner = keras.Sequential([keras.Input((24, 24, 32)), keras.layers.Conv2D(32, 3, padding="same"), ours])
    outputs = keras.layers.Conv2D(8, 1)(inner(keras.layers.MaxPooling2D(1)(inputs := keras.Input((24, 24, 32)))))
    model = keras.Model(inputs, outputs)
    faster, frozen = fct.accelerate(model), fct.accelerate(model, freeze=True)
    nested = next(layer for layer in frozen.layers if isinstance(layer, keras.Sequential))
    for layer in (*nested.layers, frozen.layers[-1]):
        assert preparations(layer) == 0
    assert nested.layers[1] is ours
    x = images()
    ours._word, word = 0, ours._word
    wanted = faster.predict(x, verbose=0)
    ours._word = word
    assert_same(frozen.predict(x, verbose=0), wanted)
    assert_same(frozen(x), wanted)
    assert preparations(nested.layers[0]) == 1
    assert ours._word == word
    fct.accelerate(frozen, freeze=True)
    assert ours._word == word, "a word that holds stays"


@pytest.mark.parametrize("data_format", FORMATS)
def test_gradients_are_those_of_an_unfrozen_layer(data_format: str):
    layer = used(layer_of(data_format=data_format))
    x, found, word = images(data_format=data_format), [], layer._word
    for given in (word, 0):
        layer._word = given
        with tf.GradientTape() as outer, tf.GradientTape() as tape:
            outer.watch(x)
            tape.watch(x)
            y = tf.reduce_sum(layer(x) ** 2)
        found.append(tape.gradient(y, [x, *layer.trainable_weights]))
    for one, two in zip(*found, strict=True):
        assert_same(one, two)
    layer._word = word
    assert preparations(layer) == 1


def test_inside_of_xla():
    """There a layer is TensorFlow's operation, frozen or not."""
    layer, plain, x = layer_of(), layer_of(), images()
    plain.set_weights(layer.get_weights())
    used(layer)
    compiled = [tf.function(each.call, jit_compile=True)(x) for each in (layer, plain)]
    assert_same(*compiled)
    assert preparations(layer) == 1


def test_what_is_refused_is_refused_in_the_same_words():
    layer, said = used(layer_of()), []
    word = layer._word
    for given in (word, 0):
        layer._word = given
        with pytest.raises(ValueError, match="channels") as error:
            layer.call(tf.ones((1, 9, 9, 31)))
        said.append(str(error.value))
    assert said[0] == said[1]


# ---- what ends the word ----------------------------------------------------------------------------------------------


def fitted(layer: Any) -> None:
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = images()
    model.fit(x, np.zeros(layer(x).shape, np.float32), verbose=0)


def trained_on_a_batch(layer: Any) -> None:
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
    x = images()
    model.train_on_batch(x, np.zeros(layer(x).shape, np.float32))


def loaded(layer: Any, path: Path) -> None:
    model, other = keras.Sequential([layer]), keras.Sequential([layer_of()])
    for each in (model, other):
        each.build((None, 24, 24, 32))
    other.set_weights([w + 1 for w in other.get_weights()])
    other.save_weights(path / "other.weights.h5")
    model.load_weights(path / "other.weights.h5")


def replaced(layer: Any) -> None:
    vars(layer)["_kernel"] = keras.Variable(np.full(layer.kernel.shape, 0.5, np.float32), name="kernel")


def scattered(layer: Any) -> None:
    layer.kernel.value.scatter_nd_update([[0, 0]], [np.ones((32, 32), np.float32)])


ENDS: dict[str, Callable[[Any, Path], object]] = {
    "set_weights": lambda layer, _: layer.set_weights([w * 2 for w in layer.get_weights()]),
    "set_weights of a model": lambda layer, _: keras.Sequential([layer]).set_weights(layer.get_weights()),
    "load_weights": loaded,
    "kernel.assign": lambda layer, _: layer.kernel.assign(layer.kernel * 2),
    "assign_add": lambda layer, _: layer.kernel.value.assign_add(tf.ones(layer.kernel.shape)),
    "assign_sub": lambda layer, _: layer.kernel.assign_sub(tf.ones(layer.kernel.shape)),
    "a slice": lambda layer, _: layer.kernel.value[0, 1].assign(tf.ones((32, 32))),
    "scattered": lambda layer, _: scattered(layer),
    "in a function": lambda layer, _: tf.function(lambda: layer.kernel.value.assign_add(layer.kernel.value))(),
    "an operation of an optimizer": lambda layer, _: tf.raw_ops.ResourceApplyGradientDescent(
        var=layer.kernel.value.handle, alpha=0.5, delta=tf.ones(layer.kernel.shape), use_locking=True
    ),
    "fit": lambda layer, _: fitted(layer),
    "train_on_batch": lambda layer, _: trained_on_a_batch(layer),
    "a new variable": lambda layer, _: replaced(layer),
    "lora": lambda layer, _: layer.enable_lora(2),
}


@saves
@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", ENDS)
def test_the_word_ends(name: str, traced: bool, tmp_path: Path):
    layer = used(layer_of())
    call = tf.function(layer) if traced else layer
    x = images()
    call(x)
    ENDS[name](layer, tmp_path)
    if traced and name in ("a new variable", "lora"):
        call = tf.function(layer)  # a function keeps the variables that it was traced with
    for _ in range(2):
        assert_same(call(x), unfrozen(layer, x))
    call(images(1))
    assert preparations(layer) == -1


def test_many_edits_one_after_the_other():
    """Memory goes round: the address of one value must not be taken for another's."""
    layer, x = layer_of(), images()
    for value in range(20):
        freeze(layer)
        for _ in range(2):
            assert_same(layer(x), unfrozen(layer, x))
        assert preparations(layer) == 1
        layer.kernel.assign(np.full(layer.kernel.shape, value, np.float32))
        layer.kernel.assign(np.full(layer.kernel.shape, value + 0.5, np.float32))
        assert_same(layer(x), unfrozen(layer, x))
        assert preparations(layer) == -1


def test_layers_that_share_a_variable():
    one, two = layer_of(), layer_of()
    vars(two)["_kernel"] = one._kernel
    used(one), used(two)
    one.kernel.assign(one.kernel * 2)
    for layer in (one, two):
        assert_same(layer(images()), unfrozen(layer, images()))
        assert preparations(layer) == -1


def test_the_model_that_it_was_cloned_from_may_be_trained():
    model = keras.Sequential([keras.Input((24, 24, 32)), keras.layers.Conv2D(32, 3)])
    frozen, x = fct.accelerate(model, freeze=True), images()
    frozen.predict(x, verbose=0)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros(model(x).shape, np.float32), verbose=0)
    assert_same(frozen.predict(x, verbose=0), unfrozen(frozen.layers[0], x))
    assert preparations(frozen.layers[0]) == -1


def test_what_is_kept_is_freed_with_the_layer():
    from fastconv.tensorflow._library import library

    layer = used(layer_of())
    word = layer._word
    assert library.fastconv_tensorflow_preparations(word) == 1
    del layer
    gc.collect()
    assert library.fastconv_tensorflow_preparations(word) == -1


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell it so")
@pytest.mark.parametrize("end", ["edited", "gone"])
def test_memory_comes_back(end: str):
    """What a word kept, and the value that it held: 9 MiB each, thirty times."""
    x, value = tf.constant(drawn(1, 4, 4, 512)), np.ones((3, 3, 512, 512), np.float32)
    for turn in range(32):
        if turn == 0 or end == "gone":
            layer = fct.Conv2D(512, 3)
            layer.build(x.shape)
            gc.collect()  # a layer holds itself
        layer.kernel.assign(value)
        layer(x)
        freeze(layer)
        layer(x)
        assert preparations(layer) == 1
        if turn == 1:
            before = resident_bytes()
    assert resident_bytes() - before < 100 << 20


# ---- tricks ----------------------------------------------------------------------------------------------------------


def test_a_weight_of_another_shape_at_the_same_address():
    layer, x = used(layer_of()), images()
    attributes = fct.correlation.corr2d_attributes(1, "SAME", "NHWC", 1, None)
    other = tf.reshape(layer.kernel.value, (3, 3, 16, 64))
    wanted = correlate(x, other, None, attributes)
    assert_same(correlate(x, other, None, attributes, word=layer._word), wanted)
    assert_same(layer(x), unfrozen(layer, x))


@saves
def test_copies_are_not_frozen(tmp_path: Path):
    layer = used(layer_of())
    model = keras.Sequential([keras.Input((24, 24, 32)), layer])
    model.save(tmp_path / "frozen.keras")
    copies = [
        keras.models.load_model(tmp_path / "frozen.keras").layers[0],
        keras.models.clone_model(model).layers[0],
        copy.deepcopy(model).layers[0],
        type(layer).from_config(layer.get_config()),
    ]
    for copied in copies:
        assert copied._word == 0
    assert preparations(layer) == 1


@saves
def test_an_exported_model_in_this_process_and_in_another(tmp_path: Path):
    model = keras.Sequential([keras.Input((24, 24, 32)), used(layer_of())])
    x = images()
    wanted = model.predict(x, verbose=0)
    tf.saved_model.save(model, str(tmp_path / "model"))
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert_same(next(iter(served(x).values())), wanted)
    assert_same(model.predict(x, verbose=0), wanted)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "wanted.npy", wanted)
    run_script(
        """
        import sys
        import numpy as np
        import tensorflow as tf
        import fastconv.tensorflow
        served = tf.saved_model.load(sys.argv[1] + "/model").signatures["serving_default"]
        y = next(iter(served(tf.constant(np.load(sys.argv[1] + "/x.npy"))).values()))
        assert y.numpy().tobytes() == np.load(sys.argv[1] + "/wanted.npy").tobytes()
        """,
        tmp_path,
    )


def test_settings_that_change_between_calls():
    layer = used(layer_of(data_format="channels_first"))
    for _ in range(2):
        for x in (images(data_format="channels_first"), images(9, 8, 8, "channels_first")):
            for isa in fastconv.isas():
                for invariant in (False, True):
                    fastconv.set_isa(isa)
                    fastconv.set_batch_invariant(invariant)
                    assert_same(layer(x), prepared(layer, x))
    assert preparations(layer) <= 2 * len(fastconv.isas())


def test_calls_from_many_threads_while_one_edits():
    layer, x = layer_of(), images()
    values = [np.full(layer.kernel.shape, value, np.float32) for value in (0.25, 0.5)]
    wanted = []
    for value in values:
        layer.kernel.assign(value)
        wanted.append(unfrozen(layer, x).tobytes())
    failures: list[str] = []
    done = threading.Event()
    function = tf.function(layer)

    def call() -> None:
        while not done.is_set():
            for each in (layer, function):
                if np.asarray(each(x)).tobytes() not in wanted:
                    failures.append("neither value's result")

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        freeze(layer)
        layer.kernel.assign(values[turn % 2])
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert np.asarray(layer(x)).tobytes() == wanted[1]
