# SPDX-License-Identifier: BSD-3-Clause
"""Every refusal: its exception, and a message that names the argument and what it was."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastconv

X, W, B = np.ones((1, 4, 6, 5)), np.ones((6, 2, 3, 2)), np.ones(6)
Y = np.ones((1, 6, 4, 4))
P = np.ones((2, 3, 6, 6))
GP, INDEX = np.ones((2, 3, 3, 3)), np.zeros((2, 3, 3, 3), np.int64)

BASES: dict[str, tuple[Callable, dict[str, Any]]] = {
    "corr2d": (fastconv.corr2d, {"x": X, "w": W, "bias": B, "groups": 2}),
    "input_grad": (fastconv.corr2d_input_grad, {"grad_y": Y, "w": W, "x_shape": X.shape, "groups": 2}),
    "weight_grad": (fastconv.corr2d_weight_grad, {"grad_y": Y, "x": X, "w_shape": W.shape, "groups": 2}),
    "max": (fastconv.max_pool2d, {"x": P, "pool_size": 2}),
    "avg": (fastconv.avg_pool2d, {"x": P, "pool_size": 2}),
    "max_grad": (fastconv.max_pool2d_grad, {"grad_y": GP, "indices": INDEX, "x_shape": P.shape}),
    "avg_grad": (fastconv.avg_pool2d_grad, {"grad_y": GP, "pool_size": 2, "x_shape": P.shape}),
}
CORR = ("corr2d", "input_grad", "weight_grad")
POOLS = ("max", "avg", "avg_grad")
EVERY = tuple(BASES)
WINDOWED = (*CORR, *POOLS)


def refused(bases: tuple[str, ...], kind: object, name: str, value: Any, **others: Any) -> list:
    """List one refusal of `name=value` for several operators; `shown` is what the message tells besides the name."""
    shown = others.pop("shown", ())
    names = others.pop("names", name)
    return [
        pytest.param(base, kind, names, shown, {name: value, **others}, id=f"{base}-{name}-{describe(value)}")
        for base in bases
    ]


def describe(value: Any) -> str:
    """Tell a value in a few words, for the test's name."""
    return f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else repr(value)


def array(shape: tuple[int, ...], dtype: object = "float64") -> np.ndarray:
    return np.zeros(shape, dtype)


SIZES = [
    case
    for name in ("stride", "dilation")
    for case in (
        *refused(WINDOWED, ValueError, name, 0, shown="0"),
        *refused(WINDOWED, ValueError, name, -1, shown="-1"),
        *refused(WINDOWED, ValueError, name, (1, 0), shown="0"),
        *refused(WINDOWED, ValueError, name, (1, 2, 3)),
        *refused(WINDOWED, ValueError, name, ()),
        *refused(WINDOWED, ValueError, name, 2**70),
        *refused(WINDOWED, ValueError, name, (1, -(2**70))),
        *refused(WINDOWED, TypeError, name, 1.0),
        *refused(WINDOWED, TypeError, name, (1, 2.5)),
        *refused(WINDOWED, TypeError, name, "2"),
        *refused(WINDOWED, TypeError, name, "True"),
        *refused(WINDOWED, TypeError, name, True),
        *refused(WINDOWED, TypeError, name, 1j),
    )
]
SIZES += [
    *refused(CORR, TypeError, "stride", None),
    *refused(WINDOWED, TypeError, "dilation", None),
    *refused(WINDOWED, ValueError, "padding", -1, shown="-1"),
    *refused(WINDOWED, ValueError, "padding", ((0, 0), (0, -2)), shown="-2"),
    *refused(WINDOWED, ValueError, "padding", (1, 2, 3)),
    *refused(WINDOWED, ValueError, "padding", ((1, 2),)),
    *refused(WINDOWED, ValueError, "padding", ((1, 2, 3), (1, 2))),
    *refused(WINDOWED, ValueError, "padding", "full", shown="full"),
    *refused(WINDOWED, ValueError, "padding", 2**70),
    *refused(WINDOWED, TypeError, "padding", 1.5),
    *refused(WINDOWED, TypeError, "padding", ((1, 1), (1.0, 1))),
    *refused(WINDOWED, TypeError, "padding", None),
    *refused(CORR, ValueError, "groups", 0, shown="0"),
    *refused(CORR, ValueError, "groups", -1, shown="-1"),
    *refused(CORR, ValueError, "groups", 4, names="groups|w|w_shape"),
    *refused(CORR, ValueError, "groups", 3, names="groups|w|w_shape", shown="3"),
    *refused(CORR, ValueError, "groups", 2**70),
    *refused(CORR, TypeError, "groups", 2.0),
    *refused(CORR, TypeError, "groups", "2"),
    *refused(EVERY, ValueError, "layout", "CHWN", shown="CHWN"),
    *refused(EVERY, ValueError, "layout", "nchw", shown="nchw"),
    *refused(EVERY, (TypeError, ValueError), "layout", 3),
    *refused(EVERY, ValueError, "algorithm", "magic", shown=("magic", "direct")),
    *refused(EVERY, (TypeError, ValueError), "algorithm", 3),
    *refused(POOLS, ValueError, "pool_size", 0, shown="0"),
    *refused(POOLS, ValueError, "pool_size", (2, -3), shown="-3"),
    *refused(POOLS, ValueError, "pool_size", (2, 2, 2)),
    *refused(POOLS, ValueError, "pool_size", 2**70),
    *refused(POOLS, TypeError, "pool_size", 2.0),
    *refused(POOLS, TypeError, "pool_size", "2"),
    *refused(POOLS, TypeError, "pool_size", None),
    *refused(POOLS, ValueError, "pool_size", 7, names="pool_size|kernel|window", shown="7"),
    *refused(POOLS, ValueError, "pool_size", 4, dilation=3, names="pool_size|kernel|window"),
    *refused(("avg", "avg_grad"), ValueError, "divisor_override", 0, shown="0"),
    *refused(("avg", "avg_grad"), TypeError, "divisor_override", 1.5),
    *refused(("avg", "avg_grad"), TypeError, "divisor_override", "2"),
    *refused(("avg", "avg_grad"), ValueError, "divisor_override", 2**70),
]

SHAPES = [
    *refused(("corr2d",), ValueError, "x", array(())),
    *refused(("corr2d",), ValueError, "x", array((5,))),
    *refused(("corr2d",), ValueError, "x", array((1, 1, 4, 6, 5))),
    *refused(("corr2d",), ValueError, "x", array((6, 5)), names="x|w"),
    *refused(("corr2d",), ValueError, "w", array((3, 2)), names="x|w"),
    *refused(("corr2d",), ValueError, "w", array((4, 3, 2)), names="x|w"),
    *refused(("corr2d",), ValueError, "w", array((1, 6, 2, 3, 2))),
    *refused(("corr2d",), ValueError, "x", array((1, 5, 6, 5)), names="x|w|groups", shown="5"),
    *refused(("corr2d",), ValueError, "w", array((6, 3, 3, 2)), names="x|w|groups", shown="3"),
    *refused(("corr2d",), ValueError, "x", array((1, 4, 2, 5)), names="x|w|kernel", shown="3"),
    *refused(("corr2d",), ValueError, "dilation", 3, names="dilation|w|kernel", shown="6"),
    *refused(("corr2d",), ValueError, "x", array((1, 4, 0, 5)), names="x"),
    *refused(("corr2d",), ValueError, "x", array((1, 4, 6, 0)), names="x"),
    *refused(("corr2d",), ValueError, "w", array((6, 2, 0, 2)), names="w|kernel"),
    *refused(("corr2d",), ValueError, "w", array((6, 2, 3, 0)), names="w|kernel"),
    *refused(("corr2d",), ValueError, "bias", array((5,)), shown="5"),
    *refused(("corr2d",), ValueError, "bias", array((6, 1))),
    *refused(("corr2d",), ValueError, "bias", array(())),
    *refused(("corr2d",), ValueError, "bias", array((1,))),
    *refused(("input_grad",), ValueError, "grad_y", array((1, 6, 4, 5)), shown="5"),
    *refused(("input_grad",), ValueError, "grad_y", array((1, 5, 4, 4)), shown="5"),
    *refused(("input_grad",), ValueError, "grad_y", array((2, 6, 4, 4)), names="grad_y|x_shape"),
    *refused(("input_grad",), ValueError, "x_shape", (1, 4, 6, 6), names="grad_y|x_shape"),
    *refused(
        ("input_grad", "max_grad", "avg_grad"),
        ValueError,
        "x_shape",
        (1, 3, 6),
        names="grad_y|x_shape|w|indices|groups",
    ),
    *refused(("input_grad",), ValueError, "x_shape", (1, 4, 2, 5), names="x_shape|w|kernel"),
    *refused(("input_grad", "max_grad", "avg_grad"), ValueError, "x_shape", (1, 4, -6, 5), shown="-6"),
    *refused(("input_grad", "max_grad", "avg_grad"), ValueError, "x_shape", (1, 4, 6, 0), names="x_shape|x|grad_y"),
    *refused(("input_grad", "max_grad", "avg_grad"), ValueError, "x_shape", (1,), names="x_shape|x"),
    *refused(("input_grad", "max_grad", "avg_grad"), ValueError, "x_shape", (1, 4, 2**70, 5)),
    *refused(
        ("input_grad", "max_grad", "avg_grad"), ValueError, "x_shape", (2**40, 2**40, 6, 5), names="grad_y|x_shape|x|w"
    ),
    *refused(("input_grad", "max_grad", "avg_grad"), TypeError, "x_shape", (1, 4, 6.0, 5)),
    *refused(("input_grad", "max_grad", "avg_grad"), TypeError, "x_shape", "1456"),
    *refused(("input_grad", "max_grad", "avg_grad"), TypeError, "x_shape", None),
    *refused(("weight_grad",), ValueError, "grad_y", array((1, 6, 3, 4)), shown="3"),
    *refused(("weight_grad",), ValueError, "w_shape", (6, 2, 3, 3), names="grad_y|w_shape"),
    *refused(("weight_grad",), ValueError, "w_shape", (6, 2, 3), names="grad_y|w_shape|x"),
    *refused(("weight_grad",), ValueError, "w_shape", (6, 3, 3, 2), names="w_shape|x|groups"),
    *refused(("weight_grad",), ValueError, "w_shape", (8, 2, 3, 2), names="w_shape|grad_y"),
    *refused(("weight_grad",), ValueError, "w_shape", (6, 2, 0, 2), names="w_shape|w"),
    *refused(("weight_grad",), ValueError, "w_shape", (6, 2, 2**70, 2)),
    *refused(("weight_grad",), TypeError, "w_shape", (6, 2, 3.0, 2)),
    *refused(("weight_grad",), TypeError, "w_shape", None),
    *refused(("max", "avg"), ValueError, "x", array((5,))),
    *refused(("max", "avg"), ValueError, "x", array((1, 2, 3, 4, 5))),
    *refused(("max", "avg"), ValueError, "x", array((2, 3, 0, 6))),
    *refused(("max_grad",), ValueError, "indices", array((2, 3, 3, 2), int)),
    *refused(("max_grad",), ValueError, "x_shape", (2, 4, 6, 6), names="x_shape|grad_y"),
    *refused(("avg_grad",), ValueError, "x_shape", (2, 4, 6, 6), names="x_shape|grad_y"),
    *refused(("avg_grad",), ValueError, "grad_y", array((2, 3, 3, 4)), shown="4"),
]

DTYPES = [
    case
    for base, name in [
        ("corr2d", "x"),
        ("corr2d", "w"),
        ("corr2d", "bias"),
        ("input_grad", "grad_y"),
        ("input_grad", "w"),
        ("weight_grad", "grad_y"),
        ("weight_grad", "x"),
        ("max", "x"),
        ("avg", "x"),
        ("max_grad", "grad_y"),
        ("avg_grad", "grad_y"),
    ]
    for dtype in ("complex64", "complex128", object, "longdouble", "uint64", "U1", "S1", "M8[s]", "m8[s]", "V4")
    if not (dtype == "uint64" and base in ("max", "avg", "max_grad", "avg_grad"))
    if not (dtype == "longdouble" and np.dtype("longdouble") == np.float64)
    for case in refused((base,), TypeError, name, np.zeros(BASES[base][1][name].shape, dtype))
]
DTYPES += [
    *refused(("max_grad",), TypeError, "indices", array(INDEX.shape)),
    *refused(("max_grad",), TypeError, "indices", array(INDEX.shape, object)),
    *refused(("max_grad",), TypeError, "indices", array(INDEX.shape, bool)),
    *refused(("corr2d", "max", "avg"), TypeError, "x", None),
    *refused(("corr2d", "max", "avg"), TypeError, "x", "text"),
    *refused(("corr2d", "max", "avg"), TypeError, "x", {}),
    *refused(("corr2d",), TypeError, "w", None),
    *refused(("corr2d", "max", "avg"), ValueError, "x", [[1, 2], [3]]),
]


@pytest.mark.parametrize(("base", "kind", "names", "shown", "changed"), [*SIZES, *SHAPES, *DTYPES])
def test_refusal(base: str, kind: type[Exception], names: str, shown: str | tuple[str, ...], changed: dict[str, Any]):
    function, arguments = BASES[base]
    with pytest.raises(kind) as caught:
        function(**{**arguments, **changed})
    message = str(caught.value)
    assert re.search(rf"(?<![A-Za-z0-9_])({names})(?![A-Za-z0-9_])", message), f"{names!r} is not named: {message}"
    for part in (shown,) if isinstance(shown, str) else shown:
        assert part in message, f"{part!r} is not told: {message}"


@pytest.mark.parametrize("base", EVERY)
def test_the_unchanged_calls_are_right(base: str):
    function, arguments = BASES[base]
    assert isinstance(function(**arguments), np.ndarray)
