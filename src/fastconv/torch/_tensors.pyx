# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True
"""Tensors to pointers: read where they lie, brought to a form that kernels read, and made for results.

A tensor's memory is read through DLPack's exchange API where torch has it, and through its attributes otherwise.
"""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uintptr_t

import torch

from fastconv._capi cimport *
from fastconv.torch._dlpack cimport *

# The axes of a form from the one that moves fastest.
cdef int[3][4] AXES = [[3, 2, 1, 0], [1, 3, 2, 0], [0, 1, 3, 2]]

cdef object FLOAT16 = torch.float16
cdef object BFLOAT16 = torch.bfloat16
cdef object FLOAT32 = torch.float32
cdef object INT64 = torch.int64
cdef object CPU = torch.device("cpu")
cdef object CONTIGUOUS = torch.contiguous_format
cdef object CHANNELS_LAST = torch.channels_last
cdef object torch_empty = torch.empty
cdef object torch_empty_strided = torch.empty_strided


cdef int kind_of(int code, int bits) noexcept nogil:
    return code << 8 | bits


cdef dict KINDS = {
    torch.float16: kind_of(DL_FLOAT, 16),
    torch.bfloat16: kind_of(DL_BFLOAT, 16),
    torch.float32: kind_of(DL_FLOAT, 32),
    torch.float64: kind_of(DL_FLOAT, 64),
    torch.int8: kind_of(DL_INT, 8),
    torch.int16: kind_of(DL_INT, 16),
    torch.int32: kind_of(DL_INT, 32),
    torch.int64: kind_of(DL_INT, 64),
    torch.uint8: kind_of(DL_UINT, 8),
    torch.uint16: kind_of(DL_UINT, 16),
    torch.uint32: kind_of(DL_UINT, 32),
    torch.uint64: kind_of(DL_UINT, 64),
}

cdef DLExchangeAPI *exchange = NULL


def use_exchange(bint on):
    """Read through the exchange API if torch has it and `on`; answer whether it is used."""
    global exchange
    exchange = NULL
    capsule = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
    if on and capsule is not None:
        api = <DLExchangeAPI *>PyCapsule_GetPointer(capsule, "dlpack_exchange_api")
        while api != NULL and api.major != 1:
            api = api.prev_api
        if api != NULL and api.dltensor_from_py_object != NULL:
            exchange = api
    return exchange != NULL


use_exchange(True)


cdef int read(object tensor, View *view) except -1:
    """Fill in the view; of a tensor with more than four dimensions, no shape."""
    cdef DLTensor borrowed
    cdef int i
    if exchange != NULL:
        exchange.dltensor_from_py_object(<void *>tensor, &borrowed)
        view.data = <char *>borrowed.data + borrowed.byte_offset
        view.cpu = borrowed.device_type == DL_CPU
        view.kind = kind_of(borrowed.code, borrowed.bits)
        view.rank = borrowed.ndim
        if view.rank <= 4:
            for i in range(view.rank):
                view.shape[i] = borrowed.shape[i]
                view.strides[i] = borrowed.strides[i]
        return 0
    view.data = <void *><uintptr_t>tensor.data_ptr()
    view.cpu = tensor.device.type == "cpu"
    view.kind = KINDS.get(tensor.dtype, 0)
    shape, strides = tensor.shape, tensor.stride()
    view.rank = len(shape)
    if view.rank <= 4:
        for i in range(view.rank):
            view.shape[i] = shape[i]
            view.strides[i] = strides[i]
    return 0


cdef int dtype_of(const View *view) noexcept nogil:
    """The fc_dtype of the elements, HALF or UNSUPPORTED."""
    cdef int code = view.kind >> 8, bits = view.kind & 0xff
    if code == DL_FLOAT:
        return FC_F32 if bits == 32 else FC_F64 if bits == 64 else HALF if bits == 16 else UNSUPPORTED
    if code == DL_BFLOAT:
        return HALF if bits == 16 else UNSUPPORTED
    if code == DL_INT:
        return FC_I32 if bits == 32 else FC_I64 if bits == 64 else FC_I8 if bits == 8 else (
            FC_I16 if bits == 16 else UNSUPPORTED)
    if code == DL_UINT:
        return FC_U8 if bits == 8 else FC_U16 if bits == 16 else FC_U32 if bits == 32 else (
            FC_U64 if bits == 64 else UNSUPPORTED)
    return UNSUPPORTED


cdef bint lies_in(const View *view, int form) noexcept nogil:
    """Whether four axes lie one behind the other as the form says; torch's rule, which skips axes of one."""
    cdef int64_t expected = 1
    cdef int i, axis
    for i in range(4):
        if view.shape[i] == 0:
            return True
    for i in range(4):
        axis = AXES[form][i]
        if view.shape[axis] != 1:
            if view.strides[axis] != expected:
                return False
            expected *= view.shape[axis]
    return True


cdef bint is_vector(const View *view) noexcept nogil:
    return view.rank == 1 and (view.shape[0] < 2 or view.strides[0] == 1)


cdef int must_be_held(object tensor, const View *view) except -1:
    """ValueError when the storage of a tensor that has elements was freed: its data then begins at NULL plus an offset.

    An address below all that systems give is looked at again. A storage that was only made smaller cannot be told so
    cheaply; torch reads past its end as well.
    """
    cdef int i
    if <size_t>view.data >= 0x100000000:
        return 0
    for i in range(view.rank):
        if view.shape[i] == 0:
            return 0
    if <size_t>view.data <= <size_t>(tensor.storage_offset() * tensor.element_size()):
        raise ValueError(f"a tensor of shape {tuple(tensor.shape)} has no memory: its storage is not allocated")
    return 0


cdef object dense(object tensor, View *view, int form):
    """The tensor as kernels read it, and its view: itself if it can be, else one converted copy."""
    must_be_held(tensor, view)
    if dtype_of(view) == HALF:
        tensor = tensor.to(FLOAT32)
        read(tensor, view)
    if view.rank == 1:
        if not is_vector(view):
            tensor = tensor.contiguous()
            read(tensor, view)
    elif not lies_in(view, form):
        tensor = tensor.contiguous(memory_format=CHANNELS_LAST if form == FORM_OHWI else CONTIGUOUS)
        read(tensor, view)
    if <size_t>view.data % <size_t>((view.kind & 0xff) // 8):
        tensor = tensor.clone()
        read(tensor, view)
    return tensor


cdef object empty(object like, tuple shape, int form, View *view):
    """A tensor for a result of the element type that `like` computes in, and its view."""
    try:
        return allocated(like, shape, form, view)
    except RuntimeError as error:  # torch's word for a size that there is no memory for
        raise MemoryError(str(error)) from None


cdef object allocated(object like, tuple shape, int form, View *view):
    dtype = like.dtype
    if form == FORM_OIHW and len(shape) == 4 and dtype is not FLOAT16 and dtype is not BFLOAT16:
        made = like.new_empty(shape[0], shape[1], shape[2], shape[3])  # the quickest of torch's ways
        read(made, view)
        return made
    if dtype is FLOAT16 or dtype is BFLOAT16:
        dtype = FLOAT32
    if form == FORM_OIHW:
        made = torch_empty(shape, dtype=dtype, device=CPU)
    elif form == FORM_OHWI:
        made = torch_empty(shape, dtype=dtype, device=CPU, memory_format=CHANNELS_LAST)
    else:
        o, i, _, w = (max(size, 1) for size in shape)
        made = torch_empty_strided(shape, (1, o, w * i * o, i * o), dtype=dtype, device=CPU)
    read(made, view)
    return made


cdef object empty_indices(tuple shape, int form, View *view):
    """A tensor for the places of maxima."""
    layout = CHANNELS_LAST if form == FORM_OHWI else CONTIGUOUS
    made = torch_empty(shape, dtype=INT64, device=CPU, memory_format=layout)
    read(made, view)
    return made
