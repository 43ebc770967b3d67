# SPDX-License-Identifier: BSD-3-Clause
"""Tensors as kernels see them."""
from libc.stdint cimport int64_t

from fastconv._capi cimport fc_dtype, fc_weight_layout


cdef struct View:
    void *data
    int64_t shape[4]    # of the first `rank`, 4 at most
    int64_t strides[4]  # in elements
    int rank
    int kind            # which element type: DLPack's code and bits
    bint cpu


cdef enum:
    HALF = -1           # computed in float32
    UNSUPPORTED = -2

cdef enum:
    FORM_OIHW           # contiguous; for images NCHW
    FORM_OHWI           # channels last; for images NHWC
    FORM_HWIO
    FORMS

cdef int read(object tensor, View *view) except -1
cdef int dtype_of(const View *view) noexcept nogil
cdef bint lies_in(const View *view, int form) noexcept nogil
cdef object dense(object tensor, View *view, int form)
cdef object empty(object like, tuple shape, int form, View *view)
cdef object empty_indices(tuple shape, int form, View *view)
