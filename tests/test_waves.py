# SPDX-License-Identifier: BSD-3-Clause
"""Images that are copied before they are multiplied, more of them than are copied at a time."""

import numpy as np
import pytest
from cases import Case, expected, pad, problem
from guard import check_inputs, guarded, guarded_copy
from numerics import assert_close, assert_same_bits

import fastconv

WAVE_BYTES = 8 << 20

# The algorithm, the operation, the layout, the case, and the bytes that are copied of an image in float32. The last
# wave is a part of one, or one image alone is more than a wave.
CASES = (
    ("turned_gemm", "corr2d", "NCHW", Case("turned", (19, 48, 40, 41), (30, 3, 3), padding=pad(1)), 78 * 40 * 41 * 4),
    ("turned_gemm", "corr2d", "NCHW", Case("turned-large", (2, 40, 160, 170), (40, 1, 1)), 80 * 160 * 170 * 4),
    ("turned_gemm", "corr2d_input_grad", "NCHW", Case("back", (14, 40, 61, 63), (30, 3, 3), stride=(2, 2)), 726480),
    ("turned_gemm", "corr2d", "NCHW", Case("turned-rows", (61, 6, 40, 41), (16, 3, 3), padding=pad(1)), 88 * 40 * 41),
    ("padded_pixels", "corr2d_input_grad", "NHWC", Case("back", (17, 4, 230, 200), (3, 3, 3), padding=pad(1)), 562368),
    ("padded_pixels", "corr2d", "NHWC", Case("rows", (17, 3, 230, 200), (4, 3, 3), padding=pad(1)), 232 * 202 * 12),
    ("padded_pixels", "corr2d", "NHWC", Case("product", (9, 60, 70, 60), (5, 3, 3), padding=pad(1)), 72 * 62 * 240),
    ("padded_pixels", "corr2d", "NHWC", Case("one", (2, 8, 600, 460), (3, 2, 2), padding=pad(1)), 602 * 462 * 32),
    ("inner_product", "corr2d", "NCHW", Case("windows", (21, 256, 7, 7), (33, 3, 3), padding=pad(1)), 49 * 2304 * 4),
)


def run(name: str, op: str, layout: str, case: Case, images: slice) -> np.ndarray:
    """Compute some images of a case between guard bytes."""
    p = problem(case, layout, "float32")
    options = {**case.options, "layout": layout, "algorithm": name}
    read = guarded_copy((p.x if op == "corr2d" else p.grad_y)[images])
    shape = case.y_shape(layout) if op == "corr2d" else p.x.shape
    out = guarded((len(read.array), *shape[1:]), np.float32)
    if op == "corr2d":
        fastconv.corr2d(read.array, p.w, p.bias, **options, out=out.array)
    else:
        fastconv.corr2d_input_grad(read.array, p.w, out.array.shape, **options, out=out.array)
    check_inputs(read, what=case)
    return out.check(case)


@pytest.mark.parametrize(("name", "op", "layout", "case", "image_bytes"), CASES, ids=str)
def test_a_wave_continues_where_the_last_one_ended(
    isa: str, name: str, op: str, layout: str, case: Case, image_bytes: int
):
    batch, wave = case.x[0], max(1, WAVE_BYTES // image_bytes)
    assert wave < batch, "a single wave holds the case"
    assert wave == 1 or batch % wave, "the last wave is a whole one"
    fastconv.set_num_threads(3)
    y = run(name, op, layout, case, slice(None))
    assert_close(y, expected(op, case, layout, "float32")[0], f"{isa} {case}")
    fastconv.set_num_threads(1)
    assert_same_bits(run(name, op, layout, case, slice(None)), y, f"{isa} {case}: one thread")
    for n in {0, wave - 1, wave, batch - 1}:
        alone = run(name, op, layout, case, slice(n, n + 1))
        assert_same_bits(alone[0], y[n], f"{isa} {case}: image {n} alone")
