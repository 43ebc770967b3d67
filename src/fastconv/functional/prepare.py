# SPDX-License-Identifier: BSD-3-Clause
"""Weights that stay: copied and transformed once."""

from typing import Any

from fastconv import _core
from fastconv.functional import _plain
from fastconv.functional.arrays import (
    Array,
    DType,
    Result,
    as_array,
    bytes_to_keep,
    compute_dtype,
    contiguous,
    correlation_dtypes,
)
from fastconv.functional.problems import Ranks, as_bias, known_algorithm, problem
from fastconv.geometry import IntOrPair, Layout, Padding, Windows, integer, layout_name


class Prepared:
    """A correlation whose weights are fixed: call it with images.

    Made by `prepare`. The weights were copied: editing the original array changes nothing here. What an algorithm makes
    of them is kept, one transformed copy for each algorithm and dtype that calls have used.
    """

    def __init__(self, w: Array, bias: Any, windows: Windows, groups: int, layout: Layout, algorithm: str) -> None:
        self._w = w.copy()
        self._bias = None if bias is None else as_array("bias", bias).copy()
        self._windows = windows
        self._groups = groups
        self._layout = layout
        self._algorithm = algorithm
        self._transformed: dict[tuple[str, str, DType], Array] = {}
        self._plain = _plain.Filters(
            self._w,
            self._plain_bias(),
            windows.stride,
            windows.padding
            if windows.padding != "explicit"
            else tuple(zip(windows.before, windows.after, strict=True)),
            windows.dilation,
            groups,
            layout,
            algorithm,
        )

    def _plain_bias(self) -> Array | None:
        """The bias as calls want it whose images have the dtype of the weights, if that is computed in."""
        if self._bias is None or compute_dtype(self._w.dtype) != self._w.dtype:
            return self._bias
        return contiguous(self._bias.reshape(-1), self._w.dtype)

    def __getstate__(self) -> dict[str, Any]:
        """What was prepared holds for this process alone: a copy elsewhere prepares its own."""
        return {**self.__dict__, "_transformed": {}}

    def __repr__(self) -> str:
        return f"<fastconv.prepare of w {self._w.shape} {self._w.dtype}, {self._layout}>"

    def __call__(self, x: Any, out: Array | None = None) -> Array:
        """Correlate `x` with the prepared weights.

        Parameters
        ----------
        x : array_like
            Images, as `corr2d` takes them.
        out : ndarray, optional
            Where to write: the right shape and dtype, sharing no memory with `x`.

        Returns
        -------
        ndarray
            What ``corr2d(x, w, bias, ...)`` gives.

        Examples
        --------
        >>> import numpy as np
        >>> import fastconv
        >>> blur = fastconv.prepare(np.full((2, 2), 0.25))
        >>> blur(np.arange(9.0).reshape(3, 3))
        array([[2., 3.],
               [5., 6.]])
        """
        plain = self._plain.corr2d(x, out)
        if plain is not None:
            return plain
        x = as_array("x", x)
        compute, dtype = correlation_dtypes(x=x, w=self._w)
        ranks = Ranks.of(x.shape, self._w.shape, self._layout)
        judged = problem(compute, ranks, self._windows, self._groups)
        bias = as_bias(self._bias, ranks.out_channels, dtype, compute)
        shape = ranks.output_shape(judged.out, x.ndim, self._w.ndim)
        result = Result(out, shape, dtype, compute, (x,))
        algorithm, weights = self._weights(judged, compute)
        judged.forward_prepared(contiguous(x, compute), weights, bias, result.buffer, algorithm)
        return result.finish()

    def _weights(self, judged: _core.Corr2d, dtype: DType) -> tuple[str, Array]:
        algorithm, size = judged.choose(self._algorithm)
        key = (algorithm if size else "", judged.isa, dtype)
        weights = self._transformed.get(key)
        if weights is None:
            weights = contiguous(self._w, dtype)
            if size:
                transformed = bytes_to_keep(size)
                judged.prepare(weights, transformed, algorithm)
                weights = transformed
            weights = self._transformed.setdefault(key, weights)  # of two threads that both come here the first's stay
        if dtype == self._w.dtype:
            self._plain.keep(algorithm, key[1], weights)
        return algorithm, weights


def prepare(
    w: Any,
    bias: Any = None,
    *,
    stride: IntOrPair = 1,
    padding: Padding = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
    layout: Layout = "NCHW",
    algorithm: str = "auto",
) -> Prepared:
    """Copy the weights, and transform them once for all the calls to come.

    Parameters
    ----------
    w, bias, stride, padding, dilation, groups, layout, algorithm
        As in `corr2d`.

    Returns
    -------
    Prepared
        A callable: ``prepared(x, out=None)`` gives what ``corr2d(x, w, bias, ...)`` gives.

    Raises
    ------
    ValueError
        `w` has not 2, 3 or 4 dimensions, or an argument does not fit. What depends on `x` is judged in the call.
    TypeError
        A dtype or an argument's type is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> import fastconv
    >>> edges = fastconv.prepare([[1.0, -1.0]])
    >>> edges([[0.0, 0.0, 5.0]])
    array([[ 0., -5.]])
    """
    w = as_array("w", w)
    if w.ndim not in (2, 3, 4):
        raise ValueError(f"w must have 2, 3 or 4 dimensions, got shape {w.shape}")
    if algorithm != "auto":
        known_algorithm("corr2d", algorithm)
    windows, groups, layout = Windows.of(stride, padding, dilation), integer("groups", groups), layout_name(layout)
    compute, _ = correlation_dtypes(w=w)
    _judge_weights(w, bias, compute, windows, groups, layout)
    return Prepared(w, bias, windows, groups, layout, algorithm)


def _judge_weights(w: Array, bias: Any, dtype: DType, windows: Windows, groups: int, layout: Layout) -> None:
    """Judge everything but the images: with the smallest ones that the weights fit."""
    x_rank = min(w.ndim, 3)
    alone = Ranks.of((1,) * x_rank, w.shape, layout)
    size = tuple(min(max((k - 1) * d + 1, 1), 2**62) for k, d in zip(alone.kernel, windows.dilation, strict=True))
    channels = alone.weight_channels * max(groups, 1)
    if channels >= 2**63:
        raise ValueError(f"groups is {groups}, and w has {alone.weight_channels} channels a group: no x has {channels}")
    problem(dtype, alone._replace(channels=channels, size=(size[0], size[1])), windows, groups)
    as_bias(bias, alone.out_channels, dtype, dtype)
