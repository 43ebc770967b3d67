# SPDX-License-Identifier: BSD-3-Clause
"""Correlation of tensors, with the arguments of `torch.nn.functional` and padding of any kind."""

import torch
from torch import Tensor
from torch.compiler import is_compiling

from fastconv.geometry import Padding
from fastconv.torch import _eager, elsewhere, forms, operators
from fastconv.torch._eager import RECORDED
from fastconv.torch.correlation import Corr2d
from fastconv.torch.forms import Ints


def corr2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Ints = 1,
    padding: Padding | Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional cross-correlation: `torch.nn.functional.conv2d`, differentiable any number of times.

    Parameters
    ----------
    input : Tensor
        Images, ``(N, C, H, W)`` or ``(C, H, W)``: float32 or float64, or float16 and bfloat16, which are computed in
        float32 and rounded once; int32 and int64 modulo 2**32 and 2**64. Contiguous and channels_last images are read
        as they lie, others are copied.
    weight : Tensor
        Filters, ``(O, C/groups, kh, kw)``, of the dtype of `input`; contiguous and channels_last are read as they lie.
    bias : Tensor, optional
        ``(O,)``, of the dtype of `input`.
    stride, dilation : int or sequence of int
        Steps between windows and between the taps of a window, in pixels.
    padding : int, sequence of int, two pairs or str
        Zeros around the image, in pixels: as in torch, and also ``((top, bottom), (left, right))``, ``"same"`` with any
        stride (output = ceil(input / stride), an odd zero at the bottom and right) and ``"same_lower"``.
    groups : int
        Channel groups that are correlated apart; divides C and O.

    Returns
    -------
    Tensor
        ``(N, O, H', W')`` or ``(O, H', W')``, of the dtype and in the memory format of `input`. Tensors of another
        device, layout or dtype get the answer of torch's own operator.

    Raises
    ------
    ValueError
        A shape or a value does not fit.
    TypeError
        An argument's type does not fit, or dtypes differ.
    MemoryError
        There is no room for the result or the workspace.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> x, w = torch.ones(8, 3, 32, 32), torch.ones(16, 3, 3, 3, requires_grad=True)
    >>> y = fastconv.torch.corr2d(x, w, stride=2, padding="same")
    >>> y.shape
    torch.Size([8, 16, 16, 16])
    >>> y.sum().backward()
    >>> w.grad.shape
    torch.Size([16, 3, 3, 3])
    """
    if not is_compiling() and weight is not None:
        answer = _eager.try_corr2d(input, weight, bias, stride, padding, dilation, groups)
        if type(answer) is not int:
            return answer
        if answer == RECORDED:
            windows = _eager.windows(stride, padding, dilation, groups)
            return Corr2d.record(_eager.corr2d, input, weight, bias, *windows, None, "auto")
    forms.judge_tensors(input=input, weight=weight, **({} if bias is None else {"bias": bias}))
    windows = forms.windows_of(stride, padding, dilation, groups)
    if input.dim() == 3:
        return _correlated(input.unsqueeze(0), weight, bias, windows).squeeze(0)
    return _correlated(input, weight, bias, windows)


def _correlated(input: Tensor, weight: Tensor, bias: Tensor | None, windows: forms.Windows) -> Tensor:
    if elsewhere.belongs((input, weight, bias), elsewhere.CORRELATED):
        device = input.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            forms.judge_rank(input, input.dim())  # element types are brought together before torch judges them
        else:
            forms.judge_operands(input, weight, bias)
        return elsewhere.corr2d(input, weight, bias, *windows)
    return operators.corr2d(input, weight, bias, *windows, None, "auto")
