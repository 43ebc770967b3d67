# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True
"""The CPU kernels of correlation, on plain tensors, and the question whether a call may come here directly.

Every function takes what its operator in `library.py` takes. Arguments are judged before anything is computed: forms by
`forms.py`, sizes in C.
"""
from libc.stdint cimport int64_t

import torch
from torch.autograd import forward_ad

from fastconv._capi cimport *
from fastconv._core cimport check
from fastconv._forms cimport small, small_pair
from fastconv.torch._tensors cimport *
from fastconv.torch._threads cimport borrow, give_back

from fastconv.torch import forms

# What `route` answers.
DISPATCHED, NATIVE, RECORDED = 0, 1, 2

cdef object Tensor = torch.Tensor
cdef object Parameter = torch.nn.Parameter
cdef object grad_enabled = torch.is_grad_enabled
cdef dict PADDINGS = {
    "explicit": FC_PAD_EXPLICIT, "valid": FC_PAD_VALID, "same": FC_PAD_SAME, "same_lower": FC_PAD_SAME_LOWER,
}
cdef fc_weight_layout[3] ORDERS = [FC_OIHW, FC_OHWI, FC_HWIO]
cdef tuple NAMES = ("OIHW", "OHWI", "HWIO")
cdef dict FORM_OF_ORDER = {"OIHW": FORM_OIHW, "OHWI": FORM_OHWI, "HWIO": FORM_HWIO}

# ---- whether a call may come here directly ---------------------------------------------------------------------------

# What tells that something else wants to see a call: functorch, the modes, autocast, jit.trace. These names are
# private to torch: without one of them every call goes through the dispatcher.
cdef object functorch_active = getattr(torch._C, "_are_functorch_transforms_active", None)
cdef object function_mode = getattr(torch._C, "_is_torch_function_mode_enabled", None)
cdef object dispatch_modes = getattr(torch._C, "_len_torch_dispatch_stack", None)
cdef object autocast = getattr(torch._C, "_is_any_autocast_enabled", None)
cdef object tracing_state = getattr(torch._C, "_get_tracing_state", None)
cdef bint direct = None not in (
    functorch_active, function_mode, dispatch_modes, autocast, tracing_state,
    getattr(forward_ad, "_current_level", None),
)


def use_direct_calls(bint on):
    """Let plain calls come here directly, or send all through the dispatcher; answer what was so before."""
    global direct
    before = direct
    direct = on
    return before


cdef bint plain(object tensor, int rank, bint floats):
    """Whether a tensor is an ordinary one on the CPU, of that rank and of a type that kernels read (only `floats`)."""
    cdef View view
    cdef int dtype
    if type(tensor) is not Tensor and type(tensor) is not Parameter:
        return False
    try:
        read(tensor, &view)
    except (RuntimeError, BufferError, NotImplementedError):  # sparse, quantized, nested
        return False
    dtype = dtype_of(&view)
    if not view.cpu or view.rank != rank or dtype == UNSUPPORTED:
        return False
    if floats and dtype != FC_F32 and dtype != FC_F64 and dtype != HALF:
        return False
    return view.data != NULL and not tensor.is_neg()


cpdef object route(image, second=None, bias=None):
    """Say how a call may be served: NATIVE or RECORDED by a kernel directly, or DISPATCHED."""
    if not direct or not plain(image, 4, True):
        return DISPATCHED
    if (second is not None and not plain(second, 4, False)) or (bias is not None and not plain(bias, 1, False)):
        return DISPATCHED
    if functorch_active() or function_mode() or dispatch_modes() or autocast() or tracing_state() is not None:
        return DISPATCHED
    if forward_ad._current_level >= 0:
        return DISPATCHED
    if not grad_enabled():
        return NATIVE
    if image.requires_grad or (second is not None and second.requires_grad):
        return RECORDED
    return RECORDED if bias is not None and bias.requires_grad else NATIVE


# ---- arguments -------------------------------------------------------------------------------------------------------


cdef object as_pair(object value):
    """The pair that a common form means; None for all the others."""
    cdef int64_t first, second
    if not small_pair(value, &first, &second):
        return None
    return value if type(value) is tuple else (value, value)


cpdef object windows(stride, padding, dilation, groups):
    """As `forms.windows_of`, quick for the usual forms."""
    cdef int64_t count
    steps, pads, gaps = as_pair(stride), as_pair(padding), as_pair(dilation)
    if steps is None or pads is None or gaps is None or not small(groups, &count):
        return forms.windows_of(stride, padding, dilation, groups)
    return steps, "explicit", pads + pads, gaps, groups


cdef int pair_into(int64_t *into, object values, str name) except -1:
    if len(values) != 2:
        raise ValueError(f"{name} must have two entries, got {values!r}")
    into[0], into[1] = values[0], values[1]
    return 0


cdef int padding_into(fc_padding *kind, int64_t *before, int64_t *after, object pad, object padding) except -1:
    if pad not in PADDINGS or len(padding) != 4:
        raise ValueError(f"padding must be of a known kind and have four entries, got {pad!r}, {padding!r}")
    kind[0] = <fc_padding><int>PADDINGS[pad]
    before[0], before[1], after[0], after[1] = padding
    return 0


cdef bytes name_of(object algorithm):
    """The name for C; None for "auto"."""
    if not isinstance(algorithm, str):
        raise TypeError(f"algorithm must be a string, got {algorithm!r}")
    return None if algorithm == "auto" else algorithm.encode()


cdef const char *pointer(bytes name):
    return NULL if name is None else <const char *>name


cdef int format_of(const View *view, object channels_last):
    """NHWC if that is asked for, or if the tensor lies so and not also in NCHW."""
    if channels_last is None:
        return FORM_OHWI if not lies_in(view, FORM_OIHW) and lies_in(view, FORM_OHWI) else FORM_OIHW
    return FORM_OHWI if channels_last else FORM_OIHW


cdef int order_of(const View *view):
    """How weights lie; OIHW is also what others are brought to."""
    cdef int form
    for form in range(FORMS):
        if lies_in(view, form):
            return form
    return FORM_OIHW


cdef fc_dtype computed_in(const View *view) except *:
    cdef int dtype = dtype_of(view)
    if dtype == UNSUPPORTED:
        raise TypeError("input has an element type that kernels do not compute in")
    return FC_F32 if dtype == HALF else <fc_dtype>dtype


cdef object finished(object result, object like):
    """The result, rounded once where it is wider than `like`: in half precision."""
    dtype = like.dtype
    return result if result.dtype is dtype else result.to(dtype)


# ---- correlation -----------------------------------------------------------------------------------------------------


cdef int describe(fc_corr2d_params *p, const View *image, const int64_t *size, const int64_t *weight, int form,
                  int order, tuple options, int64_t *out) except -1:
    """Fill in the problem of `size` images and `weight` filters, and judge it; `out` takes the output's plane."""
    cdef fc_error error
    cdef int i
    stride, pad, padding, dilation, groups = options
    p.dtype = computed_in(image)
    p.layout = FC_NHWC if form == FORM_OHWI else FC_NCHW
    p.weight_layout = ORDERS[order]
    p.isa = NULL
    padding_into(&p.padding, p.pad_before, p.pad_after, pad, padding)
    pair_into(p.stride, stride, "stride")
    pair_into(p.dilation, dilation, "dilation")
    p.groups = groups
    p.batch, p.channels, p.out_channels, p.weight_channels = size[0], size[1], weight[0], weight[1]
    for i in range(2):
        p.size[i] = size[2 + i]
        p.kernel[i] = weight[2 + i]
    check(fc_corr2d_shape(p, out, &error), &error)
    return 0


cdef int must_be_output(const View *grad, const fc_corr2d_params *p, const int64_t *out) except -1:
    shape = (p.batch, p.out_channels, out[0], out[1])
    if (grad.shape[0], grad.shape[1], grad.shape[2], grad.shape[3]) != shape:
        raise ValueError(f"the gradient must have the shape of the output, {shape}")
    return 0


cdef int sizes_into(int64_t *into, object size, str name) except -1:
    if len(size) != 4:
        raise ValueError(f"{name} must have four entries, got {tuple(size)!r}")
    into[0], into[1], into[2], into[3] = size
    return 0


def corr2d(input, weight, bias, stride, pad, padding, dilation, groups, channels_last, algorithm):
    """Correlation of images (N, C, H, W) with filters (O, C/groups, kh, kw)."""
    cdef View x, w, b, y
    cdef fc_corr2d_params p
    cdef fc_error error
    cdef int64_t out[2]
    cdef int form, order
    cdef fc_status status
    cdef bytes name = name_of(algorithm)
    cdef const char *chosen = pointer(name)
    b.data = NULL
    read(input, &x)
    read(weight, &w)
    if bias is not None:
        read(bias, &b)
    if x.rank != 4 or w.rank != 4 or x.kind != w.kind or (bias is not None and (
            b.rank != 1 or b.kind != x.kind or b.shape[0] != w.shape[0])):
        forms.judge_operands(input, weight, bias)
    form, order = format_of(&x, channels_last), order_of(&w)
    describe(&p, &x, x.shape, w.shape, form, order, (stride, pad, padding, dilation, groups), out)
    _images, _filters = dense(input, &x, form), dense(weight, &w, order)
    if bias is not None:
        bias = dense(bias, &b, 0)
    result = empty(input, (p.batch, p.out_channels, out[0], out[1]), form, &y)
    borrow()
    with nogil:
        status = fc_corr2d(&p, x.data, w.data, b.data, y.data, chosen, &error)
        give_back()
        check(status, &error)
    return finished(result, input)


def corr2d_input_grad(grad, weight, input_size, stride, pad, padding, dilation, groups, channels_last):
    """Gradient with respect to images of `input_size`; it lies in the format asked for, else in that of `grad`."""
    cdef View g, w, x
    cdef fc_corr2d_params p
    cdef fc_error error
    cdef int64_t out[2]
    cdef int64_t size[4]
    cdef int form, order
    cdef fc_status status
    read(grad, &g)
    read(weight, &w)
    sizes_into(size, input_size, "input_size")
    if g.rank != 4 or w.rank != 4 or g.kind != w.kind:
        forms.judge_operands(grad, weight, None, "grad")
    form, order = format_of(&g, channels_last), order_of(&w)
    describe(&p, &g, size, w.shape, form, order, (stride, pad, padding, dilation, groups), out)
    must_be_output(&g, &p, out)
    _grads, _filters = dense(grad, &g, form), dense(weight, &w, order)
    result = empty(grad, (size[0], size[1], size[2], size[3]), form, &x)
    borrow()
    with nogil:
        status = fc_corr2d_input_grad(&p, g.data, w.data, x.data, NULL, &error)
        give_back()
        check(status, &error)
    return finished(result, grad)


def corr2d_weight_grad(grad, input, weight_size, stride, pad, padding, dilation, groups, channels_last, order,
                       with_bias):
    """Gradients with respect to filters of `weight_size`, which lie in `order`, and to the bias (else an empty one)."""
    cdef View g, x, w, b
    cdef fc_corr2d_params p
    cdef fc_error error
    cdef int64_t out[2]
    cdef int64_t size[4]
    cdef int form, weight_form
    cdef fc_status status
    b.data = NULL
    read(grad, &g)
    read(input, &x)
    sizes_into(size, weight_size, "weight_size")
    if g.rank != 4 or x.rank != 4 or g.kind != x.kind:
        forms.judge_operands(grad, input, None, "grad", "input")
    if order not in FORM_OF_ORDER:
        raise ValueError(f"order must be one of {', '.join(FORM_OF_ORDER)}, got {order!r}")
    form, weight_form = format_of(&x, channels_last), FORM_OF_ORDER[order]
    describe(&p, &x, x.shape, size, form, weight_form, (stride, pad, padding, dilation, groups), out)
    must_be_output(&g, &p, out)
    _grads, _images = dense(grad, &g, form), dense(input, &x, form)
    result = empty(grad, (size[0], size[1], size[2], size[3]), weight_form, &w)
    grad_bias = empty(grad, (size[0] if with_bias else 0,), 0, &b)
    if not with_bias:
        b.data = NULL
    borrow()
    with nogil:
        status = fc_corr2d_weight_grad(&p, g.data, x.data, w.data, b.data, NULL, &error)
        give_back()
        check(status, &error)
    return finished(result, grad), finished(grad_bias, grad)


# ---- whole calls -----------------------------------------------------------------------------------------------------

# The function of `functional.py` in one step: the result, or what `route` answers where it is not NATIVE.


def try_corr2d(input, weight, bias, stride, padding, dilation, groups):
    """As `functional.corr2d`."""
    way = route(input, weight, bias)
    if way != NATIVE:
        return way
    steps, pad, pads, gaps, parts = windows(stride, padding, dilation, groups)
    return corr2d(input, weight, bias, steps, pad, pads, gaps, parts, None, "auto")


def try_corr2d_backward(grad, input, weight, options, with_bias):
    """The gradients of input, weight and bias of `corr2d` with these options; None where `route` is not NATIVE."""
    cdef View x, w, g
    cdef int form
    if input is None or weight is None or route(grad, input) != NATIVE or not plain(weight, 4, True):
        return None
    stride, pad, padding, dilation, groups, channels_last, _ = options
    read(input, &x)
    read(weight, &w)
    read(grad, &g)
    form = format_of(&x, channels_last)
    grad = dense(grad, &g, form) if dtype_of(&g) != HALF else grad  # for both at once
    windows = stride, pad, padding, dilation, groups, form == FORM_OHWI
    input_size = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
    weight_size = w.shape[0], w.shape[1], w.shape[2], w.shape[3]
    grad_input = corr2d_input_grad(grad, weight, input_size, *windows)
    grad_weight, grad_bias = corr2d_weight_grad(grad, input, weight_size, *windows, NAMES[order_of(&w)], with_bias)
    return None, grad_input, grad_weight, grad_bias if with_bias else None, None
