# SPDX-License-Identifier: BSD-3-Clause
"""Arrays in, arrays out: element types, contiguity, and the place of the result."""

import contextlib
import math
import mmap
import sys
from typing import Any, TypeAlias

import numpy as np

from fastconv import _core

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
DType: TypeAlias = np.dtype[Any]

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)
_INT32 = np.dtype(np.int32)
_INT64 = np.dtype(np.int64)
_OVERLAP_WORK = 100_000
_HUGE_PAGE = 1 << 21
LARGE = 1 << 17  # bytes of a result
_CACHE_LINE = 64


def _is_half(dtype: DType) -> bool:
    return (dtype.kind == "f" and dtype.itemsize == 2) or dtype.name == "bfloat16"


def is_float(dtype: DType) -> bool:
    """Whether `dtype` is one of the four supported floats, in any byte order."""
    return (dtype.kind == "f" and dtype.itemsize in (4, 8)) or _is_half(dtype)


def is_integer(dtype: DType) -> bool:
    """Whether `dtype` is a bool or an integer, in any byte order."""
    return dtype.kind in "biu"


def as_array(name: str, value: Any) -> Array:
    """`value` as an array of a numeric dtype; TypeError names the argument otherwise."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # a ragged list, say
        raise ValueError(f"{name} is not an array: {error}") from None
    if not is_float(array.dtype) and not is_integer(array.dtype):
        raise TypeError(
            f"{name} has dtype {array.dtype}, which is not supported: use float16, bfloat16, float32, float64, "
            "bool or an integer"
        )
    return array


def contiguous(array: Array, dtype: DType) -> Array:
    """The array as kernels read it: itself if it can be, else one converted copy."""
    if array.dtype == dtype and array.dtype.isnative and array.flags.c_contiguous and array.flags.aligned:
        return array
    with np.errstate(all="ignore"):
        return np.require(array, dtype, ["C", "A"])


def fresh(shape: tuple[int, ...], dtype: DType) -> Array:
    """An array that holds anything; a large one in memory that earlier results had, without page faults."""
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    if size > sys.maxsize:
        raise ValueError(f"a result of shape {shape} is too large for this machine")
    return np.ndarray(shape, dtype, memoryview(_core.Memory(size)))


def bytes_to_keep(size: int) -> Array:
    """Bytes that many calls will read from end to end: whole cache lines, in huge pages where the system has them."""
    huge = size >= _HUGE_PAGE and sys.platform == "linux"
    line = _HUGE_PAGE if huge else _CACHE_LINE
    array = _huge_pages(size + line) if huge else np.empty(size + line, np.uint8)
    start = -array.ctypes.data % line
    return array[start : start + size]


def _huge_pages(size: int) -> Array:
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError) as error:
        raise MemoryError(f"no memory for {size} bytes of prepared weights: {error}") from None
    with contextlib.suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


def refuse_uint64(name: str, array: Array) -> None:
    """TypeError for the one integer whose sums fit nowhere."""
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        raise TypeError(f"{name} has dtype uint64, which is not supported: int64 is the widest integer")


def _listed(dtypes: list[DType]) -> str:
    return " and ".join(str(dtype) for dtype in dtypes)


def correlation_dtypes(**arrays: Array) -> tuple[DType, DType]:
    """(dtype to compute in, dtype of the result) for the arrays that meet in a correlation."""
    for name, array in arrays.items():
        refuse_uint64(name, array)
    dtypes = [array.dtype for array in arrays.values()]
    if all(is_integer(dtype) for dtype in dtypes):
        wide = _INT32 if all(dtype.itemsize == 1 for dtype in dtypes) else _INT64
        return wide, wide
    try:
        result = np.result_type(*dtypes).newbyteorder("=")
    except TypeError:
        raise TypeError(f"{' and '.join(arrays)} have dtypes that have no common one: {_listed(dtypes)}") from None
    if not is_float(result):
        raise TypeError(f"{' and '.join(arrays)} have dtypes that meet in {result}: {_listed(dtypes)}")
    return compute_dtype(result), result


def compute_dtype(dtype: DType) -> DType:
    """Half precision is computed in float32, bool as uint8, everything else in itself."""
    if _is_half(dtype):
        return _FLOAT32
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")


def average_dtypes(dtype: DType) -> tuple[DType, DType]:
    """(dtype to compute in, dtype of the result) of an average: integers average in float64."""
    if is_integer(dtype):
        return _FLOAT64, _FLOAT64
    return compute_dtype(dtype), dtype.newbyteorder("=")


class Result:
    """Where a kernel writes, and what the caller gets.

    Parameters
    ----------
    name : str
        The argument's name, for errors.
    out : ndarray or None
        The caller's own array, of exactly `shape` and `dtype`, that overlaps none of `inputs`.
    shape, dtype
        Of the result.
    compute : dtype
        Of the kernel's output; the result is rounded from it once.
    """

    __slots__ = ("_answer", "buffer")

    def __init__(
        self,
        out: Any,
        shape: tuple[int, ...],
        dtype: DType,
        compute: DType,
        inputs: tuple[Array | None, ...] = (),
        name: str = "out",
    ) -> None:
        if out is not None:
            _judge_out(name, out, shape, dtype, inputs)
        self._answer: Array = fresh(shape, dtype) if out is None else out
        written_in_place = dtype == compute or dtype.kind == "b"  # a bool is the byte that a kernel writes
        if written_in_place and self._answer.flags.c_contiguous and self._answer.flags.aligned:
            self.buffer: Array = self._answer.view(compute)
        else:
            self.buffer = fresh(shape, compute)

    def finish(self) -> Array:
        """The array to answer, after the kernel wrote to `buffer`."""
        if not np.may_share_memory(self._answer, self.buffer):
            with np.errstate(all="ignore"):
                np.copyto(self._answer, self.buffer, casting="unsafe")
        return self._answer


def _judge_out(name: str, out: Any, shape: tuple[int, ...], dtype: DType, inputs: tuple[Array | None, ...]) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} must be a numpy.ndarray, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape} but must have {shape}")
    if out.dtype != dtype or not out.dtype.isnative:
        raise ValueError(f"{name} has dtype {out.dtype.str} but must have {dtype.str}")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only")
    if _overlaps_itself(out):
        raise ValueError(f"{name} has elements that share memory: strides {out.strides} for shape {shape}")
    for array in inputs:
        if array is not None and _overlap(out, array):
            raise ValueError(f"{name} must not share memory with an input")


def _overlaps_itself(array: Array) -> bool:
    """Whether an axis steps less than the axes within it span; no slice or transpose of an array does."""
    span = array.itemsize
    for stride, size in sorted((abs(stride), size) for stride, size in zip(array.strides, array.shape, strict=True)):
        if size > 1:
            if stride < span:
                return array.size > 0
            span += stride * (size - 1)
    return False


def _overlap(a: Array, b: Array) -> bool:
    """Whether they share an element; when that is hard to tell, whether their spans of memory meet."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=_OVERLAP_WORK)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
