# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True, freethreading_compatible=True
"""Buffers to pointers, the GIL released, a status to an exception: nothing else.

Every array must be C-contiguous, aligned, of the native byte order and of exactly the size that the problem says;
`fastconv.functional` sees to that.
"""
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t

from fastconv._capi cimport *

__all__ = [
    "Corr2d", "MaxPool2dGrad", "Memory", "Pool2d", "algorithms", "built_isas", "compiler", "configure",
    "get_batch_invariant", "get_isa", "get_num_threads", "isas", "set_batch_invariant", "set_isa", "set_num_threads",
    "version",
]

# In the order of the C enums.
DTYPES = ("float32", "float64", "int32", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64")
LAYOUTS = ("NCHW", "NHWC")
WEIGHT_LAYOUTS = ("OIHW", "OHWI", "HWIO")
PADDINGS = ("explicit", "valid", "same", "same_lower")
OPERATIONS = (
    "corr2d", "corr2d_input_grad", "corr2d_weight_grad", "max_pool2d", "avg_pool2d", "max_pool2d_grad",
    "avg_pool2d_grad",
)
ITEM_SIZES = (4, 8, 4, 8, 1, 1, 2, 2, 4, 8)


cdef int fail(fc_status status, fc_error *error) except -1 with gil:
    message = error.message.decode("utf-8", "replace")
    if status == FC_BAD_TYPE:
        raise TypeError(message)
    if status == FC_NO_MEMORY:
        raise MemoryError(message)
    raise ValueError(message)


# A call that succeeds must not ask for the GIL here: an interpreter that has ended meanwhile has none to give, and only
# the end of the `with nogil` block knows what to do then.
cdef int check(fc_status status, fc_error *error) except -1 nogil:
    return 0 if status == FC_OK else fail(status, error)


cdef class Buffer:
    """The memory of an array, held while this object lives; NULL for None."""

    cdef Py_buffer view
    cdef void *data
    cdef bint held

    def __cinit__(self, array, object elements, object item_size, bint writable=False):
        self.held = False
        self.data = NULL
        if array is None:
            return
        PyObject_GetBuffer(array, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        self.held = True
        if self.view.len != elements * item_size:
            raise ValueError(f"an array has {self.view.len} bytes where the problem has {elements * item_size}")
        self.data = self.view.buf

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef class Memory:
    """Bytes for a result, which hold anything; they wait for a later one when nobody has them any more."""

    cdef void *data
    cdef Py_ssize_t size

    def __cinit__(self, Py_ssize_t size):
        self.size = size
        self.data = fc_take_memory(<size_t>size)
        if self.data == NULL:
            raise MemoryError(f"no memory for a result of {size} bytes")

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.size, False, flags)

    def __dealloc__(self):
        fc_give_memory(self.data)


cdef bytes encoded(algorithm):
    """The name for C; None for "auto"."""
    if not isinstance(algorithm, str):
        raise TypeError(f"algorithm must be a string, got {algorithm!r}")
    if "\0" in algorithm:
        raise ValueError(f"algorithm {algorithm!r} is unknown")
    return None if algorithm == "auto" else algorithm.encode()


cdef const char *pointer(bytes name):
    return NULL if name is None else <const char *>name


cdef object explanation_of(object operation, const fc_explanation *e):
    """(algorithm, {name: why it declines}, {name: why it is passed over}, flops, workspace bytes)."""
    declined, passed_over = {}, {}
    for i, name in enumerate(algorithms(operation)):
        if e.declined[i] != NULL:
            declined[name] = e.declined[i].decode()
        if e.passed_over[i] != NULL:
            passed_over[name] = e.passed_over[i].decode()
    return e.algorithm.decode(), declined, passed_over, e.flops, e.workspace_bytes


cdef class Corr2d:
    """A correlation problem: judged when it is made, then run by any of the three operators."""

    cdef fc_corr2d_params params
    cdef readonly tuple out
    cdef object x_elements, w_elements, y_elements, item_size

    def __init__(self, dtype, layout, weight_layout, batch, channels, size, out_channels, weight_channels, kernel,
                 groups, stride, dilation, padding, before, after):
        cdef fc_error error
        cdef int64_t out[2]
        cdef fc_corr2d_params *p = &self.params
        p.dtype = <fc_dtype><int>DTYPES.index(dtype)
        p.layout = <fc_layout><int>LAYOUTS.index(layout)
        p.weight_layout = <fc_weight_layout><int>WEIGHT_LAYOUTS.index(weight_layout)
        p.padding = <fc_padding><int>PADDINGS.index(padding)
        p.batch = batch
        p.channels = channels
        p.out_channels = out_channels
        p.weight_channels = weight_channels
        p.groups = groups
        for i in range(2):
            p.size[i] = size[i]
            p.kernel[i] = kernel[i]
            p.stride[i] = stride[i]
            p.dilation[i] = dilation[i]
            p.pad_before[i] = before[i]
            p.pad_after[i] = after[i]
        p.isa = fc_get_isa()
        check(fc_corr2d_shape(p, out, &error), &error)
        self.out = (out[0], out[1])
        self.item_size = ITEM_SIZES[p.dtype]
        self.x_elements = batch * channels * size[0] * size[1]
        self.w_elements = out_channels * weight_channels * kernel[0] * kernel[1]
        self.y_elements = batch * out_channels * out[0] * out[1]

    def forward(self, x, w, bias, y, algorithm):
        """y = correlation of x and w, plus bias."""
        cdef Buffer bx = Buffer(x, self.x_elements, self.item_size)
        cdef Buffer bw = Buffer(w, self.w_elements, self.item_size)
        cdef Buffer bb = Buffer(bias, self.params.out_channels, self.item_size)
        cdef Buffer by = Buffer(y, self.y_elements, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_corr2d(&self.params, bx.data, bw.data, bb.data, by.data, chosen, &error), &error)

    def input_grad(self, grad_y, w, grad_x, algorithm):
        """grad_x from grad_y and w."""
        cdef Buffer bg = Buffer(grad_y, self.y_elements, self.item_size)
        cdef Buffer bw = Buffer(w, self.w_elements, self.item_size)
        cdef Buffer bx = Buffer(grad_x, self.x_elements, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_corr2d_input_grad(&self.params, bg.data, bw.data, bx.data, chosen, &error), &error)

    def weight_grad(self, grad_y, x, grad_w, grad_bias, algorithm):
        """grad_w and, unless it is None, grad_bias from grad_y and x."""
        cdef Buffer bg = Buffer(grad_y, self.y_elements, self.item_size)
        cdef Buffer bx = Buffer(x, self.x_elements, self.item_size)
        cdef Buffer bw = Buffer(grad_w, self.w_elements, self.item_size, True)
        cdef Buffer bb = Buffer(grad_bias, self.params.out_channels, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_corr2d_weight_grad(&self.params, bg.data, bx.data, bw.data, bb.data, chosen, &error), &error)

    @property
    def isa(self):
        """The instruction set that was in use when the problem was made, and is for all of its calls."""
        return self.params.isa.decode()

    def choose(self, algorithm):
        """(name of the algorithm that forward would take, bytes of the weights it prepares)."""
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = NULL
        cdef size_t prepared_bytes = 0
        cdef fc_error error
        check(fc_corr2d_choose(&self.params, pointer(name), &chosen, &prepared_bytes, &error), &error)
        return chosen.decode(), prepared_bytes

    def prepare(self, w, prepared, algorithm):
        """The weights, transformed for `algorithm`, into the bytes of `prepared`."""
        cdef Buffer bw = Buffer(w, self.w_elements, self.item_size)
        cdef Buffer bp = Buffer(prepared, prepared.nbytes, 1, True)
        cdef size_t size = bp.view.len
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_corr2d_prepare(&self.params, chosen, bw.data, bp.data, size, &error), &error)

    def forward_prepared(self, x, prepared, bias, y, algorithm):
        """The same as forward, with what prepare made."""
        cdef Buffer bx = Buffer(x, self.x_elements, self.item_size)
        cdef Buffer bp = Buffer(prepared, prepared.nbytes, 1)
        cdef size_t size = bp.view.len
        cdef Buffer bb = Buffer(bias, self.params.out_channels, self.item_size)
        cdef Buffer by = Buffer(y, self.y_elements, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_corr2d_prepared(&self.params, bx.data, bp.data, size, bb.data, by.data, chosen, &error), &error)

    def explain(self, operation):
        """What would be done: (algorithm, {name: reason}, {name: reason}, flops, workspace bytes)."""
        cdef fc_explanation explanation
        cdef fc_error error
        check(fc_explain_corr2d(<fc_operation><int>OPERATIONS.index(operation), &self.params, &explanation, &error),
              &error)
        return explanation_of(operation, &explanation)


cdef class Pool2d:
    """A pooling problem: judged when it is made, then run by max or average pooling or the average's gradient."""

    cdef fc_pool2d_params params
    cdef readonly tuple out
    cdef object x_elements, y_elements, item_size

    def __init__(self, dtype, layout, batch, channels, size, window, stride, dilation, padding, before, after,
                 ceil_mode, count_include_pad=True, divisor=None):
        cdef fc_error error
        cdef int64_t out[2]
        cdef fc_pool2d_params *p = &self.params
        p.dtype = <fc_dtype><int>DTYPES.index(dtype)
        p.layout = <fc_layout><int>LAYOUTS.index(layout)
        p.padding = <fc_padding><int>PADDINGS.index(padding)
        p.batch = batch
        p.channels = channels
        for i in range(2):
            p.size[i] = size[i]
            p.window[i] = window[i]
            p.stride[i] = stride[i]
            p.dilation[i] = dilation[i]
            p.pad_before[i] = before[i]
            p.pad_after[i] = after[i]
        p.ceil_mode = ceil_mode
        p.count_include_pad = count_include_pad
        p.has_divisor = divisor is not None
        p.divisor = 0 if divisor is None else divisor
        check(fc_pool2d_shape(p, out, &error), &error)
        self.out = (out[0], out[1])
        self.item_size = ITEM_SIZES[p.dtype]
        self.x_elements = batch * channels * size[0] * size[1]
        self.y_elements = batch * channels * out[0] * out[1]

    def max(self, x, y, indices, algorithm):
        """y = maxima, and their places unless indices is None."""
        cdef Buffer bx = Buffer(x, self.x_elements, self.item_size)
        cdef Buffer by = Buffer(y, self.y_elements, self.item_size, True)
        cdef Buffer bi = Buffer(indices, self.y_elements, 8, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_max_pool2d(&self.params, bx.data, by.data, <int64_t *>bi.data, chosen, &error), &error)

    def avg(self, x, y, algorithm):
        """y = averages."""
        cdef Buffer bx = Buffer(x, self.x_elements, self.item_size)
        cdef Buffer by = Buffer(y, self.y_elements, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_avg_pool2d(&self.params, bx.data, by.data, chosen, &error), &error)

    def avg_grad(self, grad_y, grad_x, algorithm):
        """grad_x of average pooling."""
        cdef Buffer bg = Buffer(grad_y, self.y_elements, self.item_size)
        cdef Buffer bx = Buffer(grad_x, self.x_elements, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_avg_pool2d_grad(&self.params, bg.data, bx.data, chosen, &error), &error)

    def explain(self, operation, with_indices):
        """What would be done: (algorithm, {name: reason}, {name: reason}, flops, workspace bytes)."""
        cdef fc_explanation explanation
        cdef fc_error error
        check(fc_explain_pool2d(<fc_operation><int>OPERATIONS.index(operation), &self.params, with_indices,
                                &explanation, &error), &error)
        return explanation_of(operation, &explanation)


cdef class MaxPool2dGrad:
    """The gradient of max pooling: places are all it needs to know."""

    cdef fc_max_pool2d_grad_params params
    cdef object x_elements, y_elements, item_size

    def __init__(self, dtype, layout, batch, channels, size, out):
        cdef fc_max_pool2d_grad_params *p = &self.params
        p.dtype = <fc_dtype><int>DTYPES.index(dtype)
        p.layout = <fc_layout><int>LAYOUTS.index(layout)
        p.batch = batch
        p.channels = channels
        for i in range(2):
            p.size[i] = size[i]
            p.out[i] = out[i]
        self.item_size = ITEM_SIZES[p.dtype]
        self.x_elements = batch * channels * size[0] * size[1]
        self.y_elements = batch * channels * out[0] * out[1]

    def run(self, grad_y, indices, grad_x, algorithm):
        """grad_x: every element of grad_y added at its index."""
        cdef Buffer bg = Buffer(grad_y, self.y_elements, self.item_size)
        cdef Buffer bi = Buffer(indices, self.y_elements, 8)
        cdef Buffer bx = Buffer(grad_x, self.x_elements, self.item_size, True)
        cdef bytes name = encoded(algorithm)
        cdef const char *chosen = pointer(name)
        cdef fc_error error
        with nogil:
            check(fc_max_pool2d_grad(&self.params, bg.data, <const int64_t *>bi.data, bx.data, chosen, &error),
                  &error)


def algorithms(operation):
    """The names of an operation's algorithms, best first."""
    cdef fc_operation op = <fc_operation><int>OPERATIONS.index(operation)
    cdef list names = []
    cdef const char *name = fc_algorithm_name(op, 0)
    while name != NULL:
        names.append(name.decode())
        name = fc_algorithm_name(op, len(names))
    return tuple(names)


cdef tuple collected(const char *(*name_at)(int) noexcept nogil):
    cdef list names = []
    cdef const char *name = name_at(0)
    while name != NULL:
        names.append(name.decode())
        name = name_at(len(names))
    return tuple(names)


def configure():
    """Read the environment; ValueError if a variable makes no sense."""
    cdef fc_error error
    check(fc_configure(&error), &error)


def isas():
    """The instruction sets usable here, best first."""
    return collected(<const char *(*)(int) noexcept nogil>fc_isa_name)


def built_isas():
    """The instruction sets that were built, best first."""
    return collected(<const char *(*)(int) noexcept nogil>fc_built_isa_name)


def get_isa():
    """The instruction set in use."""
    return fc_get_isa().decode()


def set_isa(name):
    """Use another instruction set from the next call on."""
    cdef fc_error error
    check(fc_set_isa(name.encode(), &error), &error)


def get_num_threads():
    """The most threads a call uses."""
    return fc_get_num_threads()


def set_num_threads(threads):
    """Set the most threads a call uses."""
    cdef fc_error error
    check(fc_set_num_threads(threads, &error), &error)


def get_batch_invariant():
    """Whether "auto" chooses as if for one image."""
    return bool(fc_get_batch_invariant())


def set_batch_invariant(on):
    """Let "auto" choose as if for one image, or not."""
    fc_set_batch_invariant(bool(on))


def compiler():
    """The compiler of the C core."""
    return fc_compiler().decode()


def version():
    """The version of the C core."""
    return FC_VERSION.decode()
