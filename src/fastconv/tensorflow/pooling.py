# SPDX-License-Identifier: BSD-3-Clause
"""Pooling of TensorFlow tensors, with the arguments of TensorFlow's own functions."""

from typing import Any

import tensorflow as tf

from fastconv.tensorflow.arguments import avg_pool2d_attributes, max_pool2d_attributes
from fastconv.tensorflow.calling import as_tensor
from fastconv.tensorflow.pooling_ops import avg_pool, max_pool


def max_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    *,
    dilations: Any = None,
) -> Any:
    """Largest value of each window: `tf.nn.max_pool2d` by fastconv's kernels.

    Parameters
    ----------
    input : tensor
        ``(N, H, W, C)``, or ``(N, C, H, W)`` with ``data_format="NCHW"``; floats and integers.
    ksize : int or list of int
        Height and width of the window, in taps, in the forms of `strides`.
    strides : int or list of int
        Steps between windows, in pixels: one, two (height, width) or four, one for each axis of `input`.
    padding : str or list of pairs
        As in `corr2d`: any amount on any side. Padding never wins.
    data_format : {"NHWC", "NCHW"}
        The order of the axes of `input` and of the result.
    name : str, optional
        A name for the operation.
    dilations : int or list of int, optional
        Steps between the taps of a window, in pixels.

    Returns
    -------
    tensor
        The maxima, of the dtype of `input`. A NaN in a window wins, -inf stays -inf; among equals the first takes the
        gradient. A window of padding alone gives -inf (the least integer).

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `corr2d` does; the words call `input` x and `ksize` pool_size.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> fct.max_pool2d(x, 2, 2, "VALID")[0, :, :, 0].numpy().tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return max_pool(input, max_pool2d_attributes(ksize, strides, padding, data_format, dilations), False, name)


def max_pool2d_with_argmax(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    output_dtype: Any = tf.int64,
    include_batch_in_index: bool = False,
    name: str | None = None,
    *,
    dilations: Any = None,
) -> tuple[Any, Any]:
    """Largest value of each window and its place: `tf.nn.max_pool_with_argmax` by fastconv's kernels.

    Parameters
    ----------
    input, ksize, strides, padding, data_format, name, dilations
        As in `max_pool2d`.
    output_dtype : {tf.int64, tf.int32}
        Of the places.
    include_batch_in_index : bool
        Whether places are flat in the whole of `input`, or in one image of it.

    Returns
    -------
    tuple of tensor
        The maxima, and the flat place of each in an image of `input` as it lies in memory:
        ``(row * W + column) * C + channel``, or ``(channel * H + row) * W + column`` with ``data_format="NCHW"``. A
        NaN's place is the first NaN's; a window of padding alone has the place -1.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `max_pool2d` does.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> values, places = fct.max_pool2d_with_argmax(x, 2, 2, "VALID")
    >>> places[0, :, :, 0].numpy().tolist()
    [[5, 7], [13, 15]]
    """
    if tf.as_dtype(output_dtype) not in (tf.int64, tf.int32):
        raise ValueError(f"output_dtype must be tf.int64 or tf.int32, got {output_dtype!r}")
    x = as_tensor(input)
    attributes = max_pool2d_attributes(ksize, strides, padding, data_format, dilations)
    y, indices = max_pool(x, attributes, True, name)
    sizes = tf.shape(x, out_type=tf.int64)
    if attributes["data_format"] == "NCHW":
        channels = tf.reshape(tf.range(sizes[1]), (-1, 1, 1))
        places = channels * (sizes[2] * sizes[3]) + indices
    else:
        places = indices * sizes[3] + tf.range(sizes[3])
    if include_batch_in_index:
        places += tf.reshape(tf.range(sizes[0]), (-1, 1, 1, 1)) * tf.reduce_prod(sizes[1:])
    return y, tf.cast(tf.where(indices < 0, indices, places), output_dtype)


def avg_pool2d(
    input: Any,
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: str = "NHWC",
    name: str | None = None,
    *,
    dilations: Any = None,
) -> Any:
    """Mean value of each window: `tf.nn.avg_pool2d` by fastconv's kernels.

    Parameters
    ----------
    input, ksize, strides, data_format, name, dilations
        As in `max_pool2d`; floats alone.
    padding : str or list of pairs
        As in `corr2d`. Padding does not count: a window's sum is divided by the pixels of the image that it holds.

    Returns
    -------
    tensor
        The means, of the dtype of `input`; NaN for a window of padding alone.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `max_pool2d` does.

    Examples
    --------
    >>> import tensorflow as tf
    >>> import fastconv.tensorflow as fct
    >>> x = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
    >>> fct.avg_pool2d(x, 2, 2, padding=[[0, 0], [1, 0], [1, 0], [0, 0]])[0, :, :, 0].numpy().tolist()
    [[0.0, 1.5], [6.0, 7.5]]
    """
    return avg_pool(input, avg_pool2d_attributes(ksize, strides, padding, data_format, dilations), name)
