# SPDX-License-Identifier: BSD-3-Clause
"""Arguments in the forms that users write, brought to one form; sizes are judged in C."""

import operator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Layout: TypeAlias = Literal["NCHW", "NHWC"]
Pair: TypeAlias = tuple[int, int]
IntOrPair: TypeAlias = int | tuple[int, int]
Padding: TypeAlias = (
    int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | Literal["valid", "same", "same_lower"]
)

_INT64 = 2**63


def integer(name: str, value: Any) -> int:
    """Return `value` as an int that fits 64 bits; bools and floats are refused."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not -_INT64 <= number < _INT64:
        raise ValueError(f"{name} must fit 64 bits, got {number}")
    return number


def _is_integer(value: Any) -> bool:
    """Whether `value` can stand for an int; an array of several numbers has the method too, but refuses."""
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def pair(name: str, value: Any) -> Pair:
    """Return an int as (value, value) and a pair as it is."""
    if _is_integer(value):
        number = integer(name, value)
        return number, number
    items = _items(name, value, "an integer or a pair (height, width)")
    return integer(name, items[0]), integer(name, items[1])


def layout_name(layout: Any) -> Layout:
    """Return `layout` if it is one."""
    if not isinstance(layout, str):
        raise TypeError(f"layout must be a string, got {layout!r}")
    if layout not in ("NCHW", "NHWC"):
        raise ValueError(f"layout must be 'NCHW' or 'NHWC', got {layout!r}")
    return "NCHW" if layout == "NCHW" else "NHWC"


def _items(name: str, value: Any, wanted: str) -> tuple[Any, Any]:
    if isinstance(value, str | bytes) or not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
    if len(value) != 2:
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return value[0], value[1]


@dataclass(frozen=True, slots=True)
class Windows:
    """How a window slides: every entry is (height, width). `padding` is "explicit" or one of the named kinds."""

    stride: Pair
    dilation: Pair
    padding: str
    before: Pair
    after: Pair

    @classmethod
    def of(cls, stride: Any, padding: Any, dilation: Any) -> "Windows":
        """Read the three arguments in any of their forms."""
        kind, before, after = _padding(padding)
        return cls(pair("stride", stride), pair("dilation", dilation), kind, before, after)


def _padding(value: Any) -> tuple[str, Pair, Pair]:
    if isinstance(value, str):
        if value not in ("valid", "same", "same_lower"):
            raise ValueError(f"padding must be 'valid', 'same' or 'same_lower' if it is a string, got {value!r}")
        return value, (0, 0), (0, 0)
    if _is_integer(value):
        number = integer("padding", value)
        return "explicit", (number, number), (number, number)
    wanted = "an integer, a pair (height, width), two pairs ((top, bottom), (left, right)) or a string"
    vertical, horizontal = _items("padding", value, wanted)
    if _is_integer(vertical) or _is_integer(horizontal):
        number_pair = integer("padding", vertical), integer("padding", horizontal)
        return "explicit", number_pair, number_pair
    top, bottom = pair("padding", _items("padding", vertical, wanted))
    left, right = pair("padding", _items("padding", horizontal, wanted))
    return "explicit", (top, left), (bottom, right)


def output_size(
    size: Any, window: Any, stride: Any, dilation: Any, padding: str, before: Any, after: Any, ceil_mode: bool = False
) -> Any:
    """Windows along one axis: the mirror of ``csrc/operators/geometry.c`` for sizes that may be symbols.

    It judges nothing; `padding` is one of the kinds of `Windows`.
    """
    if padding in ("same", "same_lower"):
        return (size + stride - 1) // stride
    if padding == "valid":
        before = after = 0
    room = size + before + after - dilation * (window - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = (room + stride - 1) // stride + 1
    return count - 1 if (count - 1) * stride >= size + before else count
