# SPDX-License-Identifier: BSD-3-Clause
"""What goes to torch's own operators, and that they are made to say the same."""

import pytest
import torch
import torch.nn.functional as F
from cases import CASES, Case
from pool_cases import POOL_CASES, PoolCase
from torch.utils._python_dispatch import TorchDispatchMode
from torch_cases import drawn, operands

import fastconv.torch as ft
from fastconv.torch import _eager_pooling, elsewhere, forms


@pytest.mark.parametrize("case", [case for case in CASES if case.x[1] and case.w[0]], ids=str)
def test_torchs_convolution_says_the_same(case: Case):
    x, w, b = operands(case, grad=False)
    windows = forms.windows_of(case.stride, case.padding, case.dilation, case.groups)
    torch.testing.assert_close(elsewhere.corr2d(x, w, b, *windows), ft.corr2d(x, w, b, **case.options))


@pytest.mark.parametrize("padding", ["same", "same_lower", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_named_padding_says_the_same(padding: str, stride: int):
    x, w = drawn(2, 3, 9, 8, grad=False), drawn(4, 3, 4, 2, grad=False)
    windows = forms.windows_of(stride, padding, (1, 2))
    torch.testing.assert_close(elsewhere.corr2d(x, w, None, *windows), ft.corr2d(x, w, None, stride, padding, (1, 2)))
    pool = *forms.pool_windows_of((3, 2), stride, padding, 1), False
    y, places = elsewhere.max_pool2d(x, *pool, None, "auto")
    wanted, indices = ft.max_pool2d(x, (3, 2), stride, padding, return_indices=True)
    assert torch.equal(y, wanted)
    assert torch.equal(places, indices)


# torch's own pooling refuses images without channels.
@pytest.mark.parametrize("case", [case for case in POOL_CASES if 0 not in case.x], ids=str)
def test_torchs_pooling_says_the_same(case: PoolCase):
    x = drawn(*case.x, grad=False)
    windows = forms.pool_windows_of(case.kernel, case.stride, case.padding, case.dilation)
    y, places = elsewhere.max_pool2d(x, *windows, case.ceil_mode, None, "auto")
    wanted, indices = ft.max_pool2d(x, case.kernel, case.stride, case.padding, case.dilation, case.ceil_mode, True)
    assert torch.equal(y, wanted)
    assert torch.equal(places, indices)
    options = case.ceil_mode, case.count_include_pad, case.divisor_override, None, "auto"
    torch.testing.assert_close(
        elsewhere.avg_pool2d(x, *windows, *options), _eager_pooling.avg_pool2d(x, *windows, *options), equal_nan=True
    )


class Watching(TorchDispatchMode):
    """Which operators a call comes down to."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def test_other_element_types_are_torchs():
    x, w = drawn(1, 2, 5, 5, grad=False), drawn(3, 2, 2, 2, grad=False)
    for dtype in (torch.complex64, torch.complex128, torch.int8, torch.int16):
        y = ft.corr2d(x.to(dtype), w.to(dtype), stride=2, padding="same")
        wanted = F.conv2d(F.pad(x.to(dtype), (0, 1, 0, 1)), w.to(dtype), stride=2)
        assert torch.equal(y, wanted)
    whole = torch.arange(16).view(1, 1, 4, 4)
    assert torch.equal(ft.avg_pool2d(whole, 2), F.avg_pool2d(whole, 2))
    with pytest.raises(ValueError, match="4 dimensions"):
        ft.avg_pool2d(whole[0, 0], 2)
    with pytest.raises(TypeError, match="weight has dtype"):
        ft.corr2d(x.to(torch.complex64), w)


@pytest.mark.parametrize("device", ["cuda", "xpu", "mps"])
def test_other_devices_are_torchs(device: str):
    """Tensors that only pretend to lie there: fake ones, whose operators are recorded."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.empty(2, 3, 8, 8, device=device)
        conv = torch.nn.Conv2d(3, 4, 3)
        conv.weight = torch.nn.Parameter(torch.empty(4, 3, 3, 3, device=device), requires_grad=False)
        conv.bias = torch.nn.Parameter(torch.empty(4, device=device), requires_grad=False)
        model = ft.accelerate(torch.nn.Sequential(conv, torch.nn.MaxPool2d(2), torch.nn.AvgPool2d(2)))
        with Watching() as watching:
            y = ft.corr2d(x, model[0].weight, None, 2, "same")
            z = model(x)
        assert y.device.type == z.device.type == device
        assert z.shape == (2, 4, 1, 1)
    assert not any("fastconv" in name for name in watching.seen)
    assert sum("aten.convolution" in name for name in watching.seen) == 2
