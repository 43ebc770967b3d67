# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True, freethreading_compatible=True
"""The common calls, short: arrays that kernels read as they lie, and arguments in plain forms, go to C at once.

Every function answers None, having done nothing, where anything is written, typed or placed otherwise, or where C
refuses the problem: `functional` then takes the ordinary way, which reads all forms and says what is wrong. So nothing
is judged here, and what is answered here is what the ordinary way would have answered.
"""
cimport cython
cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport strcmp

from fastconv._capi cimport *
from fastconv._core cimport check
from fastconv._forms cimport small, small_pair

from fastconv.functional import arrays

cnp.import_array()

# So large a result is made by `arrays.fresh`, in memory that earlier ones had.
cdef int64_t LARGE = arrays.LARGE
cdef object fresh = arrays.fresh

cdef object FLOAT32 = cnp.PyArray_DescrFromType(cnp.NPY_FLOAT)
cdef object FLOAT64 = cnp.PyArray_DescrFromType(cnp.NPY_DOUBLE)
cdef object INT64 = cnp.PyArray_DescrFromType(cnp.NPY_INT64)


# ---- arrays ----------------------------------------------------------------------------------------------------------


cdef object plain_dtype(object value):
    """The dtype of an array proper of float32 or float64 that a kernel reads as it lies; None of all else."""
    if not cnp.PyArray_CheckExact(value) or not cnp.PyArray_ISCARRAY_RO(value):
        return None
    cdef object dtype = <object>cnp.PyArray_DESCR(value)
    if dtype is FLOAT32 or dtype is FLOAT64:
        return dtype
    # One that was unpickled is an object of its own. Metadata may go on to the result.
    if dtype.metadata is not None:
        return None
    return FLOAT32 if dtype == FLOAT32 else FLOAT64 if dtype == FLOAT64 else None


cdef fc_dtype computed_in(object dtype) noexcept:
    return FC_F32 if dtype is FLOAT32 else FC_F64


cdef bint apart(cnp.ndarray one, cnp.ndarray other) noexcept:
    """Whether the memory of two contiguous arrays does not meet."""
    cdef char *a = cnp.PyArray_BYTES(one)
    cdef char *b = cnp.PyArray_BYTES(other)
    return a + cnp.PyArray_NBYTES(one) <= b or b + cnp.PyArray_NBYTES(other) <= a


cdef object fresh_array(object dtype, int rank, cnp.npy_intp *shape):
    """As `arrays.fresh`, quick where it is small."""
    cdef int64_t bytes = cnp.PyDataType_ELSIZE(<cnp.dtype>dtype)
    cdef int axis
    for axis in range(rank):
        bytes *= shape[axis]
    if bytes >= LARGE:
        return fresh(tuple([shape[axis] for axis in range(rank)]), dtype)
    return cnp.PyArray_EMPTY(rank, shape, (<cnp.dtype>dtype).type_num, 0)


cdef bint has_shape(cnp.ndarray array, int rank, const cnp.npy_intp *shape) noexcept:
    cdef int axis
    if cnp.PyArray_NDIM(array) != rank:
        return False
    for axis in range(rank):
        if cnp.PyArray_DIM(array, axis) != shape[axis]:
            return False
    return True


cdef object result(object out, object dtype, int rank, cnp.npy_intp *shape):
    """A fresh array, or `out` if a kernel can write to it as it lies; None if it cannot."""
    if out is None:
        return fresh_array(dtype, rank, shape)
    if plain_dtype(out) is not dtype or not cnp.PyArray_ISWRITEABLE(out) or not has_shape(out, rank, shape):
        return None
    return out


# ---- sizes and windows -----------------------------------------------------------------------------------------------


cdef bint layout_into(fc_layout *into, object layout):
    if type(layout) is not str:
        return False
    into[0] = FC_NHWC if layout == "NHWC" else FC_NCHW
    return into[0] == FC_NHWC or layout == "NCHW"


cdef bint padding_into(fc_padding *kind, int64_t *before, int64_t *after, object padding):
    """Read any of the forms of padding."""
    kind[0] = FC_PAD_EXPLICIT
    if small_pair(padding, &before[0], &before[1]):
        after[0], after[1] = before[0], before[1]
        return True
    before[0] = before[1] = after[0] = after[1] = 0
    if type(padding) is str:
        kind[0] = (FC_PAD_SAME if padding == "same" else FC_PAD_SAME_LOWER if padding == "same_lower"
                   else FC_PAD_VALID)
        return kind[0] != FC_PAD_VALID or padding == "valid"
    if type(padding) is not tuple or len(<tuple>padding) != 2:
        return False
    vertical, horizontal = (<tuple>padding)[0], (<tuple>padding)[1]
    return (type(vertical) is tuple and type(horizontal) is tuple
            and small_pair(vertical, &before[0], &after[0]) and small_pair(horizontal, &before[1], &after[1]))


cdef bint images_into(fc_layout layout, int rank, const cnp.npy_intp *shape, int64_t *batch, int64_t *channels,
                      int64_t *size) noexcept:
    """Read the sizes of images of rank 2 to 4."""
    if rank < 2 or rank > 4:
        return False
    batch[0] = shape[0] if rank == 4 else 1
    channels[0] = 1
    if rank > 2:
        channels[0] = shape[rank - 1 if layout == FC_NHWC else rank - 3]
        shape += rank - 3 + (layout == FC_NCHW)
    size[0], size[1] = shape[0], shape[1]
    return True


cdef int shape_into(cnp.npy_intp *shape, int rank, fc_layout layout, int64_t batch, int64_t channels,
                    const int64_t *size) noexcept:
    """The shape of the images of an output; answers `rank`."""
    cdef cnp.npy_intp *image = shape + (rank == 4)
    shape[0] = batch
    if rank == 2:
        image[0], image[1] = size[0], size[1]
    elif layout == FC_NHWC:
        image[0], image[1], image[2] = size[0], size[1], channels
    else:
        image[0], image[1], image[2] = channels, size[0], size[1]
    return rank


# ---- correlation -----------------------------------------------------------------------------------------------------


cdef bint windows_into(fc_corr2d_params *p, object stride, object padding, object dilation, object groups,
                       object layout):
    """Read what does not depend on arrays."""
    if not layout_into(&p.layout, layout):
        return False
    p.weight_layout = FC_OIHW if p.layout == FC_NCHW else FC_HWIO
    p.isa = NULL
    return (small(groups, &p.groups) and small_pair(stride, &p.stride[0], &p.stride[1])
            and small_pair(dilation, &p.dilation[0], &p.dilation[1])
            and padding_into(&p.padding, p.pad_before, p.pad_after, padding))


cdef bint filters_into(fc_corr2d_params *p, int rank, const cnp.npy_intp *shape) noexcept:
    """Read the sizes of one kernel or of filters with channels."""
    if rank == 2:
        p.out_channels = p.weight_channels = 1
        p.kernel[0], p.kernel[1] = shape[0], shape[1]
    elif rank != 4:
        return False
    elif p.layout == FC_NCHW:
        p.out_channels, p.weight_channels, p.kernel[0], p.kernel[1] = shape[0], shape[1], shape[2], shape[3]
    else:
        p.kernel[0], p.kernel[1], p.weight_channels, p.out_channels = shape[0], shape[1], shape[2], shape[3]
    return True


cdef bint output_shape_into(cnp.npy_intp *into, fc_corr2d_params *p, object dtype, int rank, const cnp.npy_intp *x,
                            int weight_rank):
    """Judge images of this shape with the filters of `p`; the output has their rank."""
    cdef int64_t size[2]
    if (rank == 2) != (weight_rank == 2) or not images_into(p.layout, rank, x, &p.batch, &p.channels, p.size):
        return False
    p.dtype = computed_in(dtype)
    if fc_corr2d_shape(p, size, NULL) != FC_OK:
        return False
    shape_into(into, rank, p.layout, p.batch, p.out_channels, size)
    return True


cdef object output_for(fc_corr2d_params *p, cnp.ndarray x, int weight_rank, object dtype, object out):
    """Judge `x` with the filters of `p`, and answer where to write; None as everywhere here."""
    cdef cnp.npy_intp shape[4]
    cdef int rank = cnp.PyArray_NDIM(x)
    if not output_shape_into(shape, p, dtype, rank, cnp.PyArray_DIMS(x), weight_rank):
        return None
    y = result(out, dtype, rank, shape)
    return y if y is None or out is None or apart(y, x) else None


cdef bint fits_as_bias(object bias, object dtype, int64_t channels):
    return plain_dtype(bias) is dtype and cnp.PyArray_NDIM(bias) == 1 and cnp.PyArray_DIM(bias, 0) == channels


def corr2d(x, w, bias, stride, padding, dilation, groups, layout, algorithm, out):
    """As `fastconv.corr2d`."""
    cdef fc_corr2d_params p
    cdef fc_error error
    cdef void *images
    cdef void *filters
    cdef void *offsets = NULL
    cdef void *outputs
    dtype = plain_dtype(x)
    if dtype is None or plain_dtype(w) is not dtype or type(algorithm) is not str or algorithm != "auto":
        return None
    if not windows_into(&p, stride, padding, dilation, groups, layout) or not filters_into(
            &p, cnp.PyArray_NDIM(w), cnp.PyArray_DIMS(w)):
        return None
    if bias is not None:
        if not fits_as_bias(bias, dtype, p.out_channels):
            return None
        offsets = cnp.PyArray_DATA(bias)
    y = output_for(&p, x, cnp.PyArray_NDIM(w), dtype, out)
    if y is None or (out is not None and not (apart(y, w) and (bias is None or apart(y, bias)))):
        return None
    images, filters, outputs = cnp.PyArray_DATA(x), cnp.PyArray_DATA(w), cnp.PyArray_DATA(y)
    with nogil:
        check(fc_corr2d(&p, images, filters, offsets, outputs, NULL, &error), &error)
    return y


cdef class Copy:
    """The weights as one algorithm reads them on one instruction set."""

    cdef bytes algorithm, isa
    cdef object weights


cdef class Filters:
    """Weights that stay, and what the ordinary way has prepared of them so far.

    Parameters
    ----------
    w, bias, stride, padding, dilation, groups, layout, algorithm
        As in `fastconv.prepare`.
    """

    cdef tuple arguments
    cdef fc_corr2d_params params
    cdef object dtype           # None: nothing is served here
    cdef int rank
    cdef object bias
    cdef list copies            # one an algorithm and instruction set at most

    def __init__(self, w, bias, stride, padding, dilation, groups, layout, algorithm):
        self.arguments = (w, bias, stride, padding, dilation, groups, layout, algorithm)
        self.bias = bias
        self.copies = []
        self.dtype = plain_dtype(w)
        if (self.dtype is None or algorithm != "auto"
                or not windows_into(&self.params, stride, padding, dilation, groups, layout)
                or not filters_into(&self.params, cnp.PyArray_NDIM(w), cnp.PyArray_DIMS(w))
                or (bias is not None and not fits_as_bias(bias, self.dtype, self.params.out_channels))):
            self.dtype = None
            return
        self.rank = cnp.PyArray_NDIM(w)

    def __reduce__(self):
        """A copy begins without prepared weights: they hold for this process alone."""
        return Filters, self.arguments

    @cython.critical_section  # without the GIL two threads may both find none
    def keep(self, str algorithm, str isa, weights):
        """Use these from now on where "auto" takes `algorithm` on `isa`."""
        cdef Copy copy = Copy()
        if weights is None or self.copy_for(algorithm.encode(), isa.encode()) is not None:
            return
        copy.algorithm, copy.isa, copy.weights = algorithm.encode(), isa.encode(), weights
        self.copies.append(copy)

    cdef Copy copy_for(self, const char *algorithm, const char *isa):
        cdef Copy copy
        for copy in self.copies:
            if strcmp(copy.algorithm, algorithm) == 0 and strcmp(copy.isa, isa) == 0:
                return copy
        return None

    def corr2d(self, x, out):
        """As `Prepared.__call__`; also None where the weights must be prepared first."""
        cdef fc_corr2d_params p = self.params
        cdef fc_error error
        cdef Copy copy
        cdef const char *algorithm = NULL
        cdef size_t size = 0
        cdef void *images
        cdef void *filters
        cdef void *offsets = NULL
        cdef void *outputs
        if self.dtype is None or plain_dtype(x) is not self.dtype:
            return None
        y = output_for(&p, x, self.rank, self.dtype, out)
        p.isa = fc_get_isa()
        if y is None or fc_corr2d_choose(&p, NULL, &algorithm, &size, NULL) != FC_OK:
            return None
        copy = self.copy_for(algorithm, p.isa)
        if copy is None:
            return None
        if self.bias is not None:
            offsets = cnp.PyArray_DATA(self.bias)
        images, filters, outputs = cnp.PyArray_DATA(x), cnp.PyArray_DATA(copy.weights), cnp.PyArray_DATA(y)
        size = <size_t>cnp.PyArray_NBYTES(copy.weights)
        with nogil:
            check(fc_corr2d_prepared(&p, images, filters, size, offsets, outputs, algorithm, &error), &error)
        return y


# ---- the gradients of correlation ------------------------------------------------------------------------------------


cdef int sizes_into(cnp.npy_intp *into, object shape):
    """Read a shape of rank 2 to 4; answers the rank, or 0."""
    cdef int64_t size
    cdef int axis
    if type(shape) is not tuple or not 2 <= len(<tuple>shape) <= 4:
        return 0
    for axis in range(len(<tuple>shape)):
        if not small((<tuple>shape)[axis], &size) or size < 0:
            return 0
        into[axis] = size
    return <int>len(<tuple>shape)


cdef bint output_has(fc_corr2d_params *p, object dtype, int x_rank, const cnp.npy_intp *x, int w_rank,
                     const cnp.npy_intp *w, object grad_y):
    """Judge images and filters of these shapes, and whether `grad_y` has that of their correlation."""
    cdef cnp.npy_intp shape[4]
    return (filters_into(p, w_rank, w) and output_shape_into(shape, p, dtype, x_rank, x, w_rank)
            and has_shape(grad_y, x_rank, shape))


def corr2d_input_grad(grad_y, w, x_shape, stride, padding, dilation, groups, layout, algorithm, out):
    """As `fastconv.corr2d_input_grad`."""
    cdef fc_corr2d_params p
    cdef fc_error error
    cdef cnp.npy_intp shape[4]
    cdef int rank = sizes_into(shape, x_shape)
    cdef void *grads
    cdef void *filters
    cdef void *images
    dtype = plain_dtype(grad_y)
    if (rank == 0 or dtype is None or plain_dtype(w) is not dtype or type(algorithm) is not str or algorithm != "auto"
            or not windows_into(&p, stride, padding, dilation, groups, layout)
            or not output_has(&p, dtype, rank, shape, cnp.PyArray_NDIM(w), cnp.PyArray_DIMS(w), grad_y)):
        return None
    grad_x = result(out, dtype, rank, shape)
    if grad_x is None or (out is not None and not (apart(grad_x, grad_y) and apart(grad_x, w))):
        return None
    grads, filters, images = cnp.PyArray_DATA(grad_y), cnp.PyArray_DATA(w), cnp.PyArray_DATA(grad_x)
    with nogil:
        check(fc_corr2d_input_grad(&p, grads, filters, images, NULL, &error), &error)
    return grad_x


def corr2d_weight_grad(grad_y, x, w_shape, with_bias, stride, padding, dilation, groups, layout, algorithm, out):
    """As `fastconv.corr2d_weight_grad`."""
    cdef fc_corr2d_params p
    cdef fc_error error
    cdef cnp.npy_intp shape[4]
    cdef cnp.npy_intp filters
    cdef int rank = sizes_into(shape, w_shape)
    cdef void *grads
    cdef void *images
    cdef void *weights
    cdef void *offsets = NULL
    dtype = plain_dtype(grad_y)
    if (rank == 0 or dtype is None or plain_dtype(x) is not dtype or type(algorithm) is not str or algorithm != "auto"
            or not is_bool(with_bias) or not windows_into(&p, stride, padding, dilation, groups, layout)
            or not output_has(&p, dtype, cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), rank, shape, grad_y)):
        return None
    grad_w, grad_bias = result(out, dtype, rank, shape), None
    if grad_w is None or (out is not None and not (apart(grad_w, grad_y) and apart(grad_w, x))):
        return None
    if with_bias:
        filters = p.out_channels
        grad_bias = fresh_array(dtype, 1, &filters)
        offsets = cnp.PyArray_DATA(grad_bias)
    grads, images, weights = cnp.PyArray_DATA(grad_y), cnp.PyArray_DATA(x), cnp.PyArray_DATA(grad_w)
    with nogil:
        check(fc_corr2d_weight_grad(&p, grads, images, weights, offsets, NULL, &error), &error)
    return (grad_w, grad_bias) if with_bias else grad_w


# ---- pooling ---------------------------------------------------------------------------------------------------------


cdef bint is_bool(object value) noexcept:
    return value is True or value is False


cdef bint pool_into(fc_pool2d_params *p, object pool_size, object stride, object padding, object dilation,
                    object ceil_mode, object layout):
    """Read what does not depend on arrays."""
    if not is_bool(ceil_mode) or not layout_into(&p.layout, layout):
        return False
    p.ceil_mode = ceil_mode is True
    return (small_pair(pool_size, &p.window[0], &p.window[1])
            and small_pair(pool_size if stride is None else stride, &p.stride[0], &p.stride[1])
            and small_pair(dilation, &p.dilation[0], &p.dilation[1])
            and padding_into(&p.padding, p.pad_before, p.pad_after, padding))


cdef bint divisor_into(fc_pool2d_params *p, object count_include_pad, object divisor_override):
    if not is_bool(count_include_pad):
        return False
    p.count_include_pad, p.has_divisor, p.divisor = count_include_pad is True, divisor_override is not None, 0
    return divisor_override is None or small(divisor_override, &p.divisor)


cdef bint pooled_shape_into(cnp.npy_intp *into, fc_pool2d_params *p, object dtype, int rank, const cnp.npy_intp *x):
    """Judge images of this shape; the output has their rank."""
    cdef int64_t size[2]
    p.dtype = computed_in(dtype)
    if not images_into(p.layout, rank, x, &p.batch, &p.channels, p.size) or fc_pool2d_shape(p, size, NULL) != FC_OK:
        return False
    shape_into(into, rank, p.layout, p.batch, p.channels, size)
    return True


cdef object pooled_for(fc_pool2d_params *p, object x, object pool_size, object stride, object padding, object dilation,
                       object ceil_mode, object layout, object algorithm, object out):
    """Read and judge a call, and answer where to write; None as everywhere here."""
    cdef cnp.npy_intp shape[4]
    dtype = plain_dtype(x)
    if (dtype is None or type(algorithm) is not str or algorithm != "auto"
            or not pool_into(p, pool_size, stride, padding, dilation, ceil_mode, layout)
            or not pooled_shape_into(shape, p, dtype, cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x))):
        return None
    y = result(out, dtype, cnp.PyArray_NDIM(x), shape)
    return y if y is None or out is None or apart(y, x) else None


def max_pool2d(x, pool_size, stride, padding, dilation, ceil_mode, return_indices, layout, algorithm, out):
    """As `fastconv.max_pool2d`."""
    cdef fc_pool2d_params p
    cdef fc_error error
    cdef void *images
    cdef void *outputs
    cdef int64_t *places = NULL
    if not is_bool(return_indices):
        return None
    p.count_include_pad, p.has_divisor, p.divisor = True, False, 0
    y = pooled_for(&p, x, pool_size, stride, padding, dilation, ceil_mode, layout, algorithm, out)
    if y is None:
        return None
    images, outputs, indices = cnp.PyArray_DATA(x), cnp.PyArray_DATA(y), None
    if return_indices:
        indices = fresh_array(INT64, cnp.PyArray_NDIM(y), cnp.PyArray_DIMS(y))
        places = <int64_t *>cnp.PyArray_DATA(indices)
    with nogil:
        check(fc_max_pool2d(&p, images, outputs, places, NULL, &error), &error)
    return (y, indices) if return_indices else y


def avg_pool2d(x, pool_size, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override, layout,
               algorithm, out):
    """As `fastconv.avg_pool2d`."""
    cdef fc_pool2d_params p
    cdef fc_error error
    cdef void *images
    cdef void *outputs
    if not divisor_into(&p, count_include_pad, divisor_override):
        return None
    y = pooled_for(&p, x, pool_size, stride, padding, dilation, ceil_mode, layout, algorithm, out)
    if y is None:
        return None
    images, outputs = cnp.PyArray_DATA(x), cnp.PyArray_DATA(y)
    with nogil:
        check(fc_avg_pool2d(&p, images, outputs, NULL, &error), &error)
    return y


# ---- the gradients of pooling ----------------------------------------------------------------------------------------


cdef bint countable(int rank, const cnp.npy_intp *shape) noexcept:
    """Whether an array's bytes can be counted: other sizes are refused in the words of the ordinary way."""
    cdef double elements = 1
    cdef int axis
    for axis in range(rank):
        elements *= shape[axis]
    return elements < 2.0**48


def max_pool2d_grad(grad_y, indices, x_shape, layout, algorithm, out):
    """As `fastconv.max_pool2d_grad`."""
    cdef fc_max_pool2d_grad_params p
    cdef fc_error error
    cdef cnp.npy_intp shape[4]
    cdef int64_t batch
    cdef int64_t channels
    cdef int rank = sizes_into(shape, x_shape)
    cdef void *grads
    cdef void *images
    cdef const int64_t *places
    dtype = plain_dtype(grad_y)
    if (rank == 0 or dtype is None or type(algorithm) is not str or algorithm != "auto"
            or not cnp.PyArray_CheckExact(indices) or not cnp.PyArray_ISCARRAY_RO(indices)
            or cnp.PyArray_TYPE(indices) != cnp.NPY_INT64 or not layout_into(&p.layout, layout)
            or cnp.PyArray_NDIM(grad_y) != rank or not has_shape(indices, rank, cnp.PyArray_DIMS(grad_y))
            or not images_into(p.layout, rank, shape, &p.batch, &p.channels, p.size)
            or not images_into(p.layout, rank, cnp.PyArray_DIMS(grad_y), &batch, &channels, p.out)
            or batch != p.batch or channels != p.channels or not countable(rank, shape)):
        return None
    p.dtype = computed_in(dtype)
    grad_x = result(out, dtype, rank, shape)
    if grad_x is None or (out is not None and not (apart(grad_x, grad_y) and apart(grad_x, indices))):
        return None
    grads, images = cnp.PyArray_DATA(grad_y), cnp.PyArray_DATA(grad_x)
    places = <const int64_t *>cnp.PyArray_DATA(indices)
    with nogil:
        check(fc_max_pool2d_grad(&p, grads, places, images, NULL, &error), &error)
    return grad_x


def avg_pool2d_grad(grad_y, pool_size, x_shape, stride, padding, dilation, ceil_mode, count_include_pad,
                    divisor_override, layout, algorithm, out):
    """As `fastconv.avg_pool2d_grad`."""
    cdef fc_pool2d_params p
    cdef fc_error error
    cdef cnp.npy_intp shape[4]
    cdef cnp.npy_intp pooled[4]
    cdef int rank = sizes_into(shape, x_shape)
    cdef void *grads
    cdef void *images
    dtype = plain_dtype(grad_y)
    if (rank == 0 or dtype is None or type(algorithm) is not str or algorithm != "auto"
            or not divisor_into(&p, count_include_pad, divisor_override)
            or not pool_into(&p, pool_size, stride, padding, dilation, ceil_mode, layout)
            or not pooled_shape_into(pooled, &p, dtype, rank, shape) or not has_shape(grad_y, rank, pooled)):
        return None
    grad_x = result(out, dtype, rank, shape)
    if grad_x is None or (out is not None and not apart(grad_x, grad_y)):
        return None
    grads, images = cnp.PyArray_DATA(grad_y), cnp.PyArray_DATA(grad_x)
    with nogil:
        check(fc_avg_pool2d_grad(&p, grads, images, NULL, &error), &error)
    return grad_x
