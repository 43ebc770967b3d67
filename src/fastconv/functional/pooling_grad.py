# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of max and average pooling on NumPy arrays."""

from typing import Any

import numpy as np

from fastconv import _core
from fastconv.functional import _plain
from fastconv.functional.arrays import Array, Result, as_array, average_dtypes, compute_dtype, contiguous
from fastconv.functional.pooling import Images, pool_problem
from fastconv.functional.problems import must_have_shape, shape_of
from fastconv.geometry import IntOrPair, Layout, Padding, layout_name

_INT64 = np.dtype(np.int64)


def _as_indices(value: Any) -> Array:
    indices = np.asarray(value)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be integers, got dtype {indices.dtype}")
    if indices.dtype.kind == "u" and indices.dtype.itemsize == 8 and indices.size and indices.max() > 2**63 - 1:
        raise ValueError(f"indices must fit the plane of x, got {indices.max()}")
    return indices


def max_pool2d_grad(
    grad_y: Any,
    indices: Any,
    x_shape: tuple[int, ...],
    *,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: Array | None = None,
) -> Array:
    """Gradient of a scalar with respect to the input of `max_pool2d`.

    Parameters
    ----------
    grad_y : array_like
        Gradient with respect to the output.
    indices : array_like of int
        What ``max_pool2d(..., return_indices=True)`` gave: the shape of `grad_y`; flat into the H x W plane, -1 for
        none. Every one is checked before anything is written through it.
    x_shape : tuple of int
        The shape of `x`.
    layout : {"NCHW", "NHWC"}
        The order of the axes.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("max_pool2d_grad")``.
    out : ndarray, optional
        Where to write: the right shape and dtype, sharing no memory with an input.

    Returns
    -------
    ndarray
        `x_shape`, of the dtype of `grad_y`.

    Raises
    ------
    ValueError
        Shapes do not belong together, or an index is outside the plane.
    TypeError
        `indices` are not integers, or a dtype is not supported.
    MemoryError
        There is no room for the result.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> fastconv.max_pool2d_grad([[1.0, 2.0]], [[3, 1]], (2, 3))
    array([[0., 2., 0.],
           [1., 0., 0.]])
    """
    if type(grad_y) is np.ndarray:
        plain = _plain.max_pool2d_grad(grad_y, indices, x_shape, layout, algorithm, out)
        if plain is not None:
            return plain
    grad_y, indices, x_shape = as_array("grad_y", grad_y), _as_indices(indices), shape_of("x_shape", x_shape)
    if grad_y.dtype.kind == "b":
        raise TypeError("grad_y has dtype bool, which cannot be summed")
    compute, dtype = compute_dtype(grad_y.dtype), grad_y.dtype.newbyteorder("=")
    images = Images.of("x_shape", x_shape, layout_name(layout))
    pooled = Images.of("grad_y", grad_y.shape, images.layout)
    must_have_shape("grad_y", grad_y, images.output_shape(pooled.size, len(x_shape)))
    must_have_shape("indices", indices, grad_y.shape)
    judged = _core.MaxPool2dGrad(compute.name, images.layout, images.batch, images.channels, images.size, pooled.size)
    result = Result(out, x_shape, dtype, compute, (grad_y, indices))
    judged.run(contiguous(grad_y, compute), contiguous(indices, _INT64), result.buffer, algorithm)
    return result.finish()


def avg_pool2d_grad(
    grad_y: Any,
    pool_size: IntOrPair,
    x_shape: tuple[int, ...],
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: Array | None = None,
) -> Array:
    """Gradient of a scalar with respect to the input of `avg_pool2d`.

    Parameters
    ----------
    grad_y : array_like
        Gradient with respect to the output.
    pool_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override, layout
        As in the call of `avg_pool2d`.
    x_shape : tuple of int
        The shape of `x`.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("avg_pool2d_grad")``.
    out : ndarray, optional
        Where to write: the right shape and dtype, sharing no memory with an input.

    Returns
    -------
    ndarray
        `x_shape`, of the dtype of `grad_y`; integers give float64.

    Raises
    ------
    ValueError
        A shape or a value does not fit, or `algorithm` is unknown or declines the problem.
    TypeError
        A dtype or an argument's type is not supported.
    MemoryError
        There is no room for the result or the workspace.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> fastconv.avg_pool2d_grad([[4.0]], 2, (2, 3))
    array([[1., 1., 0.],
           [1., 1., 0.]])
    """
    if type(grad_y) is np.ndarray:
        plain = _plain.avg_pool2d_grad(
            grad_y,
            pool_size,
            x_shape,
            stride,
            padding,
            dilation,
            ceil_mode,
            count_include_pad,
            divisor_override,
            layout,
            algorithm,
            out,
        )
        if plain is not None:
            return plain
    grad_y, x_shape = as_array("grad_y", grad_y), shape_of("x_shape", x_shape)
    compute, dtype = average_dtypes(grad_y.dtype)
    images = Images.of("x_shape", x_shape, layout_name(layout))
    judged = pool_problem(
        compute, images, pool_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override
    )
    must_have_shape("grad_y", grad_y, images.output_shape(judged.out, len(x_shape)))
    result = Result(out, x_shape, dtype, compute, (grad_y,))
    judged.avg_grad(contiguous(grad_y, compute), result.buffer, algorithm)
    return result.finish()
