# SPDX-License-Identifier: BSD-3-Clause
"""Depthwise correlation where its loops end: vectors of channels and of columns, tiles of pixels and rows, blocks."""

import numpy as np
import pytest
import reference as ref
from cases import Case, expected, pad, pads, problem, sizes
from guard import check_inputs, guarded, guarded_copy
from numerics import assert_close, assert_same_bits

import fastconv

NAMES = {"NCHW": ("depthwise_nchw", "depthwise_block"), "NHWC": ("depthwise_nhwc", "depthwise_block", "interleaved")}
GRADIENTS = (
    ("corr2d_input_grad", "depthwise_block"),
    ("corr2d_input_grad", "depthwise_nchw"),
    ("corr2d_input_grad", "interleaved"),
    ("corr2d_weight_grad", "depthwise"),
)


def depthwise(name: str, batch: int, channels: int, height: int, width: int, *window: int, **options: object) -> Case:
    return Case(name, (batch, channels, height, width), (channels, *window), groups=channels, **options)


def multiplied(name: str, times: int, batch: int, channels: int, size: int, window: int, **options: object) -> Case:
    x, w = (batch, channels, size, size + 3), (channels * times, window, window)
    return Case(name, x, w, groups=channels, padding=pad(window // 2), **options)


CASES = (
    *(depthwise(f"channels-{c}", 2, c, 9, 11, 3, 3, padding=pad(1)) for c in (1, 2, 3, 5, 7, 8, 9, 13, 16, 33, 97)),
    *(depthwise(f"width-{w}", 1, 17, 5, w, 3, 3, padding=pad(1)) for w in (1, 2, 7, 8, 13, 14, 28, 57)),
    *(depthwise(f"height-{h}", 1, 9, h, 19, 3, 3, padding=pad(1)) for h in (1, 2, 7, 8, 13, 57)),
    *(depthwise(f"stride-{s}", 2, 33, 15, 29, 3, 3, stride=(s, s), padding=pad(1)) for s in (1, 2, 3)),
    *(depthwise(f"even-stride-{s}", 1, 24, 28, 56, 3, 3, stride=(s, s), padding=pad(1)) for s in (2, 3)),
    depthwise("uneven-strides", 1, 10, 17, 33, 3, 3, stride=(1, 2), padding=pad(1)),
    depthwise("stride-past-image", 1, 10, 4, 4, 3, 3, stride=(9, 9), padding=pad(1)),
    *(depthwise(f"strided-height-{h}", 1, 17, h, 15, 3, 3, stride=(2, 2), padding=pad(1)) for h in (1, 2, 7, 57)),
    depthwise("strided-segments", 1, 10, 5, 230, 3, 3, stride=(2, 2), padding=pad(1)),
    depthwise("padding-3", 1, 12, 6, 9, 3, 3, padding=pad(3)),
    depthwise("strided-padding-3", 1, 12, 6, 9, 3, 3, stride=(2, 2), padding=pads(3, 4, 4, 3)),
    depthwise("strips", 1, 2, 300, 60, 3, 3, padding=pad(1)),
    depthwise("dilated-rows", 1, 9, 19, 21, 3, 3, dilation=(2, 1), padding=pads(2, 2, 1, 1)),
    depthwise("dilated-columns", 1, 9, 19, 21, 3, 3, dilation=(1, 2), padding=pads(1, 1, 2, 2)),
    depthwise("no-padding", 1, 16, 12, 37, 3, 3),
    depthwise("long-rows", 1, 3, 11, 900, 3, 3, padding=pad(1)),
    depthwise("strided-long-rows", 1, 4, 19, 900, 5, 3, stride=(2, 2), padding=pad(1)),
    depthwise("window-5", 1, 12, 11, 26, 5, 5, padding=pad(2)),
    depthwise("window-7", 2, 9, 7, 7, 7, 7, padding=pad(3)),
    depthwise("window-7-wide", 1, 9, 14, 30, 7, 7, padding=pad(3)),
    depthwise("window-as-image", 3, 20, 6, 5, 6, 5),
    depthwise("row-window", 1, 9, 6, 40, 1, 9, padding=pads(0, 0, 4, 4)),
    depthwise("column-window", 1, 9, 40, 6, 9, 1, padding=pads(4, 4, 0, 0)),
    depthwise("one-tap", 1, 19, 6, 9, 1, 1),
    depthwise("dilation", 1, 17, 15, 21, 3, 3, dilation=(2, 3), padding=pads(2, 2, 3, 3)),
    depthwise("dilation-past-image", 1, 9, 4, 5, 3, 3, dilation=(5, 6), padding=pads(5, 6, 6, 7)),
    depthwise("uneven-padding", 2, 13, 10, 18, 3, 4, padding=pads(0, 2, 3, 1)),
    depthwise("vector-between-edges", 1, 9, 2, 14, 4, 4, padding=pads(1, 6, 0, 4)),
    depthwise("padding-alone", 1, 9, 3, 3, 2, 2, stride=(2, 2), padding=pads(7, 6, 6, 8)),
    depthwise("blocks", 2, 200, 40, 30, 3, 3, padding=pad(1)),
    depthwise("pieces-of-channels", 1, 777, 7, 7, 3, 3, padding=pad(1)),
    depthwise("without-bias", 1, 9, 8, 8, 3, 3, padding=pad(1), bias=False),
    *(multiplied(f"filters-{m}-of-{c}", m, 2, c, 11, 3) for m, c in ((2, 3), (3, 7), (2, 16), (5, 9), (20, 2), (4, 1))),
    *(multiplied(f"filters-stride-{s}", 3, 2, 6, 18, 3, stride=(s, s)) for s in (2, 3)),
    multiplied("filters-window-5", 2, 1, 12, 21, 5),
    multiplied("filters-dilated", 2, 3, 9, 20, 4, dilation=(2, 1)),
    multiplied("filters-strips", 2, 1, 5, 120, 3, bias=False),
)


def run(case: Case, dtype: str, layout: str, name: str) -> np.ndarray:
    p = problem(case, layout, dtype)
    x, w, bias = guarded_copy(p.x), guarded_copy(p.w), None if p.bias is None else guarded_copy(p.bias)
    out = guarded(case.y_shape(layout), p.dtype)
    b = None if bias is None else bias.array
    fastconv.corr2d(x.array, w.array, b, **case.options, layout=layout, algorithm=name, out=out.array)
    check_inputs(x, w, bias, what=f"{name} {case}")
    return out.check(f"{name} {case}")


def run_gradient(op: str, case: Case, dtype: str, layout: str, name: str, **changed: object) -> np.ndarray:
    p = problem(case, layout, dtype)
    other, shape = (p.w, p.x.shape) if op == "corr2d_input_grad" else (p.x, p.w.shape)
    grad_y, array, out = guarded_copy(changed.get("grad_y", p.grad_y)), guarded_copy(other), guarded(shape, p.dtype)
    options = {**case.options, "layout": layout, "algorithm": name, "out": out.array}
    getattr(fastconv, op)(grad_y.array, array.array, shape, **options)
    check_inputs(grad_y, array, what=f"{op} {case}")
    return out.check(f"{op} {case}")


def takes(case: Case, dtype: str, name: str) -> bool:
    """Tell whether it should: planes, blocks and lines are for floats, planes for steps of one or two columns, and only
    planes and blocks for several filters of a channel."""
    if name in ("depthwise_nhwc", "interleaved") and case.w[0] > case.x[1]:
        return False
    if name == "depthwise_nhwc" or dtype == "int64":
        return name == "depthwise_nhwc"
    if name == "interleaved":
        return case.x[1] <= 16
    return name == "depthwise_block" or case.stride[1] < 3 or case.y_shape()[3] == 1


PLACES = [
    (layout, name, case)
    for layout, names in NAMES.items()
    for name in names
    for case in CASES
    if takes(case, "float32", name)
]


@pytest.mark.parametrize(("layout", "name", "case"), PLACES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_every_loop_ends_right(isa: str, dtype: str, layout: str, name: str, case: Case):
    fastconv.set_num_threads(3)
    if takes(case, dtype, name):
        what = f"{isa} {layout} {name} {case}"
        assert_close(run(case, dtype, layout, name), expected("corr2d", case, layout, dtype)[0], what)
    else:
        with pytest.raises(ValueError, match="declines"):
            run(case, dtype, layout, name)


@pytest.mark.parametrize(("layout", "name", "case"), PLACES, ids=str)
def test_an_image_does_not_see_its_batch(isa: str, layout: str, name: str, case: Case):
    p, together = problem(case, layout, "float32"), run(case, "float32", layout, name)
    for n in range(case.x[0]):
        alone = fastconv.corr2d(p.x[n], p.w, p.bias, **case.options, layout=layout, algorithm=name)
        assert_same_bits(alone, together[n], f"{isa} {layout} {case} image {n}")


def turns(case: Case, layout: str, name: str) -> bool:
    """Tell whether the gradient is a correlation: without stride, and with padding to spare."""
    padding = [
        side > step * (taps - 1) for (side, _), step, taps in zip(case.padding, case.dilation, case.w[1:], strict=True)
    ]
    fits = layout == name.removeprefix("depthwise_").upper() and case.w[0] == case.x[1]
    return fits and case.stride == (1, 1) and not any(padding)


GRADIENT_PLACES = [
    (op, layout, name, case)
    for op, name in GRADIENTS
    for layout in NAMES
    for case in CASES
    if name not in ("depthwise_nchw", "interleaved")
    or (name == "depthwise_nchw" and turns(case, layout, name))
    or (name == "interleaved" and layout == "NHWC" and case.stride == (1, 1) and takes(case, "float32", name))
]


@pytest.mark.parametrize(("op", "layout", "name", "case"), GRADIENT_PLACES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients(isa: str, dtype: str, op: str, layout: str, name: str, case: Case):
    fastconv.set_num_threads(3)
    grad = run_gradient(op, case, dtype, layout, name)
    scale = sizes(case, layout, dtype) if op == "corr2d_weight_grad" else None
    assert_close(grad, expected(op, case, layout, dtype)[0], f"{isa} {op} {layout} {name} {case}", scale)
    fastconv.set_num_threads(1)
    assert_same_bits(run_gradient(op, case, dtype, layout, name), grad, f"{isa} {op} {layout} {case}: one thread")


@pytest.mark.parametrize("layout", NAMES)
@pytest.mark.parametrize("window", [3, 5, 7, 9])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_spike_reaches_the_gradient_of_the_taps_that_met_it(isa: str, stride: int, window: int, layout: str):
    """The output in the corner is of windows that lie partly outside: the gradient of those taps stays as it was."""
    half = window // 2
    case = depthwise(f"spike-{window}-{stride}", 1, 20, 15, 17, window, window, stride=(stride,) * 2, padding=pad(half))
    grad_y = problem(case, layout, "float32").grad_y.copy()
    clean = run_gradient("corr2d_weight_grad", case, "float32", layout, "depthwise")
    ref.planes(grad_y, layout)[0, 18, 0, 0] = np.nan
    spiked = run_gradient("corr2d_weight_grad", case, "float32", layout, "depthwise", grad_y=grad_y)
    met = np.zeros(ref.filters(clean, layout).shape, bool)
    met[18, 0, half:, half:] = True
    np.testing.assert_array_equal(np.isnan(ref.filters(spiked, layout)), met, err_msg=f"{isa} {layout}")
    np.testing.assert_array_equal(ref.filters(spiked, layout)[~met], ref.filters(clean, layout)[~met])


@pytest.mark.parametrize("layout", NAMES)
def test_what_is_not_depthwise_is_declined(layout: str):
    for groups, filters in ((1, 12), (2, 12), (6, 24)):
        x, w = (1, 12, 8, 8), (filters, 12 // groups, 3, 3)
        if layout == "NHWC":
            x, w = (1, 8, 8, 12), (3, 3, 12 // groups, filters)
        options = {"groups": groups, "layout": layout, "padding": 1}
        assert set(NAMES[layout]) <= set(fastconv.explain("corr2d", x, w, **options).declined)
        for op, name in GRADIENTS:
            assert name in fastconv.explain(op, x, w, **options).declined, op


def test_many_images_are_summed_in_the_same_parts(isa: str):
    case = depthwise("many-images", 23, 5, 30, 31, 3, 3, padding=pad(1))
    for layout in NAMES:
        fastconv.set_num_threads(1)
        alone = run_gradient("corr2d_weight_grad", case, "float32", layout, "depthwise")
        assert_close(alone, expected("corr2d_weight_grad", case, layout, "float32")[0], f"{isa} {layout}")
        fastconv.set_num_threads(4)
        assert_same_bits(
            run_gradient("corr2d_weight_grad", case, "float32", layout, "depthwise"), alone, f"{isa} {layout}"
        )
