# SPDX-License-Identifier: BSD-3-Clause
"""Static shapes, and what is wrong with a call: the C core judges both, with sizes that fit for unknown ones."""

from typing import Any, TypeAlias

import tensorflow as tf

from fastconv import _core
from fastconv.tensorflow.arguments import Attributes

Shape: TypeAlias = list[int | None]
CORRELATION_DTYPES = (tf.float32, tf.float64, tf.int32, tf.int64)


def _sizes(name: str, tensor: Any) -> Shape:
    """The four sizes of a tensor, as far as they are known; ValueError where its rank is known and not 4."""
    rank = tensor.shape.rank
    if rank is None:
        return [None] * 4
    if rank != 4:
        raise ValueError(f"{name} must have 4 dimensions, got shape {tuple(tensor.shape)}")
    return list(tensor.shape)


def _slide(attributes: Attributes) -> tuple[Any, ...]:
    """stride, dilation, kind of padding, before, after: as `_core` takes them."""
    w = attributes["windows"]
    return tuple(w[0:2]), tuple(w[2:4]), attributes["padding"].lower(), tuple(w[4:6]), tuple(w[6:8])


def _standing_in(size: Shape, window: Any, dilation: Any) -> tuple[int, int]:
    """The height and width, each unknown one replaced by what a window spans, within 64 bits."""
    spans = (min(max((k - 1) * d + 1, 1), 2**62) for k, d in zip(window, dilation, strict=True))
    height, width = (span if known is None else known for known, span in zip(size, spans, strict=True))
    return height, width


def _output(layout: str, batch: int | None, channels: int | None, size: Shape, out: tuple[int, int]) -> Shape:
    """The shape of y: unknown where x is."""
    image = [None if known is None else found for known, found in zip(size, out, strict=True)]
    return [batch, channels, *image] if layout == "NCHW" else [batch, *image, channels]


def of_one_dtype(x: Any, w: Any, bias: Any) -> None:
    """TypeError unless the tensors have one dtype."""
    named = {"x": x, "w": w, **({} if bias is None else {"bias": bias})}
    if len({tensor.dtype for tensor in named.values()}) > 1:
        told = ", ".join(f"{name} has {tensor.dtype.name}" for name, tensor in named.items())
        raise TypeError(f"the tensors must have one dtype: {told}")


def corr2d_shape(x: Any, w: Any, bias: Any, attributes: Attributes) -> Shape:
    """The static shape of y; ValueError or TypeError if what is known cannot be right."""
    of_one_dtype(x, w, bias)
    if x.dtype not in CORRELATION_DTYPES:
        raise TypeError(f"x has dtype {x.dtype.name}, which is not supported: use a float, int32 or int64")
    layout, weight_layout = attributes["layouts"].split()
    xs, ws = _sizes("x", x), _sizes("w", w)
    channels, size = (xs[1], xs[2:]) if layout == "NCHW" else (xs[3], xs[1:3])
    out_axis, in_axis, kernel_axis = {"OIHW": (0, 1, 2), "OHWI": (0, 3, 1), "HWIO": (3, 2, 0)}[weight_layout]
    out_channels, weight_channels, kernel = ws[out_axis], ws[in_axis], ws[kernel_axis : kernel_axis + 2]
    groups = attributes["groups"]
    if groups == 0:  # as the kernel does
        known = channels and weight_channels and channels % weight_channels == 0
        groups = channels // weight_channels if known else 1  # type: ignore[operator]
        if channels is None or weight_channels is None:
            channels = weight_channels = None
    if weight_channels is None:
        weight_channels = 1 if channels is None else channels // groups
    stride, dilation, padding, before, after = _slide(attributes)
    complete = tuple(1 if k is None else k for k in kernel)
    judged = _core.Corr2d(
        x.dtype.name,
        layout,
        weight_layout,
        1 if xs[0] is None else xs[0],
        weight_channels * max(groups, 0) if channels is None else channels,
        _standing_in(size, complete, dilation),
        max(groups, 0) if out_channels is None else out_channels,
        weight_channels,
        (complete[0], complete[1]),
        groups,
        stride,
        dilation,
        padding,
        before,
        after,
    )
    if bias is not None:
        _judge_bias(bias, out_channels)
    image = [None if k is None else known for known, k in zip(size, kernel, strict=True)]
    return _output(layout, xs[0], out_channels, image, judged.out)


def _judge_bias(bias: Any, out_channels: int | None) -> None:
    rank = bias.shape.rank
    if rank is None or (rank == 1 and (out_channels is None or bias.shape[0] in (None, out_channels))):
        return
    wanted = "one axis" if out_channels is None else f"({out_channels},)"
    raise ValueError(f"bias has shape {tuple(bias.shape)} but must have {wanted}, one number an output channel")


def pool2d_shape(x: Any, attributes: Attributes) -> Shape:
    """The static shape of y; ValueError or TypeError if what is known cannot be right."""
    layout, xs = attributes["data_format"], _sizes("x", x)
    channels, size = (xs[1], xs[2:]) if layout == "NCHW" else (xs[3], xs[1:3])
    window = attributes["ksize"]
    stride, dilation, padding, before, after = _slide(attributes)
    average = "divisor" in attributes
    if average and x.dtype not in (tf.float32, tf.float64):
        raise TypeError(f"x has dtype {x.dtype.name}, which is not supported: average pooling takes floats")
    if x.dtype.name not in _core.DTYPES:
        raise TypeError(f"x has dtype {x.dtype.name}, which is not supported")
    judged = _core.Pool2d(
        x.dtype.name,
        layout,
        1 if xs[0] is None else xs[0],
        1 if channels is None else channels,
        _standing_in(size, window, dilation),
        tuple(window),
        stride,
        dilation,
        padding,
        before,
        after,
        attributes["ceil_mode"],
        attributes["count_include_pad"] if average else True,
        (attributes["divisor"] or None) if average else None,
    )
    return _output(layout, xs[0], channels, size, judged.out)
