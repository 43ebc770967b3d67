# SPDX-License-Identifier: BSD-3-Clause
"""Refusals of out=, of sizes that overflow, of settings and of modes."""

from typing import Any

import numpy as np
import pytest
from numerics import BFLOAT16

import fastconv

X, W, B = np.ones((2, 3, 8, 9), np.float32), np.ones((4, 3, 3, 2), np.float32), np.ones(4, np.float32)
SHAPE = (2, 4, 6, 8)
HALF, INDEX = (2, 3, 4, 4), np.zeros(X.shape, np.int64)


def call(op: str, out: Any, x: np.ndarray = X, w: np.ndarray = W, bias: np.ndarray = B) -> Any:
    """Call one operator that has out=."""
    if op == "corr2d":
        return fastconv.corr2d(x, w, bias, out=out)
    if op == "prepared":
        return fastconv.prepare(w, bias)(x, out=out)
    if op == "input_grad":
        return fastconv.corr2d_input_grad(np.ones(SHAPE, np.float32), w, X.shape, out=out)
    if op == "weight_grad":
        return fastconv.corr2d_weight_grad(np.ones(SHAPE, np.float32), x, W.shape, out=out)
    if op == "max_grad":
        return fastconv.max_pool2d_grad(x, INDEX, HALF, out=out)
    if op == "avg_grad":
        return fastconv.avg_pool2d_grad(x, 2, HALF, stride=1, padding=((3, 2), (3, 3)), out=out)
    return getattr(fastconv, f"{op}_pool2d")(x, 2, out=out)


RESULT = {"corr2d": SHAPE, "prepared": SHAPE, "input_grad": X.shape, "weight_grad": W.shape}
RESULT |= dict.fromkeys(("max", "avg", "max_grad", "avg_grad"), HALF)
OPS = tuple(RESULT)
LIKE_X = ("prepared", "weight_grad", "max", "avg", "max_grad", "avg_grad")


def read_only(shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(shape, np.float32)
    out.flags.writeable = False
    return out


OUTS = {
    "list": (TypeError, lambda shape: np.zeros(shape, np.float32).tolist()),
    "text": (TypeError, lambda _: "out"),
    "bytes": (TypeError, lambda shape: bytearray(4 * int(np.prod(shape)))),
    "shape": (ValueError, lambda shape: np.zeros((*shape[:-1], shape[-1] + 1), np.float32)),
    "transposed": (ValueError, lambda shape: np.zeros(shape[::-1], np.float32)),
    "rank": (ValueError, lambda shape: np.zeros((1, *shape), np.float32)),
    "flat": (ValueError, lambda shape: np.zeros(int(np.prod(shape)), np.float32)),
    "float64": (ValueError, lambda shape: np.zeros(shape)),
    "int32": (ValueError, lambda shape: np.zeros(shape, np.int32)),
    "bfloat16": (ValueError, lambda shape: np.zeros(shape, BFLOAT16)),
    "read-only": (ValueError, read_only),
    "byte-swapped": (ValueError, lambda shape: np.zeros(shape, np.dtype("f4").newbyteorder("S"))),
    "onto-itself": (
        ValueError,
        lambda shape: np.lib.stride_tricks.as_strided(np.zeros(9, np.float32), shape, (0,) * 4),
    ),
}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("wrong", OUTS)
def test_out_is_refused(op: str, wrong: str):
    kind, make = OUTS[wrong]
    with pytest.raises(kind, match=r"\bout\b"):
        call(op, make(RESULT[op]))


@pytest.mark.parametrize(("op", "name"), [("corr2d", n) for n in ("x", "w", "bias")] + [(op, "x") for op in LIKE_X])
@pytest.mark.parametrize("end", ["first", "last"])
def test_out_may_not_overlap_an_input(op: str, name: str, end: str):
    inputs = {"x": X, "w": W, "bias": B}
    given, size = inputs[name], int(np.prod(RESULT[op]))
    memory = np.ones(size + given.size - 1, np.float32)
    a, out = memory[: given.size].reshape(given.shape), memory[given.size - 1 :].reshape(RESULT[op])
    if end == "first":
        out, a = memory[:size].reshape(RESULT[op]), memory[size - 1 :].reshape(given.shape)
    with pytest.raises(ValueError, match=r"\bout\b.*(overlap|share)"):
        call(op, out, **{name: a})
    assert (memory == 1).all(), "wrote before it refused"


def test_out_next_to_an_input_is_fine():
    memory = np.ones(X.size + int(np.prod(SHAPE)), np.float32)
    x, out = memory[: X.size].reshape(X.shape), memory[X.size :].reshape(SHAPE)
    np.testing.assert_array_equal(call("corr2d", out, x=x), call("corr2d", None))


ONE = np.arange(1.0, 26).reshape(5, 5)
KERNEL = np.ones((2, 2))
BIG = 2**62


@pytest.mark.parametrize("name", ["dilation", "padding"])
@pytest.mark.parametrize("value", [BIG, 2**63 - 1, (1, BIG), 2**63, 2**64 + 1])
def test_sizes_that_overflow_are_refused(name: str, value: Any):
    calls = (
        lambda: fastconv.corr2d(ONE, KERNEL, **{name: value}),
        lambda: fastconv.corr2d_input_grad(np.ones((4, 4)), KERNEL, (5, 5), **{name: value}),
        lambda: fastconv.corr2d_weight_grad(np.ones((4, 4)), ONE, (2, 2), **{name: value}),
        lambda: fastconv.max_pool2d(ONE, 2, stride=1, **{name: value}),
        lambda: fastconv.avg_pool2d(ONE, 2, stride=1, **{name: value}),
        lambda: fastconv.avg_pool2d_grad(np.ones((4, 4)), 2, (5, 5), stride=1, **{name: value}),
    )
    for number, one in enumerate(calls):
        with pytest.raises(ValueError, match=f"{name}|kernel|pool_size") as caught:
            one()
        assert not isinstance(caught.value, UnicodeError), number


@pytest.mark.parametrize("padding", [2**30, 2**31, 2**40, 2**60])
def test_results_too_large_for_any_memory_are_refused(padding: int):
    for one in (
        lambda: fastconv.corr2d(ONE, KERNEL, padding=padding),
        lambda: fastconv.max_pool2d(ONE, 2, padding=padding),
    ):
        with pytest.raises(ValueError, match=r"output|padding"):
            one()


@pytest.mark.parametrize("value", [0, -1, 2**70])
def test_thread_counts_out_of_range(value: int):
    before = fastconv.get_num_threads()
    with pytest.raises(ValueError, match=str(value)):
        fastconv.set_num_threads(value)
    assert fastconv.get_num_threads() == before


@pytest.mark.parametrize("value", [1.0, "2", None, (1,)])
def test_thread_counts_of_other_types(value: Any):
    with pytest.raises(TypeError):
        fastconv.set_num_threads(value)


@pytest.mark.parametrize(
    "function", [fastconv.algorithms, fastconv.set_isa, lambda op: fastconv.explain(op, (3, 3), (2, 2))]
)
def test_unknown_names(function: Any):
    with pytest.raises(ValueError, match="nonsense"):
        function("nonsense")
    with pytest.raises((TypeError, ValueError)):
        function(3)


def test_an_unknown_isa_is_told_the_known_ones():
    with pytest.raises(ValueError, match=fastconv.isas()[-1]):
        fastconv.set_isa("sse9")


def test_unknown_pooling_mode():
    with pytest.raises(ValueError, match=r"mode.*median"):
        fastconv.pool2d(ONE, 2, "median")
    with pytest.raises((TypeError, ValueError), match="mode"):
        fastconv.pool2d(ONE, 2, 3)


@pytest.mark.parametrize("name", ["magic", "Direct", ""])
def test_unknown_algorithms_are_told_the_known_ones(name: str):
    with pytest.raises(ValueError, match=r"algorithm.*direct"):
        fastconv.corr2d(ONE, KERNEL, algorithm=name)
    with pytest.raises(ValueError, match=r"algorithm.*direct"):
        fastconv.prepare(KERNEL, algorithm=name)


def test_prepare_judges_the_weights_at_once_and_the_images_when_called():
    with pytest.raises(TypeError, match=r"\bw\b"):
        fastconv.prepare(KERNEL.astype(complex))
    with pytest.raises(TypeError, match="stride"):
        fastconv.prepare(KERNEL, stride=1.5)
    with pytest.raises(ValueError, match="stride"):
        fastconv.prepare(KERNEL, stride=0)(ONE)
    prepared = fastconv.prepare(W, B)
    with pytest.raises(ValueError, match=r"\b[xw]\b"):
        prepared(X[:, :2])
    with pytest.raises(TypeError, match=r"\bx\b"):
        prepared(X.astype(complex))


def test_keywords_are_keywords():
    with pytest.raises(TypeError):
        fastconv.corr2d(ONE, KERNEL, None, 1)
    with pytest.raises(TypeError):
        fastconv.corr2d(ONE, KERNEL, strides=2)
