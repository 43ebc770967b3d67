# SPDX-License-Identifier: BSD-3-Clause
"""Strassen's seven products where its loops end: pairs of outputs, tiles, panels of filters, parts of the depth."""

import numpy as np
import pytest
from cases import Case, expected, pad, pads, problem
from guard import check_inputs, guarded, guarded_copy
from numerics import assert_close, assert_same_bits, fresh_rng

import fastconv

# Images with an odd output, tiles of every height (8 rows, 9 for what is left, 7), narrow panels and an even number of
# them; chunks of several taps, of one, of a piece of one; several parts of the depth; more pairs than a block, images
# that share tiles; windows that reach outside, strides, dilations.
CASES = [
    *(Case(f"outputs-{width}", (1, 32, 1, width), (4, 1, 1)) for width in (1, 2, 3, 15, 17, 31, 33)),
    *(Case(f"pairs-{h}x{w}", (1, 34, h, w), (96, 1, 1)) for h, w in [(2, 1), (3, 5), (4, 7), (7, 7), (6, 5), (2, 57)]),
    *(Case(f"filters-{o}", (1, 34, 3, 5), (o, 1, 1)) for o in (2, 30, 32, 34, 64, 66, 96, 98, 130, 256, 258, 390)),
    *(Case(f"channels-{c}", (1, c, 3, 7), (100, 1, 1)) for c in (32, 36, 512, 514, 1100, 3080)),
    Case("blocks", (1, 32, 19, 23), (40, 1, 1), bias=False),
    Case("images", (5, 34, 7, 7), (98, 1, 1)),
    Case("single-outputs", (9, 34, 1, 1), (98, 1, 1)),
    Case("strided", (3, 40, 13, 10), (130, 1, 1), stride=(2, 3)),
    Case("3x3", (2, 34, 7, 9), (98, 3, 3), padding=pad(1)),
    Case("3x3-strided", (1, 520, 9, 11), (66, 3, 3), padding=pad(1), stride=(2, 2)),
    Case("patches", (2, 64, 8, 12), (100, 2, 2), stride=(2, 2)),
    Case("many-taps", (1, 32, 13, 11), (34, 7, 5), padding=pads(3, 0, 2, 4), stride=(1, 2)),
    Case("dilated", (1, 260, 9, 12), (64, 2, 3), padding=pads(0, 3, 3, 0), dilation=(3, 2)),
    Case("windows-outside", (2, 32, 3, 2), (34, 2, 2), padding=pad(5), dilation=(4, 6)),
]
CASES_BY_ID = pytest.mark.parametrize("case", CASES, ids=str)
OPTIONS = {"layout": "NHWC", "algorithm": "strassen"}


def run(case: Case, dtype: str) -> np.ndarray:
    """Compute a case between guard bytes."""
    p = problem(case, "NHWC", dtype)
    x, w, out = guarded_copy(p.x), guarded_copy(p.w), guarded(case.y_shape("NHWC"), p.dtype)
    bias = None if p.bias is None else guarded_copy(p.bias)
    fastconv.corr2d(x.array, w.array, None if bias is None else bias.array, **case.options, **OPTIONS, out=out.array)
    check_inputs(x, w, bias, what=case)
    return out.check(case)


@CASES_BY_ID
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_loop_ends_right(isa: str, dtype: str, case: Case):
    fastconv.set_num_threads(3)
    three = run(case, dtype)
    assert_close(three, expected("corr2d", case, "NHWC", dtype)[0], f"{isa} {case}")
    for threads in (1, 2, 16):
        fastconv.set_num_threads(threads)
        assert_same_bits(run(case, dtype), three, f"{isa} {case}: {threads} threads")


@CASES_BY_ID
def test_prepared_weights_give_the_same_bits(isa: str, case: Case):
    p = problem(case, "NHWC", "float32")
    prepared = fastconv.prepare(p.w, p.bias, **case.options, **OPTIONS)
    assert_same_bits(prepared(p.x), run(case, "float32"), f"{isa} {case}")


@CASES_BY_ID
def test_an_image_does_not_see_its_batch(isa: str, case: Case):
    p, together = problem(case, "NHWC", "float32"), run(case, "float32")
    for n in range(case.x[0]):
        alone = fastconv.corr2d(p.x[n], p.w, p.bias, **case.options, **OPTIONS)
        assert_same_bits(alone, together[n], f"{isa} {case} image {n}")


@CASES_BY_ID
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_input_gradients(isa: str, dtype: str, case: Case):
    p = problem(case, "NHWC", dtype)
    out = guarded(p.x.shape, p.dtype)
    options = {**case.options, **OPTIONS, "out": out.array}
    reason = ""
    if case.stride != (1, 1):
        reason = "stride is not 1"
    elif case.id == "windows-outside":
        reason = "padding holds whole windows"
    elif case.w[0] < 32:
        reason = "fewer than 32 channels"
    if reason:
        with pytest.raises(ValueError, match=reason):
            fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options)
        return
    fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options)
    assert_close(out.check(case), expected("corr2d_input_grad", case, "NHWC", dtype)[0], f"{isa} {case}")


SPECIAL = [
    Case("pixels", (2, 34, 7, 9), (98, 1, 1)),
    Case("windows", (2, 34, 6, 5), (66, 3, 3), padding=pad(2), dilation=(1, 2)),
    Case("parts", (1, 3080, 3, 3), (34, 1, 1)),
]


def spoil(a: np.ndarray, value: float) -> None:
    a.reshape(-1)[[0, a.size // 2, a.size // 2 + 1, -1]] = value


def assert_like(y: np.ndarray, exact: np.ndarray) -> None:
    assert 0 < np.isfinite(exact).sum() < exact.size
    np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("place", ["x", "w", "bias"])
@pytest.mark.parametrize("case", SPECIAL, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_not_finite_stays_where_it_belongs(isa: str, dtype: str, case: Case, place: str, value: float):
    p = problem(case, "NHWC", dtype)
    spoil({"x": p.x, "w": p.w, "bias": p.bias}[place], value)
    exact = fastconv.corr2d(p.x, p.w, p.bias, **case.options, layout="NHWC", algorithm="direct")
    assert_like(fastconv.corr2d(p.x, p.w, p.bias, **case.options, **OPTIONS), exact)
    assert_like(fastconv.prepare(p.w, p.bias, **case.options, **OPTIONS)(p.x), exact)


@pytest.mark.parametrize("case", SPECIAL, ids=str)
def test_what_is_not_finite_in_an_input_gradient(isa: str, case: Case):
    p = problem(case, "NHWC", "float32")
    spoil(p.grad_y, np.inf)
    options = {**case.options, "layout": "NHWC"}
    exact = fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options, algorithm="direct")
    assert_like(fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **{**options, **OPTIONS}), exact)


def test_sums_that_overflow_on_the_way(isa: str):
    """3e38 added to its like is infinite, but no result is."""
    p = problem(Case("", (2, 34, 7, 9), (98, 1, 1)), "NHWC", "float32")
    x = p.x / 64
    x[:, :, ::2] = 3e38
    w = np.full_like(p.w, 1 / 64)
    exact = fastconv.corr2d(x, w, layout="NHWC", algorithm="direct")
    assert np.isfinite(exact).all()
    assert_close(fastconv.corr2d(x, w, **OPTIONS), exact.astype(np.float64), isa)


@pytest.mark.parametrize("channels", [384, 512])
def test_the_error_that_is_documented(isa: str, channels: int):
    rng = fresh_rng("documented error", channels)
    x, w = rng.standard_normal((1, 21, 21, channels)), rng.standard_normal((1, 1, channels, 256))
    exact = fastconv.corr2d(x, w, layout="NHWC", algorithm="direct")
    prepared = fastconv.prepare(w.astype(np.float32), layout="NHWC", algorithm="strassen")
    error = np.linalg.norm(prepared(x.astype(np.float32)) - exact) / np.linalg.norm(exact)
    print(f"{isa} {channels} channels: {error:.1e}")
    assert error < 1e-6


@pytest.mark.parametrize(
    ("x", "w", "taken"),
    [
        ((8, 14, 14, 512), (1, 1, 512, 256), True),
        ((1, 28, 28, 512), (1, 1, 512, 128), True),
        ((1, 14, 14, 1024), (1, 1, 1024, 256), False),  # too few outputs for weights that are added up in every call
        ((1, 56, 56, 64), (1, 1, 64, 256), False),
        ((1, 56, 56, 256), (1, 1, 256, 64), False),
        ((8, 14, 14, 511), (1, 1, 511, 256), False),
        ((8, 28, 28, 192), (2, 2, 192, 384), True),
    ],
    ids=str,
)
def test_where_it_is_taken(isa: str, x: tuple, w: tuple, taken: bool):
    assert (fastconv.explain("corr2d", x, w, layout="NHWC", stride=w[0]).algorithm == "strassen") is taken


@pytest.mark.parametrize(("size", "taken"), [(4, "implicit_gemm_nhwc"), (8, "strassen"), (14, "strassen")])
def test_prepared_weights_take_it_for_fewer_outputs(isa: str, size: int, taken: str):
    rng = fresh_rng(size)
    w = rng.standard_normal((1, 1, 1024, 256), dtype=np.float32)
    x = rng.standard_normal((1, size, size, 1024), dtype=np.float32)
    by_name = {
        name: fastconv.prepare(w, layout="NHWC", algorithm=name)(x) for name in ("implicit_gemm_nhwc", "strassen")
    }
    auto = fastconv.prepare(w, layout="NHWC")(x)
    same = [name for name, y in by_name.items() if np.array_equal(y, auto)]
    assert len(same) == 1
    if isa in ("avx2", "avx512"):  # others have other tiles
        assert same == [taken]
