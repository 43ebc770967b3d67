# SPDX-License-Identifier: BSD-3-Clause
"""What `_frozen` and `_eager_pooling` take from `_eager`."""
from libc.stdint cimport int64_t

from fastconv._capi cimport fc_corr2d_params, fc_dtype, fc_padding
from fastconv.torch._tensors cimport View


cdef bint plain(object tensor, int rank, bint floats)
cpdef object route(image, second=*, bias=*)
cpdef object windows(stride, padding, dilation, groups)
cdef object as_pair(object value)
cdef int pair_into(int64_t *into, object values, str name) except -1
cdef int padding_into(fc_padding *kind, int64_t *before, int64_t *after, object pad, object padding) except -1
cdef int sizes_into(int64_t *into, object size, str name) except -1
cdef bytes name_of(object algorithm)
cdef const char *pointer(bytes name)
cdef fc_dtype computed_in(const View *view) except *
cdef int format_of(const View *view, object channels_last)
cdef int order_of(const View *view)
cdef int describe(fc_corr2d_params *p, const View *image, const int64_t *size, const int64_t *weight, int form,
                  int order, tuple options, int64_t *out) except -1
cdef object finished(object result, object like)
