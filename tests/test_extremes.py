# SPDX-License-Identifier: BSD-3-Clause
"""Problems at the edges of what is accepted: each once broke an algorithm's bookkeeping."""

import time

import numpy as np
import pytest
import reference as ref
from numerics import assert_close

import fastconv

LAYOUTS = ("NCHW", "NHWC")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_channels_but_many_taps(layout: str, isa: str):
    x, w = ref.images(np.zeros((1, 0, 40, 40), np.float32), layout), ref.weights(np.zeros((3, 0, 40, 40)), layout)
    y = fastconv.corr2d(x, w.astype(np.float32), [1, 2, 3], padding=1, layout=layout)
    channels = y[0, :, 1, 1] if layout == "NCHW" else y[0, 1, 1]
    np.testing.assert_array_equal(channels, [1, 2, 3])
    assert len(np.unique(y)) == 3


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_output_channels_but_many_taps(layout: str, isa: str):
    grad_y = ref.images(np.zeros((1, 0, 3, 3), np.float32), layout)
    w = ref.weights(np.zeros((0, 2, 40, 40), np.float32), layout)
    x_shape = ref.images(np.zeros((1, 2, 42, 42)), layout).shape
    assert not fastconv.corr2d_input_grad(grad_y, w, x_shape, layout=layout).any()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stride", [2**20, 2**36, 2**62, 2**63 - 1])
def test_a_stride_that_is_never_taken(layout: str, stride: int, isa: str):
    rng = np.random.default_rng(0)
    x = ref.images(rng.standard_normal((2, 3, 100, 4)), layout)
    w = ref.weights(rng.standard_normal((5, 3, 2, 3)), layout)
    start = time.monotonic()
    y = fastconv.corr2d(x, w, stride=(1, stride), layout=layout)
    assert_close(y, ref.corr2d(x, w, stride=(1, 4), layout=layout))
    grad_x = fastconv.corr2d_input_grad(y, w, x.shape, stride=(1, stride), layout=layout)
    assert_close(grad_x, ref.corr2d_input_grad(y, w, x.shape, stride=(1, 4), layout=layout))
    grad_w = fastconv.corr2d_weight_grad(y, x, w.shape, stride=(1, stride), layout=layout)
    assert_close(grad_w, ref.corr2d_weight_grad(y, x, w.shape, stride=(1, 4), layout=layout)[0])
    assert time.monotonic() - start < 10, "the time must not grow with the stride"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stride_of_many_phases(layout: str):
    rng = np.random.default_rng(0)
    grad_y = ref.images(rng.standard_normal((1, 3, 3, 2)), layout)
    w = ref.weights(rng.standard_normal((3, 2, 19, 18)), layout)
    x_shape = ref.images(np.zeros((1, 2, 60, 42)), layout).shape
    options = {"stride": (20, 19), "padding": ((1, 1), (2, 2)), "layout": layout}
    assert_close(
        fastconv.corr2d_input_grad(grad_y, w, x_shape, **options),
        ref.corr2d_input_grad(grad_y, w, x_shape, **options),
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_huge_sizes_beside_an_empty_result(layout: str, isa: str):
    """Broadcast views of nothing: no loop may go over an axis when there is nothing to write."""
    many, start = 2**40, time.monotonic()
    x = ref.images(np.empty((many, 0, 1, 1), np.float32), layout)
    for w_shape in [(0, 0, 1, 1), (0, 0, 3, 3)]:
        w = ref.weights(np.empty(w_shape, np.float32), layout)
        y = fastconv.corr2d(x, w, padding=1, layout=layout)
        assert y.size == 0
        assert fastconv.corr2d_input_grad(y, w, x.shape, padding=1, layout=layout).shape == x.shape
        assert fastconv.corr2d_weight_grad(y, x, w.shape, padding=1, layout=layout).shape == w.shape
    x, w = np.ones((1, 1, 1, 1), np.float32), ref.weights(np.empty((0, 1, 3, 3), np.float32), layout)
    y = fastconv.corr2d(x, w, padding=(2**27, 2**15), layout=layout)
    assert y.size == 0
    assert time.monotonic() - start < 10, "the time must not grow with a size beside nothing"
