# SPDX-License-Identifier: BSD-3-Clause
"""torch's layers in an existing model become fastconv's, and back."""

import warnings
from typing import TypeVar

from torch import nn

from fastconv.torch.layers import AvgPool2d, Conv2d, LazyConv2d, MaxPool2d

Model = TypeVar("Model", bound=nn.Module)

_REPLACED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: Conv2d,
    nn.LazyConv2d: LazyConv2d,
    nn.MaxPool2d: MaxPool2d,
    nn.AvgPool2d: AvgPool2d,
}
_RESTORED = {ours: theirs for theirs, ours in _REPLACED.items()}
_MARK = "_accelerated_by_fastconv"  # on the layers that accelerate changed: only these are restored


def accelerate(model: Model, freeze: bool = False) -> Model:
    """Let every convolution and pooling layer of a model compute by fastconv, in place.

    A layer stays the object it was, with its parameters, buffers, hooks and training mode; its class changes, so that
    optimizers, shared weights and references to it stay right. Layers of exactly the types `torch.nn.Conv2d`,
    `LazyConv2d`, `MaxPool2d` and `AvgPool2d` are changed; those of a subclass are left alone, and a warning names them.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a single layer.
    freeze : bool
        Your word that the weights of its convolutions stay, fastconv's own layers included: they are transformed once,
        for calls in which nothing wants a gradient. It ends, for a layer, with `train()`, `restore`, `load_state_dict`,
        `to`, another weight, an edit that torch counts (an optimizer's step, ``weight.mul_(2)``), or `accelerate`
        without it. An edit through ``weight.data`` or NumPy is not seen. Copies of the model are not frozen.

    Returns
    -------
    torch.nn.Module
        The same model.

    Raises
    ------
    TypeError
        `model` is no module.
    ValueError
        It is to be frozen, but is in training mode, or a layer has no weights yet.

    Warns
    -----
    UserWarning
        Layers of subclasses were left alone; layers whose weights are computed in every call were not frozen.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
    >>> fastconv.torch.accelerate(model) is model
    True
    >>> type(model[0]) is fastconv.torch.Conv2d
    True
    >>> with torch.no_grad():  # from here on the weights stay
    ...     y = fastconv.torch.accelerate(model.eval(), freeze=True)(torch.ones(1, 1, 28, 28))
    """
    left_alone = []
    layers = _named_layers(model)
    if freeze:
        _must_stay(layers)
    for name, layer in layers:
        kind = type(layer)
        if kind in _REPLACED:
            layer.__class__ = _REPLACED[kind]
            setattr(layer, _MARK, True)
        elif isinstance(layer, tuple(_REPLACED)) and not isinstance(layer, tuple(_RESTORED)):
            left_alone.append(f"{name or 'the model itself'} ({kind.__qualname__})")
    if left_alone:
        warnings.warn(f"accelerate left subclasses alone: {', '.join(left_alone)}", UserWarning, stacklevel=2)
    refused = [told for name, layer in layers if isinstance(layer, Conv2d) for told in _frozen(name, layer, freeze)]
    if refused:
        warnings.warn(f"accelerate did not freeze {'; '.join(refused)}", UserWarning, stacklevel=2)
    return model


def restore(model: Model) -> Model:
    """Undo `accelerate`: the layers that it changed are torch's own again, and none is frozen.

    Parameters
    ----------
    model : torch.nn.Module
        The model, or a copy or a part of it.

    Returns
    -------
    torch.nn.Module
        The same model. Layers that were made as fastconv's stay so.

    Raises
    ------
    TypeError
        `model` is no module.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3))
    >>> type(fastconv.torch.restore(fastconv.torch.accelerate(model))[0]) is torch.nn.Conv2d
    True
    """
    for _, layer in _named_layers(model):
        if isinstance(layer, Conv2d):
            layer._unfreeze()
        if _MARK in vars(layer) and type(layer) in _RESTORED:
            delattr(layer, _MARK)
            layer.__class__ = _RESTORED[type(layer)]
    return model


def _must_stay(layers: list[tuple[str, nn.Module]]) -> None:
    """ValueError unless every convolution has weights that nothing is about to train."""
    for name, layer in layers:
        told = f"layer {name}" if name else "the model"
        if isinstance(layer, nn.Conv2d) and layer.training:
            raise ValueError(f"{told} is in training mode: call model.eval() before freezing")
        if isinstance(layer, nn.modules.lazy.LazyModuleMixin) and layer.has_uninitialized_params():
            raise ValueError(f"{told} has no weights yet: call the model once before freezing")


def _frozen(name: str, layer: Conv2d, freeze: bool) -> list[str]:
    """Freeze a layer, or end that; what stood against it."""
    layer._unfreeze()
    if freeze:
        try:
            layer._freeze()
        except ValueError as error:
            return [f"{name or 'the model itself'}: {error}"]
    return []


def _named_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    return list(model.named_modules())
