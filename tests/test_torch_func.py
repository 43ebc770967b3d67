# SPDX-License-Identifier: BSD-3-Clause
"""torch.func: every transform and their compositions against torch's own operators, and the rules of vmap."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.utils import _pytree as pytree
from torch_cases import drawn

import fastconv.torch as ft

Call = Callable[..., torch.Tensor]
X, W, B = (drawn(*shape, grad=False, seed=seed) for seed, shape in enumerate(((2, 4, 5, 4), (4, 2, 2, 3), (4,))))


def network(conv: Call, max_pool: Call, avg_pool: Call) -> Call:
    """A scalar of everything; cubes, so that no derivative vanishes."""

    def value(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        y = conv(x, w, b, (1, 2), (1, 0), 1, 2)
        return (max_pool(y, 2, 1, 1) ** 3).sum() + (avg_pool(y, (2, 1), 1, 0) ** 3).sum()

    return value


OURS = network(ft.corr2d, ft.max_pool2d, ft.avg_pool2d)
TORCHS = network(F.conv2d, F.max_pool2d, F.avg_pool2d)
ALL = (0, 1, 2)


def assert_same(ours: Any, wanted: Any) -> None:
    leaves = pytree.tree_leaves(wanted)
    assert leaves
    assert any(leaf.abs().max() > 1e-3 for leaf in leaves)
    for one, two in zip(pytree.tree_leaves(ours), leaves, strict=True):
        torch.testing.assert_close(one, two)


def tangent_of(value: Call) -> Any:
    return jvp(value, (X, W, B), (X.cos(), W.cos(), B.cos()))


TRANSFORMS: dict[str, Callable[[Call], Any]] = {
    "grad": lambda f: grad(f, ALL)(X, W, B),
    "vjp": lambda f: vjp(f, X, W, B)[1](torch.tensor(2.0, dtype=X.dtype)),
    "jvp": tangent_of,
    "jacrev": lambda f: jacrev(f, ALL)(X, W, B),
    "jacfwd": lambda f: jacfwd(f, ALL)(X, W, B),
    "hessian": lambda f: hessian(f, ALL)(X[:1], W, B),
    "jacrev of jacrev": lambda f: jacrev(jacrev(f, ALL), ALL)(X[:1], W, B),
    "jacrev of jacfwd": lambda f: jacrev(jacfwd(f, ALL), ALL)(X[:1], W, B),
    "jacfwd of jacfwd": lambda f: jacfwd(jacfwd(f, ALL), ALL)(X[:1], W, B),
    "grad of grad of grad": lambda f: grad(lambda w: grad(lambda v: grad(lambda u: f(X, u, B))(v).sum())(w).sum())(W),
    "per sample": lambda f: vmap(grad(lambda w, b, x: f(x[None], w, b), (0, 1)), (None, None, 0))(W, B, X),
    "vmap over weights": lambda f: vmap(f, (None, 1, 0), randomness="error")(
        X, W[:, None].expand(-1, 3, -1, -1, -1) * torch.arange(1.0, 4.0).view(1, 3, 1, 1, 1), B.expand(3, 4)
    ),
    "vmap of vmap": lambda f: vmap(vmap(lambda x, b: f(x[None], W, b), (0, None)), (None, 0))(X, torch.stack([B, -B])),
    "vmap of hessian": lambda f: vmap(hessian(lambda x, b: f(x[None], W, b), 1), (0, None))(X, B),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_torchs(name: str):
    assert_same(TRANSFORMS[name](OURS), TRANSFORMS[name](TORCHS))


@pytest.mark.parametrize("name", ["grad", "jvp", "hessian"])
def test_transforms_are_torchs_without_gradients_around_them(name: str):
    """no_grad outside of a transform does not concern it."""
    with torch.no_grad():
        assert_same(TRANSFORMS[name](OURS), TRANSFORMS[name](TORCHS))


@pytest.mark.parametrize("outer", [grad, lambda f: jacfwd(f)], ids=["reverse", "forward"])
def test_no_grad_within_a_transform(outer: Callable):
    """What is computed in no_grad within a function is a constant at every reverse level, as torch has it."""

    def value(conv: Call) -> Call:
        def inner(w: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                still = conv(X, w, B, 1, 0, 1, 2)
            return (still * conv(X, w, B, 1, 0, 1, 2) ** 2).sum()

        return lambda w: (grad(inner)(w) ** 2).sum()

    assert_same(outer(value(ft.corr2d))(W), outer(value(F.conv2d))(W))


def test_a_transform_within_recorded_code():
    w = W.clone().requires_grad_()
    results = []
    for value in (OURS, TORCHS):
        inner = grad(lambda x, value=value: value(x, w, B))(X)
        results.append(torch.autograd.grad((inner**2).sum(), w))
    assert_same(*results)


def test_a_network_per_sample():
    torch.manual_seed(0)
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(16, 2)
    ).double()
    x, labels = drawn(5, 3, 6, 6, grad=False), torch.tensor([0, 1, 1, 0, 1])
    parameters = dict(theirs.named_parameters())

    def loss(parameters: dict, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(functional_call(theirs, parameters, (image[None],)), label[None])

    wanted = vmap(grad(loss), (None, 0, 0))(parameters, x, labels)
    ft.accelerate(theirs)
    assert_same(vmap(grad(loss), (None, 0, 0))(parameters, x, labels), wanted)


# ---- the rules of vmap: an operator on a stack is the stack of the operator ------------------------------------------

OPS = torch.ops.fastconv
WINDOWS = ([2, 1], "explicit", [1, 0, 1, 2], [1, 2])
Y = OPS.corr2d(X, W, B, *WINDOWS, 2, None, "auto")
DENSE = drawn(4, 4, 2, 3, grad=False)
POOLED, PLACES = OPS.max_pool2d_with_indices(X, [2, 2], *WINDOWS, False, None, "auto")
MEANS = OPS.avg_pool2d(X, [2, 2], *WINDOWS, False, False, None, None, "auto")
RULES: dict[str, tuple[list[torch.Tensor], tuple]] = {
    "corr2d": ([X, W, B], (*WINDOWS, 2, None, "auto")),
    "corr2d dense": ([X, DENSE, B], (*WINDOWS, 1, True, "auto")),
    "corr2d_input_grad": ([Y, W], (list(X.shape), *WINDOWS, 2, None)),
    "corr2d_weight_grad": ([Y, X], (list(W.shape), *WINDOWS, 2, None, "OIHW", True)),
    "corr2d_weight_grad dense": ([Y, X], (list(DENSE.shape), *WINDOWS, 1, True, "OHWI", False)),
    "max_pool2d": ([X], ([2, 2], *WINDOWS, False, None, "auto")),
    "max_pool2d_with_indices": ([X], ([2, 2], *WINDOWS, False, None, "auto")),
    "max_pool2d_grad": ([POOLED, PLACES], (list(X.shape), None)),
    "avg_pool2d": ([X], ([2, 2], *WINDOWS, False, False, None, None, "auto")),
    "avg_pool2d_grad": ([MEANS], (list(X.shape), [2, 2], *WINDOWS, False, False, None, None)),
}


def stacked(t: torch.Tensor, dim: int | None) -> torch.Tensor:
    if dim is None:
        return t
    return torch.stack([t, t.flip(0), 2 * t] if t.is_floating_point() else [t, t.flip(0), t], dim)


@pytest.mark.parametrize("name", RULES)
def test_vmap_of_an_operator_is_a_loop(name: str):
    tensors, rest = RULES[name]
    operator = getattr(OPS, name.partition(" ")[0]).default
    for dims in product((None, 0, -1, 1), repeat=len(tensors)):
        if all(dim is None for dim in dims):
            continue
        stacks = [stacked(t, dim) for t, dim in zip(tensors, dims, strict=True)]
        got = vmap(lambda *args: operator(*args, *rest), dims)(*stacks)
        loop = [
            operator(*(s if dim is None else s.select(dim, i) for s, dim in zip(stacks, dims, strict=True)), *rest)
            for i in range(3)
        ]
        for one, *many in zip(pytree.tree_leaves(got), *map(pytree.tree_leaves, loop), strict=True):
            torch.testing.assert_close(one, torch.stack(many))
