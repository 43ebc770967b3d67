# SPDX-License-Identifier: BSD-3-Clause
"""What other extension modules of the package take from `_core`."""
from fastconv._capi cimport fc_error, fc_status


cdef int check(fc_status status, fc_error *error) except -1 nogil
