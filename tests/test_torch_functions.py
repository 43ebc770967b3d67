# SPDX-License-Identifier: BSD-3-Clause
"""fastconv.torch's functions against the oracle, torch and the NumPy front end, in every memory format and dtype."""

import numpy as np
import pytest
import reference as ref
import torch
import torch.nn.functional as F
from cases import CASES, Case, expected, problem, spread
from numerics import assert_close, fresh_rng
from pool_cases import POOL_CASES, PoolCase
from torch_cases import FORMATS, drawn, format_of, same_bits, tensor, through_the_dispatcher, without_exchange

import fastconv
import fastconv.torch as ft

HALVES = {torch.float16: 6e-4, torch.bfloat16: 5e-3}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weight_format", FORMATS)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_corr2d_is_the_oracles(case: Case, memory_format: str, weight_format: str, dtype: str):
    p = problem(case, "NCHW", dtype)
    bias = None if p.bias is None else torch.tensor(p.bias)
    x, w = tensor(p.x, memory_format), tensor(p.w, weight_format)
    y = ft.corr2d(x, w, bias, **case.options)
    assert_close(y.numpy(), expected("corr2d", case, "NCHW", dtype)[0], case, spread("corr2d", case, dtype))
    if y.numel() and 1 not in y.shape:
        assert format_of(y) == format_of(x)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bits_do_not_depend_on_the_way_of_a_call(case: Case):
    """NumPy's bits, whether a call goes to its kernel directly, through the dispatcher or without the exchange API."""
    p = problem(case, "NCHW", "float32")
    x, w, bias = torch.tensor(p.x), torch.tensor(p.w), None if p.bias is None else torch.tensor(p.bias)

    def call() -> torch.Tensor:
        return ft.corr2d(x, w, bias, **case.options)

    y = torch.tensor(fastconv.corr2d(p.x, p.w, p.bias, **case.options))
    assert same_bits(call(), y)
    assert same_bits(through_the_dispatcher(call), y)
    with without_exchange():
        assert same_bits(call(), y)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", POOL_CASES, ids=str)
def test_max_pool2d_is_the_oracles(case: PoolCase, memory_format: str):
    x, _ = case.arrays("NCHW", "float32")
    maxima, indices = case.expected("max_pool2d", "NCHW", "float32")
    options = (case.kernel, case.stride, case.padding, case.dilation, case.ceil_mode)
    images = tensor(x, memory_format)
    y, places = ft.max_pool2d(images, *options, return_indices=True)
    np.testing.assert_array_equal(y.numpy(), maxima)
    np.testing.assert_array_equal(places.numpy(), indices)
    assert torch.equal(ft.max_pool2d(images, *options), y)
    assert torch.equal(through_the_dispatcher(lambda: ft.max_pool2d(images, *options)), y)
    if y.numel() and 1 not in y.shape:
        assert format_of(y) == format_of(places) == format_of(images)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("case", [case for case in POOL_CASES if case.dilation == (1, 1)], ids=str)
def test_avg_pool2d_is_the_oracles(case: PoolCase, memory_format: str):
    x, _ = case.arrays("NCHW", "float64")
    options = case.avg_options
    options.pop("dilation")
    images = tensor(x, memory_format)
    y = ft.avg_pool2d(images, case.kernel, **options)
    (wanted,) = case.expected("avg_pool2d", "NCHW", "float64")
    np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-12, atol=1e-14)
    assert same_bits(through_the_dispatcher(lambda: ft.avg_pool2d(images, case.kernel, **options)), y)
    if y.numel() and 1 not in y.shape:
        assert format_of(y) == format_of(images)


@pytest.mark.parametrize("padding", ["same", "same_lower", "valid", ((1, 2), (0, 3)), (2, 1), [1], 3])
@pytest.mark.parametrize("stride", [1, 2, (3, 1), [2]])
def test_padding_of_every_form(padding: object, stride: object):
    x, w = drawn(2, 3, 9, 8, grad=False), drawn(4, 3, 3, 2, grad=False, seed=1)
    one = padding[0] if isinstance(padding, list) else padding
    steps = stride[0] if isinstance(stride, list) else stride
    wanted = fastconv.corr2d(x.numpy(), w.numpy(), stride=steps, padding=one)
    assert_close(ft.corr2d(x, w, None, stride, padding).numpy(), wanted)
    pooled = fastconv.max_pool2d(x.numpy(), 3, stride=steps, padding=one)
    np.testing.assert_array_equal(ft.max_pool2d(x, [3], stride, padding).numpy(), pooled)


def test_arguments_stand_in_torchs_order():
    x, w, b = drawn(2, 4, 9, 8, grad=False), drawn(6, 2, 3, 3, grad=False), drawn(6, grad=False)
    for args in [(), (None,), (b,), (b, 2), (b, (2, 1), 1), (b, 1, (1, 2), 2), (None, 1, "same", (2, 1))]:
        args = (*args, *(None, 1, 0, 1)[len(args) :], 2)
        torch.testing.assert_close(ft.corr2d(x, w, *args), F.conv2d(x, w, *args))
    for args in [(2,), (3, 2), (3, (), 1), (2, None), (3, 2, 1, 2), ((3, 2), 1, 1, 1, True), ([2], [1], [0], [1])]:
        torch.testing.assert_close(ft.max_pool2d(x, *args), F.max_pool2d(x, *args))
    torch.testing.assert_close(ft.max_pool2d(x, 3, 2, 1, 1, True, True), F.max_pool2d(x, 3, 2, 1, 1, True, True))
    for args in [(2,), (3, 2), (3, [], 1), (3, 2, 1, True), (3, 2, 1, True, False), (3, 2, 1, False, True, 5)]:
        torch.testing.assert_close(ft.avg_pool2d(x, *args), F.avg_pool2d(x, *args))


def test_images_without_a_batch():
    x, w, b = drawn(4, 9, 8), drawn(6, 4, 3, 3), drawn(6)
    torch.testing.assert_close(ft.corr2d(x, w, b, 2, 1), F.conv2d(x, w, b, 2, 1))
    y, places = ft.max_pool2d(x, 3, return_indices=True)
    wanted, indices = F.max_pool2d(x, 3, return_indices=True)
    assert torch.equal(y, wanted)
    assert torch.equal(places, indices)
    assert torch.equal(ft.max_pool2d(x, 2), F.max_pool2d(x, 2))
    torch.testing.assert_close(ft.avg_pool2d(x, 2), F.avg_pool2d(x, 2))
    ft.corr2d(x, w, b).sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_computed_in_float32(dtype: torch.dtype, memory_format: str):
    rng = fresh_rng("half", str(dtype))
    x, w, b = (torch.tensor(rng.standard_normal(s)).to(dtype) for s in ((2, 40, 9, 9), (8, 40, 3, 3), (8,)))
    x = x.contiguous(memory_format=FORMATS[memory_format])
    y = ft.corr2d(x, w, b, 1, 1)
    exact = F.conv2d(x.double(), w.double(), b.double(), 1, 1)
    assert y.dtype == dtype
    assert format_of(y) == memory_format
    assert (y.double() - exact).norm() / exact.norm() < HALVES[dtype]
    assert torch.equal(y, ft.corr2d(x.float(), w.float(), b.float(), 1, 1).to(dtype)), "rounded once"
    assert torch.equal(ft.max_pool2d(x, 3, 2, 1), F.max_pool2d(x, 3, 2, 1))
    assert torch.equal(ft.avg_pool2d(x, 3, 2, 1), ft.avg_pool2d(x.float(), 3, 2, 1).to(dtype))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_integers_are_exact(dtype: torch.dtype):
    x, w = torch.arange(-50, 50, dtype=dtype).view(1, 4, 5, 5), torch.arange(-18, 18, dtype=dtype).view(1, 4, 3, 3)
    wanted = ref.corr2d(x.numpy(), w.numpy(), padding=((1, 1), (1, 1)))
    y = ft.corr2d(x, w, padding=1)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy(), wanted)
    assert torch.equal(ft.max_pool2d(x, 2), F.max_pool2d(x, 2))


def variants(x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same numbers lying differently in memory."""
    wide = torch.zeros(*x.shape[:-1], 2 * x.shape[-1], dtype=x.dtype)
    wide[..., ::2] = x
    pair = torch.complex(torch.zeros_like(x), -x)
    raw = torch.frombuffer(bytearray(b"\0" * 16 + x.numpy().tobytes()), dtype=x.dtype, offset=16).view(x.shape)
    return {
        "steps": wide[..., ::2],
        "transposed": x.transpose(2, 3).contiguous().transpose(2, 3),
        "batch last": x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
        "part of channels_last": torch.cat([x, x], 1).contiguous(memory_format=torch.channels_last)[:, : x.shape[1]],
        "negative bit": pair.conj().imag,
        "from a buffer": raw,
        "parameter": torch.nn.Parameter(x.clone()),
    }


@pytest.mark.parametrize("name", variants(torch.zeros(1, 1, 1, 1)))
def test_any_strides(name: str):
    x, w = drawn(2, 4, 6, 5, grad=False), drawn(3, 4, 3, 3, grad=False, seed=1)
    v, u = variants(x)[name], variants(w)[name]
    assert torch.equal(v, x)
    assert torch.equal(ft.corr2d(v, u), ft.corr2d(x, w))
    assert torch.equal(ft.max_pool2d(v, 2), ft.max_pool2d(x, 2))
    assert torch.equal(ft.avg_pool2d(v, 2), ft.avg_pool2d(x, 2))


def test_expanded_input_and_bias():
    x, w = drawn(1, 1, 6, 5, grad=False).expand(2, 3, 6, 5), drawn(4, 3, 3, 3, grad=False)
    b = drawn(1, grad=False).expand(4)
    torch.testing.assert_close(ft.corr2d(x, w, b), F.conv2d(x, w, b))


def test_special_values():
    nan, inf = float("nan"), float("inf")
    x = torch.tensor([[[[nan, 1.0, -inf], [2.0, -inf, -inf], [nan, -inf, -inf]]]])
    y, places = ft.max_pool2d(x, 2, 1, return_indices=True)
    assert torch.equal(y.isnan(), torch.tensor([[[[True, False], [True, False]]]]))
    assert y[0, 0, 1, 1] == -inf
    assert places.tolist() == [[[[0, 1], [6, 4]]]]
    alone, none = ft.max_pool2d(torch.ones(1, 1, 1, 1), 1, 1, 1, return_indices=True)
    assert alone[0, 0, 0, 0] == -inf
    assert none[0, 0, 0, 0] == -1


def test_zero_channels_give_the_bias():
    y = ft.corr2d(torch.ones(2, 0, 4, 4), torch.ones(3, 0, 3, 3), torch.arange(3.0))
    assert torch.equal(y, torch.arange(3.0).view(1, 3, 1, 1).expand(2, 3, 2, 2))


def test_results_own_their_memory():
    x = drawn(1, 2, 4, 4, grad=False)
    for y in (ft.max_pool2d(x, 1), ft.avg_pool2d(x, 1), ft.corr2d(x, torch.eye(2).double()[:, :, None, None])):
        assert torch.equal(y, x)
        y.zero_()
        assert x.abs().min() > 0
        assert y._base is None
        y.resize_(0)


def test_inference_mode():
    x, w = drawn(1, 2, 4, 4), drawn(3, 2, 3, 3)
    with torch.inference_mode():
        y = ft.corr2d(x, w)
        assert y.is_inference()
        assert torch.equal(ft.corr2d(y.clone(), drawn(1, 3, 1, 1)), ft.corr2d(y, drawn(1, 3, 1, 1)))
    torch.testing.assert_close(y, F.conv2d(x, w).detach())
