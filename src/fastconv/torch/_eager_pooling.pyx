# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True
"""The CPU kernels of pooling, on plain tensors, as `_eager` has those of correlation."""
from libc.stdint cimport int64_t

from fastconv._capi cimport *
from fastconv._core cimport check
from fastconv.torch._eager cimport (
    as_pair, computed_in, finished, format_of, name_of, padding_into, pair_into, pointer, route, sizes_into,
)
from fastconv.torch._tensors cimport *
from fastconv.torch._threads cimport borrow, give_back

from fastconv.torch import forms
from fastconv.torch._eager import NATIVE


def pool_windows(kernel_size, stride, padding, dilation):
    """As `forms.pool_windows_of`, quick for the usual forms."""
    size, pads, gaps = as_pair(kernel_size), as_pair(padding), as_pair(dilation)
    steps = size if stride is None else as_pair(stride)
    if size is None or steps is None or pads is None or gaps is None:
        return forms.pool_windows_of(kernel_size, stride, padding, dilation)
    return size, steps, "explicit", pads + pads, gaps


cdef int describe_pool(fc_pool2d_params *p, const View *image, const int64_t *size, int form, tuple options,
                       int64_t *out) except -1:
    """Fill in the problem of `size` images, and judge it; `out` takes the output's plane."""
    cdef fc_error error
    kernel, stride, pad, padding, dilation, ceil_mode = options[:6]
    p.dtype = computed_in(image)
    p.layout = FC_NHWC if form == FORM_OHWI else FC_NCHW
    padding_into(&p.padding, p.pad_before, p.pad_after, pad, padding)
    pair_into(p.window, kernel, "kernel_size")
    pair_into(p.stride, stride, "stride")
    pair_into(p.dilation, dilation, "dilation")
    p.ceil_mode = ceil_mode
    p.batch, p.channels, p.size[0], p.size[1] = size[0], size[1], size[2], size[3]
    p.count_include_pad, p.has_divisor, p.divisor = True, False, 0
    if len(options) > 6:
        p.count_include_pad = options[6]
        p.has_divisor = options[7] is not None
        if p.has_divisor:
            p.divisor = options[7]
    check(fc_pool2d_shape(p, out, &error), &error)
    return 0


cdef object max_pooled(object input, tuple options, object channels_last, object algorithm, bint with_indices):
    cdef View x, y, i
    cdef fc_pool2d_params p
    cdef fc_error error
    cdef int64_t out[2]
    cdef int form
    cdef fc_status status
    cdef bytes name = name_of(algorithm)
    cdef const char *chosen = pointer(name)
    i.data = NULL
    read(input, &x)
    if x.rank != 4:
        forms.judge_rank(input, x.rank)
    form = format_of(&x, channels_last)
    describe_pool(&p, &x, x.shape, form, options, out)
    _images = dense(input, &x, form)
    shape = (p.batch, p.channels, out[0], out[1])
    result = empty(input, shape, form, &y)
    indices = empty_indices(shape, form, &i) if with_indices else None
    borrow()
    with nogil:
        status = fc_max_pool2d(&p, x.data, y.data, <int64_t *>i.data, chosen, &error)
        give_back()
        check(status, &error)
    return (finished(result, input), indices) if with_indices else finished(result, input)


def max_pool2d(input, kernel_size, stride, pad, padding, dilation, ceil_mode, channels_last, algorithm):
    """Maxima of the windows."""
    return max_pooled(input, (kernel_size, stride, pad, padding, dilation, ceil_mode), channels_last, algorithm, False)


def max_pool2d_with_indices(input, kernel_size, stride, pad, padding, dilation, ceil_mode, channels_last, algorithm):
    """Maxima of the windows, and their places in the plane."""
    return max_pooled(input, (kernel_size, stride, pad, padding, dilation, ceil_mode), channels_last, algorithm, True)


def max_pool2d_grad(grad, indices, input_size, channels_last):
    """Every element of `grad` added at its index."""
    cdef View g, i, x
    cdef fc_max_pool2d_grad_params p
    cdef fc_error error
    cdef int64_t size[4]
    cdef int form, axis
    cdef fc_status status
    read(grad, &g)
    read(indices, &i)
    sizes_into(size, input_size, "input_size")
    forms.judge_indices(grad, indices, input_size)
    form = format_of(&g, channels_last)
    p.dtype = computed_in(&g)
    p.layout = FC_NHWC if form == FORM_OHWI else FC_NCHW
    p.batch, p.channels = size[0], size[1]
    for axis in range(2):
        p.size[axis] = size[2 + axis]
        p.out[axis] = g.shape[2 + axis]
    _grads, _places = dense(grad, &g, form), dense(indices, &i, form)
    result = empty(grad, (size[0], size[1], size[2], size[3]), form, &x)
    borrow()
    with nogil:
        status = fc_max_pool2d_grad(&p, g.data, <const int64_t *>i.data, x.data, NULL, &error)
        give_back()
        check(status, &error)
    return finished(result, grad)


def avg_pool2d(input, kernel_size, stride, pad, padding, dilation, ceil_mode, count_include_pad, divisor,
               channels_last, algorithm):
    """Means of the windows."""
    cdef View x, y
    cdef fc_pool2d_params p
    cdef fc_error error
    cdef int64_t out[2]
    cdef int form
    cdef fc_status status
    cdef bytes name = name_of(algorithm)
    cdef const char *chosen = pointer(name)
    read(input, &x)
    if x.rank != 4:
        forms.judge_rank(input, x.rank)
    form = format_of(&x, channels_last)
    options = kernel_size, stride, pad, padding, dilation, ceil_mode, count_include_pad, divisor
    describe_pool(&p, &x, x.shape, form, options, out)
    _images = dense(input, &x, form)
    result = empty(input, (p.batch, p.channels, out[0], out[1]), form, &y)
    borrow()
    with nogil:
        status = fc_avg_pool2d(&p, x.data, y.data, chosen, &error)
        give_back()
        check(status, &error)
    return finished(result, input)


def avg_pool2d_grad(grad, input_size, kernel_size, stride, pad, padding, dilation, ceil_mode, count_include_pad,
                    divisor, channels_last):
    """Gradient with respect to images of `input_size`."""
    cdef View g, x
    cdef fc_pool2d_params p
    cdef fc_error error
    cdef int64_t out[2]
    cdef int64_t size[4]
    cdef int form
    cdef fc_status status
    read(grad, &g)
    sizes_into(size, input_size, "input_size")
    if g.rank != 4:
        forms.judge_rank(grad, g.rank, "grad")
    form = format_of(&g, channels_last)
    options = kernel_size, stride, pad, padding, dilation, ceil_mode, count_include_pad, divisor
    describe_pool(&p, &g, size, form, options, out)
    if (g.shape[0], g.shape[1], g.shape[2], g.shape[3]) != (size[0], size[1], out[0], out[1]):
        raise ValueError(f"the gradient must have the shape of the output, {(size[0], size[1], out[0], out[1])}")
    _grads = dense(grad, &g, form)
    result = empty(grad, (size[0], size[1], size[2], size[3]), form, &x)
    borrow()
    with nogil:
        status = fc_avg_pool2d_grad(&p, g.data, x.data, NULL, &error)
        give_back()
        check(status, &error)
    return finished(result, grad)


# ---- whole calls -----------------------------------------------------------------------------------------------------

# The functions of `functional_pooling.py` in one step: the result, or what `route` answers where it is not NATIVE.


def try_max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """As `functional.max_pool2d`."""
    way = route(input)
    if way != NATIVE:
        return way
    size, steps, pad, pads, gaps = pool_windows(kernel_size, stride, padding, dilation)
    return max_pooled(input, (size, steps, pad, pads, gaps, bool(ceil_mode)), None, "auto", return_indices)


def try_avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    """As `functional.avg_pool2d`, of a divisor that was judged."""
    way = route(input)
    if way != NATIVE:
        return way
    size, steps, pad, pads, gaps = pool_windows(kernel_size, stride, padding, 1)
    return avg_pool2d(input, size, steps, pad, pads, gaps, bool(ceil_mode), bool(count_include_pad), divisor, None,
                      "auto")
