# SPDX-License-Identifier: BSD-3-Clause
"""corr2d on NumPy arrays; tensors go to their framework's front end."""

from typing import Any

import numpy as np

from fastconv.functional import _plain
from fastconv.functional.arrays import Array, Result, as_array, contiguous, correlation_dtypes
from fastconv.functional.frontends import tensor_front_end
from fastconv.functional.problems import Ranks, as_bias, problem
from fastconv.geometry import IntOrPair, Layout, Padding, Windows, integer, layout_name


def corr2d(
    x: Any,
    w: Any,
    bias: Any = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
    out: Array | None = None,
) -> Array:
    """Two-dimensional cross-correlation of images with kernels, summed over channels.

    ``y[n, o, i, j] = bias[o] + sum over c, u, v of
    x[n, c, i * stride - pad + u * dilation, j * stride - pad + v * dilation] * w[o, c, u, v]``
    with zeros outside `x`.

    Parameters
    ----------
    x : array_like
        ``(H, W)``, ``(C, H, W)`` or ``(N, C, H, W)``; with ``layout="NHWC"`` the channels come last. Any strides,
        byte order and alignment. A framework's tensor gives a tensor, differentiable there.
    w : array_like
        ``(kh, kw)`` with an ``(H, W)`` image; ``(C, kh, kw)`` (one filter) or ``(O, C/groups, kh, kw)`` with channels.
        With ``layout="NHWC"``: ``(kh, kw, C)`` and ``(kh, kw, C/groups, O)``.
    bias : array_like, optional
        ``(O,)``, one number an output channel; cast to the output's dtype.
    stride, dilation : int or pair of int
        Steps between windows and between the taps of a window, in pixels: one number, or ``(vertical, horizontal)``.
    padding : int, pair, two pairs or str
        Zeros around the image, in pixels: one number, ``(vertical, horizontal)``,
        ``((top, bottom), (left, right))``, ``"valid"`` (none), ``"same"`` (output = ceil(input / stride), an odd zero
        at the bottom and right) or ``"same_lower"`` (at the top and left).
    groups : int
        Channel groups that are correlated apart; divides C and O.
    layout : {"NCHW", "NHWC"}
        The order of the axes of `x`, `w` and the result.
    algorithm : str
        ``"auto"`` or one of ``fastconv.algorithms("corr2d")``.
    out : ndarray, optional
        Where to write: the right shape and dtype, sharing no memory with an input.

    Returns
    -------
    ndarray
        ``(H', W')``, ``(O, H', W')`` or ``(N, O, H', W')`` (channels last in NHWC), where
        ``H' = (H + top + bottom - dilation * (kh - 1) - 1) // stride + 1``. Floats give ``np.result_type(x, w)``;
        float16 and bfloat16 are computed in float32 and rounded once. 8-bit integers (and bool) give int32, wider
        ones int64, modulo 2**32 and 2**64.

    Raises
    ------
    ValueError
        A shape or a value does not fit, or `algorithm` is unknown or declines the problem.
    TypeError
        A dtype (complex, uint64, object) or an argument's type is not supported.
    MemoryError
        There is no room for the result or the workspace.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> x = np.arange(9.0).reshape(3, 3)
    >>> fastconv.corr2d(x, [[0.0, 1.0], [2.0, 3.0]])
    array([[19., 25.],
           [37., 43.]])
    >>> images, filters = np.ones((8, 3, 32, 32), np.float32), np.ones((16, 3, 3, 3), np.float32)
    >>> fastconv.corr2d(images, filters, padding="same", stride=2).shape
    (8, 16, 16, 16)
    """
    if type(x) is np.ndarray:  # torch.compile traces the rest, and must not meet a call that it cannot
        plain = _plain.corr2d(x, w, bias, stride, padding, dilation, groups, layout, algorithm, out)
        if plain is not None:
            return plain
    front_end = tensor_front_end(x, w, bias)
    if front_end is not None:
        return front_end.corr2d(  # type: ignore[no-any-return]
            x,
            w,
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            layout=layout,
            algorithm=algorithm,
            out=out,
        )
    x, w = as_array("x", x), as_array("w", w)
    compute, dtype = correlation_dtypes(x=x, w=w)
    ranks = Ranks.of(x.shape, w.shape, layout_name(layout))
    judged = problem(compute, ranks, Windows.of(stride, padding, dilation), integer("groups", groups))
    b = as_bias(bias, ranks.out_channels, dtype, compute)
    shape = ranks.output_shape(judged.out, x.ndim, w.ndim)
    result = Result(out, shape, dtype, compute, (x, w, b))
    judged.forward(contiguous(x, compute), contiguous(w, compute), b, result.buffer, algorithm)
    return result.finish()


def corr2d_multi_in(x: Any, w: Any, bias: Any = None, **options: Any) -> Array:
    """Cross-correlation of one image of several channels with one kernel a channel, summed.

    Parameters
    ----------
    x : array_like
        ``(C, H, W)``, or ``(H, W, C)`` with ``layout="NHWC"``.
    w : array_like
        ``(C, kh, kw)``, or ``(kh, kw, C)``.
    bias : array_like, optional
        A number, or an array of one.
    **options
        The keywords of `corr2d`.

    Returns
    -------
    ndarray
        ``(H', W')``, of the dtype that `corr2d` gives.

    Raises
    ------
    ValueError
        `x` or `w` has not three dimensions, or as `corr2d` does.
    TypeError
        As `corr2d` does.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> x = np.stack([np.arange(9.0).reshape(3, 3), np.arange(1.0, 10.0).reshape(3, 3)])
    >>> w = np.stack([np.arange(4.0).reshape(2, 2), np.arange(1.0, 5.0).reshape(2, 2)])
    >>> fastconv.corr2d_multi_in(x, w)
    array([[ 56.,  72.],
           [104., 120.]])
    """
    front_end = tensor_front_end(x, w, bias)
    if front_end is not None:
        return front_end.corr2d_multi_in(x, w, bias, **options)  # type: ignore[no-any-return]
    x, w = as_array("x", x), as_array("w", w)
    _must_have_rank("x", x, (3,))
    _must_have_rank("w", w, (3,))
    return corr2d(x, w, bias, **options)


def corr2d_multi_in_out(x: Any, w: Any, bias: Any = None, **options: Any) -> Array:
    """Cross-correlation of images of several channels with several filters, one output channel a filter.

    Parameters
    ----------
    x : array_like
        ``(C, H, W)`` or ``(N, C, H, W)``; channels last with ``layout="NHWC"``.
    w : array_like
        ``(O, C/groups, kh, kw)``, or ``(kh, kw, C/groups, O)``.
    bias : array_like, optional
        ``(O,)``.
    **options
        The keywords of `corr2d`.

    Returns
    -------
    ndarray
        ``(O, H', W')`` or ``(N, O, H', W')``, of the dtype that `corr2d` gives.

    Raises
    ------
    ValueError
        `x` has not three or four dimensions, `w` not four, or as `corr2d` does.
    TypeError
        As `corr2d` does.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> x, w = np.ones((2, 3, 3)), np.ones((3, 2, 1, 1)) * np.arange(3.0).reshape(3, 1, 1, 1)
    >>> fastconv.corr2d_multi_in_out(x, w)[:, 0, 0]
    array([0., 2., 4.])
    """
    front_end = tensor_front_end(x, w, bias)
    if front_end is not None:
        return front_end.corr2d_multi_in_out(x, w, bias, **options)  # type: ignore[no-any-return]
    x, w = as_array("x", x), as_array("w", w)
    _must_have_rank("x", x, (3, 4))
    _must_have_rank("w", w, (4,))
    return corr2d(x, w, bias, **options)


def _must_have_rank(name: str, array: Array, ranks: tuple[int, ...]) -> None:
    if array.ndim not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise ValueError(f"{name} must have {wanted} dimensions, got shape {array.shape}")
