# SPDX-License-Identifier: BSD-3-Clause
"""Strides, dilations and paddings up to the end of 64 bits: right by every algorithm, and in no time."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from cases import LAYOUTS, each_algorithm

import fastconv

DTYPES = ("float32", "float64", "int64")
SIZES = (2**24 + 1, 2**28 + 1, 2**29 - 1, 2**30, 2**31 - 1, 2**31, 2**32 + 1, 2**40, 2**60)
LARGEST = (2**62, 2**63 - 1)


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Every test takes a time that depends on its arrays of 25 elements alone."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 1, "the time depends on a parameter"


def lifted(a: np.ndarray, layout: str) -> np.ndarray:
    """Turn a plane into a batch of one image of one channel, or a kernel into one filter of one channel."""
    return a[None, :, :, None] if layout == "NHWC" else a[None, None]


def filtered(a: np.ndarray, layout: str) -> np.ndarray:
    return a[:, :, None, None] if layout == "NHWC" else a[None, None]


def plane(dtype: str) -> np.ndarray:
    return np.arange(1, 26).reshape(5, 5).astype(dtype)


def check_correlations(dtype: str, layout: str, kernel: np.ndarray, grad_y: np.ndarray, options: dict) -> None:
    """Compare the three operators with a sum over the few taps that meet the image, for every algorithm."""
    y, grad_x, grad_w = np.zeros(grad_y.shape, dtype), np.zeros((5, 5), dtype), np.zeros(kernel.shape, dtype)
    stride, dilation, before = options["stride"], options["dilation"], options["padding"][0]
    x = plane(dtype)
    for i, j in np.ndindex(*grad_y.shape):
        for u, v in np.ndindex(*kernel.shape):
            row, column = i * stride - before + u * dilation, j * stride - before + v * dilation
            if 0 <= row < 5 and 0 <= column < 5:
                y[i, j] += x[row, column] * kernel[u, v]
                grad_x[row, column] += grad_y[i, j] * kernel[u, v]
                grad_w[u, v] += grad_y[i, j] * x[row, column]
    xs, gs, ws = lifted(x, layout), lifted(grad_y, layout), filtered(kernel, layout)
    keys = {**options, "padding": (options["padding"],) * 2, "layout": layout}
    calls = {
        "corr2d": (lambda name: fastconv.corr2d(xs, ws, **keys, algorithm=name), y),
        "corr2d_input_grad": (
            lambda name: fastconv.corr2d_input_grad(gs, ws, xs.shape, **keys, algorithm=name),
            grad_x,
        ),
        "corr2d_weight_grad": (
            lambda name: fastconv.corr2d_weight_grad(gs, xs, ws.shape, **keys, algorithm=name),
            grad_w,
        ),
    }
    for op, (call, expected) in calls.items():
        for name, result in each_algorithm(op, call).items():
            np.testing.assert_array_equal(np.squeeze(result), np.squeeze(expected), err_msg=f"{op} {name} {layout}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [*SIZES, *LARGEST])
def test_a_stride_past_the_image_gives_one_window(isa: str, size: int, dtype: str, layout: str):
    options = {"stride": size, "dilation": 1, "padding": (0, 0)}
    check_correlations(dtype, layout, np.arange(1, 5).reshape(2, 2).astype(dtype), np.ones((1, 1), dtype), options)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [*SIZES, *LARGEST])
def test_the_dilation_of_one_tap_moves_nothing(isa: str, size: int, dtype: str, layout: str):
    options = {"stride": 1, "dilation": size, "padding": (0, 0)}
    check_correlations(dtype, layout, np.full((1, 1), 3, dtype), plane(dtype)[::-1].copy(), options)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_dilation_with_padding_to_match(isa: str, size: int, dtype: str, layout: str):
    """All the taps of a window but the middle one lie in the padding."""
    options = {"stride": 1, "dilation": size, "padding": (size, size)}
    kernel = np.arange(1, 10).reshape(3, 3).astype(dtype)
    check_correlations(dtype, layout, kernel, plane(dtype)[::-1].copy(), options)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_padding_with_a_stride_to_match(isa: str, size: int, dtype: str, layout: str):
    """Of two windows a row the first lies in the padding alone and the second begins in the image."""
    options = {"stride": size, "dilation": 1, "padding": (size, 0)}
    check_correlations(dtype, layout, np.arange(1, 5).reshape(2, 2).astype(dtype), np.ones((2, 2), dtype), options)
    x = lifted(plane(dtype), layout)
    keys = {"stride": size, "padding": ((size, 0), (size, 0)), "layout": layout}
    least = np.iinfo(dtype).min if dtype == "int64" else -np.inf
    for name, (y, index) in each_algorithm(
        "max_pool2d", lambda name: fastconv.max_pool2d(x, 2, **keys, return_indices=True, algorithm=name)
    ).items():
        np.testing.assert_array_equal(np.squeeze(y), [[least, least], [least, 7]], err_msg=name)
        np.testing.assert_array_equal(np.squeeze(index), [[-1, -1], [-1, 6]], err_msg=name)
    for name, y in each_algorithm("avg_pool2d", lambda name: fastconv.avg_pool2d(x, 2, **keys, algorithm=name)).items():
        np.testing.assert_array_equal(np.squeeze(y), [[0, 0], [0, 4]], err_msg=name)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_pooling_with_dilation_and_padding_to_match(isa: str, size: int, dtype: str, layout: str):
    x = lifted(plane(dtype), layout)
    keys = {"stride": 1, "dilation": size, "padding": size, "layout": layout}
    for name, (y, index) in each_algorithm(
        "max_pool2d", lambda name: fastconv.max_pool2d(x, 3, **keys, return_indices=True, algorithm=name)
    ).items():
        np.testing.assert_array_equal(y, x, err_msg=name)
        np.testing.assert_array_equal(np.squeeze(index), np.arange(25).reshape(5, 5), err_msg=name)
    for name, y in each_algorithm("avg_pool2d", lambda name: fastconv.avg_pool2d(x, 3, **keys, algorithm=name)).items():
        np.testing.assert_allclose(y, x / 9, rtol=2e-7, err_msg=name)
    for name, grad_x in each_algorithm(
        "avg_pool2d_grad", lambda name: fastconv.avg_pool2d_grad(x, 3, x.shape, **keys, algorithm=name)
    ).items():
        np.testing.assert_allclose(grad_x, x / 9, rtol=2e-7, err_msg=name)


@pytest.mark.parametrize("size", [*SIZES, *LARGEST])
def test_pooling_where_sizes_do_not_matter(isa: str, size: int):
    x = plane("float64")
    np.testing.assert_array_equal(fastconv.max_pool2d(x, 2, stride=size), [[7]])
    np.testing.assert_array_equal(fastconv.avg_pool2d(x, 2, stride=size), [[4]])
    np.testing.assert_array_equal(fastconv.max_pool2d(x, 1, stride=1, dilation=size), x)
    np.testing.assert_array_equal(fastconv.avg_pool2d(x, 1, stride=1, dilation=size), x)
    grad_x = fastconv.avg_pool2d_grad(np.ones((1, 1)), 2, (5, 5), stride=size)
    np.testing.assert_array_equal(grad_x, np.pad(np.full((2, 2), 0.25), (0, 3)))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [2**62, 2**63 - 1, (2**63 - 1) // 5])
def test_channels_of_so_many_groups_no_array_has(groups: int, layout: str):
    w = np.ones((4, 6, 3, 3) if layout == "NCHW" else (3, 3, 6, 4))
    with pytest.raises(ValueError, match="groups"):
        fastconv.prepare(w, groups=groups, layout=layout)
    with pytest.raises(ValueError, match="groups"):
        fastconv.corr2d(np.ones((1, 6, 6, 6)), w, groups=groups, layout=layout)
