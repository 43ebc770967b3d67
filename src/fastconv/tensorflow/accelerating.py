# SPDX-License-Identifier: BSD-3-Clause
"""A Keras model with fastconv's layers in the place of Keras's."""

from typing import Any

import keras

from fastconv.tensorflow import freezing
from fastconv.tensorflow.layers import AveragePooling2D, Conv2D, DepthwiseConv2D, MaxPooling2D

_POOLING = ("pool_size", "strides", "padding", "data_format")
_WINDOWS = ("kernel_size", "strides", "padding", "data_format", "dilation_rate", "use_bias")
# A layer of Keras's: what takes its place, and the arguments that say what it computes, which are attributes as well.
_SWAPPED: dict[type, tuple[Any, tuple[str, ...]]] = {
    keras.layers.Conv2D: (Conv2D, ("filters", "groups", *_WINDOWS)),
    keras.layers.DepthwiseConv2D: (DepthwiseConv2D, ("depth_multiplier", *_WINDOWS)),
    keras.layers.MaxPooling2D: (MaxPooling2D, _POOLING),
    keras.layers.AveragePooling2D: (AveragePooling2D, _POOLING),
}
# The layer in the place of another has the same objects: those that its user gave, of which an activation may have
# weights and any may be unknown to Keras's serialization, and those that came when it was built.
_SHARED = (
    "activation",
    *(
        f"{of}_{what}"
        for of in ("kernel", "depthwise", "bias")
        for what in ("initializer", "regularizer", "constraint")
    ),
    *("activity_regularizer", "_kernel", "kernel", "bias", "lora_kernel_a", "lora_kernel_b", "lora_enabled"),
    *("input_spec", "built"),
)


def accelerate(model: Any, freeze: bool = False) -> Any:
    """Clone a Keras model with fastconv's layers in the place of Keras's; the weights are shared.

    Exactly `keras.layers.Conv2D`, `DepthwiseConv2D`, `MaxPooling2D` and `AveragePooling2D` are replaced, also in nested
    Sequential and functional models; subclasses of them, and layers inside of wrappers such as `TimeDistributed`, are
    not. Every other layer is the very layer of `model`: its `output` stays a tensor of `model`, so take features from
    `model` itself. Training either model trains both.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, and built.
    freeze : bool
        Your word that the weights of its convolutions stay, fastconv's own layers included: each keeps them as the
        kernels read them, from its first call on. It ends, for a layer, with the first call that finds another value in
        its variable, whoever assigned it: `fit`, `set_weights`, `load_weights`, ``kernel.assign``. Half precision is
        not frozen.

    Returns
    -------
    keras.Model
        Not compiled.

    Raises
    ------
    TypeError
        It is no Keras model.
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
    >>> frozen = fct.accelerate(model, freeze=True)  # for prediction
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {type(model).__name__}")
    if not model.built:
        raise ValueError("model must be built before its weights can be shared: call it, or give it an Input")

    def in_place_of(layer: Any) -> Any:
        made = _in_place_of(layer)
        if freeze and isinstance(made, Conv2D | DepthwiseConv2D):
            freezing.freeze(made)
        return made

    return keras.models.clone_model(model, clone_function=in_place_of, recursive=True)


def _in_place_of(layer: Any) -> Any:
    if type(layer) not in _SWAPPED:
        return layer
    kind, names = _SWAPPED[type(layer)]
    arguments = {name: getattr(layer, name) for name in names}
    made = kind(**arguments, name=layer.name, dtype=layer.dtype_policy, trainable=layer.trainable)
    for name in _SHARED:
        if name in vars(layer):
            setattr(made, name, getattr(layer, name))
    return made
