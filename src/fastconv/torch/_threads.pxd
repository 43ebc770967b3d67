# SPDX-License-Identifier: BSD-3-Clause
"""Around a kernel: calls compute with as many threads as torch does, and with torch's own where they can be had."""

cdef void borrow() except *
cdef void give_back() noexcept nogil
