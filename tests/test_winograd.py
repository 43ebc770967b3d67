# SPDX-License-Identifier: BSD-3-Clause
"""Winograd where its loops end: several blocks of tiles, pieces of a row, chunks of the depth, groups."""

import numpy as np
import pytest
import reference as ref
from cases import Case, expected, pad, pads, problem
from guard import guarded
from numerics import assert_close, assert_same_bits, fresh_rng

import fastconv

NAMES = {"NCHW": "winograd_nchw", "NHWC": "winograd_nhwc"}
TILES = ("large", "small")
CASES = (
    Case("blocks-apart", (3, 5, 68, 66), (7, 3, 3), padding=pad(1)),
    Case("deep-blocks", (2, 1100, 20, 38), (3, 3, 3), padding=pad(1)),
    Case("blocks-of-tile-rows", (3, 40, 80, 78), (3, 3, 3), padding=pad(1)),
    Case("pieces-of-a-row", (2, 2, 5, 3001), (3, 3, 3), padding=((1, 1), (0, 2))),
    Case("chunks-of-the-depth", (1, 300, 9, 10), (2, 3, 3), padding=pad(1)),
    Case("many-rows", (1, 3, 13, 11), (70, 3, 3)),
    Case("groups", (2, 10, 12, 30), (74, 3, 3), padding=pad(1), groups=2),
    Case("tiny-images", (30, 5, 1, 2), (6, 3, 3), padding=pad(1)),
    Case("pieces-first", (1, 20, 7, 6), (70, 3, 3), padding=pad(1)),
    Case("pieces-first-blocks", (1, 3, 29, 27), (150, 3, 3)),
    Case("pieces-first-chunks", (2, 300, 5, 6), (70, 3, 3), padding=pad(1)),
    Case("pieces-first-groups", (1, 30, 5, 6), (120, 3, 3), groups=3),
    Case("five", (2, 21, 23, 37), (50, 5, 5), padding=pad(2)),
    Case("five-blocks-apart", (3, 5, 41, 45), (7, 5, 5), padding=((0, 3), (4, 1))),
    Case("five-chunks", (1, 150, 7, 9), (2, 5, 5)),
    Case("apart", (2, 21, 23, 38), (50, 3, 3), stride=(2, 2), padding=pad(1)),
    Case("apart-blocks-apart", (3, 5, 83, 79), (7, 3, 3), stride=(2, 2), padding=((0, 2), (3, 1))),
    Case("apart-pieces-of-a-row", (2, 2, 6, 3001), (3, 3, 3), stride=(2, 2), padding=pad(1)),
    Case("apart-chunks-groups", (1, 300, 10, 9), (6, 3, 3), stride=(2, 2), groups=2),
    Case("apart-many-rows", (1, 3, 13, 11), (70, 3, 3), stride=(2, 2), padding=((1, 0), (0, 1))),
    Case("apart-tiny", (30, 5, 1, 2), (6, 3, 3), stride=(2, 2), padding=pad(1)),
    Case("dilated", (2, 21, 27, 38), (50, 3, 3), dilation=(2, 2), padding=pad(2)),
    Case("dilated-uneven", (2, 20, 23, 41), (18, 3, 3), dilation=(3, 4), padding=pads(3, 2, 4, 5), groups=2),
    Case("dilated-by-eight", (1, 5, 39, 45), (70, 3, 3), dilation=(8, 8), padding=pad(8)),
    Case("dilated-blocks-apart", (3, 5, 83, 79), (7, 3, 3), dilation=(2, 2)),
    Case("dilated-pieces-of-a-row", (2, 2, 9, 3001), (3, 3, 3), dilation=(1, 2), padding=((1, 1), (0, 3))),
    Case("dilated-outside", (2, 9, 3, 5), (17, 3, 3), dilation=(4, 8), padding=pads(4, 4, 8, 8)),
    Case("dilated-five", (2, 21, 23, 37), (50, 5, 5), dilation=(2, 4), padding=pad(4)),
    Case("dilated-row-of-seven", (2, 18, 13, 57), (50, 1, 7), dilation=(5, 2), padding=((0, 0), (6, 6))),
    Case("dilated-column-of-three", (2, 18, 70, 7), (50, 3, 1), dilation=(7, 3), padding=((7, 7), (0, 0))),
    Case("row-of-three", (2, 18, 7, 70), (50, 1, 3), padding=((0, 0), (1, 1))),
    Case("row-of-seven", (2, 18, 13, 57), (50, 1, 7), padding=((0, 0), (3, 3))),
    Case("row-of-seven-blocks-apart", (3, 140, 17, 52), (5, 1, 7), padding=((2, 1), (0, 5))),
    Case("column-of-three", (2, 18, 70, 7), (50, 3, 1), padding=((1, 1), (0, 0))),
    Case("column-of-seven", (2, 18, 13, 57), (50, 7, 1), padding=((3, 3), (0, 0))),
    Case("column-of-seven-groups", (2, 8, 1, 40), (10, 7, 1), padding=((3, 6), (0, 2)), groups=2),
)


def of_tiles(cases: tuple[Case, ...]) -> pytest.MarkDecorator:
    """Of each case the sizes of tiles that there are for its kernel."""
    both = [
        pytest.param(case, tiles, id=f"{case}-{tiles}")
        for case in cases
        for tiles in TILES
        if tiles == "large" or (case.w[1:] == (3, 3) and case.stride == (1, 1))
    ]
    return pytest.mark.parametrize(("case", "tiles"), both)


def name_of(layout: str, tiles: str) -> str:
    return NAMES[layout] if tiles == "large" else "winograd_small"


def run(case: Case, dtype: str, layout: str, name: str) -> np.ndarray:
    p = problem(case, layout, dtype)
    out = guarded(case.y_shape(layout), p.dtype)
    fastconv.corr2d(p.x, p.w, p.bias, **case.options, layout=layout, algorithm=name, out=out.array)
    return out.check(name)


@of_tiles(CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", NAMES)
def test_every_loop_ends_right(isa: str, layout: str, dtype: str, case: Case, tiles: str):
    name = name_of(layout, tiles)
    fastconv.set_num_threads(3)
    three = run(case, dtype, layout, name)
    assert_close(three, expected("corr2d", case, layout, dtype)[0], f"{isa} {name} {layout} {case}")
    fastconv.set_num_threads(2)
    assert_same_bits(run(case, dtype, layout, name), three, f"{isa} {name} {layout} {case}: two threads")


@of_tiles(CASES)
@pytest.mark.parametrize("layout", NAMES)
def test_an_image_does_not_see_its_batch(isa: str, layout: str, case: Case, tiles: str):
    name = name_of(layout, tiles)
    p, together = problem(case, layout, "float32"), run(case, "float32", layout, name)
    for n in range(case.x[0]):
        alone = fastconv.corr2d(p.x[n], p.w, p.bias, **case.options, layout=layout, algorithm=name)
        assert_same_bits(alone, together[n], f"{isa} {name} {layout} {case} image {n}")


def input_gradient(case: Case, dtype: str, layout: str, name: str) -> np.ndarray:
    p = problem(case, layout, dtype)
    out = guarded(p.x.shape, p.dtype)
    options = {**case.options, "layout": layout, "algorithm": name}
    fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options, out=out.array)
    return out.check(name)


# Of every form: maps that end within a tile, more channels than a chain of sums or a piece has.
GRADIENTS = (
    tuple(
        Case(f"gradient-{kh}x{kw}-{o}", (2, c, 12, 15), (o, kh, kw), padding=pads(kh // 2, 0, kw // 2, kw // 3))
        for kh, kw in [(3, 3), (5, 5), (1, 3), (3, 1), (1, 7), (7, 1)]
        for c, o in [(5, 7), (70, 300)]
    )
    + tuple(
        Case(
            f"gradient-dilated-{kh}x{kw}",
            (2, 21, 18, 25),
            (50, kh, kw),
            dilation=(2, 4),
            padding=pads(kh // 2, 0, kw // 2, kw),
        )
        for kh, kw in [(3, 3), (5, 5), (1, 7)]
    )
    + tuple(
        Case(
            f"gradient-groups-{kh}x{kw}", (2, 15, 9, 11), (129, kh, kw), padding=pads(kh // 2, 1, kw // 2, 0), groups=3
        )
        for kh, kw in [(3, 3), (1, 7)]
    )
)


@of_tiles(GRADIENTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", NAMES)
def test_input_gradients_of_every_form(isa: str, layout: str, dtype: str, case: Case, tiles: str):
    name = name_of(layout, tiles)
    fastconv.set_num_threads(3)
    gradient = input_gradient(case, dtype, layout, name)
    assert_close(gradient, expected("corr2d_input_grad", case, layout, dtype)[0], f"{isa} {name} {layout} {case}")
    fastconv.set_num_threads(1)
    assert_same_bits(input_gradient(case, dtype, layout, name), gradient, f"{isa} {name} {layout} {case}: one thread")


@pytest.mark.parametrize("tiles", TILES)
@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("dilation", [(1, 1), (2, 4)], ids=str)
@pytest.mark.parametrize("groups", [1, 3])
def test_input_gradients_of_what_is_not_finite(
    isa: str, groups: int, dilation: tuple[int, int], layout: str, tiles: str
):
    padding = ((dilation[0],) * 2, (dilation[1],) * 2)
    case = Case("", (2, 15, 9, 11), (18, 3, 3), padding=padding, dilation=dilation, groups=groups)
    p = problem(case, layout, "float32")
    p.grad_y.reshape(-1)[[3, 700, -5]] = np.nan, np.inf, -np.inf
    options = {**case.options, "layout": layout}
    exact = fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options, algorithm="direct")
    gradient = fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options, algorithm=name_of(layout, tiles))
    assert 0 < np.isfinite(exact).sum() < exact.size
    np.testing.assert_allclose(gradient, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("channels", [64, 512])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 3), (3, 1), (1, 7), (7, 1)], ids=str)
def test_the_error_that_is_documented(isa: str, kernel: ref.Pair, channels: int, layout: str):
    rng = fresh_rng("documented error", channels, kernel)
    x, w = rng.standard_normal((1, 21, 21, channels)), rng.standard_normal((*kernel, channels, 64))
    if layout == "NCHW":
        x, w = x.transpose(0, 3, 1, 2), w.transpose(3, 2, 0, 1)
    options = {"padding": (kernel[0] // 2, kernel[1] // 2), "layout": layout}
    exact = fastconv.corr2d(x, w, **options, algorithm="direct")
    x, w = x.astype(np.float32), w.astype(np.float32)
    assert fastconv.explain("corr2d", x.shape, w.shape, **options).algorithm == NAMES[layout]
    y = fastconv.corr2d(x, w, **options)
    error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
    print(f"{isa} {layout} {kernel} {channels} channels: {error:.1e}")
    assert error < 2.5e-6


def test_auto_may_choose_by_the_batch_unless_told_not_to():
    x, w = (8, 64, 4, 4), (64, 64, 3, 3)
    assert fastconv.explain("corr2d", x, w, padding=1).algorithm == NAMES["NCHW"]
    one = fastconv.explain("corr2d", (1, *x[1:]), w, padding=1)
    assert one.algorithm != NAMES["NCHW"]
    fastconv.set_batch_invariant(True)
    try:
        told = fastconv.explain("corr2d", x, w, padding=1)
    finally:
        fastconv.set_batch_invariant(False)
    assert (told.algorithm, told.passed_over) == (one.algorithm, one.passed_over)


def test_a_kernel_that_skips_rows_does_not_copy_them():
    told = fastconv.explain("corr2d", (1, 1, 512, 1000), (1, 1, 2, 1), dilation=(100, 1))
    assert "reads few of the rows" in told.passed_over["padded_rows"]
    told = fastconv.explain("corr2d", (1, 1, 8192, 64), (1, 1, 2, 1), dilation=(4000, 1))
    assert "padded_rows" in told.declined


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("threads", [1, 3])
def test_weights_that_are_too_large_for_every_thread_to_have_its_own(layout: str, threads: int):
    """Threads share their transforms, as they share those of prepared weights."""
    p = problem(Case("", (1, 272, 88, 84), (272, 3, 3), padding=pad(1)), layout, "float32")
    prepared = fastconv.prepare(p.w, p.bias, padding=1, layout=layout, algorithm=NAMES[layout])
    fastconv.set_num_threads(threads)
    y = fastconv.corr2d(p.x, p.w, p.bias, padding=1, layout=layout, algorithm=NAMES[layout])
    assert_same_bits(y, prepared(p.x))
    turned = ref.weights(ref.filters(p.w, layout)[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), layout)
    grad = fastconv.corr2d_input_grad(p.x, turned, p.x.shape, padding=1, layout=layout, algorithm=NAMES[layout])
    assert_same_bits(grad, fastconv.corr2d(p.x, p.w, padding=1, layout=layout, algorithm=NAMES[layout]))


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("x", [(1, 512, 120, 118), (1, 96, 30, 31), (1, 150, 9, 7), (3, 20, 70, 64)], ids=str)
def test_sixteen_threads_share_transforms(isa: str, x: tuple[int, ...], layout: str):
    """Inputs too large to be transformed at once, few tiles, and many; with weights that one thread prepared too."""
    groups = 2 if x[1] % 32 == 0 else 1
    p = problem(Case("", x, (40, 3, 3), padding=pad(1), groups=groups), layout, "float32")
    options = {"padding": 1, "layout": layout, "algorithm": NAMES[layout], "groups": groups}
    fastconv.set_num_threads(1)
    alone = fastconv.corr2d(p.x, p.w, p.bias, **options)
    prepared = fastconv.prepare(p.w, p.bias, **options)
    assert_same_bits(prepared(p.x), alone, f"{isa} {layout} {x} prepared")
    fastconv.set_num_threads(16)
    assert_same_bits(fastconv.corr2d(p.x, p.w, p.bias, **options), alone, f"{isa} {layout} {x}")
    assert_same_bits(prepared(p.x), alone, f"{isa} {layout} {x} prepared, with 16 threads")
