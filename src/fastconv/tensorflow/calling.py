# SPDX-License-Identifier: BSD-3-Clause
"""What functions do around their op: tensors in, half precision by float32, failures as Python's errors."""

import re
from collections.abc import Callable
from typing import Any, NoReturn

import tensorflow as tf

from fastconv.tensorflow._library import EagerTensor

_executing_eagerly = tf.executing_eagerly
_HALVES = frozenset((tf.float16, tf.bfloat16))
_FLOAT32 = tf.float32
_PLACE = re.compile(r"^\{\{[^}]*\}\} ?| \[Op:\w+\].*$", re.DOTALL)


def as_tensor(value: Any, like: Any = None) -> Any:
    """`value` as a tensor; a list, which has no dtype of its own, takes that of `like` if it can."""
    if type(value) is EagerTensor:
        return value
    hint = None if like is None or hasattr(value, "dtype") else like.dtype
    return tf.convert_to_tensor(value, dtype_hint=hint)


def is_half(tensor: Any) -> bool:
    """Whether the dtype is one that is computed in float32."""
    dtype = tensor.dtype
    return dtype is not _FLOAT32 and dtype in _HALVES


def in_float32(function: Callable[..., Any], dtype: Any, *tensors: Any) -> Any:
    """Call with the tensors of that half precision dtype in float32, and round the first result once."""
    wide = [tf.cast(t, _FLOAT32) if t is not None and t.dtype == dtype else t for t in tensors]
    results = function(*wide)
    if isinstance(results, tuple):
        return (tf.cast(results[0], dtype), *results[1:])
    return tf.cast(results, dtype)


def refuse(error: tf.errors.OpError, judge: Callable[[], object]) -> NoReturn:
    """Raise Python's error for an op's failure in eager mode, in the words of the core."""
    words = _PLACE.sub("", error.message)
    if isinstance(error, tf.errors.ResourceExhaustedError):
        raise MemoryError(words) from None
    if isinstance(error, tf.errors.InvalidArgumentError | tf.errors.NotFoundError):
        try:
            judge()
        except (TypeError, ValueError) as told:
            raise told from None
        raise ValueError(words) from None
    raise error


def attributes_of(op: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The named attributes of an operation whose gradient is asked for.

    A gradient tape hands over what it recorded, a flat tuple: reading that spares some 30 microseconds an attribute.
    """
    recorded = getattr(op, "attrs", None)
    if recorded is None:
        return {name: op.get_attr(name) for name in names}
    values = dict(zip(recorded[::2], recorded[1::2], strict=True))
    return {name: values[name] for name in names}


def skipped(op: Any) -> tuple[int, ...]:
    """The inputs whose gradients nobody asked for, where that is known: an eager tape knows."""
    return getattr(op, "skip_input_indices", None) or ()


def like(tensor: Any) -> Any:
    """What tells an op the shape of a tensor: in a graph its sizes alone, so that nothing keeps the tensor."""
    return tensor if _executing_eagerly() else tf.shape(tensor, out_type=tf.int64)


def shaped(result: Any, tensor: Any) -> Any:
    """Give a graph's result what is known of the shape of a tensor that has the same."""
    if not _executing_eagerly():
        result.set_shape(tensor.shape)
    return result
