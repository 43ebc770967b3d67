# SPDX-License-Identifier: BSD-3-Clause
"""Input gradients that compute the four inputs of a point together: where their loops end, and what they decline."""

import numpy as np
import pytest
import reference as ref
from cases import Case, expected, pad, pads, problem
from guard import check_inputs, guarded, guarded_copy
from numerics import assert_close, assert_same_bits

import fastconv

LAYOUTS = ("NCHW", "NHWC")
HAVE_IT = ("avx512", "neon")


def strided(name: str, channels: int, size: tuple[int, int], filters: int, window: tuple[int, int], **options: object):
    batch = options.pop("batch", 1)
    options = {"stride": (2, 2), "groups": 1, **options}
    return Case(name, (batch, channels * options["groups"], *size), (filters * options["groups"], *window), **options)


CASES = (
    *(strided(f"channels-{c}", c, (7, 9), 5, (3, 3), padding=pad(1), groups=2) for c in (16, 17, 31, 32, 33, 50, 64)),
    *(strided(f"filters-{f}", 16, (8, 6), f, (3, 3), padding=pad(1)) for f in (1, 2, 63, 64, 65, 130)),
    *(strided(f"size-{h}x{w}", 19, (h, w), 6, (3, 3), padding=pad(1)) for h, w in ((2, 2), (2, 57), (57, 3), (13, 14))),
    *(strided(f"window-{k}", 20, (11, 16), 17, (k, k), padding=pad((k - 1) // 2)) for k in (1, 2, 3, 5, 7)),
    strided("window-1x3", 18, (9, 11), 8, (1, 3), padding=pads(0, 0, 1, 1)),
    strided("window-5x2", 18, (9, 11), 8, (5, 2), padding=pads(2, 1, 0, 0)),
    strided("uneven-padding", 33, (15, 14), 18, (3, 5), padding=pads(0, 1, 2, 1), batch=2),
    strided("dilated", 40, (15, 16), 16, (3, 3), padding=pads(3, 2, 1, 3), dilation=(2, 2)),
    strided("two-inputs-of-a-larger-stride", 16, (2, 2), 16, (3, 3), stride=(3, 4), padding=pad(1)),
    strided("no-tap-meets", 16, (2, 2), 4, (1, 1), stride=(3, 3), padding=pads(1, 1, 1, 1)),
    strided("pieces", 200, (8, 8), 40, (3, 3), padding=pad(1)),
    strided("pieces-and-strips", 150, (60, 60), 30, (3, 3), padding=pad(1)),
    strided("strips-of-groups", 24, (90, 40), 16, (3, 3), padding=pad(1), groups=3),
    strided("images-together", 70, (6, 5), 9, (3, 3), padding=pad(1), batch=13),
    strided("images-apart", 24, (40, 40), 24, (3, 3), padding=pad(1), groups=2, batch=3),
)


def grad(case: Case, dtype: str, layout: str, **changed: np.ndarray) -> np.ndarray:
    p = problem(case, layout, dtype)
    arrays = [guarded_copy(changed.get(key, getattr(p, key))) for key in ("grad_y", "w")]
    out = guarded(p.x.shape, p.dtype)
    options = {**case.options, "layout": layout, "algorithm": "phases", "out": out.array}
    fastconv.corr2d_input_grad(arrays[0].array, arrays[1].array, p.x.shape, **options)
    check_inputs(*arrays, what=str(case))
    return out.check(str(case))


def declines(isa: str, case: Case, layout: str) -> bool:
    """An instruction set with too few registers, which says so."""
    if isa in HAVE_IT:
        return False
    with pytest.raises(ValueError, match="too few registers"):
        grad(case, "float32", layout)
    return True


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_loop_ends_right(isa: str, dtype: str, layout: str, case: Case):
    if declines(isa, case, layout):
        return
    fastconv.set_num_threads(3)
    y = grad(case, dtype, layout)
    assert_close(y, expected("corr2d_input_grad", case, layout, dtype)[0], f"{isa} {layout} {case}")
    for threads in (1, 2, 16):
        fastconv.set_num_threads(threads)
        assert_same_bits(grad(case, dtype, layout), y, f"{isa} {layout} {case}: {threads} threads")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case_id", ["images-together", "images-apart"])
def test_an_image_does_not_see_its_batch(isa: str, case_id: str, layout: str):
    case = next(case for case in CASES if case.id == case_id)
    if declines(isa, case, layout):
        return
    p, together = problem(case, layout, "float32"), grad(case, "float32", layout)
    options = {**case.options, "layout": layout, "algorithm": "phases"}
    for n in range(case.x[0]):
        alone = fastconv.corr2d_input_grad(p.grad_y[n], p.w, p.x.shape[1:], **options)
        assert_same_bits(alone, together[n], f"{isa} {layout} image {n}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_spike_reaches_what_it_met(isa: str, layout: str):
    case = strided("spike", 35, (11, 12), 30, (3, 3), padding=pad(1), batch=2)
    if declines(isa, case, layout):
        return
    grad_y = problem(case, layout, "float32").grad_y.copy()
    ref.planes(grad_y, layout)[1, 7, 2, 5] = np.nan
    clean, spiked = (
        ref.planes(a, layout) for a in (grad(case, "float32", layout), grad(case, "float32", layout, grad_y=grad_y))
    )
    met = np.zeros(clean.shape, bool)
    met[1, :, 3:6, 9:12] = True
    np.testing.assert_array_equal(np.isnan(spiked), met, err_msg=f"{isa} {layout}")
    np.testing.assert_array_equal(spiked[~met], clean[~met])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_takes_it_and_what_declines(isa: str, layout: str):
    def explain(
        channels: int, filters: int, side: int, window: int, stride: int, dtype: str = "float32", **options: object
    ):
        x, w = (1, channels, side, side), (filters, channels, window, window)
        if layout == "NHWC":
            x, w = (1, side, side, channels), (window, window, channels, filters)
        return fastconv.explain(
            "corr2d_input_grad", x, w, stride=stride, padding=window // 2, dtype=dtype, layout=layout, **options
        )

    for dense in ((64, 120, 56, 3, 2), (256, 100, 14, 3, 2), (64, 64, 30, 5, 2)):
        assert (explain(*dense).algorithm == "phases") == (isa in HAVE_IT)
    if isa not in HAVE_IT:
        assert "registers" in explain(64, 128, 56, 3, 2).declined["phases"]
        return
    assert "one tap" in explain(64, 128, 28, 1, 2).passed_over["phases"]
    assert "dilated" in explain(64, 100, 56, 3, 2, dilation=2).passed_over["phases"]
    assert "has not" in explain(64, 128, 28, 2, 2).declined["phases"]
    assert "two phases" in explain(64, 128, 28, 3, 1).declined["phases"]
    assert "two phases" in explain(64, 128, 28, 3, 3).declined["phases"]
    assert "fill a vector" in explain(15 if isa == "avx512" else 3, 128, 28, 3, 2).declined["phases"]
    assert "integers" in explain(64, 128, 28, 3, 2, "int32").declined["phases"]
