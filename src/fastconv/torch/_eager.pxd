# SPDX-License-Identifier: BSD-3-Clause
"""What `_frozen` takes from `_eager`."""
from libc.stdint cimport int64_t

from fastconv._capi cimport fc_corr2d_params
from fastconv.torch._tensors cimport View


cdef bint plain(object tensor, int rank, bint floats)
cpdef object route(image, second=*, bias=*)
cpdef object windows(stride, padding, dilation, groups)
cdef int format_of(const View *view, object channels_last)
cdef int order_of(const View *view)
cdef int describe(fc_corr2d_params *p, const View *image, const int64_t *size, const int64_t *weight, int form,
                  int order, tuple options, int64_t *out) except -1
cdef object finished(object result, object like)
