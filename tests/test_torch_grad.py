# SPDX-License-Identifier: BSD-3-Clause
"""Gradients in torch: of first and second order, forwards and backwards, only those asked for, and what they keep."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from cases import CASES, Case
from pool_cases import PoolCase
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint
from torch_cases import CORE, FORMATS, POOL_CORE, drawn, format_of, operands, through_the_dispatcher

import fastconv.torch as ft
from fastconv.torch import correlation


def corr2d(case: Case) -> Callable[..., torch.Tensor]:
    return lambda *args: ft.corr2d(*args, **case.options)


def max_pool2d(case: PoolCase) -> Callable[..., torch.Tensor]:
    return lambda x: ft.max_pool2d(x, case.kernel, **case.max_options)


def avg_pool2d(case: PoolCase) -> Callable[..., torch.Tensor]:
    options = {name: value for name, value in case.avg_options.items() if name != "dilation"}
    return lambda x: ft.avg_pool2d(x, case.kernel, **options)


POOLS = [(max_pool2d, case) for case in POOL_CORE] + [
    (avg_pool2d, case) for case in POOL_CORE if case.dilation == (1, 1)
]


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", CORE, ids=str)
def test_gradients_of_corr2d(case: Case, memory_format: str):
    """First and second order, backwards and forwards, one vector and many at once."""
    x, w, b = operands(case)
    x, w = (t.detach().contiguous(memory_format=FORMATS[memory_format]).requires_grad_() for t in (x, w))
    inputs = (x, w) if b is None else (x, w, b)
    every = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    assert gradcheck(corr2d(case), inputs, fast_mode=True, **every)
    assert gradgradcheck(corr2d(case), inputs, fast_mode=True, check_fwd_over_rev=True)


@pytest.mark.parametrize(("pool", "case"), POOLS, ids=str)
def test_gradients_of_pooling(pool: Callable, case: PoolCase):
    n, c, h, w = case.x
    x = torch.randperm(min(n, 2) * min(c, 3) * h * w).double().view(min(n, 2), min(c, 3), h, w).requires_grad_()
    every = {"check_forward_ad": True, "check_batched_grad": True, "check_batched_forward_grad": True}
    assert gradcheck(pool(case), (x,), fast_mode=True, **every)
    assert gradgradcheck(pool(case), (x,), fast_mode=True, check_fwd_over_rev=True)


def test_gradients_to_the_last_element():
    """Every entry of the Jacobians, not a random projection of them."""
    x, w, b = drawn(2, 4, 5, 6), drawn(6, 2, 3, 2), drawn(6)

    def call(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return ft.corr2d(x, w, b, (2, 1), ((1, 0), (2, 1)), (1, 2), 2)

    assert gradcheck(call, (x, w, b), check_forward_ad=True)
    assert gradgradcheck(call, (x, w, b), check_fwd_over_rev=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_are_torchs(case: Case):
    inputs = [t for t in operands(case) if t is not None]
    y = ft.corr2d(*inputs, **case.options)
    grad = torch.randn_like(y)
    ours = torch.autograd.grad(y, inputs, grad)
    dispatched = through_the_dispatcher(lambda: torch.autograd.grad(ft.corr2d(*inputs, **case.options), inputs, grad))
    for one, two in zip(ours, dispatched, strict=True):
        assert torch.equal(one, two)
    if 0 in (*case.x, *case.w):
        assert [g.shape for g in ours] == [t.shape for t in inputs]
        return
    (top, bottom), (left, right) = case.padding
    padded = F.pad(inputs[0], (left, right, top, bottom))
    bias = inputs[2] if case.bias else None
    wanted = F.conv2d(padded, inputs[1], bias, case.stride, 0, case.dilation, case.groups)
    for one, two in zip(ours, torch.autograd.grad(wanted, inputs, grad), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("wanted", list(product([False, True], repeat=3))[1:], ids=str)
def test_only_the_gradients_asked_for(wanted: tuple[bool, bool, bool], monkeypatch: pytest.MonkeyPatch):
    x, w, b = (t.requires_grad_(grad) for t, grad in zip(operands(CORE[1], grad=False), wanted, strict=True))
    called = []
    for name in ("Corr2dInputGrad", "Corr2dWeightGrad"):
        cls = getattr(correlation, name)
        kernel = cls.kernel
        monkeypatch.setattr(
            cls, "kernel", staticmethod(lambda *a, name=name, kernel=kernel: (called.append(name), kernel(*a))[1])
        )
    y = ft.corr2d(x, w, b, **CORE[1].options)
    y.backward(torch.ones_like(y))
    assert [t.grad is not None for t in (x, w, b)] == list(wanted)
    apart = wanted[0] != wanted[1]  # both come from one call
    assert called == ["Corr2dInputGrad"] * (wanted[0] and apart) + ["Corr2dWeightGrad"] * (wanted[1] and apart)


def saved_bytes(call: Callable[[], torch.Tensor]) -> int:
    """The bytes of the distinct memory that a call keeps for its backward pass."""
    kept: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        call()
    return sum(kept.values())


@pytest.mark.parametrize("wanted", list(product([False, True], repeat=3))[1:], ids=str)
def test_memory_kept_for_backward_is_at_most_torchs(wanted: tuple[bool, bool, bool]):
    x, w, b = drawn(4, 8, 16, 16, grad=wanted[0]), drawn(8, 8, 3, 3, grad=wanted[1]), drawn(8, grad=wanted[2])
    ours = saved_bytes(lambda: ft.corr2d(x, w, b, 1, 1))
    assert ours <= saved_bytes(lambda: F.conv2d(x, w, b, 1, 1))
    assert ours == x.nbytes * wanted[1] + w.nbytes * wanted[0]


def test_memory_kept_by_pooling_is_at_most_torchs():
    x = drawn(4, 8, 16, 16)
    ours = saved_bytes(lambda: ft.max_pool2d(x, 2))
    assert 0 < ours < saved_bytes(lambda: F.max_pool2d(x, 2))
    assert saved_bytes(lambda: ft.avg_pool2d(x, 2)) == 0


@pytest.mark.parametrize("weight_format", FORMATS)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_gradients_have_the_formats_of_what_they_belong_to(memory_format: str, weight_format: str):
    x = drawn(2, 4, 6, 5).detach().contiguous(memory_format=FORMATS[memory_format]).requires_grad_()
    w = drawn(3, 4, 3, 2).detach().contiguous(memory_format=FORMATS[weight_format]).requires_grad_()
    for y in (ft.corr2d(x, w), ft.max_pool2d(x, 2), ft.avg_pool2d(x, 2)):
        x.grad = w.grad = None
        y.backward(torch.ones(y.shape, dtype=y.dtype))  # a contiguous gradient, whatever the format of y
        assert format_of(x.grad) == memory_format
        assert w.grad is None or format_of(w.grad) == weight_format


def test_gradients_in_half_precision_keep_the_dtype():
    x, w, b = (drawn(*s, dtype=torch.bfloat16) for s in ((2, 4, 6, 5), (3, 4, 3, 3), (3,)))
    y = ft.max_pool2d(ft.avg_pool2d(ft.corr2d(x, w, b, 1, 1), 3, 1), 2)
    y.sum().backward()
    assert {t.grad.dtype for t in (x, w, b)} == {torch.bfloat16}
    wide = [t.detach().float().requires_grad_() for t in (x, w, b)]
    ft.corr2d(*wide, 1, 1).sum().backward()
    x.grad = None
    ft.corr2d(x, w, b, 1, 1).sum().backward()
    assert torch.equal(x.grad, wide[0].grad.bfloat16())


@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)])
def test_forward_mode_with_some_tangents(which: tuple[int, ...]):
    primals = [drawn(2, 4, 5, 6, grad=False), drawn(3, 4, 2, 3, grad=False), drawn(3, grad=False)]
    tangents = [torch.randn_like(p) for p in primals]
    results = []
    for conv in (ft.corr2d, F.conv2d):
        with forward_ad.dual_level():
            pairs = enumerate(zip(primals, tangents, strict=True))
            duals = [forward_ad.make_dual(p, t) if i in which else p for i, (p, t) in pairs]
            results.append(forward_ad.unpack_dual(conv(*duals, 2, 1)).tangent)
    torch.testing.assert_close(*results)


def test_nothing_is_multiplied_by_a_tangent_that_is_not_there():
    x, b = drawn(1, 1, 4, 4, grad=False), drawn(2, grad=False)
    w = torch.full((2, 1, 3, 3), float("inf"), dtype=x.dtype)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(ft.corr2d(x, w, forward_ad.make_dual(b, torch.ones_like(b)))).tangent
    assert torch.equal(tangent, torch.ones_like(tangent))


def test_windows_of_padding_alone_have_no_gradient():
    x = drawn(1, 1, 2, 2)
    y = ft.max_pool2d(x, 1, 1, 1)
    assert y.isinf().sum() == 12
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_an_input_changed_in_place_is_noticed():
    x, w = drawn(1, 2, 4, 4).clone(), drawn(2, 2, 2, 2)
    y = ft.corr2d(x, w)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_an_output_may_be_changed_in_place():
    x, w = drawn(1, 2, 4, 4), drawn(2, 2, 2, 2)
    for conv, pool in ((ft.corr2d, ft.max_pool2d), (F.conv2d, F.max_pool2d)):
        y = pool(conv(x, w).relu_(), 2).mul_(3)
        (grad,) = torch.autograd.grad(y.sum(), x)
        if conv is ft.corr2d:
            ours = grad
    torch.testing.assert_close(ours, grad)


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing(reentrant: bool):
    x, w = drawn(1, 2, 6, 6), drawn(2, 2, 3, 3)

    def block(x: torch.Tensor) -> torch.Tensor:
        return ft.avg_pool2d(ft.max_pool2d(ft.corr2d(x, w, padding=1), 2), 2)

    (plain,) = torch.autograd.grad(block(x).sum(), x)
    checkpoint(block, x, use_reentrant=reentrant).sum().backward()
    assert torch.equal(x.grad, plain)


def test_deterministic_algorithms():
    x, w = drawn(3, 4, 9, 9), drawn(4, 4, 3, 3)
    torch.use_deterministic_algorithms(True)
    try:
        results = []
        for _ in range(2):
            y = ft.avg_pool2d(ft.max_pool2d(ft.corr2d(x, w), 2, 1), 2)
            results.append((y, *torch.autograd.grad(y.sum(), (x, w))))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
