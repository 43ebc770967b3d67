# SPDX-License-Identifier: BSD-3-Clause
"""The Keras layers: Keras's arguments, weights and results; training, saving, exporting and sharing."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from frameworks import run_script
from numerics import fresh_rng

import fastconv.tensorflow as fct

# Keras writes its variables as NumPy 2 would rather not have them written.
saves = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

LAYERS = ("Conv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D")


@pytest.fixture(autouse=True)
def fresh_session() -> None:
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)


def drawn(*shape: int) -> np.ndarray:
    return fresh_rng(shape).standard_normal(shape).astype(np.float32)


def network(layers: Any, data_format: str = "channels_last") -> keras.Sequential:
    """Make a small network of Keras's or of fastconv's layers."""
    form = {"data_format": data_format}
    return keras.Sequential(
        [
            keras.Input((12, 12, 4) if data_format == "channels_last" else (4, 12, 12)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="first", **form),
            layers.MaxPooling2D(2, name="largest", **form),
            layers.Conv2D(8, (3, 2), name="second", **form),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise", **form),
            layers.AveragePooling2D(2, padding="same", name="mean", **form),
            keras.layers.Flatten(),
            keras.layers.Dense(3, name="dense"),
        ]
    )


def data(data_format: str = "channels_last") -> tuple[np.ndarray, np.ndarray]:
    x = drawn(16, 12, 12, 4)
    return (x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)), np.arange(16) % 3


def compiled(model: Any, **options: Any) -> Any:
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    return model


GEOMETRIES = {
    "Conv2D": [
        {"filters": 6, "kernel_size": 3},
        {"filters": 6, "kernel_size": (3, 2), "strides": (2, 1), "padding": "same", "activation": "relu"},
        {"filters": 6, "kernel_size": 3, "dilation_rate": (2, 1), "use_bias": False},
        {"filters": 6, "kernel_size": 3, "groups": 2, "bias_initializer": "ones"},
    ],
    "DepthwiseConv2D": [
        {"kernel_size": 3, "depth_multiplier": 3, "activation": "tanh", "bias_initializer": "ones"},
        {"kernel_size": (2, 3), "strides": 2, "padding": "same", "use_bias": False},
        {"kernel_size": 3, "dilation_rate": 2},
    ],
    "MaxPooling2D": [{}, {"pool_size": 3, "strides": 2, "padding": "same"}, {"pool_size": (2, 3), "strides": (1, 2)}],
    "AveragePooling2D": [{"pool_size": 2}, {"pool_size": 3, "strides": 2, "padding": "same"}, {"pool_size": (2, 3)}],
}
PAIRS = [(name, options) for name in LAYERS for options in GEOMETRIES[name]]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("name", "options"), PAIRS)
def test_layers_are_keras_layers(name: str, options: dict[str, Any], data_format: str):
    last = drawn(2, 9, 10, 4)
    theirs = getattr(keras.layers, name)(data_format="channels_last", **options)  # the one that it computes anywhere
    expected = theirs(last).numpy()
    ours = getattr(fct, name).from_config({**theirs.get_config(), "data_format": data_format})
    first = data_format == "channels_first"
    x, expected = (a.transpose(0, 3, 1, 2) if first else a for a in (last, expected))
    assert isinstance(ours, getattr(keras.layers, name))
    assert ours.get_config() == {**theirs.get_config(), "data_format": data_format}
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    assert [w.path.split("/")[-1] for w in ours.weights] == [w.path.split("/")[-1] for w in theirs.weights]
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-5)
    assert ours.compute_output_shape(x.shape) == expected.shape
    symbolic = getattr(fct, name).from_config(ours.get_config())(keras.Input(x.shape[1:]))
    assert symbolic.shape == (None, *expected.shape[1:])


def test_a_stride_goes_together_with_a_dilation():
    for padding in ("same", "valid"):
        options = {"strides": (2, 1), "dilation_rate": 2, "padding": padding}
        layer = fct.Conv2D(5, 3, **options)
        y = layer(x := drawn(1, 9, 9, 2))
        assert layer.compute_output_shape(x.shape) == y.shape
        np.testing.assert_allclose(y, fct.corr2d(x, layer.kernel, (2, 1), padding, dilations=2))
        again = fct.Conv2D.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        assert again.dilation_rate == (2, 2)
        depthwise = fct.DepthwiseConv2D(3, **options)(x)
        assert depthwise.shape == (*y.shape[:3], 2)


@pytest.mark.parametrize("wrong", [{"dilation_rate": 0}, {"dilation_rate": (1, -1)}, {"strides": 0}, {"groups": 0}])
def test_wrong_arguments_are_refused(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        fct.Conv2D(4, 3, **wrong)


def test_a_kernel_larger_than_the_images_is_refused():
    with pytest.raises(ValueError, match="zero or negative"):
        fct.Conv2D(4, 7)(drawn(1, 5, 5, 2))
    with pytest.raises(ValueError, match="larger than the padded input"):
        fct.MaxPooling2D(7)(drawn(1, 5, 5, 2))


@pytest.mark.parametrize("jit_compile", ["auto", False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_fit(data_format: str, jit_compile: Any):
    model = network(fct, data_format)
    before = [w.numpy().copy() for w in model.weights]
    if jit_compile is True:
        with pytest.warns(UserWarning, match="Model doesn't support `jit_compile=True`"):
            compiled(model, jit_compile=jit_compile)
    else:
        compiled(model, jit_compile=jit_compile)
    losses = model.fit(*data(data_format), batch_size=8, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert not model.jit_compile
    assert all(np.abs(w.numpy() - old).max() > 0 for w, old in zip(model.weights, before, strict=True))


def test_fit_is_what_keras_fits():
    ours, theirs = network(fct), network(keras.layers)
    ours.set_weights(theirs.get_weights())
    histories = [
        compiled(model, run_eagerly=eager).fit(*data(), batch_size=8, epochs=4, shuffle=False, verbose=0).history
        for model, eager in ((ours, True), (theirs, False))
    ]
    np.testing.assert_allclose(histories[0]["loss"], histories[1]["loss"], rtol=1e-4)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtype_policies(policy: str):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = compiled(network(fct))
        assert np.isfinite(model.fit(*data(), verbose=0).history["loss"]).all()
        assert model(data()[0]).dtype == keras.config.dtype_policy().compute_dtype
        assert model.layers[0].kernel.dtype == keras.config.dtype_policy().variable_dtype
    finally:
        keras.config.set_dtype_policy(before)


def test_low_rank_adaptation():
    layer = fct.Conv2D(4, 3)
    x = drawn(1, 6, 6, 2)
    before = layer(x).numpy()
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-6)
    layer.lora_kernel_b.assign(tf.ones(layer.lora_kernel_b.shape))
    np.testing.assert_allclose(layer(x), tf.nn.conv2d(x, layer.kernel, 1, "VALID"), rtol=1e-4, atol=1e-5)


@saves
def test_a_saved_model_is_loaded_in_a_new_process(tmp_path: Path):
    model = compiled(network(fct))
    x, y = data()
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    np.savez(tmp_path / "data.npz", x=x, y=y, predicted=model.predict(x, verbose=0))
    run_script(
        """
        import sys
        import numpy as np
        import keras
        import tensorflow as tf
        import fastconv.tensorflow as fct

        data = np.load(sys.argv[1] + "/data.npz")
        model = keras.models.load_model(sys.argv[1] + "/model.keras")
        assert [type(layer) for layer in model.layers[:2]] == [fct.Conv2D, fct.MaxPooling2D]
        assert (model.predict(data["x"], verbose=0) == data["predicted"]).all()
        served = tf.saved_model.load(sys.argv[1] + "/exported")
        assert (served.serve(data["x"]).numpy() == data["predicted"]).all()
        before = model.evaluate(data["x"], data["y"], verbose=0)
        model.fit(data["x"], data["y"], epochs=3, verbose=0)
        assert model.evaluate(data["x"], data["y"], verbose=0) < before
        """,
        tmp_path,
    )


def test_layers_need_tensorflow_under_keras(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    for name in LAYERS:
        with pytest.raises(RuntimeError, match="need Keras's TensorFlow backend, not jax"):
            getattr(fct, name)(**GEOMETRIES[name][0])
