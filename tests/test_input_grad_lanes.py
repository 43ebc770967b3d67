# SPDX-License-Identifier: BSD-3-Clause
"""Input gradients whose lanes are outputs of groups, of which two or four may share a vector.

`phases` computes the four inputs of a point together, `runs` neighbouring ones: where loops end, what they decline.
"""

from collections.abc import Callable, Iterator

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
    """A problem for `phases`; channels and filters are those of a group."""
    batch = options.pop("batch", 1)
    options = {"stride": (2, 2), "groups": 1, **options}
    return Case(name, (batch, channels * options["groups"], *size), (filters * options["groups"], *window), **options)


def sliding(name: str, channels: int, size: tuple[int, int], filters: int, window: tuple[int, int], **options: object):
    """A problem for `runs`."""
    return strided(f"runs-{name}", channels, size, filters, window, stride=(1, 1), **options)


def algorithm_of(case: Case) -> str:
    return "runs" if case.id.startswith("runs") else "phases"


def shared(make: Callable[..., Case], **options: object) -> Iterator[Case]:
    """Groups that share vectors of 16 or of 8 lanes, in pairs and in fours; and some that cannot."""
    for channels, filters, groups in (
        (4, 4, 4),
        (4, 4, 8),
        (8, 8, 2),
        (8, 8, 6),
        (24, 24, 2),
        (40, 40, 2),
        (8, 40, 4),
        (16, 8, 2),
    ):
        name = f"shared-{groups}x{channels}-{filters}"
        yield make(name, channels, (9, 15), filters, (3, 3), padding=pad(1), groups=groups, batch=2, **options)


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
    strided("many-small-images", 40, (8, 8), 30, (3, 3), padding=pad(1), batch=64),
    strided("rows-that-fill-tiles", 16, (29, 28), 16, (5, 3), padding=pads(2, 2, 1, 1), groups=2),
    strided("shared-strips", 8, (90, 40), 8, (3, 3), padding=pad(1), groups=4),
    strided("shared-long-sums", 8, (15, 15), 136, (3, 3), padding=pad(1), groups=2),
    *shared(strided),
    *shared(sliding),
    *(sliding(f"channels-{c}", c, (8, 9), 16, (3, 3), padding=pad(1), groups=2) for c in (16, 17, 31, 32, 48, 50)),
    *(sliding(f"width-{w}", 16, (5, w), 16, (3, 3), padding=pad(1)) for w in (7, 8, 9, 13, 14, 15, 16, 17, 57)),
    *(sliding(f"window-{k}", 16, (9, 11), 16, (k, 3), padding=pads(k // 2, k // 2, 1, 1)) for k in (1, 2, 5, 7)),
    sliding("uneven-padding", 16, (6, 14), 32, (3, 3), padding=pads(0, 2, 2, 0), batch=2),
    sliding("far-padding", 16, (7, 14), 16, (3, 3), padding=pads(6, 5, 4, 3)),
    sliding("no-padding", 16, (9, 12), 16, (3, 3)),
    sliding("dilated-rows", 16, (15, 16), 16, (3, 3), padding=pads(3, 2, 1, 1), dilation=(2, 1)),
    sliding("long-sums", 16, (9, 15), 80, (3, 3), padding=pad(1), batch=2),
    sliding("pieces", 200, (8, 8), 48, (3, 3), padding=pad(1)),
    sliding("strips-of-groups", 8, (90, 40), 8, (3, 3), padding=pad(1), groups=4),
    sliding("images-together", 16, (7, 7), 16, (3, 3), padding=pad(1), groups=4, batch=13),
    sliding("images-apart", 8, (40, 40), 8, (3, 3), padding=pad(1), groups=4, batch=3),
)


def grad(case: Case, dtype: str, layout: str, **changed: np.ndarray) -> np.ndarray:
    p = problem(case, layout, dtype)
    arrays = [guarded_copy(changed.get(key, getattr(p, key))) for key in ("grad_y", "w")]
    out = guarded(p.x.shape, p.dtype)
    options = {**case.options, "layout": layout, "algorithm": algorithm_of(case), "out": out.array}
    fastconv.corr2d_input_grad(arrays[0].array, arrays[1].array, p.x.shape, **options)
    check_inputs(*arrays, what=str(case))
    return out.check(str(case))


def declines(isa: str, case: Case, dtype: str, layout: str) -> bool:
    """An instruction set with too few registers, or whose vectors the groups of a case do not fill; which says so."""
    shares = isa == "avx512"
    lanes = {"avx512": 16, "avx2": 8, "neon": 4, "scalar": 4}[isa] * 4 // np.dtype(dtype).itemsize
    groups = case.options.get("groups", 1)
    made, read = case.x[1] // groups, case.w[0] // groups
    fills = any(
        groups % g == 0 and made * g % lanes == 0 and read * g % lanes == 0 for g in ((1, 2, 4) if shares else (1,))
    )
    if isa in HAVE_IT and (fills or (made >= lanes and (algorithm_of(case) == "phases" or read % lanes == 0))):
        return False
    with pytest.raises(ValueError, match=r"fill|too few registers"):
        grad(case, dtype, layout)
    return True


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_loop_ends_right(isa: str, dtype: str, layout: str, case: Case):
    if declines(isa, case, dtype, layout):
        return
    fastconv.set_num_threads(3)
    y = grad(case, dtype, layout)
    assert_close(y, expected("corr2d_input_grad", case, layout, dtype)[0], f"{isa} {layout} {case}")
    for threads in (1, 2, 16):
        fastconv.set_num_threads(threads)
        assert_same_bits(grad(case, dtype, layout), y, f"{isa} {layout} {case}: {threads} threads")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "case_id", ["images-together", "images-apart", "many-small-images", "runs-images-together", "runs-images-apart"]
)
def test_an_image_does_not_see_its_batch(isa: str, case_id: str, layout: str):
    case = next(case for case in CASES if case.id == case_id)
    if declines(isa, case, "float32", layout):
        return
    p, together = problem(case, layout, "float32"), grad(case, "float32", layout)
    options = {**case.options, "layout": layout, "algorithm": algorithm_of(case)}
    for n in range(case.x[0]):
        alone = fastconv.corr2d_input_grad(p.grad_y[n], p.w, p.x.shape[1:], **options)
        assert_same_bits(alone, together[n], f"{isa} {layout} image {n}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("make", [strided, sliding])
@pytest.mark.parametrize(("channels", "groups"), [(32, 1), (8, 4), (4, 4), (24, 2), (40, 4)])
def test_a_spike_reaches_what_it_met(isa: str, channels: int, groups: int, make: Callable[..., Case], layout: str):
    case = make("spike", channels, (11, 12), channels, (3, 3), padding=pad(1), batch=2, groups=groups)
    if declines(isa, case, "float32", layout):
        return
    grad_y = problem(case, layout, "float32").grad_y.copy()
    ref.planes(grad_y, layout)[1, 7, 2, 5] = np.nan
    clean, spiked = (
        ref.planes(a, layout) for a in (grad(case, "float32", layout), grad(case, "float32", layout, grad_y=grad_y))
    )
    met = np.zeros(clean.shape, bool)
    rows, columns = (slice(3, 6), slice(9, 12)) if make is strided else (slice(1, 4), slice(4, 7))
    group = 7 // channels
    met[1, group * channels : (group + 1) * channels, rows, columns] = True
    np.testing.assert_array_equal(np.isnan(spiked), met, err_msg=f"{isa} {layout}")
    np.testing.assert_array_equal(spiked[~met], clean[~met])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_takes_it_and_what_declines(isa: str, layout: str):
    def explain(
        channels: int, filters: int, side: int, window: int, stride: int, dtype: str = "float32", **options: object
    ):
        x = (1, channels, side, side)
        per_group = channels // options.get("groups", 1)
        w = (filters, per_group, window, window)
        if layout == "NHWC":
            x, w = (1, side, side, channels), (window, window, per_group, filters)
        return fastconv.explain(
            "corr2d_input_grad", x, w, stride=stride, padding=window // 2, dtype=dtype, layout=layout, **options
        )

    have = isa in HAVE_IT
    for dense in ((64, 120, 56, 3, 2), (256, 100, 14, 3, 2), (64, 64, 30, 5, 2)):
        assert (explain(*dense).algorithm == "phases") == have
    if not have:
        assert "registers" in explain(64, 128, 56, 3, 2).declined["phases"]
        assert "registers" in explain(64, 128, 56, 3, 1).declined["runs"]
        return
    assert "one tap" in explain(64, 128, 28, 1, 2).passed_over["phases"]
    assert "dilated" in explain(64, 100, 56, 3, 2, dilation=2).passed_over["phases"]
    assert "has not" in explain(64, 128, 28, 2, 2).declined["phases"]
    assert "two phases" in explain(64, 128, 28, 3, 1).declined["phases"]
    assert "two phases" in explain(64, 128, 28, 3, 3).declined["phases"]
    assert "fill a vector" in explain(15 if isa == "avx512" else 3, 128, 28, 3, 2).declined["phases"]
    assert "integers" in explain(64, 128, 28, 3, 2, "int32").declined["phases"]
    assert "stride" in explain(64, 128, 28, 3, 2).declined["runs"]
    assert "three" in explain(64, 128, 28, 5, 1).declined["runs"]
    assert "seven" in explain(64, 128, 6, 3, 1).declined["runs"]
    assert "fill" in explain(64, 129, 28, 3, 1).declined["runs"]
    assert "integers" in explain(64, 128, 28, 3, 1, "int32").declined["runs"]
    assert "groups" in explain(64, 128, 28, 3, 1).passed_over["runs"]
    if isa != "avx512":
        return
    planes = layout == "NCHW"
    assert explain(256, 256, 28, 3, 1, groups=32).algorithm == "runs"
    assert explain(256, 256, 56, 3, 2, groups=32).algorithm == "phases"
    assert (explain(128, 128, 56, 3, 1, groups=32).algorithm == "runs") != planes
    assert explain(400, 400, 7, 3, 1, groups=25).algorithm == "runs"
    assert explain(400, 400, 28, 3, 1, groups=25).algorithm.startswith("winograd")
    assert "Winograd" in explain(400, 400, 28, 3, 1, groups=25).passed_over["runs"]
    assert explain(48, 48, 28, 3, 1, groups=4).algorithm.startswith("winograd")
    assert explain(96, 96, 14, 5, 1, groups=4).declined["runs"]
    small = explain(64, 64, 14, 3, 1, groups=16)
    assert small.algorithm == "grouped_block"
    assert "blocks" in small.passed_over["runs"]
    assert (explain(512, 512, 14, 3, 2, groups=64).algorithm == "grouped_block") == planes
