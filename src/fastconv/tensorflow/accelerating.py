# SPDX-License-Identifier: BSD-3-Clause
"""A Keras model with fastconv's layers in the place of Keras's."""

from typing import Any

import keras

from fastconv.tensorflow.layers import AveragePooling2D, Conv2D, DepthwiseConv2D, MaxPooling2D

_SWAPPED: dict[type, Any] = {
    keras.layers.Conv2D: Conv2D,
    keras.layers.DepthwiseConv2D: DepthwiseConv2D,
    keras.layers.MaxPooling2D: MaxPooling2D,
    keras.layers.AveragePooling2D: AveragePooling2D,
}
# What a layer has after it was built; the layer in its place has the same objects.
_STATE = ("_kernel", "kernel", "bias", "lora_kernel_a", "lora_kernel_b", "lora_enabled", "input_spec", "built")


def accelerate(model: Any) -> Any:
    """Clone a Keras model with fastconv's layers in the place of Keras's; the weights are shared.

    Exactly `keras.layers.Conv2D`, `DepthwiseConv2D`, `MaxPooling2D` and `AveragePooling2D` are replaced, also in nested
    Sequential and functional models; subclasses of them, and layers inside of wrappers such as `TimeDistributed`, are
    not. Every other layer is the very layer of `model`. Training either model trains both.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, and built.

    Returns
    -------
    keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        The model has no weights yet, or it is a subclassed one, whose layers Keras cannot tell.

    Examples
    --------
    >>> import keras
    >>> import fastconv.tensorflow as fct
    >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
    >>> faster = fct.accelerate(model)
    >>> type(faster.layers[0]).__module__.partition(".")[0]
    'fastconv'
    >>> faster.layers[0].kernel is model.layers[0].kernel
    True
    """
    if not model.built:
        raise ValueError("model must be built before its weights can be shared: call it, or give it an Input")
    return keras.models.clone_model(model, clone_function=_in_place_of, recursive=True)


def _in_place_of(layer: Any) -> Any:
    kind = _SWAPPED.get(type(layer))
    if kind is None:
        return layer
    made = kind.from_config(layer.get_config())
    for name in _STATE:
        if name in vars(layer):
            setattr(made, name, getattr(layer, name))
    return made
