# SPDX-License-Identifier: BSD-3-Clause
"""In a process that has refusing.c preloaded: refuse memory at every request of a call, one after the other."""

import ctypes
import gc
from collections.abc import Callable

from fastconv import _core

SYSTEM = ctypes.CDLL(None)
if hasattr(SYSTEM, "refuse_memory"):  # else the bytes in use are all that is here
    SYSTEM.refuse_memory.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p)
    SYSTEM.refuse_memory.restype = SYSTEM.refuse_threads.restype = None
    SYSTEM.refuse_threads.argtypes = (ctypes.c_long,)
    SYSTEM.refused_threads.restype = SYSTEM.refused.restype = ctypes.c_long


class Usage(ctypes.Structure):
    """What mallinfo2 answers."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in ("a", "o", "s", "n", "large", "us", "fs", "small", "fd", "kc"))


SYSTEM.mallinfo2.restype = Usage


def forget_kept() -> None:
    """Let the library forget what waits to be used again: the largest block that it keeps drives out the others."""
    _core.Memory(2**27 - 64)


def bytes_in_use() -> int:
    """Give the bytes that malloc has handed out, small and large."""
    forget_kept()
    gc.collect()
    usage = SYSTEM.mallinfo2()
    return usage.small + usage.large


def stopped() -> int:
    """Refuse no more, and tell how many requests were."""
    while True:
        try:
            return SYSTEM.refused()
        except MemoryError:
            continue


def each_refusal(
    call: Callable[[], object],
    check: Callable[[object], None],
    library: str | None = None,
    count: int = 1,
    kinds: tuple[type[Exception], ...] = (MemoryError,),
) -> tuple[int, int]:
    """Call with the first request refused, then the second, until none is left to refuse.

    `check` is given the result, or None when the call raised. Answers how many requests were refused and how many of
    those calls raised. It must be one of `kinds`; but where the request came from the interpreter or NumPy, it may be
    what CPython 3.11 and NumPy 2 make of one or the other of their own ("error return without exception set").
    """
    word = None if library is None else library.encode()
    total = raised = granted = others = 0
    while True:
        result = None
        forget_kept()
        try:
            SYSTEM.refuse_memory(granted, count, word)
            result = call()
        except kinds:
            raised += 1
        except (SystemError, AttributeError):
            if library is not None:
                raise
            raised += 1
            others += 1
        refused = stopped()
        if not refused:
            assert result is not None
            check(result)
            assert others <= 3, f"{others} of {raised} calls without memory raised something else"
            return total, raised
        check(result)
        total += refused
        granted += 1
