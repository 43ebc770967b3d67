# SPDX-License-Identifier: BSD-3-Clause
"""Inside ``jit_compile=True``: TensorFlow's own operation where it has one, a clear error where it has none.

XLA compiles no operation that it does not know. Half precision comes here as float32, groups as they are.
"""

from typing import Any, NoReturn

import tensorflow as tf

from fastconv.tensorflow.arguments import Attributes


def _refuse(what: str) -> NoReturn:
    raise ValueError(
        f"{what} cannot run inside jit_compile=True: XLA has no such operation of TensorFlow's to call instead; "
        "call it outside, or without jit_compile"
    )


def _axes(data_format: str, pair: Any, other: Any) -> list[Any]:
    """An entry for each axis of the images."""
    return [other, other, *pair] if data_format == "NCHW" else [other, *pair, other]


def _padding(attributes: Attributes, data_format: str) -> Any:
    """TensorFlow's form of the padding."""
    kind, w = attributes["padding"], attributes["windows"]
    if kind == "EXPLICIT":
        return _axes(data_format, ([w[4], w[6]], [w[5], w[7]]), [0, 0])
    if kind == "SAME_LOWER":
        _refuse("padding 'SAME_LOWER'")
    return kind


def corr2d(x: Any, w: Any, bias: Any, attributes: Attributes) -> Any:
    """`tf.nn.conv2d`, which counts the groups from the channels."""
    data_format, order = attributes["layouts"].split()
    if order != "HWIO":
        w = tf.transpose(w, (2, 3, 1, 0) if order == "OIHW" else (1, 2, 3, 0))
    numbers = attributes["windows"]
    y = tf.nn.conv2d(
        x,
        w,
        strides=_axes(data_format, numbers[0:2], 1),
        padding=_padding(attributes, data_format),
        data_format=data_format,
        dilations=_axes(data_format, numbers[2:4], 1),
    )
    return y if bias is None else tf.nn.bias_add(y, bias, data_format=data_format)


def _pool(operation: Any, name: str, x: Any, attributes: Attributes) -> Any:
    data_format, numbers = attributes["data_format"], attributes["windows"]
    if numbers[2:4] != [1, 1]:
        _refuse(f"{name} with a dilation")
    if attributes["ceil_mode"]:
        _refuse(f"{name} with ceil_mode")
    padding = "VALID" if attributes["padding"] == "EXPLICIT" and not any(numbers[4:]) else attributes["padding"]
    if padding not in ("VALID", "SAME"):
        _refuse(f"{name} with padding {padding}")
    ksize, strides = _axes(data_format, attributes["ksize"], 1), _axes(data_format, numbers[0:2], 1)
    return operation(x, ksize, strides, padding, data_format=data_format), padding


def max_pool2d(x: Any, attributes: Attributes, with_indices: bool) -> Any:
    """`tf.nn.max_pool2d`."""
    if with_indices:
        _refuse("max pooling with indices")
    return _pool(tf.nn.max_pool2d, "max_pool2d", x, attributes)[0]


def avg_pool2d(x: Any, attributes: Attributes) -> Any:
    """`tf.nn.avg_pool2d`, which leaves padding out of the count."""
    y, padding = _pool(tf.nn.avg_pool2d, "avg_pool2d", x, attributes)
    if attributes["divisor"]:
        _refuse("avg_pool2d with divisor_override")
    if padding == "SAME" and attributes["count_include_pad"]:
        _refuse("avg_pool2d with padding 'SAME' that counts")
    return y
