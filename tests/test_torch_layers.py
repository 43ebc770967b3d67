# SPDX-License-Identifier: BSD-3-Clause
"""Layers that are torch's but for what computes, and models that are accelerated and restored."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch_cases import FORMATS, drawn

import fastconv.torch as ft

CONVOLUTIONS = [
    {"kernel_size": 3},
    {"kernel_size": (3, 2), "stride": 2, "padding": 1, "bias": False},
    {"kernel_size": 3, "padding": "same", "dilation": 2},
    {"kernel_size": 3, "padding": "valid", "groups": 2},
    *({"kernel_size": 3, "padding": (2, 1), "padding_mode": mode} for mode in ("reflect", "replicate", "circular")),
    {"kernel_size": (2, 5), "padding": "same", "padding_mode": "circular"},
]
POOLS = [
    ("MaxPool2d", {"kernel_size": 2}),
    ("MaxPool2d", {"kernel_size": (3, 2), "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}),
    ("MaxPool2d", {"kernel_size": 3, "return_indices": True}),
    ("AvgPool2d", {"kernel_size": 2}),
    ("AvgPool2d", {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1, "ceil_mode": True}),
    ("AvgPool2d", {"kernel_size": 3, "padding": 1, "count_include_pad": False}),
    ("AvgPool2d", {"kernel_size": 3, "divisor_override": 5}),
]


def both(name: str, *args: object, **options: object) -> tuple[nn.Module, nn.Module]:
    """Our layer and torch's, drawn from the same seed."""
    layers = []
    for module in (ft, nn):
        torch.manual_seed(1)
        layers.append(getattr(module, name)(*args, **options))
    return layers[0], layers[1]


def assert_same(ours: object, theirs: object) -> None:
    for one, two in zip(*((r if isinstance(r, tuple) else (r,)) for r in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_conv2d_is_torchs(options: dict, memory_format: str):
    ours, theirs = both("Conv2d", 4, 6, **options, dtype=torch.float64)
    assert repr(ours) == repr(theirs)
    assert isinstance(ours, nn.Conv2d)
    assert_same(tuple(ours.state_dict().values()), tuple(theirs.state_dict().values()))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = drawn(2, 4, 9, 11).detach().contiguous(memory_format=FORMATS[memory_format])
    outputs, gradients = [], []
    for layer in (ours.to(memory_format=FORMATS[memory_format]), theirs.to(memory_format=FORMATS[memory_format])):
        image = x.clone().requires_grad_()
        y = layer(image)
        (y**2).sum().backward()
        outputs.append(y)
        gradients.append((image.grad, *(p.grad for p in layer.parameters())))
    assert outputs[0].stride() == outputs[1].stride()
    assert_same(*outputs)
    assert_same(*gradients)
    assert_same(ours(x[0]), theirs(x[0]))


@pytest.mark.parametrize(("name", "options"), POOLS, ids=str)
def test_pools_are_torchs(name: str, options: dict):
    ours, theirs = both(name, **options)
    assert repr(ours) == repr(theirs)
    assert not ours.state_dict()
    x = drawn(2, 4, 9, 11, grad=False)
    assert_same(ours(x), theirs(x))
    assert_same(ours(x[0]), theirs(x[0]))


@pytest.mark.parametrize(
    "bad",
    [
        {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "groups": 2},
        {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": "full"},
        {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": "same", "stride": 2},
        {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding_mode": "mirror"},
    ],
)
def test_constructors_refuse_what_torchs_refuse(bad: dict):
    for module in (nn, ft):
        with pytest.raises(ValueError, match=r"groups|divisible|padding"):
            module.Conv2d(**bad)


def test_lazy_initialisation():
    x = drawn(2, 3, 7, 7, dtype=torch.float32, grad=False)
    ours, theirs = ft.LazyConv2d(5, 3, padding=1), nn.LazyConv2d(5, 3, padding=1)
    assert isinstance(ours.weight, nn.UninitializedParameter)
    for layer in (ours, theirs):
        torch.manual_seed(2)
        layer(x)
    assert type(ours) is ft.Conv2d
    assert repr(ours) == repr(theirs)
    assert_same(ours(x), theirs(x))
    late = ft.LazyConv2d(5, 3, padding=1)
    late.load_state_dict(theirs.state_dict())
    assert_same(late(x), theirs(x))
    assert type(late) is ft.Conv2d


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "torch.save": lambda m: saved(m),
}


def saved(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("name", COPIES)
def test_copies(name: str):
    model = nn.Sequential(ft.Conv2d(3, 4, 3), ft.MaxPool2d(2), ft.AvgPool2d(2), ft.LazyConv2d(2, 1))
    x = drawn(2, 3, 9, 9, dtype=torch.float32, grad=False)
    model(x)
    copied = COPIES[name](model)
    assert [type(layer) for layer in copied] == [type(layer) for layer in model]
    assert copied[0].weight.data_ptr() != model[0].weight.data_ptr()
    assert torch.equal(copied(x), model(x))


def test_weights_move_between_torch_and_fastconv():
    ours, theirs = ft.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    file.seek(0)
    ours.load_state_dict(torch.load(file), strict=True)
    assert torch.equal(ours.weight, theirs.weight)


def edits() -> dict:
    def by_optimizer(layer: nn.Conv2d) -> None:
        layer.weight.grad = torch.ones_like(layer.weight)
        torch.optim.SGD(layer.parameters(), 0.5).step()

    def assigned(layer: nn.Conv2d) -> None:
        layer.weight = nn.Parameter(torch.full_like(layer.weight, 0.5))

    return {
        "data": lambda layer: layer.weight.data.mul_(3),
        "alias": lambda layer: layer.weight.detach().view(-1)[5:].zero_(),
        "numpy view": lambda layer: layer.weight.detach().numpy().fill(0.25),
        "optimizer": by_optimizer,
        "assigned": assigned,
        "bias": lambda layer: layer.bias.data.add_(1),
    }


@pytest.mark.parametrize("name", edits())
def test_edited_weights_are_seen(name: str):
    ours, theirs = both("Conv2d", 3, 4, 3)
    x = drawn(2, 3, 9, 9, dtype=torch.float32, grad=False)
    before = ours(x).detach()
    for layer in (ours, theirs):
        edits()[name](layer)
    assert not torch.equal(ours(x), before)
    assert_same(ours(x), theirs(x))


class Mine(nn.Conv2d):
    """A user's own layer."""


def model_of_everything() -> nn.Module:
    torch.manual_seed(3)
    block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), Mine(4, 4, 1))
    shared = nn.Conv2d(4, 4, 1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        shared,
        block,
        nn.MaxPool2d(2),
        shared,
        nn.AvgPool2d(2),
        ft.Conv2d(4, 4, 1),
    )


def test_accelerate_and_restore():
    model = model_of_everything()
    x = drawn(2, 3, 12, 12, dtype=torch.float32)
    model[2].eval()
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append("forward"))
    model[0].register_full_backward_hook(lambda *_: calls.append("backward"))
    before = [(name, id(m), m.training, type(m)) for name, m in model.named_modules()]
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    wanted = model(x).detach()
    calls.clear()
    with pytest.warns(UserWarning, match=r"left subclasses alone: 3\.2 \(Mine\)"):
        assert ft.accelerate(model) is model
    kinds = [type(m) for m in model.modules()]
    assert [kinds.count(k) for k in (ft.Conv2d, ft.MaxPool2d, ft.AvgPool2d, Mine, nn.Conv2d)] == [4, 1, 1, 1, 0]
    assert [(name, id(m), m.training) for name, m in model.named_modules()] == [entry[:3] for entry in before]
    y = model(x)
    torch.testing.assert_close(y, wanted)
    y.sum().backward()
    assert calls == ["forward", "backward"]
    optimizer.step()
    assert not torch.equal(model(x), wanted)
    with pytest.warns(UserWarning, match="left subclasses alone"):
        ft.accelerate(model)  # twice is once
    assert ft.restore(model) is model
    assert [(name, id(m), m.training, type(m)) for name, m in model.named_modules()] == before


def test_restore_after_copies_and_single_layers():
    layer = ft.accelerate(nn.Conv2d(1, 2, 3))
    assert type(layer) is ft.Conv2d
    for copied in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer), layer):
        assert type(ft.restore(copied)) is nn.Conv2d
    lazy = ft.accelerate(nn.LazyConv2d(2, 3))
    assert type(ft.restore(copy.deepcopy(lazy))) is nn.LazyConv2d
    lazy(torch.ones(1, 1, 4, 4))
    assert type(lazy) is ft.Conv2d
    assert type(ft.restore(lazy)) is nn.Conv2d


@pytest.mark.parametrize("function", [ft.accelerate, ft.restore])
def test_no_model(function: object):
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got list"):
        function([nn.Conv2d(1, 1, 1)])


def test_other_devices_and_back():
    """Whatever a model can be moved to, its layers follow: here to meta, to another dtype, and back."""
    model = ft.accelerate(nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.AvgPool2d(2)))
    x = drawn(2, 3, 9, 9, dtype=torch.float32, grad=False)
    wanted = model(x)
    moved = copy.deepcopy(model).to("meta")(x.to("meta"))
    assert moved.shape == wanted.shape
    assert moved.device.type == "meta"
    torch.testing.assert_close(model.double()(x.double()).float(), wanted)
    assert torch.equal(model.float()(x), wanted)


def test_old_and_new_parametrizations():
    from torch.nn.utils import parametrizations

    x = drawn(2, 3, 9, 9, dtype=torch.float32, grad=False)
    for change in (parametrizations.weight_norm, parametrizations.spectral_norm):
        torch.manual_seed(5)
        layer = change(ft.Conv2d(3, 4, 3)).eval()
        torch.manual_seed(5)
        assert_same(layer(x), change(nn.Conv2d(3, 4, 3)).eval()(x))
