# SPDX-License-Identifier: BSD-3-Clause
"""The same numbers lying differently in memory."""

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np


def read_only(a: np.ndarray) -> np.ndarray:
    b = a.copy()
    b.flags.writeable = False
    return b


def steps(a: np.ndarray) -> np.ndarray:
    """Every third element of a larger array, along every axis; what lies between is all ones in bits."""
    whole = np.full(3 * a.nbytes * 3 ** (a.ndim - 1), 0xFF, np.uint8).view(a.dtype).reshape([3 * n for n in a.shape])
    b = whole[(slice(1, None, 3),) * a.ndim]
    b[...] = a
    return b


def reversed_axes(a: np.ndarray) -> np.ndarray:
    """Negative strides along every axis."""
    return np.flip(np.flip(a).copy())


def fortran(a: np.ndarray) -> np.ndarray:
    return np.asfortranarray(a)


def axes_moved(a: np.ndarray) -> np.ndarray:
    """Channels last in memory, in the order of the other layout."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) if a.ndim > 1 else a[::-1].copy()[::-1]


def row_padding(a: np.ndarray) -> np.ndarray:
    """Contiguous rows, five elements apart."""
    whole = np.full((*a.shape[:-1], a.shape[-1] + 5), 1, a.dtype)
    whole[..., : a.shape[-1]] = a
    return whole[..., : a.shape[-1]]


def misaligned(a: np.ndarray) -> np.ndarray:
    """Start at an odd address."""
    b = np.ndarray(a.shape, a.dtype, np.zeros(a.nbytes + 1, np.uint8), offset=1)
    b[...] = a
    return b


def swapped(a: np.ndarray) -> np.ndarray:
    """Store in the other byte order."""
    return a.astype(a.dtype.newbyteorder("S"))


def mapped(a: np.ndarray) -> np.ndarray:
    """Map a file, read only, that does not start on a page."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the mapping keeps it)
    file.write(b"head" * 4 + a.tobytes())
    file.flush()
    b = np.memmap(file, a.dtype, "r", 16, a.shape)
    file.close()
    return b


class Foreign:
    """An object that only knows how to become an array."""

    def __init__(self, a: np.ndarray) -> None:
        self.a = a

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return self.a


def nested_list(a: np.ndarray) -> Any:
    """A list of lists of NumPy scalars, which keep the dtype."""
    return [nested_list(b) for b in a] if a.ndim > 1 else list(a)


VARIANTS: dict[str, Callable[[np.ndarray], Any]] = {
    "read-only": read_only,
    "steps": steps,
    "reversed": reversed_axes,
    "fortran": fortran,
    "axes-moved": axes_moved,
    "row-padding": row_padding,
    "misaligned": misaligned,
    "byte-swapped": swapped,
    "memory-mapped": mapped,
    "foreign": Foreign,
    "list": nested_list,
}
