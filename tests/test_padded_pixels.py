# SPDX-License-Identifier: BSD-3-Clause
"""Images of few channels in NHWC: rows of outputs, whose sums run over rows of pixels."""

import numpy as np
import pytest
from cases import Case, expected, pad, pads, problem, spread
from guard import check_inputs, guarded, guarded_copy
from numerics import assert_close, assert_same_bits

import fastconv

# Every end of a row of tiles, one to three vectors of outputs that end within one, several panels; rows too short
# and sums too long for a row at a time; windows along one axis, strided, dilated, as they lie.
CASES = [
    *(Case(f"outputs-{width}", (1, 3, 5, width), (20, 3, 3), padding=pad(1)) for width in range(7, 18)),
    *(Case(f"channels-{o}", (1, 3, 4, 13), (o, 3, 3), padding=pad(1)) for o in (1, 4, 15, 16, 17, 33, 48, 49, 100)),
    Case("pixels", (2, 16, 6, 11), (37, 1, 1)),
    Case("strided-pixels", (2, 6, 9, 30), (10, 1, 1), stride=(2, 3)),
    Case("as-they-lie", (2, 3, 19, 21), (33, 4, 4), stride=(2, 2), bias=False),
    Case("columns", (1, 4, 9, 12), (9, 3, 1), padding=pads(1, 1, 0, 0)),
    Case("rows", (1, 4, 9, 12), (9, 1, 3), padding=pads(0, 0, 2, 0)),
    Case("dilated", (1, 2, 17, 15), (8, 3, 3), padding=pad(2), dilation=(3, 1)),
    Case("first-layer", (3, 3, 33, 40), (64, 7, 7), stride=(2, 2), padding=pad(3)),
    Case("long-sums", (1, 8, 12, 14), (9, 7, 5), padding=pad(2)),
    Case("many-rows", (1, 1, 70, 9), (5, 3, 2), padding=pad(1)),
]


def run(case: Case, dtype: str) -> np.ndarray:
    """Compute a case between guard bytes."""
    p = problem(case, "NHWC", dtype)
    x, w, out = guarded_copy(p.x), guarded_copy(p.w), guarded(case.y_shape("NHWC"), p.dtype)
    bias = None if p.bias is None else guarded_copy(p.bias)
    fastconv.corr2d(
        x.array,
        w.array,
        None if bias is None else bias.array,
        **case.options,
        layout="NHWC",
        algorithm="padded_pixels",
        out=out.array,
    )
    check_inputs(x, w, bias, what=case)
    return out.check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_every_loop_ends_right(isa: str, dtype: str, case: Case):
    fastconv.set_num_threads(3)
    y = run(case, dtype)
    assert_close(y, expected("corr2d", case, "NHWC", dtype)[0], f"{isa} {case}", spread("corr2d", case, dtype))
    fastconv.set_num_threads(1)
    assert_same_bits(run(case, dtype), y, f"{isa} {case}: one thread")


@pytest.mark.parametrize(
    ("x", "w", "options", "taken"),
    [
        ((1, 224, 224, 3), (3, 3, 3, 64), {"padding": 1}, True),
        ((1, 28, 28, 1), (5, 5, 1, 6), {"padding": 2}, True),
        ((1, 112, 112, 16), (1, 1, 16, 96), {}, True),
        ((1, 56, 56, 144), (1, 1, 144, 24), {}, True),
        ((1, 56, 56, 256), (1, 1, 256, 64), {}, False),
        ((1, 14, 14, 64), (1, 1, 64, 64), {}, False),
        ((1, 56, 56, 24), (3, 3, 24, 32), {"padding": 1, "stride": 2}, False),
    ],
    ids=str,
)
def test_where_it_is_taken(x: tuple, w: tuple, options: dict, taken: bool):
    explanation = fastconv.explain("corr2d", x, w, layout="NHWC", **options)
    assert (explanation.algorithm == "padded_pixels") is taken, explanation
