# SPDX-License-Identifier: BSD-3-Clause
"""Max and average pooling and their gradients on NumPy arrays."""

from typing import Any, Literal, NamedTuple, overload

import numpy as np

from fastconv import _core
from fastconv.functional import _plain
from fastconv.functional.arrays import (
    Array,
    DType,
    Result,
    as_array,
    average_dtypes,
    compute_dtype,
    contiguous,
    fresh,
)
from fastconv.functional.frontends import tensor_front_end
from fastconv.geometry import IntOrPair, Layout, Padding, Pair, Windows, integer, layout_name, pair


class Images(NamedTuple):
    """The sizes that a shape of rank 2 to 4 says."""

    batch: int
    channels: int
    size: Pair
    layout: Layout

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], layout: Layout) -> "Images":
        """Read the shape; ValueError if its rank is not 2, 3 or 4."""
        if len(shape) not in (2, 3, 4):
            raise ValueError(f"{name} must have 2, 3 or 4 dimensions, got shape {shape}")
        batch = shape[0] if len(shape) == 4 else 1
        if len(shape) == 2:
            return cls(batch, 1, (shape[0], shape[1]), layout)
        if layout == "NCHW":
            return cls(batch, shape[-3], (shape[-2], shape[-1]), layout)
        return cls(batch, shape[-1], (shape[-3], shape[-2]), layout)

    def output_shape(self, out: Pair, rank: int) -> tuple[int, ...]:
        """The shape of y for an input of that rank."""
        if rank == 2:
            return out
        image = (self.channels, *out) if self.layout == "NCHW" else (*out, self.channels)
        return (self.batch, *image) if rank == 4 else image


def pool_problem(
    dtype: DType,
    images: Images,
    pool_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> _core.Pool2d:
    """Judge the whole problem in C."""
    window = pair("pool_size", pool_size)
    windows = Windows.of(window if stride is None else stride, padding, dilation)
    divisor = None if divisor_override is None else integer("divisor_override", divisor_override)
    return _core.Pool2d(
        dtype.name,
        images.layout,
        images.batch,
        images.channels,
        images.size,
        window,
        windows.stride,
        windows.dilation,
        windows.padding,
        windows.before,
        windows.after,
        bool(ceil_mode),
        bool(count_include_pad),
        divisor,
    )


@overload
def max_pool2d(
    x: Any,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = ...,
    padding: Padding = ...,
    dilation: IntOrPair = ...,
    ceil_mode: bool = ...,
    return_indices: Literal[False] = ...,
    layout: Layout = ...,
    algorithm: str = ...,
    out: Array | None = ...,
) -> Array: ...
@overload
def max_pool2d(
    x: Any,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = ...,
    padding: Padding = ...,
    dilation: IntOrPair = ...,
    ceil_mode: bool = ...,
    return_indices: Literal[True],
    layout: Layout = ...,
    algorithm: str = ...,
    out: Array | None = ...,
) -> tuple[Array, Array]: ...
def max_pool2d(
    x: Any,
    pool_size: IntOrPair,
    *,
    stride: IntOrPair | None = None,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Largest value of each window.

    Parameters
    ----------
    x : array_like
        ``(H, W)``, ``(C, H, W)`` or ``(N, C, H, W)``; with ``layout="NHWC"`` the channels come last. A framework's
        tensor gives a tensor, differentiable there.
    pool_size : int or pair of int
        Height and width of the window, in taps.
    stride : int or pair of int, optional
        Steps between windows, in pixels; `pool_size` if None.
    padding
        As in `corr2d`, any amount on any side. Padding never wins: a window of padding alone gives -inf (the least
        integer) and the index -1.
    dilation : int or pair of int
        Steps between the taps of a window, in pixels.
    ceil_mode : bool
        Round the output's size up; a window that would start in the padding behind the image is dropped.
    return_indices : bool
        Answer the place of each maximum as well.
    layout : {"NCHW", "NHWC"}
        The order of the axes of `x` and the result.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("max_pool2d")``.
    out : ndarray, optional
        Where to write the maxima: the right shape and dtype, sharing no memory with `x`.

    Returns
    -------
    ndarray or tuple of ndarray
        The maxima, of the dtype of `x`; with `return_indices` also int64 indices, flat into the H x W plane. A NaN in
        a window wins; among equals the first in row-major order does.

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
    >>> fastconv.max_pool2d(np.arange(16.0).reshape(4, 4), 2)
    array([[ 5.,  7.],
           [13., 15.]])
    """
    if type(x) is np.ndarray:  # torch.compile traces the rest, and must not meet a call that it cannot
        plain = _plain.max_pool2d(
            x, pool_size, stride, padding, dilation, ceil_mode, return_indices, layout, algorithm, out
        )
        if plain is not None:
            return plain
    front_end = tensor_front_end(x)
    if front_end is not None:
        return front_end.max_pool2d(  # type: ignore[no-any-return]
            x,
            pool_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
            return_indices=return_indices,
            layout=layout,
            algorithm=algorithm,
            out=out,
        )
    x = as_array("x", x)
    compute, dtype = compute_dtype(x.dtype), x.dtype.newbyteorder("=")
    images = Images.of("x", x.shape, layout_name(layout))
    judged = pool_problem(compute, images, pool_size, stride, padding, dilation, ceil_mode)
    shape = images.output_shape(judged.out, x.ndim)
    result = Result(out, shape, dtype, compute, (x,))
    indices = fresh(shape, np.dtype(np.int64)) if return_indices else None
    judged.max(contiguous(x, compute), result.buffer, indices, algorithm)
    return result.finish() if indices is None else (result.finish(), indices)


def avg_pool2d(
    x: Any,
    pool_size: IntOrPair,
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
    """Mean value of each window.

    Parameters
    ----------
    x, pool_size, stride, padding, dilation, ceil_mode, layout, out
        As in `max_pool2d`.
    count_include_pad : bool
        Whether padding counts as zeros of the window. Where it does not, a window of padding alone gives NaN.
    divisor_override : int, optional
        Divide by this, whatever the window holds; not 0.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("avg_pool2d")``.

    Returns
    -------
    ndarray
        The means, of the dtype of `x`; integers average in float64.

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
    >>> fastconv.avg_pool2d(np.arange(16.0).reshape(4, 4), 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    if type(x) is np.ndarray:  # as in max_pool2d
        plain = _plain.avg_pool2d(
            x,
            pool_size,
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
    front_end = tensor_front_end(x)
    if front_end is not None:
        return front_end.avg_pool2d(  # type: ignore[no-any-return]
            x,
            pool_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            ceil_mode=ceil_mode,
            count_include_pad=count_include_pad,
            divisor_override=divisor_override,
            layout=layout,
            algorithm=algorithm,
            out=out,
        )
    x = as_array("x", x)
    compute, dtype = average_dtypes(x.dtype)
    images = Images.of("x", x.shape, layout_name(layout))
    judged = pool_problem(
        compute, images, pool_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override
    )
    result = Result(out, images.output_shape(judged.out, x.ndim), dtype, compute, (x,))
    judged.avg(contiguous(x, compute), result.buffer, algorithm)
    return result.finish()


def pool2d(
    x: Any,
    pool_size: IntOrPair,
    mode: str = "max",
    *,
    stride: IntOrPair | None = 1,
    padding: Padding = 0,
    **options: Any,
) -> Any:
    """Pooling as the textbook has it: a window that slides by one pixel.

    Parameters
    ----------
    x : array_like
        As in `max_pool2d`.
    pool_size : int or pair of int
        Height and width of the window, in taps.
    mode : {"max", "avg"}
        Which of `max_pool2d` and `avg_pool2d` to call.
    stride, padding
        As in `max_pool2d`.
    **options
        The other keywords of the one that `mode` names.

    Returns
    -------
    ndarray or tuple of ndarray
        What `max_pool2d` or `avg_pool2d` gives.

    Raises
    ------
    ValueError
        `mode` is unknown, or as the function that it names does.
    TypeError
        As the function that `mode` names does.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> x = np.arange(9.0).reshape(3, 3)
    >>> fastconv.pool2d(x, (2, 2))
    array([[4., 5.],
           [7., 8.]])
    >>> fastconv.pool2d(x, (2, 2), "avg")
    array([[2., 3.],
           [5., 6.]])
    """
    if mode == "max":
        return max_pool2d(x, pool_size, stride=stride, padding=padding, **options)
    if mode == "avg":
        return avg_pool2d(x, pool_size, stride=stride, padding=padding, **options)
    raise ValueError(f"mode must be 'max' or 'avg', got {mode!r}")
