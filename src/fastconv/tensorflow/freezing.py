# SPDX-License-Identifier: BSD-3-Clause
"""Weights that stay, by their owner's word: a number that a layer's operations carry. What is kept is kept in C."""

import secrets
import weakref
from typing import Any

from fastconv.tensorflow._library import library

_unfreeze = library.fastconv_tensorflow_unfreeze  # of a layer that is gone


def freeze(layer: Any) -> None:
    """Give a layer a word; one that holds already stays."""
    if preparations(layer) >= 0:
        return
    word = secrets.randbits(62) + 1  # not to be met in a graph that was saved
    if not library.fastconv_tensorflow_freeze(word):
        raise MemoryError("no memory to freeze a layer")
    layer._word = word
    weakref.finalize(layer, _unfreeze, word).atexit = False


def preparations(layer: Any) -> int:
    """How often the layer's weights were prepared under its word; -1 without one, and when it is over."""
    return library.fastconv_tensorflow_preparations(layer._word) if layer._word else -1
