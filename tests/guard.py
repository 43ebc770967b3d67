# SPDX-License-Identifier: BSD-3-Clause
"""Arrays between guard bytes, to see writes outside them, elements left out and inputs changed."""

import numpy as np

MARGIN = 256
GUARD = 0xFF  # a NaN in every float format: what is read outside an array spoils the result
POISON = 0xA5  # for elements of an integer result


class Guarded:
    """An array between guard bytes; a fresh one holds NaN, or a pattern where there is no NaN."""

    def __init__(self, shape: tuple[int, ...], dtype: object, contents: np.ndarray | None = None) -> None:
        dtype = np.dtype(dtype)
        size = int(np.prod(shape)) * dtype.itemsize
        self.buffer = np.full(size + 2 * MARGIN, GUARD, np.uint8)
        self.array = np.ndarray(shape, dtype, self.buffer, MARGIN)
        self.margins = self.buffer[:MARGIN], self.buffer[MARGIN + size :]
        if dtype.kind in "biu":
            self.buffer[MARGIN : MARGIN + size] = POISON
        if contents is not None:
            self.array[...] = contents
        self.before = self.array.tobytes()

    def check(self, what: object = "") -> np.ndarray:
        """Assert that the guards are as they were, and give the array."""
        for side, margin in zip(("before", "after"), self.margins, strict=True):
            assert (margin == GUARD).all(), (
                f"{what}: wrote {side} the array, at bytes {np.flatnonzero(margin != GUARD)}"
            )
        return self.array

    def check_unchanged(self, what: object = "") -> None:
        """Assert also that the contents are as they were."""
        self.check(what)
        assert self.array.tobytes() == self.before, f"{what}: an input was changed"


def guarded(shape: tuple[int, ...], dtype: object) -> Guarded:
    """Make a poisoned result between guard bytes."""
    return Guarded(shape, dtype)


def guarded_copy(a: np.ndarray) -> Guarded:
    """Copy an input between guard bytes."""
    return Guarded(a.shape, a.dtype, a)


def check_inputs(*inputs: Guarded | None, what: object = "") -> None:
    """Assert that no input nor its guards were changed."""
    for one in inputs:
        if one is not None:
            one.check_unchanged(what)
