# SPDX-License-Identifier: BSD-3-Clause
"""Layers: subclasses of torch's, which compute by fastconv. Constructors, state_dict and repr are torch's."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.nn import functional

from fastconv.torch import freezing
from fastconv.torch._frozen import Frozen
from fastconv.torch.forms import is_channels_last
from fastconv.torch.functional import corr2d
from fastconv.torch.functional_pooling import avg_pool2d, max_pool2d

for _name in ("corr2d", "max_pool2d", "avg_pool2d"):
    torch.fx.wrap(_name)  # symbolic tracing takes the call as it is


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d` that computes by `fastconv.torch.corr2d`.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        As in `torch.nn.Conv2d`; every `padding_mode` works.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> layer = fastconv.torch.Conv2d(3, 8, kernel_size=3, padding=1)
    >>> layer
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    >>> layer(torch.ones(2, 3, 5, 5)).shape
    torch.Size([2, 8, 5, 5])
    """

    _frozen: Frozen | None = None  # what is kept on the user's word that the weight stays

    def _freeze(self) -> None:
        """Take the word that the weight stays; ValueError says why it cannot be taken."""
        self.__dict__["_frozen"] = freezing.frozen(self)

    def _unfreeze(self) -> None:
        """End the word; what was kept is freed."""
        self.__dict__.pop("_frozen", None)

    def train(self, mode: bool = True) -> "Conv2d":
        """Set the mode, as torch does; training ends the word that the weight stays."""
        if mode:
            self._unfreeze()
        return super().train(mode)

    def _apply(self, *args: Any, **options: Any) -> "Conv2d":
        self._unfreeze()
        return super()._apply(*args, **options)

    def _load_from_state_dict(self, *args: Any, **options: Any) -> None:
        self._unfreeze()
        super()._load_from_state_dict(*args, **options)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_frozen"}

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            channels_last = input.dim() == 4 and is_channels_last(input)
            input = functional.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            if channels_last:  # which padding may lose
                input = input.contiguous(memory_format=torch.channels_last)
            padding = 0
        if not is_compiling():
            frozen = self._frozen
            if frozen is not None:
                y = None
                if not self.training:
                    y = frozen.corr2d(input, weight, bias, self.stride, padding, self.dilation, self.groups)
                if y is not None:
                    return y
                if self.training or (isinstance(weight, Tensor) and not frozen.holds(weight)):
                    self._unfreeze()
        return corr2d(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class LazyConv2d(nn.LazyConv2d):
    """`torch.nn.LazyConv2d`, which becomes a `fastconv.torch.Conv2d` when it has seen its first images.

    Parameters
    ----------
    out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        As in `torch.nn.LazyConv2d`.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> layer = fastconv.torch.LazyConv2d(8, kernel_size=3)
    >>> layer(torch.ones(2, 3, 5, 5)).shape
    torch.Size([2, 8, 3, 3])
    >>> layer
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
    """

    cls_to_become = Conv2d


class MaxPool2d(nn.MaxPool2d):
    """`torch.nn.MaxPool2d` that computes by `fastconv.torch.max_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, return_indices, ceil_mode
        As in `torch.nn.MaxPool2d`.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> fastconv.torch.MaxPool2d(2)(torch.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    def forward(self, input: Tensor) -> Any:
        """Largest values of the windows, and their places if `return_indices`."""
        return max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class AvgPool2d(nn.AvgPool2d):
    """`torch.nn.AvgPool2d` that computes by `fastconv.torch.avg_pool2d`.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in `torch.nn.AvgPool2d`.

    Examples
    --------
    >>> import torch
    >>> import fastconv.torch
    >>> fastconv.torch.AvgPool2d(2)(torch.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Means of the windows."""
        return avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )
