# SPDX-License-Identifier: BSD-3-Clause
"""Correlation in groups where the loops of its blocks end: groups, members, outputs, pixels, rows."""

import numpy as np
import pytest
import reference as ref
from cases import Case, expected, pad, pads, problem
from guard import check_inputs, guarded, guarded_copy
from numerics import assert_close, assert_same_bits

import fastconv

NAMES = {"corr2d": "grouped_block", "corr2d_input_grad": "grouped_block", "corr2d_weight_grad": "grouped"}
PIXELS = "grouped_pixels"
LAYOUTS = ("NCHW", "NHWC")


def grouped(
    name: str, groups: int, members: int, outputs: int, height: int, width: int, *window: int, **options: object
):
    batch = options.pop("batch", 1)
    x, w = (batch, groups * members, height, width), (groups * outputs, *window)
    return Case(name, x, w, groups=groups, **options)


CASES = (
    *(grouped(f"groups-{g}", g, 4, 4, 6, 7, 3, 3, padding=pad(1), batch=2) for g in (2, 7, 8, 9, 16, 17, 32, 33)),
    *(
        grouped(f"members-{m}-{o}", 17, m, o, 5, 7, 3, 3, padding=pad(1))
        for m in (4, 8, 12, 16, 20)
        for o in (4, 8, 24)
    ),
    *(
        grouped(f"few-{g}x{m}-{o}", g, m, o, 5, 7, 3, 3, padding=pad(1), batch=2)
        for g in (5, 16, 17)
        for m, o in ((2, 2), (3, 3), (2, 1), (2, 4), (6, 3), (5, 7), (9, 10), (13, 5))
    ),
    *(grouped(f"width-{w}", 16, 4, 4, 3, w, 3, 3, padding=pad(1)) for w in (1, 2, 7, 13, 57)),
    *(grouped(f"height-{h}", 3, 8, 4, h, 5, 3, 3, padding=pad(1)) for h in (1, 2, 7, 13, 57)),
    *(grouped(f"stride-{s}", 5, 4, 8, 13, 14, 3, 3, stride=(s, s), padding=pad(1)) for s in (2, 3, 9)),
    grouped("uneven", 6, 4, 12, 9, 17, 5, 3, stride=(1, 3), dilation=(2, 1), padding=pads(1, 2, 0, 2)),
    grouped("one-tap", 9, 8, 8, 4, 5, 1, 1),
    grouped("padding-alone", 9, 4, 4, 3, 3, 2, 2, stride=(2, 2), padding=pads(7, 6, 6, 8)),
    grouped("strips", 3, 8, 8, 90, 40, 3, 3, padding=pad(1), bias=False),
    grouped("many-images", 4, 4, 4, 9, 9, 3, 3, padding=pad(1), batch=21),
)

# Of grouped_pixels: lanes are outputs, so groups must fill vectors of 16 at least.
PIXEL_CASES = (
    *(
        grouped(f"pixels-{m}-{o}", 2, m, o, 5, 9, 3, 3, padding=pad(1), batch=2)
        for m, o in ((16, 16), (17, 24), (19, 31), (20, 32), (33, 33), (40, 17), (24, 49), (300, 17))
    ),
    *(grouped(f"pixels-width-{w}", 3, 16, 16, 3, w, 3, 3, padding=pad(1)) for w in (1, 2, 6, 7, 12, 13, 14, 15, 29)),
    *(grouped(f"pixels-stride-{s}", 2, 16, 18, 13, 14, 3, 3, stride=(s, s), padding=pad(1)) for s in (2, 3, 9)),
    grouped("pixels-last-row", 2, 16, 16, 1, 9, 1, 3, stride=(4, 2), padding=pads(0, 0, 1, 1)),
    grouped("pixels-few-inputs", 2, 17, 16, 2, 3, 2, 2, stride=(5, 4), padding=pads(1, 2, 0, 3)),
    grouped("pixels-uneven", 2, 17, 20, 9, 17, 5, 3, stride=(1, 3), dilation=(2, 2), padding=pads(1, 2, 0, 2)),
    grouped("pixels-one-tap", 5, 18, 16, 4, 5, 1, 1, stride=(2, 2)),
    grouped("pixels-padding-alone", 2, 16, 16, 3, 3, 2, 2, stride=(2, 2), padding=pads(7, 6, 6, 8)),
    grouped("pixels-strips", 2, 16, 16, 90, 40, 3, 3, padding=pad(1), bias=False),
    grouped("pixels-long-rows", 2, 16, 16, 2, 261, 1, 3, padding=pad(1), batch=2),
    grouped("pixels-many-images", 2, 18, 17, 6, 5, 2, 3, padding=pad(1), batch=19),
)


def run(
    op: str, case: Case, dtype: str, layout: str, algorithm: str | None = None, **changed: np.ndarray
) -> np.ndarray:
    p = problem(case, layout, dtype)
    shape = {"corr2d": p.grad_y, "corr2d_input_grad": p.x, "corr2d_weight_grad": p.w}[op].shape
    arrays = {key: guarded_copy(changed.get(key, getattr(p, key))) for key in ("x", "w", "grad_y")}
    bias, out = None if p.bias is None else guarded_copy(p.bias), guarded(shape, p.dtype)
    options = {**case.options, "layout": layout, "algorithm": algorithm or NAMES[op], "out": out.array}
    x, w, grad_y = (arrays[key].array for key in ("x", "w", "grad_y"))
    if op == "corr2d":
        fastconv.corr2d(x, w, None if bias is None else bias.array, **options)
    elif op == "corr2d_input_grad":
        fastconv.corr2d_input_grad(grad_y, w, shape, **options)
    else:
        fastconv.corr2d_weight_grad(grad_y, x, shape, **options)
    check_inputs(*arrays.values(), bias, what=f"{op} {case}")
    return out.check(f"{op} {case}")


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", NAMES)
def test_every_loop_ends_right(isa: str, op: str, dtype: str, layout: str, case: Case):
    fastconv.set_num_threads(3)
    y = run(op, case, dtype, layout)
    assert_close(y, expected(op, case, layout, dtype)[0], f"{isa} {op} {layout} {case}")
    fastconv.set_num_threads(1)
    assert_same_bits(run(op, case, dtype, layout), y, f"{isa} {op} {layout} {case}: one thread")


@pytest.mark.parametrize("case", PIXEL_CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", NAMES)
def test_every_loop_over_pixels_ends_right(isa: str, op: str, dtype: str, layout: str, case: Case):
    fastconv.set_num_threads(3)
    y = run(op, case, dtype, layout, PIXELS)
    assert_close(y, expected(op, case, layout, dtype)[0], f"{isa} {op} {layout} {case}")
    fastconv.set_num_threads(1)
    assert_same_bits(run(op, case, dtype, layout, PIXELS), y, f"{isa} {op} {layout} {case}: one thread")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_image_does_not_see_its_batch(isa: str, layout: str):
    case = next(case for case in CASES if case.id == "many-images")
    p, together = problem(case, layout, "float32"), run("corr2d", case, "float32", layout)
    options = {**case.options, "layout": layout, "algorithm": NAMES["corr2d"]}
    for n in range(case.x[0]):
        alone = fastconv.corr2d(p.x[n], p.w, p.bias, **options)
        assert_same_bits(alone, together[n], f"{isa} {layout} image {n}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [1, 2])
def test_a_spike_reaches_what_it_met(isa: str, stride: int, layout: str):
    """An output in the corner is of windows that lie partly outside: those taps and inputs stay as they were."""
    case = grouped(f"spike-{stride}", 18, 4, 8, 11, 12, 3, 3, stride=(stride, stride), padding=pad(1))
    grad_y = problem(case, layout, "float32").grad_y.copy()
    ref.planes(grad_y, layout)[0, 17 * 8 + 3, 0, 0] = np.nan
    for op, view in (("corr2d_weight_grad", ref.filters), ("corr2d_input_grad", ref.planes)):
        clean, spiked = view(run(op, case, "float32", layout), layout), run(op, case, "float32", layout, grad_y=grad_y)
        met = np.zeros(clean.shape, bool)
        if op == "corr2d_weight_grad":
            met[17 * 8 + 3, :, 1:, 1:] = True
        else:
            met[0, 17 * 4 :, :2, :2] = True
        np.testing.assert_array_equal(np.isnan(view(spiked, layout)), met, err_msg=f"{isa} {op} {layout}")
        np.testing.assert_array_equal(view(spiked, layout)[~met], clean[~met])


def test_what_it_cannot_do_is_declined():
    def declined(op: str, x: tuple, w: tuple, groups: int, dtype: str = "float32") -> bool:
        return NAMES[op] in fastconv.explain(op, x, w, groups=groups, dtype=dtype, padding=1).declined

    for op in NAMES:
        assert not declined(op, (1, 64, 8, 8), (64, 4, 3, 3), 16)
        assert declined(op, (1, 64, 8, 8), (64, 64, 3, 3), 1)
        assert not declined(op, (1, 96, 8, 8), (48, 6, 3, 3), 16)
        assert declined(op, (1, 16, 8, 8), (32, 1, 3, 3), 16)
        assert declined(op, (1, 64, 8, 8), (64, 4, 3, 3), 16, "int32")
        assert declined(op, (1, 64, 32, 32), (64, 32, 3, 3), 2)


@pytest.mark.parametrize("op", ["corr2d", "corr2d_input_grad"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_groups_that_fill_vectors_take_pixels(isa: str, layout: str, op: str):
    def chosen(channels: int, groups: int, size: int, stride: int = 1) -> str:
        x, w = (1, channels, size, size), (channels, channels // groups, 3, 3)
        if layout == "NHWC":
            x, w = (1, size, size, channels), (3, 3, channels // groups, channels)
        return fastconv.explain(op, x, w, groups=groups, stride=stride, padding=1, layout=layout).algorithm

    weight_grad = fastconv.explain("corr2d_weight_grad", (1, 32, 29, 29), (32, 16, 3, 3), groups=2, stride=2)
    assert weight_grad.algorithm == PIXELS
    filled = isa in ("scalar", "neon") and layout == "NCHW"  # by ten groups
    assert chosen(160, 10, 6) == ("grouped_block" if filled else PIXELS)
    together = op == "corr2d_input_grad" and isa in ("avx512", "neon")
    assert chosen(160, 10, 28, stride=2) == ("phases" if together else PIXELS)
    assert chosen(96, 4, 6) == PIXELS
    assert chosen(128, 2, 14) != PIXELS
    assert chosen(64, 16, 14) != PIXELS
    winograd = f"winograd_{layout.lower()}"
    assert chosen(120, 5, 8) == winograd
    assert chosen(160, 10, 28) == winograd
