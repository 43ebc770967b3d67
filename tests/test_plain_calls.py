# SPDX-License-Identifier: BSD-3-Clause
"""The short way of common calls answers what the ordinary way does, bit for bit, and leaves all the rest to it.

Every call is made twice: as users make it, and with the short way closed.
"""

import collections
import copy
import enum
import gc
import itertools
import pickle
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from variants import VARIANTS

import fastconv
from fastconv.functional import _plain

MODULES = [
    sys.modules[f"fastconv.functional.{name}"]
    for name in ("correlation", "correlation_grad", "pooling", "pooling_grad", "prepare")
]
DOORS = (
    *("corr2d", "corr2d_input_grad", "corr2d_weight_grad"),
    *("max_pool2d", "avg_pool2d", "max_pool2d_grad", "avg_pool2d_grad"),
)
Outcome = tuple[Any, ...]


class Doors:
    """Stands for `_plain` where the functions look for it: shut, or open and counting what was answered there."""

    def __init__(self, is_open: bool) -> None:
        self.answered = 0
        self._open = is_open
        for name in DOORS:
            setattr(self, name, self._door(getattr(_plain, name)))

    def Filters(self, *arguments: Any) -> Any:  # noqa: N802
        filters = _plain.Filters(*arguments)
        return types.SimpleNamespace(corr2d=self._door(filters.corr2d), keep=filters.keep)

    def _door(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            answer = function(*arguments) if self._open else None
            self.answered += answer is not None
            return answer

        return call


@contextmanager
def doors(is_open: bool) -> Iterator[Doors]:
    before, placed = [module._plain for module in MODULES], Doors(is_open)
    try:
        for module in MODULES:
            module._plain = placed
        yield placed
    finally:
        for module, own in zip(MODULES, before, strict=True):
            module._plain = own


def seen(result: Any) -> Outcome:
    """All that a caller can tell of a result."""
    if isinstance(result, tuple):
        return tuple(seen(one) for one in result)
    flags = result.flags
    lies = flags.writeable, flags.c_contiguous, flags.aligned
    return type(result), result.dtype.str, dict(result.dtype.metadata or {}), result.shape, lies, result.tobytes()


def outcome(call: Callable[[], Any], out: Any) -> Outcome:
    """The result or the refusal, and what `out` holds then."""
    try:
        result = call()
    except Exception as error:
        return type(error), str(error), None if out is None else np.asarray(out).tobytes()
    if out is not None:
        return (result is out or (isinstance(result, tuple) and result[0] is out), *seen(result))
    return seen(result)


def both_ways(make: Callable[[], tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]) -> bool:
    """Call both ways with arguments of their own, compare, and answer whether the short way was taken."""
    outcomes, answered = [], []
    for is_open in (True, False):
        function, arguments, keywords = make()
        with doors(is_open) as placed:
            outcomes.append(outcome(lambda f=function, a=arguments, k=keywords: f(*a, **k), keywords.get("out")))
        answered.append(placed.answered)
    assert outcomes[0] == outcomes[1]
    assert answered[1] == 0
    return answered[0] > 0


def prepared(x: Any, w: Any, bias: Any = None, out: Any = None, **options: Any) -> Any:
    """A prepared correlation in its second call: in the first the ordinary way prepares the weights."""
    call = fastconv.prepare(w, bias, **options)
    call(x)
    return call(x, out)


# ---- one argument in many forms --------------------------------------------------------------------------------------


def numbers(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


class Sub(np.ndarray):
    """A subclass that changes nothing."""


class Number(enum.IntEnum):
    TWO = 2


class Text(str):
    """A string of another type."""


Pair = collections.namedtuple("Pair", "height width")
MARKED = np.dtype(np.float32, metadata={"unit": "K"})

# How an array may lie or be typed, and whether the short way takes it.
ARRAYS: dict[str, tuple[Callable[[np.ndarray], Any], bool]] = {
    "plain": (lambda a: a, True),
    "unpickled": (lambda a: pickle.loads(pickle.dumps(a)), True),
    "read only": (VARIANTS["read-only"], True),
    "one element on": (
        lambda a: np.concatenate([a[:0].ravel(), np.zeros(1, a.dtype), a.ravel()])[1:].reshape(a.shape),
        True,
    ),
    "of a larger batch": (lambda a: np.stack([a, a])[1], True),
    "subclass": (lambda a: a.view(Sub), False),
    "masked": (lambda a: np.ma.masked_array(a), False),
    "mapped": (VARIANTS["memory-mapped"], False),
    "other byte order": (VARIANTS["byte-swapped"], False),
    "steps": (VARIANTS["steps"], False),
    "reversed": (VARIANTS["reversed"], False),
    "misaligned": (VARIANTS["misaligned"], False),
    "metadata": (lambda a: a.astype(MARKED), False),
    "list": (lambda a: a.tolist(), False),
    "an array's interface": (lambda a: types.SimpleNamespace(__array_interface__=a.__array_interface__, kept=a), False),
    "float64": (lambda a: a.astype(np.float64), False),
    "float16": (lambda a: a.astype(np.float16), False),
    "longdouble": (lambda a: a.astype(np.longdouble), False),
    "int8": (lambda a: a.astype(np.int8), False),
    "int64": (lambda a: a.astype(np.int64), False),
    "bool": (lambda a: a > 0, False),
    "uint64": (lambda a: a.astype(np.uint64), False),
    "complex": (lambda a: a.astype(np.complex64), False),
    "object": (lambda a: a.astype(object), False),
    "text": (lambda a: a.astype(str), False),
    "no array": (lambda a: None, False),
    "too deep": (lambda a: a[None, None], False),
    "too flat": (lambda a: a.reshape(-1)[0], False),
    "nothing in it": (lambda a: a[:0], False),
    "one too many": (lambda a: np.concatenate([a, a[:1]]), False),
}

# Functions, with what every case begins with.
X, W, B = numbers(2, 4, 6, 5), numbers(6, 4, 3, 2), numbers(6)
CORRELATIONS: dict[str, Callable[..., Any]] = {"corr2d": fastconv.corr2d, "prepared": prepared}
POOLS: dict[str, Callable[..., Any]] = {"max": fastconv.max_pool2d, "avg": fastconv.avg_pool2d}
GRADIENTS: dict[str, Callable[..., Any]] = {
    "input_grad": fastconv.corr2d_input_grad,
    "weight_grad": fastconv.corr2d_weight_grad,
}
POOL_GRADIENTS: dict[str, Callable[..., Any]] = {
    "max_grad": fastconv.max_pool2d_grad,
    "avg_grad": fastconv.avg_pool2d_grad,
}
FUNCTIONS = {**CORRELATIONS, **POOLS, **GRADIENTS, **POOL_GRADIENTS}
BASES: dict[str, dict[str, Any]] = {name: {"x": X, "w": W, "bias": B} for name in CORRELATIONS}
BASES |= {name: {"x": X, "pool_size": 2} for name in POOLS}
G = numbers(2, 6, 4, 4)
BASES |= {
    "input_grad": {"grad_y": G, "w": W, "x_shape": X.shape},
    "weight_grad": {"grad_y": G, "x": X, "w_shape": W.shape},
    "max_grad": {
        "grad_y": numbers(2, 4, 3, 2),
        "indices": fastconv.max_pool2d(X, 2, return_indices=True)[1],
        "x_shape": X.shape,
    },
    "avg_grad": {"grad_y": numbers(2, 4, 3, 2), "pool_size": 2, "x_shape": X.shape},
}


def called(name: str, **changed: Any) -> bool:
    """Call both ways with some arguments changed; values that are functions are called first, once for each way."""

    def make() -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        keywords = {**BASES[name], **changed}
        return FUNCTIONS[name], (), {k: v() if isinstance(v, types.FunctionType) else v for k, v in keywords.items()}

    return both_ways(make)


# An empty batch, and a larger one, are as good as any; and in pooling there is nothing that a dtype could differ from.
TAKEN = {("nothing in it", "x"), ("one too many", "x"), ("no array", "bias")}


@pytest.mark.parametrize("form", ARRAYS)
@pytest.mark.parametrize(
    ("name", "argument"), [(n, a) for n in FUNCTIONS for a in ("x", "w", "bias", "grad_y", "indices") if a in BASES[n]]
)
def test_an_array_in_another_form(name: str, argument: str, form: str):
    change, short = ARRAYS[form]
    taken = called(name, **{argument: lambda: change(BASES[name][argument])})
    if name == "prepared" and argument != "x":
        return  # it copies what it is given, so that most forms lie well
    if argument == "indices":
        assert taken is (short or form == "int64")
        return
    fits = name in (*CORRELATIONS, *POOLS) and (form, argument) in TAKEN  # sizes beside a gradient's are not free
    assert taken is (short or fits or (form == "float64" and name in (*POOLS, *POOL_GRADIENTS)))


@pytest.mark.parametrize("name", CORRELATIONS)
@pytest.mark.parametrize("form", ["plain", "float64", "float16", "int8", "int64", "other byte order", "longdouble"])
def test_all_arrays_in_another_form(name: str, form: str):
    change, _ = ARRAYS[form]
    taken = called(name, **{key: lambda a=value: change(a) for key, value in BASES[name].items()})
    assert taken is (form in ("plain", "float64"))


PAIRS = [
    # (value, whether the short way takes it as a stride of these images)
    *((value, True) for value in (1, 2, (1, 2), (2, 1))),
    *((value, False) for value in ([2, 1], np.int64(2), np.array(2), np.array([2, 1]), (np.int32(2), 1), Number.TWO)),
    *(
        (value, False)
        for value in (Pair(2, 1), (2, Number.TWO), True, (True, 1), False, 2.0, (1, 2.0), "2", b"2", None)
    ),
    *(
        (value, False)
        for value in (0, -1, (1, 0), 2**63, -(2**63) - 1, (2**64, 1), (), (1,), (1, 2, 3), ((1, 2), (1, 2)))
    ),
    *((value, False) for value in ({1: 2}, {1, 2}, range(1, 3), object, 1j)),
]
PADDINGS = [
    *((value, True) for value in (0, 1, (1, 2), ((1, 2), (0, 1)), "valid", "same", "same_lower")),
    *(
        (value, False)
        for value in (Text("same"), "SAME", "", b"same", [1, 1], ([1, 2], (0, 1)), ((1, 2), 1), (1, (1, 2)))
    ),
    *(
        (value, False)
        for value in (np.int8(1), (np.int8(1), 1), ((np.int8(1), 1), (1, 1)), True, 1.0, None, -1, ((-1, 0), (0, 0)))
    ),
    *(
        (value, False)
        for value in (((1, 2), (0, 1), (1, 1)), ((1,), (1,)), 2**63, 2**62, (2**70, 1), np.ones((2, 2), int))
    ),
]
CHOICES: dict[str, list[tuple[Any, bool]]] = {
    "stride": [*((v, True) for v in ((3, 1), 2**62)), *PAIRS],
    "dilation": PAIRS,
    "padding": PADDINGS,
    "layout": [("NCHW", True), *((v, False) for v in (Text("NCHW"), "nchw", "NHWC", b"NCHW", None, 1, "", "NCHW\0"))],
    "algorithm": [
        ("auto", True),
        *((v, False) for v in (Text("auto"), "direct", "magic", "auto\0", "", b"auto", None, 0)),
    ],
    "groups": [
        (1, True),
        *((v, False) for v in (2, 0, -1, True, np.int64(1), 1.0, "1", None, (1,), 2**70, Number.TWO)),
    ],
}
POOL_CHOICES: dict[str, list[tuple[Any, bool]]] = {
    **{name: CHOICES[name] for name in ("dilation", "padding", "layout", "algorithm")},
    "stride": [(None, True), *((value, short) for value, short in PAIRS if value is not None)],
    "pool_size": PAIRS,
    "ceil_mode": [(True, True), (False, True), *((v, False) for v in (1, 0, np.True_, None, "", [], np.ones(2)))],
}
# What pooling takes and correlation does not, and the other way about.
POOL_TAKES = [("layout", "NHWC")]
AVERAGE_ALONE: dict[str, list[tuple[Any, bool]]] = {
    "count_include_pad": [(True, True), (False, True), *((v, False) for v in (1, 0, np.False_, None, "no"))],
    "divisor_override": [
        *((v, True) for v in (None, 3, -2, 2**62)),
        *((v, False) for v in (0, np.int64(3), 2.5, True, "3", 2**64, Number.TWO)),
    ],
}
MAXIMUM_ALONE = {"return_indices": [(True, True), (False, True), *((v, False) for v in (1, 0, np.True_, None, "yes"))]}
OPTIONS = [
    *((name, key, *value) for name in CORRELATIONS for key, values in CHOICES.items() for value in values),
    *((name, key, *value) for name in POOLS for key, values in POOL_CHOICES.items() for value in values),
    *(("avg", key, *value) for key, values in AVERAGE_ALONE.items() for value in values),
    *(("max", key, *value) for key, values in MAXIMUM_ALONE.items() for value in values),
]


@pytest.mark.parametrize(("name", "key", "value", "short"), OPTIONS)
def test_an_option_in_another_form(name: str, key: str, value: Any, short: bool):
    taken = called(name, **{key: value})
    if name == "prepared":  # prepare() has read the options
        assert taken or not short
        return
    assert taken is (short or (name in POOLS and isinstance(value, str) and (key, value) in POOL_TAKES))


@pytest.mark.parametrize("name", GRADIENTS)
@pytest.mark.parametrize(("key", "value", "short"), [(key, *value) for key, all in CHOICES.items() for value in all])
def test_an_option_of_a_gradient(name: str, key: str, value: Any, short: bool):
    try:
        shape = fastconv.corr2d(X, W, **{key: value}).shape
    except (TypeError, ValueError, OverflowError, MemoryError):
        shape = G.shape
    assert called(name, grad_y=numbers(*shape), **{key: value}) is short


@pytest.mark.parametrize(
    ("key", "value", "short"),
    [(key, *value) for key, values in {**POOL_CHOICES, **AVERAGE_ALONE}.items() for value in values],
)
def test_an_option_of_the_gradient_of_averages(key: str, value: Any, short: bool):
    try:
        shape = fastconv.avg_pool2d(X, **{"pool_size": 2, key: value}).shape
    except (TypeError, ValueError, OverflowError, MemoryError):
        shape = BASES["avg_grad"]["grad_y"].shape
    takes = isinstance(value, str) and (key, value) in POOL_TAKES
    assert called("avg_grad", grad_y=numbers(*shape), **{key: value}) is (short or takes)


@pytest.mark.parametrize(("key", "value", "short"), [(k, *v) for k in ("layout", "algorithm") for v in POOL_CHOICES[k]])
def test_an_option_of_the_gradient_of_maxima(key: str, value: Any, short: bool):
    assert called("max_grad", **{key: value}) is short


@pytest.mark.parametrize("index", [-2, 30, 2**62, -(2**62)])
@pytest.mark.parametrize("with_out", [False, True])
def test_a_wrong_index_is_refused_before_anything_is_written(index: int, with_out: bool):
    indices = BASES["max_grad"]["indices"].copy()
    indices[1, 2, 1, 1] = index
    assert not called("max_grad", indices=indices, out=(lambda: np.full(X.shape, 7, np.float32)) if with_out else None)


def test_maxima_of_padding_alone_have_no_place():
    assert called("max_grad", indices=np.full_like(BASES["max_grad"]["indices"], -1))


@pytest.mark.parametrize(
    ("change", "short"),
    [
        (tuple, True),
        (list, False),
        (lambda shape: Number.TWO if shape is None else (Number.TWO, *shape[1:]), False),
        (lambda shape: tuple(map(np.int64, shape)), False),
        (lambda shape: (True, *shape[1:]), False),
        (lambda shape: (-1, *shape[1:]), False),
        (lambda shape: (2**64, *shape[1:]), False),
        (lambda shape: (2.0, *shape[1:]), False),
        (lambda shape: shape[1:], False),
        (lambda shape: (1, *shape), False),
        (lambda shape: (), False),
        (lambda shape: None, False),
        (lambda shape: "2463", False),
    ],
)
@pytest.mark.parametrize("name", [*GRADIENTS, *POOL_GRADIENTS])
def test_a_shape_in_another_form(name: str, change: Callable[[Any], Any], short: bool):
    key = "w_shape" if name == "weight_grad" else "x_shape"
    assert called(name, **{key: lambda: change(BASES[name][key])}) is short


@pytest.mark.parametrize("name", [*GRADIENTS, "avg_grad"])
def test_a_shape_that_gives_another_output(name: str):
    key = "w_shape" if name == "weight_grad" else "x_shape"
    shape = BASES[name][key]
    assert not called(name, **{key: (*shape[:3], shape[3] + 1)})


@pytest.mark.parametrize(
    ("shape", "short"),
    [
        ((2, 4, 9, 9), True),
        ((2, 4, 6, 2), False),  # the places lie outside
        ((2, 4, 2**20, 2**40), False),
        ((2, 4, 2**62, 2**62), False),
        ((1, 4, 6, 5), False),
        ((2, 5, 6, 5), False),
        ((2, 4, 0, 5), False),
    ],
)
def test_the_places_of_maxima_fit_many_shapes(shape: tuple[int, ...], short: bool):
    assert called("max_grad", x_shape=shape) is short


@pytest.mark.parametrize(
    ("value", "short"), [(True, True), (False, True), (1, False), (np.True_, False), (None, False)]
)
def test_the_bias_gradient_in_another_form(value: Any, short: bool):
    assert called("weight_grad", with_bias=value) is short


@pytest.mark.parametrize("name", POOLS)
def test_padding_beside_the_divisor(name: str):
    for padding, ceil, count in itertools.product((0, 1, ((2, 0), (1, 3)), "same"), (False, True), (False, True)):
        extra = {"count_include_pad": count, "divisor_override": 5 if ceil else None} if name == "avg" else {}
        assert called(name, padding=padding, ceil_mode=ceil, stride=1, **extra)
        if name == "max":
            assert called(name, padding=padding, ceil_mode=ceil, stride=1, return_indices=True)


# ---- where to write --------------------------------------------------------------------------------------------------

SHAPES = {"corr2d": (2, 6, 4, 4), "prepared": (2, 6, 4, 4), "max": (2, 4, 3, 2), "avg": (2, 4, 3, 2)}
SHAPES |= {"input_grad": X.shape, "weight_grad": W.shape, "max_grad": X.shape, "avg_grad": X.shape}


def within(shape: tuple[int, ...], dtype: Any, offset: int) -> np.ndarray:
    """An array that begins so many bytes behind the beginning of a larger one."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.zeros(size + 64, np.uint8)[offset : offset + size].view(dtype).reshape(shape)


OUTS: dict[str, tuple[Callable[[tuple[int, ...]], Any], bool]] = {
    "plain": (lambda shape: np.full(shape, 7, np.float32), True),
    "one element on": (lambda shape: within(shape, np.float32, 4), True),
    "misaligned": (lambda shape: within(shape, np.float32, 3), False),
    "subclass": (lambda shape: np.zeros(shape, np.float32).view(Sub), False),
    "read only": (lambda shape: VARIANTS["read-only"](np.zeros(shape, np.float32)), False),
    "fortran": (lambda shape: np.zeros(shape, np.float32, "F"), False),
    "steps": (lambda shape: VARIANTS["steps"](np.zeros(shape, np.float32)), False),
    "broadcast": (lambda shape: np.lib.stride_tricks.as_strided(np.zeros(99, np.float32), shape, (0, 0, 4, 4)), False),
    "other byte order": (lambda shape: np.zeros(shape, ">f4" if sys.byteorder == "little" else "<f4"), False),
    "float64": (lambda shape: np.zeros(shape), False),
    "int32": (lambda shape: np.zeros(shape, np.int32), False),
    "metadata": (lambda shape: np.zeros(shape, MARKED), False),
    "another shape": (lambda shape: np.zeros(shape[::-1], np.float32), False),
    "another rank": (lambda shape: np.zeros((1, *shape), np.float32), False),
    "list": (lambda shape: np.zeros(shape, np.float32).tolist(), False),
    "not an array": (lambda shape: 3, False),
}


@pytest.mark.parametrize("form", OUTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_out_in_another_form(name: str, form: str):
    make, short = OUTS[form]
    assert called(name, out=lambda: make(SHAPES[name])) is short


@pytest.mark.parametrize("other", ["x", "w", "bias", "grad_y"])
@pytest.mark.parametrize("gap", [-8, -4, 0, 4])
@pytest.mark.parametrize("behind", [True, False])
def test_an_out_beside_or_within_an_input(other: str, gap: int, behind: bool):
    def make(name: str) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        keywords = dict(BASES[name])
        one, shape = keywords[other], SHAPES[name]
        out_bytes = 4 * int(np.prod(shape))
        whole = np.zeros(one.nbytes + out_bytes + 8, np.uint8)
        at, out_at = (0, one.nbytes + gap) if behind else (out_bytes + gap, 0)
        keywords[other] = whole[at : at + one.nbytes].view(np.float32).reshape(one.shape)
        keywords[other][...] = one
        keywords["out"] = whole[out_at : out_at + out_bytes].view(np.float32).reshape(shape)
        return FUNCTIONS[name], (), keywords

    for name in FUNCTIONS:
        if other in BASES[name] and (name != "prepared" or other == "x"):
            assert both_ways(lambda name=name: make(name)) is (gap >= 0)


def test_an_out_within_the_indices():
    def make(apart: bool) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        whole = np.zeros(2 * BASES["max_grad"]["indices"].nbytes + 4 * X.size, np.uint8)
        indices = whole[: whole.size - 4 * X.size].view(np.int64)[: BASES["max_grad"]["indices"].size]
        indices = indices.reshape(BASES["max_grad"]["indices"].shape)
        begin = indices.nbytes - (0 if apart else 8)
        out = whole[begin : begin + 4 * X.size].view(np.float32).reshape(X.shape)
        return fastconv.max_pool2d_grad, (BASES["max_grad"]["grad_y"], indices, X.shape), {"out": out}

    assert both_ways(lambda: make(True))
    assert not both_ways(lambda: make(False))


# ---- shapes ----------------------------------------------------------------------------------------------------------

EXTENTS = st.sampled_from((0, 1, 1, 2, 3, 4))


@given(
    st.lists(EXTENTS, min_size=1, max_size=5),
    st.lists(EXTENTS, min_size=1, max_size=5),
    st.integers(1, 3),
    st.sampled_from((0, 1, (0, 2), ((1, 0), (2, 1)), "same", "same_lower", "valid")),
    st.integers(1, 2),
    st.sampled_from((1, 2)),
    st.sampled_from(("NCHW", "NHWC")),
    st.sampled_from((None, 0, 1)),
)
def test_any_shapes(x, w, stride, padding, dilation, groups, layout, bias):
    options = {"stride": stride, "padding": padding, "dilation": dilation, "layout": layout}
    offsets = None if bias is None else numbers((w[0] if layout == "NCHW" else w[-1]) + bias)
    for name in CORRELATIONS:
        called(name, x=numbers(*x), w=numbers(*w), bias=offsets, groups=groups, **options)
    try:
        shape = fastconv.corr2d(numbers(*x), numbers(*w), groups=groups, **options).shape
    except ValueError:
        shape = tuple(x)
    if bias == 1:
        shape = shape[1:]
    called("input_grad", grad_y=numbers(*shape), w=numbers(*w), x_shape=tuple(x), groups=groups, **options)
    called("weight_grad", grad_y=numbers(*shape), x=numbers(*x), w_shape=tuple(w), groups=groups, **options)
    for name in POOLS:
        called(name, x=numbers(*x), pool_size=stride, ceil_mode=groups == 2, **options)
    try:
        indices = fastconv.max_pool2d(numbers(*x), stride, ceil_mode=groups == 2, return_indices=True, **options)[1]
    except ValueError:
        indices = np.zeros(x, np.int64)
    if bias == 1:
        indices = indices[1:]
    grad_y = numbers(*indices.shape)
    called("max_grad", grad_y=grad_y, indices=indices, x_shape=tuple(x), layout=layout)
    called("avg_grad", grad_y=grad_y, x_shape=tuple(x), pool_size=stride, ceil_mode=groups == 2, **options)


FITTING = [
    ((5, 6), (2, 3), 1),
    ((3, 5, 6), (4, 3, 2, 3), 4),
    ((2, 3, 5, 6), (4, 3, 2, 3), 4),
    ((0, 3, 5, 6), (4, 3, 2, 3), 4),
    ((2, 0, 5, 6), (4, 0, 2, 3), 4),
    ((2, 3, 5, 6), (0, 3, 2, 3), 0),
]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(("x", "w", "channels"), FITTING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shapes_that_are_taken(x: tuple[int, ...], w: tuple[int, ...], channels: int, dtype: str, layout: str):
    one, two, bias = numbers(*x, dtype=dtype), numbers(*w, dtype=dtype), numbers(channels, dtype=dtype)
    if layout == "NHWC" and one.ndim > 2:
        one, two = np.moveaxis(one, -3, -1).copy(), two.transpose(2, 3, 1, 0).copy()
    for name in CORRELATIONS:
        assert called(name, x=one, w=two, bias=None, layout=layout)
        assert called(name, x=one, w=two, bias=bias, layout=layout)
    grad_y = numbers(*fastconv.corr2d(one, two, layout=layout).shape, dtype=dtype)
    assert called("input_grad", grad_y=grad_y, w=two, x_shape=one.shape, layout=layout)
    for with_bias in (False, True):
        assert called("weight_grad", grad_y=grad_y, x=one, w_shape=two.shape, with_bias=with_bias, layout=layout)
    for name in POOLS:
        assert called(name, x=one, layout=layout, padding=1)
    indices = fastconv.max_pool2d(one, 2, layout=layout, padding=1, return_indices=True)[1]
    grad_y = numbers(*indices.shape, dtype=dtype)
    assert called("max_grad", grad_y=grad_y, indices=indices, x_shape=one.shape, layout=layout)
    assert called("avg_grad", grad_y=grad_y, x_shape=one.shape, layout=layout, padding=1)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("name", CORRELATIONS)
def test_ranks_belong_together(name: str, layout: str):
    taken = {
        (x, w)
        for x in range(1, 6)
        for w in range(1, 6)
        if called(name, x=numbers(*(1,) * x), w=numbers(*(1,) * w), bias=None, layout=layout)
    }
    assert taken == {(2, 2), (3, 4), (4, 4)}


def test_large_results_are_taken_and_reuse_memory():
    for name in ("corr2d", "prepared"):
        assert called(name, x=numbers(1, 4, 100, 100))
    for name in POOLS:
        assert called(name, x=numbers(1, 4, 200, 200), stride=1)
    assert called("max", x=numbers(1, 4, 200, 200), stride=1, return_indices=True)


def test_positional_arguments():
    def make() -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        return fastconv.corr2d, (X, W, B), {}

    assert both_ways(make)
    assert both_ways(lambda: (fastconv.max_pool2d, (X, 2), {}))
    assert both_ways(lambda: (fastconv.avg_pool2d, (X, (3, 2)), {}))
    assert not both_ways(lambda: (fastconv.corr2d, (X, W, B, 1), {}))
    assert not both_ways(lambda: (fastconv.corr2d, (X,), {}))
    assert not both_ways(lambda: (fastconv.corr2d, (X, W), {"strides": 1}))


# ---- weights that stay -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_prepared_weights_follow_the_settings(layout: str):
    x, w = (
        (numbers(2, 16, 16, 16), numbers(16, 16, 3, 3))
        if layout == "NCHW"
        else (numbers(2, 16, 16, 16), numbers(3, 3, 16, 16))
    )
    call = fastconv.prepare(w, layout=layout)
    for name in (*fastconv.isas(), *fastconv.isas()):
        for invariant in (False, True):
            fastconv.set_isa(name)
            fastconv.set_batch_invariant(invariant)
            with doors(False):
                expected = fastconv.prepare(w, layout=layout)(x)
            for _ in range(2):
                assert seen(call(x)) == seen(expected)


def test_copies_of_a_preparation_prepare_for_themselves():
    x, call = numbers(1, 16, 32, 32), fastconv.prepare(numbers(16, 16, 3, 3), numbers(16), padding=1)
    expected = call(x)
    assert call._transformed
    for twin in (copy.deepcopy(call), pickle.loads(pickle.dumps(call))):
        assert not twin._transformed
        for _ in range(2):
            assert seen(twin(x)) == seen(expected)


def test_an_edit_behind_prepare_changes_nothing():
    w, bias = numbers(4, 4, 3, 3), numbers(4)
    call, x = fastconv.prepare(w, bias), numbers(1, 4, 5, 5)
    expected = fastconv.corr2d(x, w.copy(), bias.copy())
    w[...], bias[...] = 0, 0
    for _ in range(3):
        np.testing.assert_allclose(call(x), expected, rtol=1e-5, atol=1e-5)


def test_many_threads_share_a_preparation():
    call = fastconv.prepare(numbers(16, 16, 3, 3), numbers(16), padding=1)
    images = [numbers(n, 16, side, side) for n in (1, 2) for side in (1, 4, 9, 32)]
    with doors(False):
        expected = [seen(fastconv.prepare(numbers(16, 16, 3, 3), numbers(16), padding=1)(x)) for x in images]
    wrong: list[int] = []

    def work(first: int) -> None:
        for turn in range(40):
            at = (first + turn) % len(images)
            if seen(call(images[at])) != expected[at]:
                wrong.append(at)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_no_reference_is_kept_or_lost():
    x, w, bias, out = X.copy(), W.copy(), B.copy(), np.empty(SHAPES["corr2d"], np.float32)
    call, stride, padding = fastconv.prepare(w, bias), (1, 1), ((0, 0), (0, 0))
    grad_y, indices, x_shape = (BASES["max_grad"][key] for key in ("grad_y", "indices", "x_shape"))
    call(x)

    def work() -> None:
        for _ in range(500):
            fastconv.corr2d(x, w, bias, out=out, stride=stride, padding=padding)
            call(x, out)
            fastconv.max_pool2d(x, stride, stride=stride, padding=padding, return_indices=True)
            fastconv.avg_pool2d(x, stride, stride=stride, padding=padding)
            fastconv.max_pool2d_grad(grad_y, indices, x_shape)
            fastconv.avg_pool2d_grad(grad_y, 2, x_shape)
            for wrong in ({"stride": 0}, {"bias": x}, {"out": x}):
                with pytest.raises(ValueError):  # noqa: PT011 (the words are compared above)
                    fastconv.corr2d(x, w, **wrong)

    work()
    gc.collect()
    held = [
        sys.getrefcount(value) for value in (x, w, bias, out, stride, padding, grad_y, indices, x_shape, x.dtype, None)
    ]
    work()
    gc.collect()
    again = [
        sys.getrefcount(value) for value in (x, w, bias, out, stride, padding, grad_y, indices, x_shape, x.dtype, None)
    ]
    assert all(abs(one - two) < 50 for one, two in zip(held, again, strict=True)), (held, again)
