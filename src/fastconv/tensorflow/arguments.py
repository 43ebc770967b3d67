# SPDX-License-Identifier: BSD-3-Clause
"""Arguments in TensorFlow's forms, brought to the attributes of the ops; sizes are judged in C."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeAlias

from fastconv.geometry import Pair, Windows, integer

Attributes: TypeAlias = dict[str, Any]

# An op's attributes depend on how windows slide, never on the shapes of tensors: a program has few of them.
_MOST = 256


def _frozen(value: Any) -> Any:
    """A list as a tuple; TypeError for what `integer` would not take as it is, so that equal keys mean the same."""
    kind = type(value)
    if value is None or kind is int or kind is str:
        return value
    if kind is tuple or kind is list:
        return tuple([_frozen(item) for item in value])
    raise TypeError


def remembered(function: Callable[..., Attributes]) -> Callable[..., Attributes]:
    """Keep the answers to the latest arguments; ones of unusual types are read anew each time."""
    cached = lru_cache(maxsize=_MOST)(function)

    @wraps(function)
    def call(*arguments: Any) -> Attributes:
        try:
            key = [_frozen(argument) for argument in arguments]
        except TypeError:
            return function(*arguments)
        return cached(*key)

    return call


def format_name(data_format: Any) -> str:
    """Return `data_format` if it is one; None means NHWC, as in TensorFlow."""
    if data_format is None:
        return "NHWC"
    if not isinstance(data_format, str):
        raise TypeError(f"data_format must be a string, got {data_format!r}")
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError(f"data_format must be 'NHWC' or 'NCHW', got {data_format!r}")
    return data_format


def spatial(name: str, value: Any, data_format: str) -> Pair:
    """Read an int, or a list of 1, 2 or 4 ints, as (height, width)."""
    if not hasattr(value, "__len__"):
        number = integer(name, value)
        return number, number
    if isinstance(value, str | bytes):
        raise TypeError(f"{name} must be an integer or a list of 1, 2 or 4 integers, got {value!r}")
    numbers = [integer(name, item) for item in value]
    if len(numbers) == 1:
        return numbers[0], numbers[0]
    if len(numbers) == 2:
        return numbers[0], numbers[1]
    if len(numbers) != 4:
        raise ValueError(f"{name} must be an integer or a list of 1, 2 or 4 integers, got {value!r}")
    channels, first = (1, 2) if data_format == "NCHW" else (3, 1)
    if numbers[0] != 1 or numbers[channels] != 1:
        raise ValueError(f"{name} must be 1 for the batch and for the channels, got {value!r} for {data_format}")
    return numbers[first], numbers[first + 1]


def windows(strides: Any, padding: Any, dilations: Any, data_format: str) -> Windows:
    """Read the three arguments in any of the forms that TensorFlow takes.

    `padding` is ``"SAME"``, ``"VALID"`` or ``"SAME_LOWER"`` in any case, or four pairs, one for each axis.
    """
    stride = spatial("strides", strides, data_format)
    dilation = spatial("dilations", 1 if dilations is None else dilations, data_format)
    if isinstance(padding, str):
        return Windows.of(stride, padding.lower(), dilation)
    if not hasattr(padding, "__len__") or not hasattr(padding, "__getitem__"):
        raise TypeError(f"padding must be 'SAME', 'VALID' or a list of four pairs, got {padding!r}")
    if len(padding) != 4:
        raise ValueError(f"padding must be 'SAME', 'VALID' or a list of four pairs, got {padding!r}")
    channels, first = (1, 2) if data_format == "NCHW" else (3, 1)
    for axis in (0, channels):
        if [integer("padding", item) for item in padding[axis]] != [0, 0]:
            raise ValueError(f"padding must be (0, 0) for the batch and for the channels, got {padding!r}")
    return Windows.of(stride, (tuple(padding[first]), tuple(padding[first + 1])), dilation)


def _of_windows(slide: Windows) -> Attributes:
    return {
        "windows": [*slide.stride, *slide.dilation, *slide.before, *slide.after],
        "padding": slide.padding.upper(),
    }


def counted_groups(groups: Any) -> int:
    """Return `groups` if it is a number of groups: in an op's attribute 0 leaves it to the channels."""
    count = integer("groups", groups)
    if count < 1:
        raise ValueError(f"groups must be at least 1, got {count}")
    return count


def correlation_attributes(slide: Windows, groups: int, layouts: str, algorithm: str) -> Attributes:
    """The attributes of the correlation ops; `groups` 0 leaves it to the channels of x and w."""
    return {**_of_windows(slide), "groups": groups, "layouts": layouts, "algorithm": algorithm}


def pool_attributes(
    size: Pair, slide: Windows, ceil_mode: bool, data_format: str, algorithm: str, **average: Any
) -> Attributes:
    """The attributes of the pooling ops; `average` holds the two that average pooling has beside them."""
    return {
        "ksize": list(size),
        **_of_windows(slide),
        "ceil_mode": ceil_mode,
        "data_format": data_format,
        "algorithm": algorithm,
        **average,
    }


@remembered
def corr2d_attributes(strides: Any, padding: Any, data_format: Any, dilations: Any, groups: Any) -> Attributes:
    """The attributes for arguments in TensorFlow's forms."""
    layout = format_name(data_format)
    count = 0 if groups is None else counted_groups(groups)
    return correlation_attributes(windows(strides, padding, dilations, layout), count, f"{layout} HWIO", "auto")


@remembered
def max_pool2d_attributes(ksize: Any, strides: Any, padding: Any, data_format: Any, dilations: Any) -> Attributes:
    """The attributes for arguments in TensorFlow's forms."""
    layout = format_name(data_format)
    slide = windows(strides, padding, dilations, layout)
    return pool_attributes(spatial("ksize", ksize, layout), slide, False, layout, "auto")


@remembered
def avg_pool2d_attributes(ksize: Any, strides: Any, padding: Any, data_format: Any, dilations: Any) -> Attributes:
    """The attributes for arguments in TensorFlow's forms: padding is left out of the count."""
    layout = format_name(data_format)
    slide = windows(strides, padding, dilations, layout)
    size = spatial("ksize", ksize, layout)
    return pool_attributes(size, slide, False, layout, "auto", count_include_pad=False, divisor=0)
