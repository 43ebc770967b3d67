# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic of sizes in Python is that of C, for every geometry that C accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastconv import _core
from fastconv.geometry import output_size

AXIS = st.tuples(
    st.integers(1, 40), st.integers(1, 9), st.integers(1, 12), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9)
)
KINDS = st.sampled_from(["explicit", "valid", "same", "same_lower"])


@given(AXIS, AXIS, KINDS, st.booleans())
def test_the_mirror_of_the_output_sizes(rows: tuple, columns: tuple, padding: str, ceil_mode: bool):
    size, window, stride, dilation, before, after = zip(rows, columns, strict=True)
    mirrored = tuple(output_size(n, k, s, d, padding, b, a, ceil_mode) for n, k, s, d, b, a in (rows, columns))
    arguments = ("float32", "NCHW", 1, 1, size, window, stride, dilation, padding, before, after, ceil_mode)
    if min(mirrored) < 1:
        with pytest.raises(ValueError, match="larger than the padded input"):
            _core.Pool2d(*arguments)
    else:
        assert _core.Pool2d(*arguments).out == mirrored
    if not ceil_mode and min(mirrored) > 0:
        judged = _core.Corr2d(
            "float32", "NCHW", "OIHW", 1, 1, size, 1, 1, window, 1, stride, dilation, padding, before, after
        )
        assert judged.out == mirrored
