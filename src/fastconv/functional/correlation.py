# SPDX-License-Identifier: BSD-3-Clause
"""corr2d and its gradients on NumPy arrays."""

from typing import Any, Literal, NamedTuple, overload

from fastconv import _core
from fastconv.functional.arrays import (
    Array,
    DType,
    Result,
    as_array,
    contiguous,
    correlation_dtypes,
    refuse_uint64,
)
from fastconv.geometry import IntOrPair, Layout, Padding, Pair, Windows, integer, layout_name


class Ranks(NamedTuple):
    """The sizes that the shapes of x and w say, whatever their ranks."""

    batch: int
    channels: int
    size: Pair
    out_channels: int
    weight_channels: int
    kernel: Pair
    layout: Layout

    @classmethod
    def of(cls, x: tuple[int, ...], w: tuple[int, ...], layout: Layout) -> "Ranks":
        """Read the shapes; ValueError if their ranks do not belong together."""
        if (len(x), len(w)) not in ((2, 2), (3, 3), (3, 4), (4, 4)):
            wanted = {2: "2", 3: "3 or 4", 4: "4"}
            if len(x) not in wanted:
                raise ValueError(f"x must have 2, 3 or 4 dimensions, got shape {x}")
            raise ValueError(f"w must have {wanted[len(x)]} dimensions where x has {len(x)}, got shape {w}")
        first = layout == "NCHW"
        batch = x[0] if len(x) == 4 else 1
        if len(x) == 2:
            channels, size = 1, (x[0], x[1])
        else:
            channels = x[-3] if first else x[-1]
            size = (x[-2], x[-1]) if first else (x[-3], x[-2])
        if len(w) == 2:
            return cls(batch, channels, size, 1, 1, (w[0], w[1]), layout)
        if len(w) == 3:
            weight_channels = w[0] if first else w[2]
            return cls(batch, channels, size, 1, weight_channels, (w[1], w[2]) if first else (w[0], w[1]), layout)
        if first:
            return cls(batch, channels, size, w[0], w[1], (w[2], w[3]), layout)
        return cls(batch, channels, size, w[3], w[2], (w[0], w[1]), layout)

    def output_shape(self, out: Pair, x_rank: int, w_rank: int) -> tuple[int, ...]:
        """The shape of y for inputs of these ranks."""
        if w_rank < 4:
            return out
        image = (self.out_channels, *out) if self.layout == "NCHW" else (*out, self.out_channels)
        return (self.batch, *image) if x_rank == 4 else image


def problem(dtype: DType, ranks: Ranks, windows: Windows, groups: int) -> _core.Corr2d:
    """Judge the whole problem in C."""
    return _core.Corr2d(
        dtype.name,
        ranks.layout,
        "OIHW" if ranks.layout == "NCHW" else "HWIO",
        ranks.batch,
        ranks.channels,
        ranks.size,
        ranks.out_channels,
        ranks.weight_channels,
        ranks.kernel,
        groups,
        windows.stride,
        windows.dilation,
        windows.padding,
        windows.before,
        windows.after,
    )


def known_algorithm(operation: str, name: Any) -> str:
    """Return the name of an algorithm if it is one."""
    names = _core.algorithms(operation)
    if not isinstance(name, str):
        raise TypeError(f"algorithm must be a string, got {name!r}")
    if name not in names:
        raise ValueError(f"algorithm {name!r} is unknown; there are: auto, {', '.join(names)}")
    return name


def as_bias(bias: Any, out_channels: int, dtype: DType, compute: DType) -> Array | None:
    """The bias, one number a channel, rounded to the output's dtype and then in the one that is computed in."""
    if bias is None:
        return None
    array = as_array("bias", bias)
    refuse_uint64("bias", array)
    if array.ndim == 0 and out_channels == 1:
        array = array.reshape(1)
    if array.shape != (out_channels,):
        raise ValueError(f"bias has shape {array.shape} but must have ({out_channels},), one number an output channel")
    return contiguous(contiguous(array, dtype), compute)


def shape_of(name: str, shape: Any) -> tuple[int, ...]:
    """A shape argument as a tuple of ints that are at least 0."""
    if isinstance(shape, str | bytes) or not hasattr(shape, "__iter__"):
        raise TypeError(f"{name} must be a tuple of integers, got {shape!r}")
    sizes = tuple(integer(name, size) for size in shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"{name} must not have negative sizes, got {sizes}")
    return sizes


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
        byte order and alignment.
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
    x, w = as_array("x", x), as_array("w", w)
    _must_have_rank("x", x, (3, 4))
    _must_have_rank("w", w, (4,))
    return corr2d(x, w, bias, **options)


def _must_have_rank(name: str, array: Array, ranks: tuple[int, ...]) -> None:
    if array.ndim not in ranks:
        wanted = " or ".join(str(rank) for rank in ranks)
        raise ValueError(f"{name} must have {wanted} dimensions, got shape {array.shape}")


def must_have_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """ValueError unless the array has that shape."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape} but must have {shape}")


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
