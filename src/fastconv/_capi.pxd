# SPDX-License-Identifier: BSD-3-Clause
"""The C API, csrc/include/fastconv.h, as Cython sees it."""
from libc.stdint cimport int64_t
from libc.stddef cimport size_t


cdef extern from "<stdbool.h>" nogil:
    ctypedef bint cbool "bool"


cdef extern from "fastconv.h" nogil:
    const char *FC_VERSION

    ctypedef enum fc_status:
        FC_OK
        FC_BAD_VALUE
        FC_BAD_TYPE
        FC_NO_MEMORY

    ctypedef struct fc_error:
        fc_status status
        char message[400]

    ctypedef enum fc_dtype:
        FC_F32
        FC_F64
        FC_I32
        FC_I64
        FC_I8
        FC_U8
        FC_I16
        FC_U16
        FC_U32
        FC_U64

    ctypedef enum fc_layout:
        FC_NCHW
        FC_NHWC

    ctypedef enum fc_weight_layout:
        FC_OIHW
        FC_OHWI
        FC_HWIO

    ctypedef enum fc_padding:
        FC_PAD_EXPLICIT
        FC_PAD_VALID
        FC_PAD_SAME
        FC_PAD_SAME_LOWER

    ctypedef struct fc_corr2d_params:
        fc_dtype dtype
        fc_layout layout
        fc_weight_layout weight_layout
        fc_padding padding
        int64_t batch
        int64_t channels
        int64_t size[2]
        int64_t out_channels
        int64_t weight_channels
        int64_t kernel[2]
        int64_t groups
        int64_t stride[2]
        int64_t dilation[2]
        int64_t pad_before[2]
        int64_t pad_after[2]
        const char *isa

    ctypedef struct fc_pool2d_params:
        fc_dtype dtype
        fc_layout layout
        fc_padding padding
        int64_t batch
        int64_t channels
        int64_t size[2]
        int64_t window[2]
        int64_t stride[2]
        int64_t dilation[2]
        int64_t pad_before[2]
        int64_t pad_after[2]
        cbool ceil_mode
        cbool count_include_pad
        cbool has_divisor
        int64_t divisor

    ctypedef struct fc_max_pool2d_grad_params:
        fc_dtype dtype
        fc_layout layout
        int64_t batch
        int64_t channels
        int64_t size[2]
        int64_t out[2]

    ctypedef enum fc_operation:
        FC_CORR2D
        FC_CORR2D_INPUT_GRAD
        FC_CORR2D_WEIGHT_GRAD
        FC_MAX_POOL2D
        FC_AVG_POOL2D
        FC_MAX_POOL2D_GRAD
        FC_AVG_POOL2D_GRAD

    ctypedef struct fc_explanation:
        const char *algorithm
        const char *declined[16]
        const char *passed_over[16]
        int64_t flops
        int64_t workspace_bytes

    fc_status fc_corr2d_shape(const fc_corr2d_params *, int64_t *out, fc_error *)
    fc_status fc_corr2d(const fc_corr2d_params *, const void *x, const void *w, const void *bias, void *y,
                        const char *algorithm, fc_error *)
    fc_status fc_corr2d_input_grad(const fc_corr2d_params *, const void *grad_y, const void *w, void *grad_x,
                                   const char *algorithm, fc_error *)
    fc_status fc_corr2d_weight_grad(const fc_corr2d_params *, const void *grad_y, const void *x, void *grad_w,
                                    void *grad_bias, const char *algorithm, fc_error *)
    fc_status fc_corr2d_choose(const fc_corr2d_params *, const char *algorithm, const char **name,
                               size_t *prepared_bytes, fc_error *)
    fc_status fc_corr2d_prepare(const fc_corr2d_params *, const char *algorithm, const void *w, void *prepared,
                                size_t prepared_bytes, fc_error *)
    fc_status fc_corr2d_prepared(const fc_corr2d_params *, const void *x, const void *prepared,
                                 size_t prepared_bytes, const void *bias, void *y, const char *algorithm, fc_error *)

    fc_status fc_pool2d_shape(const fc_pool2d_params *, int64_t *out, fc_error *)
    fc_status fc_max_pool2d(const fc_pool2d_params *, const void *x, void *y, int64_t *indices,
                            const char *algorithm, fc_error *)
    fc_status fc_avg_pool2d(const fc_pool2d_params *, const void *x, void *y, const char *algorithm, fc_error *)
    fc_status fc_max_pool2d_grad(const fc_max_pool2d_grad_params *, const void *grad_y, const int64_t *indices,
                                 void *grad_x, const char *algorithm, fc_error *)
    fc_status fc_avg_pool2d_grad(const fc_pool2d_params *, const void *grad_y, void *grad_x, const char *algorithm,
                                 fc_error *)

    const char *fc_algorithm_name(fc_operation, int index)
    fc_status fc_explain_corr2d(fc_operation, const fc_corr2d_params *, fc_explanation *, fc_error *)
    fc_status fc_explain_pool2d(fc_operation, const fc_pool2d_params *, cbool with_indices, fc_explanation *,
                                fc_error *)

    fc_status fc_configure(fc_error *)
    const char *fc_isa_name(int index)
    const char *fc_built_isa_name(int index)
    const char *fc_get_isa()
    fc_status fc_set_isa(const char *name, fc_error *)
    int fc_get_num_threads()
    fc_status fc_set_num_threads(int64_t threads, fc_error *)
    int fc_limit_threads(int threads)
    ctypedef void (*fc_team)(void (*body)(void *context) noexcept nogil, void *context) noexcept nogil
    fc_team fc_lend_team(fc_team team)
    cbool fc_get_batch_invariant()
    void fc_set_batch_invariant(cbool on)
    void *fc_take_memory(size_t bytes)
    void fc_give_memory(void *memory)
    const char *fc_compiler()
