# SPDX-License-Identifier: BSD-3-Clause
"""accelerate: fastconv's layers in the place of Keras's, with the same variables."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_tensorflow_keras import compiled, data, drawn, network, saves

import fastconv
import fastconv.tensorflow as fct


def test_accelerate_shares_the_weights():
    model = compiled(network(keras.layers))
    faster = fct.accelerate(model)
    assert [type(layer).__name__ for layer in faster.layers] == [type(layer).__name__ for layer in model.layers]
    assert all(type(layer) is getattr(fct, type(layer).__name__) for layer in faster.layers[:5])
    assert all(one is other for one, other in zip(faster.weights, model.weights, strict=True))
    x, y = data()
    np.testing.assert_allclose(faster(x), model(x), rtol=1e-5, atol=1e-5)
    before = model(x).numpy()
    compiled(faster).fit(x, y, verbose=0)
    assert np.abs(model(x) - before).max() > 0
    np.testing.assert_allclose(faster(x), model(x), rtol=1e-5, atol=1e-5)


@saves
def test_accelerate_reaches_nested_models_and_leaves_subclasses(tmp_path: Path):
    class Own(keras.layers.Conv2D):
        pass

    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.Conv2D(4, 3, padding="same"), Own(4, 1)])
    first = keras.layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2")(inputs)
    normed = keras.layers.BatchNormalization()(inner(first))
    model = keras.Model(inputs, keras.layers.Add()([first, normed]))
    model.layers[1].trainable = False
    faster = fct.accelerate(model)
    nested = next(layer for layer in faster.layers if isinstance(layer, keras.Sequential))
    assert [type(layer) for layer in nested.layers] == [fct.Conv2D, Own]
    assert type(faster.layers[1]) is fct.Conv2D
    assert not faster.layers[1].trainable
    x = drawn(2, 8, 8, 3)
    np.testing.assert_allclose(faster(x), model(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(faster.losses, model.losses)
    assert {id(w) for w in faster.weights} == {id(w) for w in model.weights}
    plain = fct.accelerate(network(keras.layers))
    plain.save(tmp_path / "faster.keras")
    again = keras.models.load_model(tmp_path / "faster.keras")
    np.testing.assert_array_equal(again(data()[0]), plain(data()[0]))


def squared(values: Any) -> Any:
    return values * values


def test_accelerate_shares_what_the_user_gave():
    """Activations with weights of their own, and functions that Keras could not serialize."""
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(3, 3, activation=keras.layers.PReLU())(inputs)
    hidden = keras.layers.DepthwiseConv2D(3, activation=lambda v: v * 2)(hidden)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3, activation=squared)(hidden))
    model(drawn(1, 8, 8, 3))  # which is when the activation makes its weights
    alpha = model.layers[1].activation.alpha
    alpha.assign(np.full(alpha.shape, 0.3))
    faster, x = fct.accelerate(model), drawn(2, 8, 8, 3)
    assert all(one is other for one, other in zip(faster.weights, model.weights, strict=True))
    np.testing.assert_allclose(faster(x), model(x), rtol=1e-5, atol=1e-5)


def test_a_variable_of_keras_alone_is_a_tensor():
    layer = keras.layers.Conv2D(4, 3)
    layer.build((None, 8, 8, 3))
    y = fastconv.corr2d(np.ones((1, 8, 8, 3), np.float32), layer.kernel, layout="NHWC")
    assert isinstance(y, tf.Tensor)


def test_accelerate_refuses_what_it_cannot_share():
    with pytest.raises(TypeError, match=r"keras\.Model, got int"):
        fct.accelerate(3)
    with pytest.raises(ValueError, match="must be built"):
        fct.accelerate(keras.Sequential([keras.layers.Conv2D(2, 3)]))

    class Own(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    own = Own()
    own(drawn(1, 2, 2, 1))
    with pytest.raises(ValueError, match="Sequential models or Functional models"):
        fct.accelerate(own)
