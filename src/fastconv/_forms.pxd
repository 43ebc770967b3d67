# SPDX-License-Identifier: BSD-3-Clause
"""Arguments in the forms in which nearly all callers write them, read without an object made.

False says only that a value is written otherwise: `geometry.py` reads all forms, and says what is none.
"""
from cpython.long cimport PyLong_AsLongLongAndOverflow
from libc.stdint cimport int64_t


cdef inline bint small(object value, int64_t *into):
    """Read an int proper that fits 64 bits."""
    cdef int overflow = 0
    if type(value) is not int:
        return False
    into[0] = PyLong_AsLongLongAndOverflow(value, &overflow)
    return overflow == 0


cdef inline bint small_pair(object value, int64_t *first, int64_t *second):
    """Read an int, which stands for both, or a tuple of two."""
    if small(value, first):
        second[0] = first[0]
        return True
    return (type(value) is tuple and len(<tuple>value) == 2
            and small((<tuple>value)[0], first) and small((<tuple>value)[1], second))
