# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of corr2d on NumPy arrays."""

from typing import Any, Literal, overload

import numpy as np

from fastconv.functional import _plain
from fastconv.functional.arrays import Array, Result, as_array, contiguous, correlation_dtypes
from fastconv.functional.problems import Ranks, must_have_shape, problem, shape_of
from fastconv.geometry import IntOrPair, Layout, Padding, Windows, integer, layout_name


def corr2d_input_grad(
    grad_y: Any,
    w: Any,
    x_shape: tuple[int, ...],
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: Array | None = None,
) -> Array:
    """Gradient of a scalar with respect to the input of `corr2d`, from its gradient with respect to the output.

    Parameters
    ----------
    grad_y : array_like
        The shape of ``corr2d(x, w)``.
    w : array_like
        The weights, as `corr2d` takes them.
    x_shape : tuple of int
        The shape of `x`.
    stride, padding, dilation, groups, layout
        As in the call of `corr2d`.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("corr2d_input_grad")``.
    out : ndarray, optional
        Where to write: the right shape and dtype, sharing no memory with an input.

    Returns
    -------
    ndarray
        `x_shape`; the dtypes of `grad_y` and `w` meet as in `corr2d`.

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
    >>> fastconv.corr2d_input_grad(np.ones((2, 2)), [[0.0, 1.0], [2.0, 3.0]], (3, 3))
    array([[0., 1., 1.],
           [2., 6., 4.],
           [2., 5., 3.]])
    """
    if type(grad_y) is np.ndarray:
        plain = _plain.corr2d_input_grad(grad_y, w, x_shape, stride, padding, dilation, groups, layout, algorithm, out)
        if plain is not None:
            return plain
    grad_y, w, x_shape = as_array("grad_y", grad_y), as_array("w", w), shape_of("x_shape", x_shape)
    compute, dtype = correlation_dtypes(grad_y=grad_y, w=w)
    ranks = Ranks.of(x_shape, w.shape, layout_name(layout))
    judged = problem(compute, ranks, Windows.of(stride, padding, dilation), integer("groups", groups))
    must_have_shape("grad_y", grad_y, ranks.output_shape(judged.out, len(x_shape), w.ndim))
    result = Result(out, x_shape, dtype, compute, (grad_y, w))
    judged.input_grad(contiguous(grad_y, compute), contiguous(w, compute), result.buffer, algorithm)
    return result.finish()


@overload
def corr2d_weight_grad(
    grad_y: Any,
    x: Any,
    w_shape: tuple[int, ...],
    *,
    with_bias: Literal[False] = ...,
    stride: IntOrPair = ...,
    padding: Padding = ...,
    dilation: IntOrPair = ...,
    groups: int = ...,
    layout: Layout = ...,
    algorithm: str = ...,
    out: Array | None = ...,
) -> Array: ...
@overload
def corr2d_weight_grad(
    grad_y: Any,
    x: Any,
    w_shape: tuple[int, ...],
    *,
    with_bias: Literal[True],
    stride: IntOrPair = ...,
    padding: Padding = ...,
    dilation: IntOrPair = ...,
    groups: int = ...,
    layout: Layout = ...,
    algorithm: str = ...,
    out: Array | None = ...,
) -> tuple[Array, Array]: ...
def corr2d_weight_grad(
    grad_y: Any,
    x: Any,
    w_shape: tuple[int, ...],
    *,
    with_bias: bool = False,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Gradient of a scalar with respect to the weights of `corr2d`, from its gradient with respect to the output.

    Parameters
    ----------
    grad_y : array_like
        The shape of ``corr2d(x, w)``.
    x : array_like
        The images, as `corr2d` takes them.
    w_shape : tuple of int
        The shape of `w`.
    with_bias : bool
        Answer the gradient with respect to the bias as well.
    stride, padding, dilation, groups, layout
        As in the call of `corr2d`.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("corr2d_weight_grad")``.
    out : ndarray, optional
        Where to write the weights' gradient: the right shape and dtype, sharing no memory with an input.

    Returns
    -------
    ndarray or tuple of ndarray
        `w_shape`, or with `with_bias` that and ``(O,)``; the dtypes of `grad_y` and `x` meet as in `corr2d`.

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
    >>> fastconv.corr2d_weight_grad(np.ones((2, 2)), np.arange(9.0).reshape(3, 3), (2, 2))
    array([[ 8., 12.],
           [20., 24.]])
    """
    if type(grad_y) is np.ndarray:
        plain = _plain.corr2d_weight_grad(
            grad_y, x, w_shape, with_bias, stride, padding, dilation, groups, layout, algorithm, out
        )
        if plain is not None:
            return plain
    grad_y, x, w_shape = as_array("grad_y", grad_y), as_array("x", x), shape_of("w_shape", w_shape)
    compute, dtype = correlation_dtypes(grad_y=grad_y, x=x)
    ranks = Ranks.of(x.shape, w_shape, layout_name(layout))
    judged = problem(compute, ranks, Windows.of(stride, padding, dilation), integer("groups", groups))
    must_have_shape("grad_y", grad_y, ranks.output_shape(judged.out, x.ndim, len(w_shape)))
    result = Result(out, w_shape, dtype, compute, (grad_y, x))
    bias = Result(None, (ranks.out_channels,), dtype, compute) if with_bias else None
    judged.weight_grad(
        contiguous(grad_y, compute),
        contiguous(x, compute),
        result.buffer,
        None if bias is None else bias.buffer,
        algorithm,
    )
    return result.finish() if bias is None else (result.finish(), bias.finish())
