# SPDX-License-Identifier: BSD-3-Clause
"""The few structs of DLPack's exchange API (version 1) that reading a tensor takes."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    DL_CPU = 1

cdef enum:
    DL_INT = 0
    DL_UINT = 1
    DL_FLOAT = 2
    DL_BFLOAT = 4

cdef struct DLTensor:
    void *data
    int32_t device_type
    int32_t device_id
    int32_t ndim
    uint8_t code
    uint8_t bits
    uint16_t lanes
    int64_t *shape
    int64_t *strides  # in elements
    uint64_t byte_offset

cdef struct DLExchangeAPI:
    uint32_t major
    uint32_t minor
    DLExchangeAPI *prev_api
    void *managed_tensor_allocator
    void *managed_tensor_from_py_object
    void *managed_tensor_to_py_object
    int (*dltensor_from_py_object)(void *py_object, DLTensor *out) except -1  # borrows, may be NULL
    void *current_work_stream
