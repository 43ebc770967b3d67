# SPDX-License-Identifier: BSD-3-Clause
"""Any arguments at all, drawn by chance: a right answer or one of the promised exceptions, in bounded time.

Arguments are drawn from what callers have and what they should not have: numbers of any size, wrong types, shapes that
do not belong together, arrays that lie anyhow. An answer is compared with the oracle where that takes the problem.
The suite draws the same 150 calls of each function every time, so that a change fails for its own faults alone.
FASTCONV_FUZZ_EXAMPLES=6000 draws so many new ones: what it finds becomes an example here. `tests/fuzz/` does the same
for the C API.
"""

import math
import os
import time
from typing import Any

import numpy as np
import reference as ref
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from numerics import assert_close

import fastconv

SEARCH = os.environ.get("FASTCONV_FUZZ_EXAMPLES")
EXAMPLES = int(SEARCH or 150)
PROMISED = (ValueError, TypeError, MemoryError)
MOST_ELEMENTS, NO_MORE = 2**24, 2**44  # of a result: what is between them might be given, and take gigabytes
SECONDS = 3

SMALL = st.integers(0, 4)
ANY_SIZE = st.one_of(
    SMALL, SMALL, SMALL, st.integers(-3, 70), st.integers(-(2**70), 2**70),
    st.integers(0, 63).flatmap(lambda p: st.sampled_from([2**p - 1, 2**p, 2**p + 1, -(2**p)])),
)  # fmt: skip
NOT_A_SIZE = st.sampled_from([None, 1.5, "2", b"1", True, float("nan"), 1j, [], (), {}, object(), (1, 2, 3), "same"])
SIZE = st.one_of(ANY_SIZE, ANY_SIZE, ANY_SIZE, st.tuples(ANY_SIZE, ANY_SIZE), NOT_A_SIZE)
PADDING = st.one_of(SIZE, st.tuples(st.tuples(ANY_SIZE, ANY_SIZE), st.tuples(ANY_SIZE, ANY_SIZE)),
                    st.sampled_from(["same", "valid", "same_lower", "full"]))  # fmt: skip
DTYPE = st.sampled_from(
    ["f4", "f4", "f8", "f2", ">f4", "i1", "u1", "i4", "i8", "u8", "?", "c8", "O", "U1", "M8[s]", "V3", "g"]
)
LAYOUT = st.one_of(st.sampled_from(["NCHW", "NHWC"]), st.sampled_from(["NCHW", "NHWC", "nchw", "", None, 3]))


@st.composite
def arrays(draw: st.DrawFn, rank: int | None = None) -> Any:
    """Something that may be an array: any rank, dtype and strides; now and then no array at all."""
    if draw(st.integers(0, 30)) == 0:
        return draw(st.sampled_from([None, "x", [], [[1, 2], [3]], 7, {}, object(), [[[]]], range(3), b"ab"]))
    count = draw(st.integers(0, 5)) if rank is None or draw(st.integers(0, 12)) == 0 else rank
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=count, max_size=count)))
    dtype = np.dtype(draw(DTYPE)) if draw(st.integers(0, 2)) == 0 else np.dtype("f4")
    # a gap between the elements of the last axis, every axis backwards or not
    gap = draw(st.integers(1, 3))
    whole = np.zeros((*shape[:-1], shape[-1] * gap) if shape else (), dtype)
    if dtype.kind in "fiu":
        whole[...] = np.random.default_rng(draw(st.integers(0, 99))).integers(-3, 4, whole.shape).astype("i1")
    a = whole[..., ::gap] if shape else whole
    for axis in range(len(shape)):
        if draw(st.integers(0, 4)) == 0:
            a = np.flip(a, axis)
    if shape and draw(st.integers(0, 8)) == 0:
        a = np.broadcast_to(a[:1], shape) if shape[0] else a
    return a


def options(**strategies: st.SearchStrategy) -> st.SearchStrategy:
    """Keywords, each of them there or not."""
    return st.fixed_dictionaries({}, optional=strategies)


CORRELATION = options(stride=SIZE, padding=PADDING, dilation=SIZE, groups=SIZE, layout=LAYOUT)
POOLING = options(stride=SIZE, padding=PADDING, dilation=SIZE, ceil_mode=st.booleans(), layout=LAYOUT)
AVERAGE = options(
    stride=SIZE, padding=PADDING, dilation=SIZE, ceil_mode=st.booleans(), layout=LAYOUT,
    count_include_pad=st.booleans(), divisor_override=SIZE,
)  # fmt: skip


def moderate(shape: Any) -> bool:
    """Whether a result of that shape is small, or larger than any memory."""
    sizes = [size for size in np.ravel(np.asarray(shape, object)).tolist() if isinstance(size, int)]
    return not MOST_ELEMENTS < abs(math.prod(sizes)) < NO_MORE


ANY_SHAPE = st.one_of(
    st.lists(st.integers(0, 5), min_size=2, max_size=4).map(tuple), st.lists(ANY_SIZE, max_size=5), SIZE
)
SHAPE = ANY_SHAPE.filter(moderate)


def limited(keys: dict[str, Any]) -> dict[str, Any]:
    """Without a padding that would ask for gigabytes, and get them."""
    flat = np.ravel(np.asarray(keys.get("padding", 0), object)).tolist()
    large = [p for p in flat if isinstance(p, int) and 60 < p < 2**40]
    return {key: value for key, value in keys.items() if key != "padding"} if large else keys


def attempt(function: Any, *arguments: Any, **keys: Any) -> Any:
    """The result, or None when the call was refused in a promised way."""
    start = time.process_time()
    try:
        result = function(*arguments, **limited(keys))
    except PROMISED as error:
        result, message = None, str(error)
    else:
        message = "taken"
    event("taken" if result is not None else "refused")
    assert message, "an exception that says nothing"
    assert time.process_time() - start < SECONDS, "the time depends on a parameter"
    return result


profile = settings(
    max_examples=EXAMPLES, derandomize=not SEARCH, deadline=None, database=None,
    suppress_health_check=list(HealthCheck), print_blob=True,
)  # fmt: skip


def pairs(keys: dict[str, Any]) -> dict[str, Any]:
    """The keywords as the oracle takes them."""
    two = {name: keys.get(name, 1) for name in ("stride", "dilation")}
    two = {name: value if isinstance(value, tuple | list) else (value, value) for name, value in two.items()}
    return {**two, "groups": keys.get("groups", 1), "layout": keys.get("layout", "NCHW")}


def explicit(padding: Any) -> Any:
    if isinstance(padding, str):
        return None
    if isinstance(padding, int | np.integer):
        return ((padding, padding), (padding, padding))
    return tuple((p, p) if isinstance(p, int | np.integer) else tuple(p) for p in padding)


def small(padding: Any) -> bool:
    return padding is not None and all(p < 100 for pair in padding for p in pair)


@profile
@given(x=arrays(), w=arrays(), bias=st.one_of(st.none(), arrays(1)), keys=CORRELATION)
@example(x=np.ones((1, 1)), w=np.ones((1, 1)), bias=None, keys={"dilation": 2**62, "stride": 2**63 - 1})
@example(x=None, w=np.ones((0, 0, 5)), bias=None, keys={"layout": "NHWC", "groups": 2**62})
def test_corr2d_of_anything(x: Any, w: Any, bias: Any, keys: dict[str, Any]):
    attempt(fastconv.corr2d, x, w, bias, **keys)
    attempt(fastconv.prepare, w, bias, **keys)


@profile
@given(data=st.data(), keys=CORRELATION, groups=st.integers(1, 3))
def test_corr2d_of_shapes_that_belong_together(data: st.DataObject, keys: dict[str, Any], groups: int):
    """Of these most are taken: the answer is the oracle's."""
    n, c, o, h, w, kh, kw = (data.draw(st.integers(1, 6)) for _ in range(7))
    layout = keys.get("layout", "NCHW")
    kernel = np.random.default_rng(h * w).integers(-3, 4, (o * groups, c, kh, kw)).astype("f4")
    images = np.random.default_rng(kh + kw).integers(-3, 4, (n, c * groups, h, w)).astype("f4")
    if layout == "NHWC":
        images, kernel = ref.images(images, layout), ref.weights(kernel, layout)
    keys = {**keys, "groups": groups}
    y = attempt(fastconv.corr2d, images, kernel, **keys)
    padding = explicit(limited(keys).get("padding", 0)) if y is not None else None
    if y is not None and small(padding) and max(pairs(keys)["dilation"]) < 100 and max(pairs(keys)["stride"]) < 2**31:
        assert_close(y, ref.corr2d(images, kernel, padding=padding, **pairs(keys)), keys)


@profile
@given(grad=arrays(), other=arrays(), shape=SHAPE, keys=CORRELATION)
def test_gradients_of_anything(grad: Any, other: Any, shape: Any, keys: dict[str, Any]):
    attempt(fastconv.corr2d_input_grad, grad, other, shape, **keys)
    attempt(fastconv.corr2d_weight_grad, grad, other, shape, **keys)


@profile
@given(x=arrays(), size=SIZE, shape=SHAPE, maximum=POOLING, average=AVERAGE)
def test_poolings_of_anything(x: Any, size: Any, shape: Any, maximum: dict[str, Any], average: dict[str, Any]):
    attempt(fastconv.max_pool2d, x, size, return_indices=True, **maximum)
    attempt(fastconv.avg_pool2d, x, size, **average)
    attempt(fastconv.avg_pool2d_grad, x, size, shape, **average)


@profile
@given(grad=arrays(), places=arrays(), shape=SHAPE, layout=LAYOUT)
def test_max_pool2d_grad_of_anything(grad: Any, places: Any, shape: Any, layout: Any):
    attempt(fastconv.max_pool2d_grad, grad, places, shape, layout=layout)


@profile
@given(
    a=arrays(4),
    values=st.lists(ANY_SIZE, min_size=1, max_size=6),
    shape=st.lists(st.integers(1, 5), min_size=4, max_size=4),
)
def test_places_of_any_value(a: Any, values: list[int], shape: list[int]):
    """Every place is inside the plane, or the call is refused with nothing written."""
    shape_of_a = getattr(a, "shape", ())
    if len(shape_of_a) != 4 or a.dtype.kind not in "fiu" or a.dtype.itemsize > 8 or a.dtype == np.uint64:
        return
    values = [v for v in values if -(2**63) <= v < 2**63] or [0]
    places = np.resize(np.array(values, np.int64), shape_of_a)
    x_shape = (*shape_of_a[:2], *shape[2:])
    out = np.full(x_shape, 77, a.dtype.newbyteorder("="))
    plane = x_shape[2] * x_shape[3]
    inside = bool(((places >= -1) & (places < plane)).all())
    result = attempt(fastconv.max_pool2d_grad, a, places, x_shape, out=out)
    assert (result is not None) == inside or not places.size
    if result is None:
        assert (out == 77).all(), "a call that was refused has written"


@profile
@given(shape=ANY_SHAPE, w_shape=ANY_SHAPE, keys=CORRELATION)
def test_explain_of_anything(shape: Any, w_shape: Any, keys: dict[str, Any]):
    for operation in ("corr2d", "corr2d_input_grad", "corr2d_weight_grad"):
        attempt(fastconv.explain, operation, shape, w_shape, **keys)
