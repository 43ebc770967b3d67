# SPDX-License-Identifier: BSD-3-Clause
"""Pooling of tensors, with the arguments of `torch.nn.functional` and padding of any kind."""

from typing import Any, Literal, overload

from torch import Tensor
from torch.compiler import is_compiling

from fastconv.geometry import Padding, integer
from fastconv.torch import _eager_pooling, elsewhere, forms, operators
from fastconv.torch._eager import DISPATCHED, RECORDED
from fastconv.torch.forms import Ints
from fastconv.torch.pooling import AvgPool2d, MaxPool2d


def _pool_windows(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]:
    """(kernel size, stride, kind of padding, padding, dilation) in the forms of the operators."""
    if not is_compiling():
        return _eager_pooling.pool_windows(kernel_size, stride, padding, dilation)
    return forms.pool_windows_of(kernel_size, stride, padding, dilation)


@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = ...,
    padding: Padding | Ints = ...,
    dilation: Ints = ...,
    ceil_mode: bool = ...,
    return_indices: Literal[False] = ...,
) -> Tensor: ...
@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = ...,
    padding: Padding | Ints = ...,
    dilation: Ints = ...,
    ceil_mode: bool = ...,
    *,
    return_indices: Literal[True],
) -> tuple[Tensor, Tensor]: ...
@overload
def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = ...,
    padding: Padding | Ints = ...,
    dilation: Ints = ...,
    ceil_mode: bool = ...,
    return_indices: bool = ...,
) -> Tensor | tuple[Tensor, Tensor]: ...
def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding | Ints = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Largest value of each window: `torch.nn.functional.max_pool2d`, in time that does not grow with the window.

    Parameters
    ----------
    input : Tensor
        Images, ``(N, C, H, W)`` or ``(C, H, W)``, of floats or integers; the number of channels may be 0.
    kernel_size : int or sequence of int
        Height and width of the window, in taps.
    stride : int or sequence of int, optional
        Steps between windows, in pixels; `kernel_size` if None.
    padding
        As in `corr2d`, any amount on any side. Padding never wins: a window of padding alone gives -inf (the least
        integer) and the index -1, which the gradient skips.
    dilation : int or sequence of int
        Steps between the taps of a window, in pixels.
    ceil_mode : bool
        Round the output's size up; a window that would start in the padding behind the image is dropped.
    return_indices : bool
        Answer the place of each maximum as well.

    Returns
    -------
    Tensor or tuple of Tensor
        The maxima, of the dtype and in the memory format of `input`; with `return_indices` also int64 indices, flat
        into the H x W plane. A NaN in a window wins; among equals the first in row-major order does.

    Raises
    ------
    ValueError
        A shape or a value does not fit.
    TypeError
        An argument's type does not fit.
    MemoryError
        There is no room for the result or the workspace.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> x = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> fastconv.torch.max_pool2d(x, 2, return_indices=True)
    (tensor([[[[ 5.,  7.],
              [13., 15.]]]]), tensor([[[[ 5,  7],
              [13, 15]]]]))
    """
    answer: Any = DISPATCHED
    if not is_compiling():
        answer = _eager_pooling.try_max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        if type(answer) is not int:
            return answer
    options = *_pool_windows(kernel_size, stride, padding, dilation), bool(ceil_mode), None, "auto"
    if answer == RECORDED:
        results = MaxPool2d.record(_eager_pooling.max_pool2d_with_indices, input, *options)
        return results if return_indices else results[0]
    forms.judge_tensors(input=input)
    if input.dim() == 3:
        pooled, indices = _max_pooled(input.unsqueeze(0), options, return_indices)
        return (pooled.squeeze(0), indices.squeeze(0)) if return_indices else pooled.squeeze(0)
    pooled, indices = _max_pooled(input, options, return_indices)
    return (pooled, indices) if return_indices else pooled


def _max_pooled(input: Tensor, options: tuple[Any, ...], with_indices: bool) -> tuple[Tensor, Any]:
    if elsewhere.belongs((input,), elsewhere.COMPARED):
        forms.judge_rank(input, input.dim())
        return elsewhere.max_pool2d(input, *options)
    if with_indices:
        return operators.max_pool2d_with_indices(input, *options)
    return operators.max_pool2d(input, *options), None


def avg_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Padding | Ints = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Mean value of each window: `torch.nn.functional.avg_pool2d`, in time that does not grow with the window.

    Parameters
    ----------
    input, kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`; `input` of floats.
    count_include_pad : bool
        Whether padding counts as zeros of the window. Where it does not, a window of padding alone gives NaN.
    divisor_override : int, optional
        Divide by this, whatever the window holds; not 0.

    Returns
    -------
    Tensor
        The means, of the dtype and in the memory format of `input`.

    Raises
    ------
    ValueError
        A shape or a value does not fit.
    TypeError
        An argument's type does not fit.
    MemoryError
        There is no room for the result or the workspace.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> fastconv.torch.avg_pool2d(torch.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    divisor = None if divisor_override is None else integer("divisor_override", divisor_override)
    answer: Any = DISPATCHED
    if not is_compiling():
        answer = _eager_pooling.try_avg_pool2d(
            input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor
        )
        if type(answer) is not int:
            return answer
    windows = _pool_windows(kernel_size, stride, padding, 1)
    options: tuple[Any, ...] = (*windows, bool(ceil_mode), bool(count_include_pad), divisor, None, "auto")
    if answer == RECORDED:
        return AvgPool2d.record(_eager_pooling.avg_pool2d, input, *options)
    forms.judge_tensors(input=input)
    if input.dim() == 3:
        return _averaged(input.unsqueeze(0), options).squeeze(0)
    return _averaged(input, options)


def _averaged(input: Tensor, options: tuple[Any, ...]) -> Tensor:
    if elsewhere.belongs((input,), elsewhere.AVERAGED):
        forms.judge_rank(input, input.dim())
        return elsewhere.avg_pool2d(input, *options)
    return operators.avg_pool2d(input, *options)
