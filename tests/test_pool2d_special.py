# SPDX-License-Identifier: BSD-3-Clause
"""Pooling of special numbers and of extreme windows: NaN, infinity, subnormals, huge sizes, ceil_mode by hand."""

import time
from functools import partial

import numpy as np
import pytest
import reference as ref
from cases import each_algorithm
from numerics import fresh_rng

import fastconv

NAN, INF = np.nan, np.inf
FLOATS = ("float16", "float32", "float64")
WINDOWS = ((2, 2), (3, 3), (1, 7), (9, 9), (17, 3))


def max_by_all(x: np.ndarray, kernel: object, **options: object) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pool with indices by every algorithm."""
    return each_algorithm(
        "max_pool2d", lambda name: fastconv.max_pool2d(x, kernel, **options, return_indices=True, algorithm=name)
    )


def values_by_all(x: np.ndarray, kernel: object, **options: object) -> dict[str, np.ndarray]:
    """Pool without indices by every algorithm."""
    return each_algorithm("max_pool2d", lambda name: fastconv.max_pool2d(x, kernel, **options, algorithm=name))


def avg_by_all(x: np.ndarray, kernel: object, **options: object) -> dict[str, np.ndarray]:
    """Average by every algorithm."""
    return each_algorithm("avg_pool2d", lambda name: fastconv.avg_pool2d(x, kernel, **options, algorithm=name))


@pytest.mark.parametrize(
    ("row", "value", "index"),
    [
        ([1, NAN, 2], NAN, 1),
        ([NAN, INF, NAN], NAN, 0),
        ([INF, 1, NAN], NAN, 2),
        ([-INF, -INF, -INF], -INF, 0),
        ([-INF, -1e30, -INF], -1e30, 1),
        ([1, INF, INF], INF, 1),
        ([-1, -1, -1], -1, 0),
        ([0.0, -0.0, -1], 0, None),
        ([-0.0, 0.0, -1], 0, None),
        ([-INF, NAN, -INF], NAN, 1),
    ],
)
def test_one_window(isa: str, row: list, value: float, index: int | None):
    for x in (np.array([row]), np.array([row]).T):
        for name, (y, where) in max_by_all(x, x.shape).items():
            np.testing.assert_array_equal(y, [[value]], err_msg=f"{isa} {name} {row}")
            if index is not None:
                np.testing.assert_array_equal(where, [[index]], err_msg=f"{isa} {name} {row}")


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kernel", WINDOWS, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
def test_max_of_special_numbers_scattered_about(isa: str, dtype: str, kernel: ref.Pair, stride: int, layout: str):
    rng = fresh_rng("special", dtype, kernel)
    x = rng.choice([NAN, INF, -INF, 0.0, -0.0, 1, -1], (2, 19, 20, 23), p=[0.01, 0.01, 0.9, 0.02, 0.02, 0.02, 0.02])
    x = x.astype(dtype)
    options = {"stride": (stride, stride), "padding": ((3, 2), (1, 4)), "layout": layout}
    value, index = ref.max_pool2d(x, kernel, **options)
    zeros = value == 0  # which of two zeros wins is unspecified, so its index is, too
    for name, (y, where) in max_by_all(x, kernel, **options).items():
        np.testing.assert_array_equal(y, value, err_msg=f"{isa} {name}")
        np.testing.assert_array_equal(where[~zeros], index[~zeros], err_msg=f"{isa} {name}")
    for name, y in values_by_all(x, kernel, **options).items():
        np.testing.assert_array_equal(y, value, err_msg=f"{isa} {name} without indices")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", [2, 4, 8])
@pytest.mark.parametrize("width", [7, 13, 33])
def test_a_nan_reaches_its_windows_where_a_vector_holds_several_pixels(isa: str, dtype: str, channels: int, width: int):
    x = fresh_rng("several", dtype, channels).standard_normal((1, 9, 90, channels)).astype(dtype)
    options = {"stride": (1, 1), "padding": ((1, 1), (3, 0)), "layout": "NHWC"}
    for spike in (None, (0, 8, 89, channels - 1), (0, 4, 41, 1)):
        if spike:
            x[spike] = NAN
        value, _ = ref.max_pool2d(x, (3, width), **options)
        for name, y in values_by_all(x, (3, width), **options).items():
            np.testing.assert_array_equal(y, value, err_msg=f"{isa} {name} {spike}")


@pytest.mark.parametrize(
    ("dtype", "least"), [("int8", -128), ("uint8", 0), ("int32", -(2**31)), ("int64", -(2**63)), ("float32", -INF)]
)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_padding_alone_never_ties_with_the_least_number(isa: str, dtype: str, least: float, layout: str):
    x = np.full((1, 3, 3, 3), least, dtype)
    for name, (y, index) in max_by_all(x, 2, stride=1, padding=((2, 0), (2, 0)), layout=layout).items():
        assert (y == x.flat[0]).all(), f"{isa} {name}"
        one = index[0, 0] if layout == "NCHW" else index[0, :, :, 0]
        expected = [[-1, -1, -1, -1], [-1, 0, 0, 1], [-1, 0, 0, 1], [-1, 3, 3, 4]]
        np.testing.assert_array_equal(one, expected, err_msg=f"{isa} {name}")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_subnormals_are_exact_in_max_pooling(isa: str, dtype: str, layout: str):
    rng = fresh_rng("subnormal", dtype)
    x = (np.finfo(dtype).smallest_subnormal * rng.integers(-500, 500, (1, 17, 18, 17))).astype(dtype)
    reference, _ = ref.max_pool2d(x, (3, 3), stride=(1, 1), layout=layout)
    for name, (y, _) in max_by_all(x, 3, stride=1, layout=layout).items():
        np.testing.assert_array_equal(y, reference, err_msg=f"{isa} {name}")


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", WINDOWS, ids=str)
@pytest.mark.parametrize("spike", [NAN, INF, 1e30, -1e30])
def test_a_spike_reaches_only_its_windows(isa: str, dtype: str, kernel: ref.Pair, spike: float, layout: str):
    x = ref.images(fresh_rng("spike", dtype, kernel).standard_normal((1, 5, 21, 20)).astype(dtype), layout)
    spiked = x.copy()
    ref.planes(spiked, layout)[:, 1:4, 9, 11] = spike
    options = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "layout": layout}
    clean = avg_by_all(x, kernel, **options)
    mask = np.where(spiked == x, 0.0, 1.0)
    hit = ref.avg_pool2d(mask, kernel, **options) > 0
    assert hit.any()
    assert not hit.all()
    for name, y in avg_by_all(spiked, kernel, **options).items():
        np.testing.assert_array_equal(
            y[~hit], clean[name][~hit], err_msg=f"{isa} {name}: a window without the spike changed"
        )
        reference = ref.avg_pool2d(spiked, kernel, **options)
        np.testing.assert_allclose(y[hit], reference[hit], rtol=1e-5, err_msg=f"{isa} {name}: a window with the spike")


@pytest.mark.parametrize("size", [10**6, 2**31 + 1, 2**40])
def test_huge_windows_in_huge_padding_return_quickly(isa: str, size: int):
    x = fresh_rng("huge").standard_normal((2, 3, 5, 7))
    start = time.process_time()
    options = {"padding": size // 2, "stride": size}
    for name, (y, index) in max_by_all(x, size, **options).items():
        np.testing.assert_array_equal(y[..., 0, 0], x.max(axis=(2, 3)), err_msg=name)
        np.testing.assert_array_equal(index[..., 0, 0], x.reshape(2, 3, -1).argmax(axis=2), err_msg=name)
    for count in (True, False):
        divisor = float(size) ** 2 if count else 35
        for name, y in avg_by_all(x, size, **options, count_include_pad=count).items():
            np.testing.assert_allclose(y[..., 0, 0], x.sum(axis=(2, 3)) / divisor, rtol=1e-12, atol=1e-30, err_msg=name)
    grad_x = fastconv.avg_pool2d_grad(np.ones((2, 3, 1, 1)), size, x.shape, **options)
    np.testing.assert_allclose(grad_x, np.full(x.shape, 1 / float(size) ** 2), rtol=1e-12)
    assert time.process_time() - start < 2, "the time depends on the size of the window"


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("name", ["max", "max with indices", "avg", "avg gradient"])
def test_time_does_not_grow_with_the_window(name: str, layout: str, dilation: int):
    """From 3x3 to 31x31 taps the work of a naive sum grows 107 times."""
    x = fresh_rng("window").standard_normal((1, 4, 128, 128)).astype(np.float32)
    x = ref.images(x, layout).copy()
    functions = {
        "max": fastconv.max_pool2d,
        "max with indices": partial(fastconv.max_pool2d, return_indices=True),
        "avg": fastconv.avg_pool2d,
        "avg gradient": lambda grad_y, size, **options: fastconv.avg_pool2d_grad(grad_y, size, x.shape, **options),
    }
    seconds = []
    fastconv.set_num_threads(1)
    for size in (3, 31):
        options = {"stride": 1, "dilation": dilation, "padding": dilation * (size // 2), "layout": layout}
        seconds.append(min(timed(lambda: functions[name](x, size, **options)) for _ in range(25)))  # noqa: B023
    assert seconds[1] < 12 * seconds[0], f"{name}: 31x31 took {seconds[1]:.2g} s, 3x3 {seconds[0]:.2g} s"


def timed(call: object) -> float:
    """Measure one call in seconds that this thread had a CPU, whatever else the machine does."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected_max", "expected_avg"),
    [
        (5, 2, 2, 0, [2, 4, 5], [1.5, 3.5, 5]),
        (6, 3, 2, 0, [3, 5, 6], [2, 4, 5.5]),
        (6, 2, 4, 0, [2, 6], [1.5, 5.5]),
        (5, 2, 4, 0, [2, 5], [1.5, 5]),
        (5, 3, 3, 1, [2, 5], [1, 4]),
        (7, 2, 3, 1, [1, 4, 7], [0.5, 3.5, 6.5]),
        (4, 3, 2, 1, [2, 4, 4], [1, 3, 2]),
    ],
)
def test_ceil_mode_by_hand(size: int, kernel: int, stride: int, padding: int, expected_max: list, expected_avg: list):
    """Windows of 1..size along one axis; one that would start in the far padding is dropped."""
    row, column = np.arange(1.0, size + 1).reshape(1, size), np.arange(1.0, size + 1).reshape(size, 1)
    for x, two in ((row, lambda number, rest: (rest, number)), (column, lambda number, rest: (number, rest))):
        options = {"stride": two(stride, 1), "padding": two(padding, 0), "ceil_mode": True}
        for name, (y, _) in max_by_all(x, two(kernel, 1), **options).items():
            np.testing.assert_array_equal(y.ravel(), expected_max, err_msg=name)
        for name, y in avg_by_all(x, two(kernel, 1), **options).items():
            np.testing.assert_allclose(y.ravel(), expected_avg, rtol=1e-15, err_msg=name)
