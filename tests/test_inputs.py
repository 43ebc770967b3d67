# SPDX-License-Identifier: BSD-3-Clause
"""Arguments that lie in memory in any way give the bits of contiguous ones, and are not written to."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference as ref
from cases import LAYOUTS
from numerics import assert_same_bits, fresh_rng, random_array
from variants import VARIANTS

import fastconv

DTYPES = ("float16", "float32", "float64", "int8", "int64")
OPTIONS = {"stride": (1, 2), "padding": ((1, 2), (0, 1))}
GROUPS = 2

Arrays = dict[str, np.ndarray]


def arrays(layout: str, dtype: str) -> Arrays:
    """Draw what the operators below take."""
    rng = fresh_rng("inputs", dtype)
    x, w = random_array(rng, (2, 8, 9, 11), dtype), random_array(rng, (6, 4, 3, 2), dtype)
    bias = random_array(rng, (6,), "int32" if dtype == "int8" else dtype)
    y = ref.corr2d(x, w, **OPTIONS, groups=GROUPS)
    pooled, indices = ref.max_pool2d(x, (3, 2), stride=(1, 2))
    grads = {"grad_y": random_array(rng, y.shape, dtype), "grad_pooled": random_array(rng, pooled.shape, dtype)}
    images = {"x": x, "indices": indices, **grads}
    return {"w": ref.weights(w, layout).copy(), "bias": bias} | {
        k: ref.images(v, layout).copy() for k, v in images.items()
    }


def corr(layout: str) -> dict[str, Any]:
    return {**OPTIONS, "groups": GROUPS, "layout": layout}


def pool(layout: str) -> dict[str, Any]:
    return {"stride": (1, 2), "layout": layout}


Call = Callable[[dict[str, Any], str, Arrays], Any]

CALLS: dict[str, tuple[tuple[str, ...], Call]] = {
    "corr2d": (("x", "w", "bias"), lambda a, layout, _: fastconv.corr2d(a["x"], a["w"], a["bias"], **corr(layout))),
    "prepare": (("x", "w", "bias"), lambda a, layout, _: fastconv.prepare(a["w"], a["bias"], **corr(layout))(a["x"])),
    "corr2d_input_grad": (
        ("grad_y", "w"),
        lambda a, layout, full: fastconv.corr2d_input_grad(a["grad_y"], a["w"], full["x"].shape, **corr(layout)),
    ),
    "corr2d_weight_grad": (
        ("grad_y", "x"),
        lambda a, layout, full: fastconv.corr2d_weight_grad(
            a["grad_y"], a["x"], full["w"].shape, **corr(layout), with_bias=True
        ),
    ),
    "max_pool2d": (
        ("x",),
        lambda a, layout, _: fastconv.max_pool2d(a["x"], (3, 2), **pool(layout), return_indices=True),
    ),
    "avg_pool2d": (("x",), lambda a, layout, _: fastconv.avg_pool2d(a["x"], (3, 2), **pool(layout))),
    "max_pool2d_grad": (
        ("grad_pooled", "indices"),
        lambda a, layout, full: fastconv.max_pool2d_grad(
            a["grad_pooled"], a["indices"], full["x"].shape, layout=layout
        ),
    ),
    "avg_pool2d_grad": (
        ("grad_pooled",),
        lambda a, layout, full: fastconv.avg_pool2d_grad(a["grad_pooled"], (3, 2), full["x"].shape, **pool(layout)),
    ),
}


def check(name: str, layout: str, full: Arrays, changed: dict[str, Any]) -> None:
    """Call with some arguments changed in form, and compare with the plain call."""
    _, call = CALLS[name]
    expected, result = call(full, layout, full), call({**full, **changed}, layout, full)
    for one, two in zip(*(v if isinstance(v, tuple) else (v,) for v in (result, expected)), strict=True):
        assert isinstance(one, np.ndarray)
        assert one.dtype.isnative, "the result is not in the machine's byte order"
        assert_same_bits(one, two, f"{name} {layout} {sorted(changed)}")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_same_bits_as_contiguous(name: str, variant: str, dtype: str, layout: str):
    full = arrays(layout, dtype)
    changed = {key: VARIANTS[variant](full[key]) for key in CALLS[name][0]}
    for key in changed:
        check(name, layout, full, {key: changed[key]})
    check(name, layout, full, changed)
    for key, value in changed.items():
        np.testing.assert_array_equal(np.asarray(value), full[key], err_msg=f"{name} wrote to {key}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("axis", range(4))
def test_zero_strides_of_a_broadcast(name: str, axis: int, layout: str):
    full = arrays(layout, "float32")
    for key in CALLS[name][0]:
        if axis < full[key].ndim:
            one = np.take(full[key], [0], axis)
            broadcast = np.broadcast_to(one, full[key].shape)
            assert broadcast.strides[axis] == 0
            check(name, layout, {**full, key: broadcast.copy()}, {key: broadcast})


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("offset", [1, 3, 7, 15])
def test_every_alignment_of_a_vector(name: str, layout: str, offset: int):
    full = arrays(layout, "float32")
    changed = {}
    for key in CALLS[name][0]:
        whole = np.empty(full[key].size + offset, full[key].dtype)
        changed[key] = whole[offset:].reshape(full[key].shape)
        changed[key][...] = full[key]
    check(name, layout, full, changed)


def test_python_lists_are_numbers():
    x, w = [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]], [[[0, 1], [2, 3]]]
    np.testing.assert_array_equal(fastconv.corr2d(x, w), [[19, 25], [37, 43]])
    np.testing.assert_array_equal(fastconv.corr2d(tuple(x), tuple(w), [1]), [[20, 26], [38, 44]])
    np.testing.assert_array_equal(fastconv.max_pool2d(x, 2, stride=1), [[[4, 5], [7, 8]]])
    index = [[[4, 4], [7, 8]]]
    np.testing.assert_array_equal(
        fastconv.max_pool2d_grad([[[1.0, 2], [3, 4]]], index, [1, 3, 3]), [[[0, 0, 0], [0, 3, 0], [0, 3, 4]]]
    )


def test_one_array_may_be_both_arguments():
    a = fresh_rng("aliased").standard_normal((3, 3, 3, 3))
    assert_same_bits(fastconv.corr2d(a, a), fastconv.corr2d(a.copy(), a.copy()), "x is w")
    grad = fastconv.corr2d_input_grad(a, a, (3, 3, 5, 5))
    assert_same_bits(grad, fastconv.corr2d_input_grad(a.copy(), a.copy(), (3, 3, 5, 5)), "grad_y is w")


def test_results_are_fresh_and_contiguous():
    full = arrays("NCHW", "float32")
    for name, (_, call) in CALLS.items():
        first = call(full, "NCHW", full)
        for one in first if isinstance(first, tuple) else (first,):
            assert one.flags.c_contiguous, name
            assert one.flags.writeable, name
            assert not any(np.shares_memory(one, value) for value in full.values()), name
