# SPDX-License-Identifier: BSD-3-Clause
"""NaN and infinity reach only the outputs whose window holds them, in the forward operator and in its gradient."""

import numpy as np
import pytest
import reference as ref
from cases import LAYOUTS, each_algorithm, pad
from numerics import assert_close, fresh_rng, random_array

import fastconv

SPIKES = (np.nan, np.inf, -np.inf)
GEOMETRIES = {
    "plain": ((2, 33, 15, 17), (26, 33, 3, 3), {"padding": pad(1)}),
    "strided": ((2, 5, 21, 19), (9, 5, 4, 3), {"stride": (2, 3), "padding": pad(2)}),
    "dilated": ((1, 8, 15, 16), (8, 8, 3, 3), {"dilation": (2, 2), "padding": pad(2)}),
    "grouped": ((1, 12, 11, 13), (18, 4, 3, 3), {"padding": pad(1), "groups": 3}),
    "groups of many": ((1, 32, 11, 13), (40, 16, 3, 3), {"padding": pad(1), "groups": 2}),
    "depthwise": ((1, 19, 14, 12), (19, 1, 5, 5), {"padding": pad(2), "groups": 19}),
    "pointwise": ((2, 26, 9, 7), (49, 26, 1, 1), {}),
    "first layer": ((2, 4, 9, 10), (16, 4, 3, 3), {"padding": pad(1)}),
}


def draw(name: str, layout: str, dtype: str) -> tuple[np.ndarray, np.ndarray, dict]:
    x_shape, w_shape, options = GEOMETRIES[name]
    rng = fresh_rng("spikes", name)
    x, w = random_array(rng, x_shape, dtype), random_array(rng, w_shape, dtype)
    return ref.images(x, layout).copy(), ref.weights(w, layout).copy(), {**options, "layout": layout}


def check_spread(clean: np.ndarray, spiked: np.ndarray, hit: np.ndarray, what: str) -> None:
    """Assert that exactly the elements that were hit are not finite, and that the others kept their values."""
    assert hit.any(), "nothing was hit"
    assert not hit.all(), "everything was hit"
    assert not np.isfinite(spiked[hit]).any(), f"{what}: a window that holds the spike is finite"
    reached = ~np.isfinite(spiked) & ~hit
    assert not reached.any(), f"{what}: the spike reached {reached.sum()} outputs whose window does not hold it"
    assert_close(spiked[~hit], clean[~hit].astype(np.float64), what)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("spike", SPIKES)
def test_a_spike_in_the_image(isa: str, spike: float, name: str, dtype: str, layout: str):
    x, w, options = draw(name, layout, dtype)
    spiked = x.copy()
    image, channel, row, column = x.shape[0] - 1, 3, 4, 5
    ref.planes(spiked, layout)[image, channel, row, column] = spike
    marks = np.zeros(x.shape)
    ref.planes(marks, layout)[image, channel, row, column] = 1
    hit = ref.corr2d(marks, np.ones(w.shape), **options) > 0
    results = each_algorithm("corr2d", lambda algorithm: fastconv.corr2d(spiked, w, **options, algorithm=algorithm))
    for algorithm, y in results.items():
        clean = fastconv.corr2d(x, w, **options, algorithm=algorithm)
        check_spread(clean, y, hit, f"{isa} {algorithm} {name} {layout}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("spike", SPIKES)
def test_a_spike_in_the_gradient(isa: str, spike: float, name: str, layout: str):
    x, w, options = draw(name, layout, "float32")
    y_shape = fastconv.corr2d(x, w, **options).shape
    grad_y = random_array(fresh_rng("gradient", name), y_shape, "float32")
    spiked, marks = grad_y.copy(), np.zeros(y_shape)
    ref.planes(spiked, layout)[0, 2, 3, 2] = spike
    ref.planes(marks, layout)[0, 2, 3, 2] = 1
    hit = ref.corr2d_input_grad(marks, np.ones(w.shape), x.shape, **options) > 0

    def call(algorithm: str) -> np.ndarray:
        return fastconv.corr2d_input_grad(spiked, w, x.shape, **options, algorithm=algorithm)

    for algorithm, grad_x in each_algorithm("corr2d_input_grad", call).items():
        clean = fastconv.corr2d_input_grad(grad_y, w, x.shape, **options, algorithm=algorithm)
        check_spread(clean, grad_x, hit, f"{isa} {algorithm} {name} {layout}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("spike", SPIKES)
@pytest.mark.parametrize("place", ["w", "bias"])
def test_a_spike_in_one_filter_reaches_one_channel(isa: str, place: str, spike: float, layout: str):
    x, w, options = draw("plain", layout, "float32")
    bias = random_array(fresh_rng("bias"), (26,), "float32")
    if place == "w":
        ref.filters(w, layout)[7, 3, 1, 1] = spike
    else:
        bias[7] = spike
    results = each_algorithm("corr2d", lambda algorithm: fastconv.corr2d(x, w, bias, **options, algorithm=algorithm))
    for algorithm, y in results.items():
        finite = np.isfinite(ref.planes(y, layout)).all(axis=(0, 2, 3))
        np.testing.assert_array_equal(np.flatnonzero(~finite), [7], err_msg=f"{isa} {algorithm} {place}")
        assert not np.isfinite(ref.planes(y, layout)[:, 7]).any() or place == "w", f"{isa} {algorithm}"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("spike", SPIKES)
def test_a_spike_at_the_border_of_a_weight_gradient(isa: str, spike: float, name: str, dtype: str, layout: str):
    """Taps that lie in the padding where the output is a spike do not see it."""
    x, w, options = draw(name, layout, dtype)
    marks = np.zeros(fastconv.corr2d(x, w, **options).shape)
    ref.planes(marks, layout)[0, 1, 0, 0] = 1
    hit = ref.corr2d_weight_grad(marks, np.ones(x.shape), w.shape, **options)[0] > 0
    grad_y = random_array(fresh_rng("spikes", name, "border"), marks.shape, dtype)
    spiked = np.where(marks > 0, grad_y.dtype.type(spike), grad_y)

    def call(grad: np.ndarray, algorithm: str) -> np.ndarray:
        return fastconv.corr2d_weight_grad(grad, x, w.shape, **options, algorithm=algorithm)

    for algorithm, grad_w in each_algorithm("corr2d_weight_grad", lambda algorithm: call(spiked, algorithm)).items():
        check_spread(call(grad_y, algorithm), grad_w, hit, f"{isa} {algorithm} {name} {layout}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_overflow_gives_infinity_and_cancellation_of_infinities_nan(isa: str, layout: str):
    """Sums of large finite numbers overflow as in float32, and padding never meets infinity."""
    x = np.full((1, 2, 4, 4), 3e38, np.float32)
    w = np.ones((2, 2, 3, 3) if layout == "NCHW" else (3, 3, 2, 2), np.float32)
    x = ref.images(x, layout)
    for name, y in each_algorithm("corr2d", lambda name: fastconv.corr2d(x, w, layout=layout, algorithm=name)).items():
        assert np.isposinf(y).all(), f"{isa} {name}"
    w = np.full_like(w, np.inf)
    ref.filters(w, layout)[0, 0] = -np.inf
    for name, y in each_algorithm("corr2d", lambda name: fastconv.corr2d(x, w, layout=layout, algorithm=name)).items():
        planes = ref.planes(y, layout)
        assert np.isnan(planes[:, 0]).all(), f"{isa} {name}"
        assert np.isposinf(planes[:, 1]).all(), f"{isa} {name}"
