# SPDX-License-Identifier: BSD-3-Clause
"""What the functions on arrays share: shapes read as sizes, the judged problem, and arguments beside the images."""

from typing import Any, NamedTuple

from fastconv import _core
from fastconv.functional.arrays import Array, DType, as_array, contiguous, refuse_uint64
from fastconv.geometry import Layout, Pair, Windows, integer


class Ranks(NamedTuple):
    """The sizes that the shapes of x and w say, whatever their ranks."""

    batch: int
    channels: int
    size: Pair
    out_channels: int
    weight_channels: int
    kernel: Pair
    layout: Layout

    @classmethod
    def of(cls, x: tuple[int, ...], w: tuple[int, ...], layout: Layout) -> "Ranks":
        """Read the shapes; ValueError if their ranks do not belong together."""
        if (len(x), len(w)) not in ((2, 2), (3, 3), (3, 4), (4, 4)):
            wanted = {2: "2", 3: "3 or 4", 4: "4"}
            if len(x) not in wanted:
                raise ValueError(f"x must have 2, 3 or 4 dimensions, got shape {x}")
            raise ValueError(f"w must have {wanted[len(x)]} dimensions where x has {len(x)}, got shape {w}")
        first = layout == "NCHW"
        batch = x[0] if len(x) == 4 else 1
        if len(x) == 2:
            channels, size = 1, (x[0], x[1])
        else:
            channels = x[-3] if first else x[-1]
            size = (x[-2], x[-1]) if first else (x[-3], x[-2])
        if len(w) == 2:
            return cls(batch, channels, size, 1, 1, (w[0], w[1]), layout)
        if len(w) == 3:
            weight_channels = w[0] if first else w[2]
            return cls(batch, channels, size, 1, weight_channels, (w[1], w[2]) if first else (w[0], w[1]), layout)
        if first:
            return cls(batch, channels, size, w[0], w[1], (w[2], w[3]), layout)
        return cls(batch, channels, size, w[3], w[2], (w[0], w[1]), layout)

    def output_shape(self, out: Pair, x_rank: int, w_rank: int) -> tuple[int, ...]:
        """The shape of y for inputs of these ranks."""
        if w_rank < 4:
            return out
        image = (self.out_channels, *out) if self.layout == "NCHW" else (*out, self.out_channels)
        return (self.batch, *image) if x_rank == 4 else image


def problem(dtype: DType, ranks: Ranks, windows: Windows, groups: int) -> _core.Corr2d:
    """Judge the whole problem in C."""
    return _core.Corr2d(
        dtype.name,
        ranks.layout,
        "OIHW" if ranks.layout == "NCHW" else "HWIO",
        ranks.batch,
        ranks.channels,
        ranks.size,
        ranks.out_channels,
        ranks.weight_channels,
        ranks.kernel,
        groups,
        windows.stride,
        windows.dilation,
        windows.padding,
        windows.before,
        windows.after,
    )


def known_algorithm(operation: str, name: Any) -> str:
    """Return the name of an algorithm if it is one."""
    names = _core.algorithms(operation)
    if not isinstance(name, str):
        raise TypeError(f"algorithm must be a string, got {name!r}")
    if name not in names:
        raise ValueError(f"algorithm {name!r} is unknown; there are: auto, {', '.join(names)}")
    return name


def as_bias(bias: Any, out_channels: int, dtype: DType, compute: DType) -> Array | None:
    """The bias, one number a channel, rounded to the output's dtype and then in the one that is computed in."""
    if bias is None:
        return None
    array = as_array("bias", bias)
    refuse_uint64("bias", array)
    if array.ndim == 0 and out_channels == 1:
        array = array.reshape(1)
    if array.shape != (out_channels,):
        raise ValueError(f"bias has shape {array.shape} but must have ({out_channels},), one number an output channel")
    return contiguous(contiguous(array, dtype), compute)


def shape_of(name: str, shape: Any) -> tuple[int, ...]:
    """A shape argument as a tuple of ints that are at least 0."""
    if isinstance(shape, str | bytes) or not hasattr(shape, "__iter__"):
        raise TypeError(f"{name} must be a tuple of integers, got {shape!r}")
    sizes = tuple(integer(name, size) for size in shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"{name} must not have negative sizes, got {sizes}")
    return sizes


def must_have_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """ValueError unless the array has that shape."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape} but must have {shape}")
