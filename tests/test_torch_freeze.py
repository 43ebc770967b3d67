# SPDX-License-Identifier: BSD-3-Clause
"""Frozen layers: the bits of fastconv.prepare, weights transformed once, and all that ends the word that they stay."""

import copy
import io
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch_cases import FORMATS, drawn, same_bits, without_exchange

import fastconv
import fastconv.torch as ft
from fastconv.torch.forms import is_channels_last
from fastconv.torch.layers import Conv2d

KINDS: dict[str, dict[str, Any]] = {
    "winograd": {"in_channels": 32, "out_channels": 32, "kernel_size": 3, "padding": 1},
    "winograd, groups": {"in_channels": 64, "out_channels": 64, "kernel_size": 3, "groups": 2, "bias": False},
    "pointwise": {"in_channels": 24, "out_channels": 16, "kernel_size": 1},
    "depthwise": {"in_channels": 8, "out_channels": 16, "kernel_size": 3, "groups": 8, "padding": "same"},
    "strided": {"in_channels": 16, "out_channels": 24, "kernel_size": (3, 5), "stride": (2, 3), "padding": (1, 2)},
    "dilated": {"in_channels": 5, "out_channels": 7, "kernel_size": 3, "dilation": 2, "groups": 1},
    "few channels": {"in_channels": 3, "out_channels": 8, "kernel_size": 5, "padding": 2},
    "circular": {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "padding": 1, "padding_mode": "circular"},
}
SIZES = [(2, 24, 24), (1, 9, 11), (3, 40, 17), (1, 9, 11), (2, 24, 24)]
DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}


def frozen(model: nn.Module) -> nn.Module:
    return ft.accelerate(model.eval(), freeze=True)


def layer_of(kind: str = "winograd", **options: Any) -> Conv2d:
    torch.manual_seed(7)
    return ft.Conv2d(**KINDS[kind], **options).eval()


def images(layer: nn.Conv2d, n: int = 2, h: int = 24, w: int = 24, **options: Any) -> torch.Tensor:
    return drawn(n, layer.in_channels, h, w, grad=False, seed=n + h, **options).to(layer.weight.dtype)


def unfrozen(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What a layer with the same weights gives that was never frozen."""
    plain = copy.deepcopy(layer)
    assert all(m._frozen is None for m in plain.modules() if isinstance(m, Conv2d))
    with torch.no_grad():
        return plain(x)


def prepared(layer: Conv2d, x: torch.Tensor) -> torch.Tensor:
    """What fastconv.prepare gives for the layer's weights and these images, as they lie in memory."""
    last = is_channels_last(x)
    w = layer.weight.detach()
    padding: Any = layer.padding
    if layer.padding_mode != "zeros":
        x = nn.functional.pad(x, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
        padding = 0
    given = [t.to(torch.promote_types(t.dtype, torch.float32)).numpy() for t in (x, w)]
    image, weights = given
    bias = None if layer.bias is None else layer.bias.detach().to(torch.from_numpy(image).dtype).numpy()
    if last:
        image, weights = image.transpose(0, 2, 3, 1), weights.transpose(2, 3, 1, 0)
    y = fastconv.prepare(
        weights,
        bias,
        stride=layer.stride,
        padding=padding,
        dilation=layer.dilation,
        groups=layer.groups,
        layout="NHWC" if last else "NCHW",
    )(image)
    return torch.from_numpy(y.transpose(0, 3, 1, 2) if last else y).to(x.dtype)


def used(layer: Conv2d) -> Conv2d:
    """A frozen layer that holds transformed weights."""
    frozen(layer)
    with torch.no_grad():
        layer(images(layer))
    assert layer._frozen is not None
    assert layer._frozen.preparations == 1
    return layer


# ---- the same bits, and transformed once ----------------------------------------------------------------


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bits_as_prepared(kind: str, dtype: str, memory_format: str):
    layer = layer_of(kind, dtype=DTYPES[dtype]).to(memory_format=FORMATS[memory_format])
    plain = copy.deepcopy(layer)
    frozen(layer)
    for sizes in SIZES:
        for x_format in FORMATS.values():
            x = images(layer, *sizes).contiguous(memory_format=x_format)
            for image in (x, x[:, :, ::2, 1:], x[:1]):
                with torch.no_grad():
                    y = layer(image)
                    assert y.stride() == plain(image).stride()
                assert same_bits(y, prepared(layer, image))
    assert layer._frozen is not None
    assert 1 <= len(layer._frozen.copies) <= 2 * len(fastconv.algorithms("corr2d"))
    assert layer._frozen.preparations <= len(layer._frozen.copies)


def test_without_the_exchange_api():
    layer = layer_of()
    x = images(layer)
    wanted = unfrozen(layer, x)
    with without_exchange():
        assert same_bits(used(layer)(x).detach(), wanted)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_weights_are_transformed_once(mode: Any):
    layer = frozen(layer_of())
    with mode():
        for n in range(1, 6):
            for h in (24, 25, 40):
                layer(images(layer, n, h))
    assert layer._frozen.preparations == 1
    assert len(layer._frozen.copies) == 1
    assert layer._frozen.copies[0].dtype == torch.uint8


def test_what_is_kept_is_what_is_used():
    """An edit that torch cannot tell leaves a frozen layer's results as they were, and is seen by any other."""
    layer, other = used(layer_of()), layer_of()
    x = images(layer)
    before = unfrozen(layer, x)
    for each in (layer, other):
        each.weight.data.mul_(2)
    with torch.no_grad():
        assert same_bits(layer(x), before)
        assert not same_bits(other(x), before)
        layer.train()
        assert same_bits(layer(x), other(x))


def test_a_bias_is_never_kept():
    layer = used(layer_of())
    x = images(layer)
    layer.bias.data.add_(1)
    with torch.no_grad():
        assert same_bits(layer(x), unfrozen(layer, x))
    assert layer._frozen is not None


def test_nothing_is_kept_without_the_word():
    model = ft.accelerate(nn.Sequential(nn.Conv2d(32, 32, 3), nn.ReLU()).eval())
    with torch.no_grad():
        model(images(model[0]))
    assert model[0]._frozen is None
    assert "_frozen" not in vars(model[0])


def test_float32_copies_of_half_precision_are_kept():
    layer = frozen(layer_of("few channels", dtype=torch.bfloat16))
    with torch.no_grad():
        for n in (1, 2, 3):
            layer(images(layer, n))
    assert [kept.dtype for kept in layer._frozen.copies] == [torch.float32]


def test_weights_that_are_read_as_they_lie_are_not_copied():
    layer = frozen(layer_of("few channels"))
    with torch.no_grad():
        layer(images(layer))
    (kept,) = layer._frozen.copies
    assert kept.data_ptr() == layer.weight.data_ptr()
    assert layer._frozen.preparations == 0


def test_every_layer_of_a_model():
    torch.manual_seed(0)
    shared = nn.Conv2d(32, 32, 3, padding=1)
    inner = nn.Sequential(ft.Conv2d(32, 32, 3, padding=1), nn.ReLU())
    model = nn.Sequential(shared, nn.ReLU(), inner, shared, nn.Conv2d(32, 8, 1)).eval()
    assert ft.accelerate(model, freeze=True) is model
    x = images(shared)
    with torch.no_grad():
        y = model(x)
    assert same_bits(y, unfrozen(model, x))
    assert [m._frozen is not None for m in model.modules() if isinstance(m, Conv2d)] == [True] * 3
    assert shared._frozen.preparations == 1


# ---- what is not for frozen weights goes the ordinary way, and ends nothing -----------------------------


@pytest.mark.parametrize("which", ["weight", "input", "bias"])
def test_gradients_are_those_of_an_unfrozen_layer(which: str):
    layer, plain = used(layer_of()), layer_of()
    x = images(layer)
    found = []
    for each in (layer, plain):
        image = x.clone().requires_grad_(which == "input")
        each.weight.requires_grad_(which == "weight")
        each.bias.requires_grad_(which == "bias")
        y = each(image)
        assert y.grad_fn is not None
        y.square().sum().backward()
        found.append([t.grad for t in (image, each.weight, each.bias)])
    for one, two in zip(*found, strict=True):
        assert (one is None and two is None) or torch.equal(one, two)
    assert layer._frozen is not None
    with torch.no_grad():
        layer(x)
    assert layer._frozen.preparations == 1


def test_parameters_that_want_no_gradient_need_no_mode():
    layer = frozen(layer_of().requires_grad_(False))
    assert layer(images(layer)).grad_fn is None
    assert layer._frozen.preparations == 1


def otherwise() -> dict[str, Callable[[nn.Module, torch.Tensor], torch.Tensor]]:
    def autocast(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            return layer(x)

    def dual(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return torch.func.jvp(layer, (x,), (x,))[1].detach()

    def fake(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
            return torch.zeros(layer(mode.from_tensor(x)).shape)

    def compiled(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.compile(layer, fullgraph=True, backend="aot_eager")(x)

    return {
        "autocast": autocast,
        "jvp": dual,
        "vmap": lambda layer, x: torch.func.vmap(layer)(x[None])[0].detach(),
        "compile": compiled,
        "export": lambda layer, x: torch.export.export(layer, (x,)).module()(x).detach(),
        "fx": lambda layer, x: torch.fx.symbolic_trace(nn.Sequential(layer))(x).detach(),
        "jit.trace": lambda layer, x: torch.jit.trace(layer, x)(x).detach(),
        "one image": lambda layer, x: layer(x[0]).detach(),
    }


@pytest.mark.parametrize("name", otherwise())
@pytest.mark.filterwarnings("ignore:::torch")
def test_other_ways_of_calling(name: str):
    layer, plain = used(layer_of()), layer_of()
    x = images(layer)
    torch.compiler.reset()
    assert same_bits(otherwise()[name](layer, x), otherwise()[name](plain, x))
    assert layer._frozen is not None
    with torch.no_grad():
        assert same_bits(layer(x), plain(x))
    assert layer._frozen.preparations == 1


def test_what_is_refused_is_refused_in_the_same_words():
    layer, plain = used(layer_of()), layer_of()
    for bad in (torch.ones(1, 31, 9, 9), torch.ones(1, 32, 9, 9).double(), torch.ones(2, 2), torch.ones(1, 32, 0, 0)):
        said = []
        for each in (layer, plain):
            with pytest.raises((ValueError, TypeError)) as error, torch.no_grad():
                each(bad)
            said.append((error.type, str(error.value)))
        assert said[0] == said[1]
    assert layer._frozen is not None


def test_an_empty_batch():
    layer = used(layer_of())
    with torch.no_grad():
        assert layer(torch.ones(0, 32, 9, 9)).shape == (0, 32, 9, 9)


# ---- what ends the word ---------------------------------------------------------------------------------


def stepped(optimizer: type[torch.optim.Optimizer], **options: Any) -> Callable[[Conv2d], object]:
    def end(layer: Conv2d) -> None:
        layer.weight.grad = torch.ones_like(layer.weight)
        optimizer(layer.parameters(), 0.5, **options).step()

    return end


class OnData(torch.optim.Optimizer):
    """One of the old kind, whose edits torch does not count."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.add_(1)


def assigned(layer: Conv2d) -> None:
    layer.weight = nn.Parameter(torch.full_like(layer.weight, 0.5))


def registered(layer: Conv2d) -> None:
    weight = layer.weight
    del layer.weight
    layer.register_parameter("weight", nn.Parameter(weight.detach() + 1))


def in_no_grad(edit: Callable[[torch.Tensor], object]) -> Callable[[Conv2d], None]:
    def end(layer: Conv2d) -> None:
        with torch.no_grad():
            edit(layer.weight)

    return end


def turned(layer: Conv2d) -> None:
    """The same address, the same version, other strides."""
    layer.weight.data = layer.weight.data.transpose(2, 3)


def swapped(layer: Conv2d) -> None:
    torch.utils.swap_tensors(layer.weight, nn.Parameter(torch.full_like(layer.weight, 0.5)))


def pruned(layer: Conv2d) -> None:
    from torch.nn.utils import prune

    prune.l1_unstructured(layer, "weight", amount=0.5)


def from_a_vector(layer: Conv2d) -> None:
    vector = torch.linspace(-1, 1, sum(p.numel() for p in layer.parameters()))
    nn.utils.vector_to_parameters(vector, layer.parameters())


def loaded(layer: Conv2d, assign: bool = False) -> None:
    other = {name: value + 1 for name, value in layer.state_dict().items()}
    layer.load_state_dict(other, assign=assign)


def training_by_hand(layer: Conv2d) -> None:
    layer.training = True


# Those that end it on the spot, and those that the next call finds.
AT_ONCE: dict[str, Callable[[Conv2d], object]] = {
    "train": lambda layer: layer.train(),
    "train and eval": lambda layer: layer.train().eval(),
    "restore": ft.restore,
    "accelerate without the word": ft.accelerate,
    "load_state_dict": loaded,
    "load_state_dict, assigned": lambda layer: loaded(layer, True),
    "load_state_dict of nothing": lambda layer: layer.load_state_dict({}, strict=False),
    "to another dtype and back": lambda layer: layer.double().float(),
    "to a memory format": lambda layer: layer.to(memory_format=torch.channels_last),
    "to a device": lambda layer: layer.to("cpu"),
    "shared memory": lambda layer: layer.share_memory(),
}
BY_THE_NEXT_CALL: dict[str, Callable[[Conv2d], object]] = {
    "a new parameter": assigned,
    "a parameter registered": registered,
    "multiplied in place": in_no_grad(lambda weight: weight.mul_(2)),
    "an element": in_no_grad(lambda weight: weight[3, 2].fill_(7)),
    "a detached view": lambda layer: layer.weight.detach().flatten()[5:].zero_(),
    "copied into": in_no_grad(lambda weight: weight.copy_(torch.ones(()))),
    "drawn anew": lambda layer: nn.init.normal_(layer.weight),
    "data replaced": in_no_grad(lambda weight: setattr(weight, "data", weight.data + 1)),
    "data turned": turned,
    "set_": in_no_grad(lambda weight: weight.set_(torch.ones_like(weight))),
    "swap_tensors": swapped,
    "from a vector": from_a_vector,
    "SGD": stepped(torch.optim.SGD),
    "SGD, foreach": stepped(torch.optim.SGD, foreach=True),
    "SGD, fused": stepped(torch.optim.SGD, fused=True),
    "Adam": stepped(torch.optim.Adam),
    "Adam, foreach": stepped(torch.optim.Adam, foreach=True),
    "Adam, fused": stepped(torch.optim.Adam, fused=True),
    "an optimizer that edits the data": stepped(OnData),
    "pruned": pruned,
    "weight_norm": lambda layer: nn.utils.parametrizations.weight_norm(layer),
    "spectral_norm": lambda layer: nn.utils.parametrizations.spectral_norm(layer),
    "training set by hand": training_by_hand,
}


@pytest.mark.parametrize("name", [*AT_ONCE, *BY_THE_NEXT_CALL])
def test_the_word_ends(name: str):
    layer = used(layer_of())
    kept = weakref.ref(layer._frozen)
    (AT_ONCE.get(name) or BY_THE_NEXT_CALL[name])(layer)
    if name in AT_ONCE:
        assert kept() is None
    x = images(layer)
    with torch.no_grad():
        y, wanted = layer(x), ft.corr2d(x, layer.weight, layer.bias, padding=1)
    assert same_bits(y, wanted)
    assert kept() is None, "what was kept is not freed"
    assert vars(layer).get("_frozen") is None
    with torch.no_grad():
        layer(x)
    assert vars(layer).get("_frozen") is None


def test_the_word_ends_with_a_call_of_functional_call():
    layer = used(layer_of())
    other = {name: value + 1 for name, value in layer.state_dict().items()}
    x = images(layer)
    with torch.no_grad():
        y = torch.func.functional_call(layer, other, (x,))
        plain = layer_of()
        plain.load_state_dict(other)
        assert same_bits(y, plain(x))
        assert same_bits(layer(x), layer_of()(x))


def test_an_edit_between_the_word_and_the_first_call():
    layer = frozen(layer_of())
    with torch.no_grad():
        layer.weight.add_(1)
        x = images(layer)
        assert same_bits(layer(x), unfrozen(layer, x))
    assert layer._frozen is None


def test_a_storage_that_was_freed():
    layer = used(layer_of())
    layer.weight.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="its storage is not allocated"), torch.no_grad():
        layer(images(layer))


def test_another_weight_at_the_same_address():
    """Memory that is given back may be given to the next weights: it must not be, as long as the word holds."""
    layer = used(layer_of())
    x, place = images(layer), layer.weight.data_ptr()
    layer.weight.data = torch.zeros_like(layer.weight)
    others = [torch.full_like(layer.weight, 0.25) for _ in range(20)]
    assert place not in [other.data_ptr() for other in others]
    layer.weight.data = others[0].data
    with torch.no_grad():
        assert same_bits(layer(x), unfrozen(layer, x))


def test_a_layer_without_its_weight():
    layer = used(layer_of())
    del layer.weight
    with pytest.raises(AttributeError, match="weight"):
        layer(torch.ones(1, 32, 9, 9))


def test_the_word_may_be_given_again():
    layer = used(layer_of())
    x = images(layer)
    layer.train()
    stepped(torch.optim.SGD)(layer)
    frozen(layer)
    with torch.no_grad():
        assert same_bits(layer(x), unfrozen(layer, x))
        assert same_bits(layer(x), unfrozen(layer, x))
    assert layer._frozen.preparations == 1


# ---- tricks ---------------------------------------------------------------------------------------------


def saved(model: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "torch.save": saved,
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_not_frozen(name: str):
    layer = used(layer_of())
    copied = COPIES[name](layer)
    assert copied._frozen is None
    assert layer._frozen is not None
    assert vars(copied).keys() == vars(layer_of()).keys()
    if name != "copy":  # which shares its parameters
        with torch.no_grad():
            copied.weight.data.mul_(2)
            assert not same_bits(copied(images(layer)), layer(images(layer)))
        assert layer._frozen is not None
        assert layer._frozen.preparations == 1


def test_what_is_kept_is_never_copied():
    layer = used(layer_of())
    assert copy.deepcopy(vars(layer))["_frozen"] is None
    assert pickle.loads(pickle.dumps(layer._frozen)) is None
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_replicas_of_data_parallel():
    layer = used(layer_of())
    replica = layer._replicate_for_data_parallel()
    replica.weight, replica.bias = (layer.weight * 2).detach(), layer.bias.detach()  # as replicate does
    x = images(layer)
    with torch.no_grad():
        doubled = copy.deepcopy(layer)
        doubled.weight.mul_(2)
        assert same_bits(replica(x), doubled(x))
        assert same_bits(layer(x), unfrozen(layer, x))
    assert layer._frozen is not None
    assert layer._frozen.preparations == 1


@pytest.mark.parametrize("through", [0, 1])
def test_layers_that_share_a_weight(through: int):
    pair = nn.ModuleList([layer_of(), layer_of()])
    pair[1].weight = pair[0].weight
    for layer in pair:
        used(layer)
    stepped(torch.optim.SGD)(pair[through])
    for layer in pair:
        x = images(layer)
        with torch.no_grad():
            assert same_bits(layer(x), unfrozen(layer, x))
        assert layer._frozen is None


def test_a_new_weight_of_one_layer_is_none_of_another():
    one, two = layer_of(), layer_of()
    two.weight = one.weight
    used(one), used(two)
    assigned(one)
    with torch.no_grad():
        for layer in (one, two):
            assert same_bits(layer(images(layer)), unfrozen(layer, images(layer)))
    assert one._frozen is None
    assert two._frozen.preparations == 1


def test_a_layers_other_attributes_may_change():
    """Calls with the arguments of the call before are quick: arguments that changed must be told from those."""
    layer = used(layer_of())
    x = images(layer)
    layer.stride, layer.padding, layer.dilation = (1, 1), (1, 1), (1, 1)
    changes = [("padding", (2, 2)), ("dilation", (2, 2)), ("stride", (2, 2)), ("stride", 1), ("padding", "same")]
    for name, value in changes:
        setattr(layer, name, value)
        with torch.no_grad():
            for image in (x, x, x[:1], x[:1, :, :20], x[:1, :, :20, :21]):
                assert same_bits(layer(image), prepared(layer, image))


@pytest.mark.parametrize("padding", [[2, 2], ([2, 2], (2, 2))], ids=str)
def test_lists_that_change_inside(padding: Any):
    layer = used(layer_of())
    x = images(layer)
    layer.padding = padding
    with torch.no_grad():
        assert layer(x).shape[2:] == (26, 26)
        (padding if type(padding) is list else padding[0])[0] = 5
        assert layer(x).shape[2] > 26
        assert same_bits(layer(x), unfrozen(layer, x))


def test_groups_may_change():
    torch.manual_seed(7)
    layer = used(ft.Conv2d(32, 64, 3))
    x = images(layer)
    layer.groups = 2
    for image in (torch.cat((x, x), 1), torch.cat((x, -x), 1)):
        with torch.no_grad():
            assert same_bits(layer(image), unfrozen(layer, image))
    assert layer._frozen.preparations == 2
    with pytest.raises(ValueError, match="channels"), torch.no_grad():
        layer(x)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_settings_that_change_between_calls(memory_format: str):
    layer = used(layer_of())
    for x in (images(layer), images(layer, 9, 8, 8)):
        x = x.contiguous(memory_format=FORMATS[memory_format])
        for _ in range(2):
            for invariant in (False, True):
                for isa in fastconv.isas():
                    fastconv.set_isa(isa)
                    fastconv.set_batch_invariant(invariant)
                    with torch.no_grad():
                        assert same_bits(layer(x), prepared(layer, x))
    assert layer._frozen.preparations == len(fastconv.isas()) + (memory_format == "channels_last")


def test_another_parameter_over_the_same_memory():
    """Its edits, and those of the one before it, are counted apart."""
    layer = layer_of()
    old = layer.weight = nn.Parameter(torch.randn(32, 32, 3, 3))
    used(layer)
    layer.weight = nn.Parameter(old.data)
    assert (layer.weight.data_ptr(), layer.weight._version) == (old.data_ptr(), old._version)
    x = images(layer)
    with torch.no_grad():
        layer(x)
        old.mul_(2)
        assert same_bits(layer(x), unfrozen(layer, x))
    assert layer._frozen is None


def subclass() -> Conv2d:
    class Standardized(ft.Conv2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return self._conv_forward(input, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)

    torch.manual_seed(7)
    return Standardized(32, 32, 3)


def test_a_layer_that_computes_its_weight():
    layer = frozen(subclass())
    x = images(layer)
    with torch.no_grad():
        for _ in range(3):
            y = layer(x)
            layer.weight.data.mul_(2)
            assert not same_bits(layer(x), y)


@pytest.mark.parametrize("change", ["weight_norm", "spectral_norm"])
def test_parametrizations_are_not_frozen(change: str):
    model = nn.Sequential(layer_of(), getattr(nn.utils.parametrizations, change)(layer_of())).eval()
    with pytest.warns(UserWarning, match=r"did not freeze 1: its weight is computed in every call"):
        ft.accelerate(model, freeze=True)
    assert [layer._frozen is not None for layer in model] == [True, False]


def test_a_weight_whose_edits_are_not_counted_is_not_frozen():
    with torch.inference_mode():
        layer = layer_of()
    with pytest.warns(UserWarning, match=r"did not freeze the model itself: its weight was made in inference mode"):
        frozen(layer)
    assert layer._frozen is None


def test_training_is_refused_before_anything_is_done():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3))
    model[0].eval()
    with pytest.raises(ValueError, match=r"layer 2 is in training mode: call model\.eval\(\) before freezing"):
        ft.accelerate(model, freeze=True)
    assert [type(layer) for layer in model] == [nn.Conv2d, nn.MaxPool2d, nn.Conv2d]
    with pytest.raises(ValueError, match="the model is in training mode"):
        ft.accelerate(model[2], freeze=True)


def test_layers_without_weights_are_refused():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LazyConv2d(4, 3)).eval()
    with pytest.raises(ValueError, match=r"layer 1 has no weights yet: call the model once before freezing"):
        ft.accelerate(model, freeze=True)
    assert type(model[0]) is nn.Conv2d


# ---- threads --------------------------------------------------------------------------------------------


def in_threads(*calls: Callable[[], object]) -> None:
    """Run all at once until each is done; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_calls_while_a_thread_ends_the_word_and_settings_change():
    layer = layer_of()
    xs = [images(layer), images(layer, 1, 9), images(layer).contiguous(memory_format=torch.channels_last)]
    isas = fastconv.isas()
    wanted = []
    for isa in isas:
        fastconv.set_isa(isa)
        wanted.append([unfrozen(layer, x) for x in xs])
    done = threading.Event()

    def call() -> None:
        with torch.no_grad():
            while not done.is_set():
                for at, x in enumerate(xs):
                    y = layer(x)
                    assert any(same_bits(y, answers[at]) for answers in wanted)

    def toggle() -> None:
        try:
            for turn in range(150):
                ft.accelerate(layer, freeze=True)
                fastconv.set_isa(isas[turn % len(isas)])
                layer.eval() if turn % 2 else layer.train().eval()
        finally:
            done.set()

    in_threads(call, call, call, toggle)


def test_every_call_after_an_edit_sees_it():
    layer = layer_of()
    x = images(layer)
    for value in range(5):
        used(layer)
        in_threads(*[lambda: layer(x)] * 3)
        with torch.no_grad():
            layer.weight.fill_(value)
        wanted = unfrozen(layer, x)

        def call(wanted: torch.Tensor = wanted) -> None:
            with torch.no_grad():
                assert same_bits(layer(x), wanted)

        in_threads(call, call, call)
