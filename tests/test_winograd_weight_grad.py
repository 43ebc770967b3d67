# SPDX-License-Identifier: BSD-3-Clause
"""Winograd's weight gradients where their loops end: units of tiles, partial sums, blocks of filters, groups."""

import numpy as np
import pytest
import reference as ref
from cases import Case, expected, pad, pads, problem
from guard import guarded
from numerics import assert_close, assert_same_bits, fresh_rng

import fastconv

LAYOUTS = ("NCHW", "NHWC")
FORMS = (((3, 3), 1), ((3, 3), 2), ((5, 5), 1), ((1, 3), 1), ((3, 1), 1), ((1, 7), 1), ((7, 1), 1))
CASES = (
    *(
        Case(f"{kh}x{kw}-{s}-{c}-{o}", (2, c, 13, 18), (o, kh, kw), stride=(s, s), padding=pads(kh // 2, 0, 2, 1))
        for (kh, kw), s in FORMS
        for c, o in [(5, 7), (70, 33)]
    ),
    *(
        Case(f"dilated-{kh}x{kw}-{c}-{o}", (2, c, 19, 27), (o, kh, kw), dilation=(3, 4), padding=pads(kh // 2, 0, 2, 1))
        for kh, kw in [(3, 3), (5, 5), (1, 3), (3, 1), (1, 7)]
        for c, o in [(5, 7), (70, 33)]
    ),
    Case("dilated-several-units", (3, 6, 61, 58), (9, 3, 3), dilation=(2, 2), padding=pad(2)),
    Case("dilated-by-eight", (1, 6, 61, 58), (9, 3, 3), dilation=(8, 8), padding=pad(7)),
    Case("several-units", (3, 6, 61, 58), (9, 3, 3), padding=pad(1)),
    Case("several-units-a-partial-sum", (1, 2, 230, 226), (3, 3, 3)),
    Case("several-units-without-partial-sums", (1, 3, 61, 58), (1540, 3, 3)),
    Case("several-blocks-of-filters", (5, 3, 57, 61), (300, 3, 3), padding=pad(1)),
    Case("channel-blocks", (1, 150, 9, 10), (20, 3, 3), padding=pad(1)),
    Case("groups", (2, 36, 12, 30), (74, 3, 3), padding=pad(1), groups=2),
    Case("groups-of-several-units", (2, 6, 57, 61), (8, 3, 3), padding=pad(2), groups=2),
    Case("tiny-images", (30, 5, 1, 2), (6, 3, 3), padding=pad(1)),
    Case("padding-beyond-the-image", (1, 4, 3, 5), (5, 3, 3), padding=pads(7, 9, 8, 5)),
)


def gradient(case: Case, dtype: str, layout: str) -> np.ndarray:
    p = problem(case, layout, dtype)
    out = guarded(p.w.shape, p.dtype)
    options = {**case.options, "layout": layout, "algorithm": "winograd"}
    fastconv.corr2d_weight_grad(p.grad_y, p.x, p.w.shape, **options, out=out.array)
    return out.check("winograd")


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_loop_ends_right(isa: str, layout: str, dtype: str, case: Case):
    fastconv.set_num_threads(3)
    together = gradient(case, dtype, layout)
    reference = expected("corr2d_weight_grad", case, layout, dtype)[0]
    scale = 1.5 * reference if 7 in case.w[1:] else None  # of nine points, now and then a few digits more are lost
    assert_close(together, reference, f"{isa} {layout} {case}", scale)
    fastconv.set_num_threads(1)
    assert_same_bits(gradient(case, dtype, layout), together, f"{isa} {layout} {case}: one thread")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38], ids=str)
@pytest.mark.parametrize("where", ["x", "grad_y"])
def test_what_is_not_finite_reaches_no_more_than_it_should(isa: str, where: str, value: float, layout: str):
    """A corner of the image that two taps never meet, and its neighbours, whose sums must not overflow on the way."""
    case = Case("", (1, 9, 18, 21), (17, 3, 3))
    p = problem(case, layout, "float32")
    p.x[...], p.grad_y[...] = np.sign(p.x), np.sign(p.grad_y)
    (p.x if where == "x" else p.grad_y)[0, 0, 0, 0] = value
    with np.errstate(invalid="ignore", over="ignore"):
        exact = fastconv.corr2d_weight_grad(
            p.grad_y.astype("float64"), p.x.astype("float64"), p.w.shape, layout=layout, algorithm="direct"
        )
        g, bias = fastconv.corr2d_weight_grad(
            p.grad_y, p.x, p.w.shape, layout=layout, algorithm="winograd", with_bias=True
        )
    assert np.isfinite(exact).any() or where == "grad_y"
    np.testing.assert_allclose(g, exact.astype("float32"), rtol=1e-5, atol=1e-3)
    axes = (0, 2, 3) if layout == "NCHW" else (0, 1, 2)
    np.testing.assert_allclose(bias, p.grad_y.astype("float64").sum(axes), rtol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [29, 117])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_error_that_is_documented(isa: str, form: tuple[ref.Pair, int], size: int, layout: str):
    kernel, stride = form
    rng = fresh_rng("documented error of weight gradients", size, *form)
    out = tuple((size - k) // stride + 1 for k in kernel)
    x, grad_y = rng.standard_normal((2, size, size, 32)), rng.standard_normal((2, *out, 32))
    shape = (*kernel, 32, 32)
    if layout == "NCHW":
        x, grad_y, shape = x.transpose(0, 3, 1, 2), grad_y.transpose(0, 3, 1, 2), (32, 32, *kernel)
    options = {"stride": stride, "layout": layout}
    exact = fastconv.corr2d_weight_grad(grad_y, x, shape, **options, algorithm="implicit_gemm")
    x, grad_y = x.astype(np.float32), grad_y.astype(np.float32)
    assert fastconv.explain("corr2d_weight_grad", x.shape, shape, **options).algorithm == "winograd"
    g = fastconv.corr2d_weight_grad(grad_y, x, shape, **options)
    error = np.linalg.norm(g - exact) / np.linalg.norm(exact)
    print(f"{isa} {layout} {form} {size}: {error:.1e}")
    assert error < 2.5e-6
