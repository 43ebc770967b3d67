# SPDX-License-Identifier: BSD-3-Clause
"""fastconv's own functions on TensorFlow tensors: its keywords, defaults and layouts."""

from typing import Any

import numpy as np
import tensorflow as tf

from fastconv.functional.arrays import (
    DType,
    as_array,
    average_dtypes,
    compute_dtype,
    correlation_dtypes,
    is_float,
    is_integer,
)
from fastconv.functional.pooling import Images
from fastconv.functional.problems import Ranks, known_algorithm
from fastconv.geometry import Windows, integer, layout_name, pair
from fastconv.tensorflow.arguments import correlation_attributes, counted_groups, pool_attributes
from fastconv.tensorflow.correlation import correlate
from fastconv.tensorflow.pooling_ops import avg_pool, max_pool


def _tensor(name: str, value: Any) -> tuple[Any, DType]:
    """A tensor of a numeric dtype, and that dtype as NumPy's."""
    known = tf.is_tensor(value) or hasattr(value, "__tf_tensor__")  # Keras's variables are no tensors, but have one
    tensor = tf.convert_to_tensor(value if known else as_array(name, value))
    dtype = np.dtype(tensor.dtype.as_numpy_dtype)
    if not is_float(dtype) and not is_integer(dtype):
        raise TypeError(
            f"{name} has dtype {tensor.dtype.name}, which is not supported: use float16, bfloat16, float32, float64, "
            "bool or an integer"
        )
    if tensor.shape.rank is None:
        raise ValueError(f"{name} must have a known number of dimensions")
    return tensor, dtype


def _no_out(out: Any) -> None:
    if out is not None:
        raise TypeError("out is for NumPy arrays: a tensor is never written to")


def _images(x: Any, layout: str) -> Any:
    """View x, of rank 2 to 4, as images of rank 4."""
    if x.shape.rank == 2:
        x = tf.expand_dims(x, 0 if layout == "NCHW" else 2)
    return tf.expand_dims(x, 0) if x.shape.rank == 3 else x


def _like(y: Any, rank: int, layout: str) -> Any:
    """View the result y, of rank 4, with the rank of the input."""
    if rank <= 3:
        y = tf.squeeze(y, 0)
    if rank == 2:
        y = tf.squeeze(y, 0 if layout == "NCHW" else 2)
    return y


def _algorithm(operation: str, name: Any) -> str:
    return "auto" if name == "auto" else known_algorithm(operation, name)


def _bare(dtype: DType) -> Any:
    """An array of that dtype, for rules that look at dtypes alone."""
    return np.empty(0, dtype)


def corr2d(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    layout: Any = "NCHW",
    algorithm: str = "auto",
    out: None = None,
) -> Any:
    """`fastconv.corr2d` of tensors: its arguments, its results, differentiable in TensorFlow."""
    _no_out(out)
    (x, x_dtype), (w, w_dtype), layout = _tensor("x", x), _tensor("w", w), layout_name(layout)
    compute, dtype = correlation_dtypes(x=_bare(x_dtype), w=_bare(w_dtype))
    ranks = Ranks.of(tuple(x.shape), tuple(w.shape), layout)
    slide = Windows.of(stride, padding, dilation)
    layouts = "NCHW OIHW" if layout == "NCHW" else "NHWC HWIO"
    attributes = correlation_attributes(slide, counted_groups(groups), layouts, _algorithm("corr2d", algorithm))
    x_rank, w_rank = x.shape.rank, w.shape.rank
    if w_rank == 2:
        w = tf.expand_dims(w, 0 if layout == "NCHW" else 2)
    if w_rank <= 3:
        w = tf.expand_dims(w, 0 if layout == "NCHW" else 3)
    y = correlate(
        tf.cast(_images(x, layout), compute.name),
        tf.cast(w, compute.name),
        _bias(bias, ranks.out_channels, dtype, compute),
        attributes,
    )
    y = tf.cast(_like(y, min(x_rank, 3) if w_rank <= 3 else x_rank, layout), dtype.name)
    if w_rank <= 3 and x_rank == 3:  # one filter: its channel goes too
        return tf.squeeze(y, 0 if layout == "NCHW" else 2)
    return y


def _bias(bias: Any, out_channels: int, dtype: DType, compute: DType) -> Any:
    """The bias, rounded to the result's dtype and then in the one that is computed in."""
    if bias is None:
        return None
    tensor, own = _tensor("bias", bias)
    if own == np.uint64:
        raise TypeError("bias has dtype uint64, which is not supported: int64 is the widest integer")
    if tensor.shape.rank == 0 and out_channels == 1:
        tensor = tf.reshape(tensor, (1,))
    return tf.cast(tf.cast(tensor, dtype.name), compute.name)


def corr2d_multi_in(x: Any, w: Any, bias: Any = None, **options: Any) -> Any:
    """`fastconv.corr2d_multi_in` of tensors."""
    x, w = _tensor("x", x)[0], _tensor("w", w)[0]
    _must_have_rank("x", x, (3,))
    _must_have_rank("w", w, (3,))
    return corr2d(x, w, bias, **options)


def corr2d_multi_in_out(x: Any, w: Any, bias: Any = None, **options: Any) -> Any:
    """`fastconv.corr2d_multi_in_out` of tensors."""
    x, w = _tensor("x", x)[0], _tensor("w", w)[0]
    _must_have_rank("x", x, (3, 4))
    _must_have_rank("w", w, (4,))
    return corr2d(x, w, bias, **options)


def _must_have_rank(name: str, tensor: Any, ranks: tuple[int, ...]) -> None:
    if tensor.shape.rank not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise ValueError(f"{name} must have {wanted} dimensions, got shape {tuple(tensor.shape)}")


def max_pool2d(
    x: Any,
    pool_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    layout: Any = "NCHW",
    algorithm: str = "auto",
    out: None = None,
) -> Any:
    """`fastconv.max_pool2d` of a tensor; indices are flat in the plane."""
    _no_out(out)
    (x, dtype), layout = _tensor("x", x), layout_name(layout)
    Images.of("x", tuple(x.shape), layout)
    size = pair("pool_size", pool_size)
    slide = Windows.of(size if stride is None else stride, padding, dilation)
    attributes = pool_attributes(size, slide, bool(ceil_mode), layout, _algorithm("max_pool2d", algorithm))
    images = tf.cast(_images(x, layout), compute_dtype(dtype).name)
    pooled = max_pool(images, attributes, return_indices)
    y, indices = pooled if return_indices else (pooled, None)
    y = tf.cast(_like(y, x.shape.rank, layout), x.dtype)
    return y if indices is None else (y, _like(indices, x.shape.rank, layout))


def avg_pool2d(
    x: Any,
    pool_size: Any,
    *,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: Any = "NCHW",
    algorithm: str = "auto",
    out: None = None,
) -> Any:
    """`fastconv.avg_pool2d` of a tensor."""
    _no_out(out)
    (x, x_dtype), layout = _tensor("x", x), layout_name(layout)
    compute, dtype = average_dtypes(x_dtype)
    Images.of("x", tuple(x.shape), layout)
    size = pair("pool_size", pool_size)
    slide = Windows.of(size if stride is None else stride, padding, dilation)
    divisor = 0 if divisor_override is None else integer("divisor_override", divisor_override)
    if divisor_override is not None and divisor == 0:
        raise ValueError("divisor_override must not be 0")
    attributes = pool_attributes(
        size,
        slide,
        bool(ceil_mode),
        layout,
        _algorithm("avg_pool2d", algorithm),
        count_include_pad=bool(count_include_pad),
        divisor=divisor,
    )
    y = avg_pool(tf.cast(_images(x, layout), compute.name), attributes)
    return tf.cast(_like(y, x.shape.rank, layout), dtype.name)
