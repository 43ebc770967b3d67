# SPDX-License-Identifier: BSD-3-Clause
"""fastconv's own functions on torch's tensors: NumPy's numbers, keywords and refusals, differentiable."""

import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from cases import CASES, Case, problem
from numerics import BFLOAT16
from pool_cases import POOL_CASES, PoolCase
from torch_cases import drawn

import fastconv
from fastconv.functional.frontends import tensor_front_end

LAYOUTS = ("NCHW", "NHWC")


def assert_same(ours: Any, numpys: np.ndarray) -> None:
    assert isinstance(ours, torch.Tensor)
    assert ours.shape == numpys.shape
    assert str(ours.dtype).removeprefix("torch.") == str(numpys.dtype)
    assert ours.contiguous().view(torch.uint8).numpy().tobytes() == numpys.tobytes() if ours.dim() else True


def t(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(array)


@pytest.mark.parametrize("dtype", ["float32", "int8", "int64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_corr2d_gives_numpys_bits(case: Case, layout: str, dtype: str):
    p = problem(case, layout, dtype)
    bias = None if p.bias is None else t(p.bias)
    y = fastconv.corr2d(t(p.x), t(p.w), bias, **case.options, layout=layout)
    assert_same(y, fastconv.corr2d(p.x, p.w, p.bias, **case.options, layout=layout))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
def test_pooling_gives_numpys_bits(case: PoolCase, layout: str):
    for dtype in ("float32", "int8"):
        x, _ = case.arrays(layout, dtype)
        options = {**case.max_options, "layout": layout, "return_indices": True}
        results = fastconv.max_pool2d(t(x), case.kernel, **options)
        for ours, numpys in zip(results, fastconv.max_pool2d(x, case.kernel, **options), strict=True):
            assert_same(ours, numpys)
        options = {**case.avg_options, "layout": layout}
        with np.errstate(invalid="ignore"):
            wanted = fastconv.avg_pool2d(x, case.kernel, **options)
        np.testing.assert_array_equal(fastconv.avg_pool2d(t(x), case.kernel, **options).numpy(), wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("x_rank", "w_rank"), [(2, 2), (3, 3), (3, 4), (4, 4)])
def test_ranks(x_rank: int, w_rank: int, layout: str):
    x_shape = ((2, 3, 6, 5) if layout == "NCHW" else (2, 6, 5, 3))[4 - x_rank :] if x_rank > 2 else (6, 5)
    w_shape = {2: (3, 2), 3: (3, 3, 2), 4: (4, 3, 3, 2)}[w_rank]
    if layout == "NHWC" and w_rank > 2:
        w_shape = (3, 2, 3) if w_rank == 3 else (3, 2, 3, 4)
    x, w = drawn(*x_shape, grad=False), drawn(*w_shape, grad=False)
    options = {"stride": (1, 2), "padding": "same", "layout": layout}
    assert_same(fastconv.corr2d(x, w, **options), fastconv.corr2d(x.numpy(), w.numpy(), **options))
    function = {3: fastconv.corr2d_multi_in, 4: fastconv.corr2d_multi_in_out}.get(w_rank)
    if function:
        assert_same(function(x, w, **options), function(x.numpy(), w.numpy(), **options))
        with pytest.raises(ValueError, match="w must have"):
            function(x, w[None])
    for mode in ("max", "avg"):
        pooled = fastconv.pool2d(x, (2, 3), mode, layout=layout)
        assert_same(pooled, fastconv.pool2d(x.numpy(), (2, 3), mode, layout=layout))


DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("x_dtype", DTYPES)
@pytest.mark.parametrize("w_dtype", DTYPES)
def test_dtypes_meet_as_in_numpy(x_dtype: str, w_dtype: str):
    x, w = np.arange(9).reshape(3, 3).astype(x_dtype), np.arange(4).reshape(2, 2).astype(w_dtype)
    assert_same(fastconv.corr2d(t(x), t(w), 1), fastconv.corr2d(x, w, 1))
    assert_same(fastconv.max_pool2d(t(x), 2), fastconv.max_pool2d(x, 2))
    assert_same(fastconv.avg_pool2d(t(x), 2), fastconv.avg_pool2d(x, 2))


def test_bfloat16_is_numpys():
    x, w = drawn(5, 6, grad=False), drawn(3, 3, grad=False)
    y = fastconv.corr2d(x.bfloat16(), w.bfloat16())
    arrays = (a.bfloat16().float().numpy().astype(BFLOAT16) for a in (x, w))
    assert y.dtype == torch.bfloat16
    np.testing.assert_array_equal(y.float().numpy(), fastconv.corr2d(*arrays).astype(np.float32))


def test_gradients():
    x, w, b = drawn(2, 6, 5, 3), drawn(3, 2, 3, 4), drawn(4)

    def call(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        y = fastconv.corr2d(x, w, b, layout="NHWC", padding="same", stride=2)
        return fastconv.avg_pool2d(fastconv.max_pool2d(y, 2, stride=1, layout="NHWC"), 2, dilation=2, padding=2)

    assert torch.autograd.gradcheck(call, (x, w, b), check_forward_ad=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradients_have_numpys_bits(layout: str):
    shape, w_shape = ((2, 1, 6, 5), (4, 1, 3, 2)) if layout == "NCHW" else ((2, 6, 5, 1), (3, 2, 1, 4))
    x, w = drawn(*shape, dtype=torch.float32), drawn(*w_shape, dtype=torch.float32)
    y = fastconv.corr2d(x, w, layout=layout, padding=1)
    grad = torch.randn_like(y)
    y.backward(grad)
    arrays = grad.numpy(), w.detach().numpy(), x.detach().numpy()
    assert_same(x.grad, fastconv.corr2d_input_grad(*arrays[:2], shape, layout=layout, padding=1))
    assert_same(w.grad, fastconv.corr2d_weight_grad(arrays[0], arrays[2], w_shape, layout=layout, padding=1))


def test_algorithms():
    x, w = drawn(1, 3, 9, 9, grad=False), drawn(4, 3, 3, 3, grad=False)
    for name in fastconv.algorithms("corr2d"):
        try:
            wanted = fastconv.corr2d(x.numpy(), w.numpy(), algorithm=name)
        except ValueError:
            with pytest.raises(ValueError, match="declines"):
                fastconv.corr2d(x, w, algorithm=name)
        else:
            assert_same(fastconv.corr2d(x, w, algorithm=name), wanted)
    for call in (lambda **k: fastconv.corr2d(x, w, **k), lambda **k: fastconv.max_pool2d(x, 2, **k)):
        with pytest.raises(ValueError, match="unknown"):
            call(algorithm="magic")
        with pytest.raises(TypeError, match="algorithm must be a string"):
            call(algorithm=3)


def test_out():
    x, w = drawn(1, 3, 6, 6, grad=False), drawn(4, 3, 3, 3, grad=False)
    wanted = fastconv.corr2d(x, w)
    out = torch.empty(4, 2, 4, 4, dtype=x.dtype)[:, :1].transpose(0, 1)
    assert fastconv.corr2d(x, w, out=out) is out
    assert torch.equal(out, wanted)
    pooled = torch.empty(1, 3, 3, 3, dtype=x.dtype)
    assert fastconv.max_pool2d(x, 2, out=pooled) is pooled
    assert torch.equal(pooled, fastconv.max_pool2d(x, 2))
    one = x.new_zeros(1, 1, 1, 1)
    for bad, message in [
        (np.empty((1, 4, 4, 4)), "out must be a torch.Tensor"),
        (torch.empty(1, 4, 4, 5, dtype=x.dtype), "out has shape"),
        (torch.empty(1, 4, 4, 4), "out has dtype"),
        (x.view(-1)[:64].view(1, 4, 4, 4), "share memory with an input"),
        (one.expand(1, 4, 4, 4), "elements that share memory"),
        (torch.empty(1, 4, 4, 4, dtype=x.dtype, device="meta"), "must lie on cpu"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message):
            fastconv.corr2d(x, w, out=bad)
    with pytest.raises(ValueError, match="where a gradient is wanted"):
        fastconv.corr2d(drawn(1, 3, 6, 6), w, out=wanted)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fastconv.corr2d(torch.ones(3, 3), np.ones((2, 2))), "w must be a torch.Tensor, got ndarray"),
        (lambda: fastconv.corr2d(np.ones((3, 3)), torch.ones(2, 2)), "x must be a torch.Tensor, got ndarray"),
        (lambda: fastconv.corr2d([[1.0]], torch.ones(1, 1)), "x must be a torch.Tensor, got list"),
        (lambda: fastconv.corr2d(np.ones((3, 3)), np.ones((2, 2)), torch.ones(1)), "x must be a torch.Tensor"),
        (lambda: fastconv.corr2d(torch.ones(3, 3), torch.ones(2, 2, 2)), "w must have 2 dimensions"),
        (lambda: fastconv.corr2d(torch.ones(3), torch.ones(2)), "x must have 2, 3 or 4 dimensions"),
        (lambda: fastconv.corr2d(torch.ones(3, 3), torch.ones(2, 2), layout="HW"), "layout must be"),
        (lambda: fastconv.corr2d(torch.ones(3, 3), torch.ones(2, 2), torch.ones(2)), "bias has shape"),
        (lambda: fastconv.corr2d(torch.ones(3, 3).cfloat(), torch.ones(2, 2)), "x has dtype torch.complex64"),
        (lambda: fastconv.corr2d(torch.ones(3, 3).to_sparse(), torch.ones(2, 2)), "x lies on cpu as torch.sparse_coo"),
        (lambda: fastconv.max_pool2d(torch.ones(3, 3).cfloat(), 2), "x has dtype"),
        (lambda: fastconv.avg_pool2d(torch.ones(3, 3), 2, divisor_override=0), "divisor_override must not be 0"),
        (lambda: fastconv.pool2d(torch.ones(3, 3), 2, "sum"), "mode must be"),
        (lambda: fastconv.max_pool2d(torch.ones(3, 3), 5), "larger than the padded input"),
    ],
)
def test_refusals(call: Any, message: str):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_the_front_end_of_tensors():
    assert tensor_front_end(np.ones(3), None, np.ones(2)) is None
    assert tensor_front_end([1.0], 2) is None
    assert tensor_front_end([1.0], torch.ones(1)).__name__ == "fastconv.torch.arraylike"
    assert tensor_front_end(torch.nn.Parameter(torch.ones(1))).__name__ == "fastconv.torch.arraylike"


def test_tensors_of_two_frameworks_do_not_meet(monkeypatch: pytest.MonkeyPatch):
    from fastconv.functional import frontends

    other = types.ModuleType("other")
    other.Tensor = type("Tensor", (), {})
    monkeypatch.setitem(sys.modules, "other", other)
    monkeypatch.setitem(frontends._FRONT_ENDS, "other", "fastconv.other.arraylike")
    monkeypatch.setitem(frontends._TENSORS, "other", ("Tensor", "Variable"))
    with pytest.raises(TypeError, match=r"tensors of \w+ and of \w+ meet"):
        fastconv.corr2d(torch.ones(3, 3), other.Tensor())


ALONE = """
import sys, torch, fastconv
assert "fastconv.torch" not in sys.modules
y = fastconv.corr2d(torch.ones(3, 3, requires_grad=True), torch.ones(2, 2))
y.sum().backward()
assert "fastconv.torch" in sys.modules
"""


def test_the_front_end_comes_with_the_first_tensor():
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
