# SPDX-License-Identifier: BSD-3-Clause
"""Tensors that are not what they seem: freed storages, mixed devices, tracing, tangents in compiled graphs."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import jvp
from torch.nn.utils import parametrizations, parametrize

import fastconv
import fastconv.torch as ft


def operands() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.randn(1, 2, 5, 5), torch.randn(3, 2, 3, 3), torch.randn(3)


@pytest.mark.parametrize("freed", range(3))
def test_a_storage_that_is_not_there_is_refused(freed: int):
    given = operands()
    given[freed].untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="storage is not allocated"):
        ft.corr2d(*given)


def test_a_view_of_a_storage_that_is_not_there_is_refused():
    base = torch.randn(200)
    view = base[100:150].view(1, 2, 5, 5)
    ft.max_pool2d(view, 2)
    base.untyped_storage().resize_(0)
    for pool in (ft.max_pool2d, ft.avg_pool2d):
        with pytest.raises(ValueError, match="storage is not allocated"):
            pool(view, 2)


def test_a_saved_tensor_that_was_freed_is_refused():
    x, w, _ = operands()
    y = ft.corr2d(x.requires_grad_(), w)
    w.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="storage is not allocated"):
        y.sum().backward()


@pytest.mark.parametrize("moved", [1, 2])
def test_tensors_of_two_devices_are_refused(moved: int):
    given = list(operands())
    given[moved] = given[moved].to("meta")
    with pytest.raises(ValueError, match="lies on meta"):
        ft.corr2d(*given)


def test_indices_of_another_device_are_refused():
    x, *_ = operands()
    y, indices = ft.max_pool2d(x, 2, return_indices=True)
    with pytest.raises(ValueError, match="lies on meta"):
        torch.ops.fastconv.max_pool2d_grad(y, indices.to("meta"), [1, 2, 5, 5], None)


def test_autocast_of_another_device_brings_types_together():
    with FakeTensorMode():
        x = torch.empty(2, 2, 8, 8, device="cuda", dtype=torch.half)
        w = torch.empty(4, 2, 3, 3, device="cuda")
        torch.set_autocast_enabled("cuda", True)  # torch.autocast would warn that there is none here
        try:
            assert ft.corr2d(x, w).dtype == torch.half
        finally:
            torch.set_autocast_enabled("cuda", False)


def test_a_compiled_graph_keeps_tangents():
    x = torch.randn(1, 2, 6, 6, dtype=torch.float64)
    w = torch.randn(2, 2, 2, 2, dtype=torch.float64)

    def pooled(x: torch.Tensor) -> torch.Tensor:
        return jvp(lambda x: ft.max_pool2d(x, 2), (x,), (x,))[1]

    def chained(w: torch.Tensor) -> torch.Tensor:
        return jvp(lambda w: ft.corr2d(ft.corr2d(x, w), w), (w,), (w,))[1]

    for function, argument in ((pooled, x), (chained, w)):
        compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(argument), function(argument))


def test_out_that_overlaps_itself_is_refused():
    x, w = torch.randn(1, 1, 4, 4), torch.randn(1, 1, 3, 3)
    with pytest.raises(ValueError, match="share memory"):
        fastconv.corr2d(x, w, out=torch.zeros(8).as_strided((1, 1, 2, 2), (8, 8, 1, 1)))
    out = torch.zeros(2, 2).t().view(1, 1, 2, 2)
    torch.testing.assert_close(fastconv.corr2d(x, w, out=out), ft.corr2d(x, w))


def test_no_memory_is_a_memory_error():
    x, w, _ = operands()
    with pytest.raises(MemoryError):
        ft.corr2d(x, w, padding=2**21)
    with pytest.raises(MemoryError):
        ft.max_pool2d(x, 1, stride=1, padding=2**21)


def test_symbolic_tracing_takes_the_layers():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(1))
    traced = torch.fx.symbolic_trace(ft.accelerate(model))
    x = torch.randn(1, 2, 6, 6)
    torch.testing.assert_close(traced(x), model(x))


def test_a_parametrized_layer_can_still_be_restored():
    layer = ft.accelerate(nn.Conv2d(2, 4, 3))
    parametrizations.weight_norm(layer)
    ft.restore(layer)
    parametrize.remove_parametrizations(layer, "weight")
    assert type(ft.restore(layer)) is nn.Conv2d
