# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True
"""Weights that stay, by their owner's word: transformed once for all calls without gradients.

The word is held to what torch can tell of an edit. A weight that was edited through `.data`, NumPy or another process
looks as before.
"""
from libc.stdint cimport int64_t

import torch

from fastconv._capi cimport *
from fastconv._core cimport check
from fastconv.torch._eager cimport describe, finished, format_of, order_of, plain, route, windows
from fastconv.torch._tensors cimport *
from fastconv.torch._threads cimport borrow, give_back

from fastconv.torch._eager import NATIVE

cdef object grad_enabled = torch.is_grad_enabled
cdef object torch_empty = torch.empty
cdef object CPU = torch.device("cpu")
cdef object UINT8 = torch.uint8


cdef bint same(const View *one, const View *two) noexcept nogil:
    """Whether two views of four axes are of the same elements in the same order."""
    cdef int i
    if one.data != two.data or one.kind != two.kind or one.rank != two.rank or one.cpu != two.cpu:
        return False
    for i in range(4):
        if one.shape[i] != two.shape[i] or one.strides[i] != two.strides[i]:
            return False
    return True


cdef class Copy:
    """The weights as one algorithm reads them; what was prepared depends on no more than this names."""

    cdef const char *algorithm  # of the core's own strings, as isa; both NULL where the weights are read as they lie
    cdef const char *isa
    cdef int layout
    cdef int64_t groups
    cdef object tensor
    cdef void *data
    cdef size_t size


cdef bint settled(object value):
    """Whether an argument is what it was as long as it is the same object."""
    if type(value) is tuple:
        return all(type(item) is int for item in <tuple>value)
    return type(value) is int or type(value) is str


cdef class Plan:
    """The latest problem: its arguments, and what was found for them."""

    cdef object stride, padding, dilation, groups
    cdef fc_corr2d_params params
    cdef tuple shape            # of the result
    cdef const char *isa
    cdef bint invariant
    cdef const char *algorithm
    cdef Copy copy


cdef class Frozen:
    """A layer's weight of which its owner said that it stays, and what algorithms have made of it.

    Keeps one copy for each algorithm, instruction set and layout that calls have used: none for a new shape. A call
    checks that the weight is the same tensor, with the same version, at the same place.

    Attributes
    ----------
    weight : Parameter
    preparations : int
        How often the weight was transformed.
    """

    cdef readonly object weight
    cdef readonly int preparations
    cdef bint ended
    cdef object memory  # keeps the address from being given to other weights
    cdef object version
    cdef View view
    cdef list kept
    cdef Plan latest
    cdef object __weakref__

    def __init__(self, weight):
        self.weight = weight
        self.version = weight._version  # RuntimeError for a tensor of inference mode, whose edits are not counted
        self.kept = []
        self.view.rank = 0
        if plain(weight, 4, False):
            read(weight, &self.view)
            self.memory = weight.detach()

    def __reduce__(self):
        """A copy of a layer has no one's word: it gets None."""
        return type(None), ()

    def end(self):
        """Hold nothing from now on: the weight was edited."""
        self.ended = True

    @property
    def copies(self):
        """The tensors that are kept, the weight itself where an algorithm reads it as it lies."""
        return [(<Copy>copy).tensor for copy in self.kept]

    cpdef bint holds(self, weight):
        """Whether this is the weight, unedited as far as torch can tell."""
        cdef View now
        if weight is not self.weight or self.ended or self.view.rank != 4:
            return False
        try:
            if weight._version != self.version:
                return False
            read(weight, &now)
        except (RuntimeError, BufferError, NotImplementedError):
            return False
        return same(&now, &self.view)

    def corr2d(self, input, weight, bias, stride, padding, dilation, groups):
        """As `functional.corr2d`; None where the call must go the ordinary way."""
        cdef View x, b, y
        cdef fc_error error
        cdef int form
        cdef fc_status status
        cdef Plan plan
        if route(input, None, bias) != NATIVE or not self.holds(weight) or (weight.requires_grad and grad_enabled()):
            return None
        b.data = NULL
        read(input, &x)
        if bias is not None:
            read(bias, &b)
        if x.kind != self.view.kind or (bias is not None and (b.kind != x.kind or b.shape[0] != self.view.shape[0])):
            return None  # to be told what is wrong
        form = format_of(&x, None)
        plan = self.plan_for(&x, form, stride, padding, dilation, groups)
        if plan is None:
            return None
        _images = dense(input, &x, form)
        if bias is not None:
            bias = dense(bias, &b, 0)
        result = empty(input, plan.shape, form, &y)
        borrow()
        with nogil:
            status = fc_corr2d_prepared(&plan.params, x.data, plan.copy.data, plan.copy.size, b.data, y.data,
                                        plan.algorithm, &error)
            give_back()
            check(status, &error)
        return finished(result, input)

    cdef Plan plan_for(self, const View *x, int form, stride, padding, dilation, groups):
        """The latest problem if this is it, else what there is to know of this one; None as `copy_for`."""
        cdef Plan plan = self.latest
        cdef fc_error error
        cdef int64_t out[2]
        cdef size_t size = 0
        cdef const char *isa = fc_get_isa()
        cdef bint invariant = fc_get_batch_invariant()
        if (plan is not None and plan.isa == isa and plan.invariant == invariant and plan.stride is stride
                and plan.padding is padding and plan.dilation is dilation and plan.groups is groups
                and plan.params.layout == (FC_NHWC if form == FORM_OHWI else FC_NCHW)
                and plan.params.batch == x.shape[0] and plan.params.channels == x.shape[1]
                and plan.params.size[0] == x.shape[2] and plan.params.size[1] == x.shape[3]):
            return plan
        plan = Plan()
        plan.stride, plan.padding, plan.dilation, plan.groups = stride, padding, dilation, groups
        plan.isa, plan.invariant = isa, invariant
        describe(&plan.params, x, x.shape, self.view.shape, form, order_of(&self.view),
                 windows(stride, padding, dilation, groups), out)
        plan.params.isa = isa
        plan.shape = (plan.params.batch, plan.params.out_channels, out[0], out[1])
        check(fc_corr2d_choose(&plan.params, NULL, &plan.algorithm, &size, &error), &error)
        plan.copy = self.copy_for(&plan.params, plan.algorithm, isa, size)
        if plan.copy is None:
            return None
        if settled(stride) and settled(padding) and settled(dilation) and settled(groups):
            self.latest = plan
        return plan

    cdef Copy copy_for(self, const fc_corr2d_params *p, const char *algorithm, const char *isa, size_t size):
        """What was kept for this problem, or is from now on; None if it cannot be prepared."""
        cdef Copy copy
        if size == 0:
            algorithm, isa = NULL, NULL
        for copy in self.kept:
            if copy.algorithm == algorithm and copy.isa == isa and (
                    size == 0 or (copy.layout == <int>p.layout and copy.groups == p.groups)):
                return copy
        copy = self.made(p, algorithm, isa, size)
        if copy is not None:
            self.kept.append(copy)  # two threads may both come here: they bring the same
        return copy

    cdef Copy made(self, const fc_corr2d_params *p, const char *algorithm, const char *isa, size_t size):
        cdef View w
        cdef fc_error error
        cdef fc_status status
        cdef Copy copy = Copy()
        copy.algorithm, copy.isa, copy.layout, copy.groups = algorithm, isa, <int>p.layout, p.groups
        w = self.view
        copy.tensor = dense(self.memory, &w, order_of(&w))
        copy.data, copy.size = w.data, <size_t>(w.kind & 0xff) // 8
        copy.size *= <size_t>(w.shape[0] * w.shape[1] * w.shape[2] * w.shape[3])
        if size == 0:
            return copy
        _filters, copy.tensor, copy.size = copy.tensor, torch_empty((size,), dtype=UINT8, device=CPU), size
        copy.data = <void *><size_t>copy.tensor.data_ptr()
        borrow()
        with nogil:
            status = fc_corr2d_prepare(p, algorithm, w.data, copy.data, size, &error)
            give_back()
        self.preparations += 1
        return copy if status == FC_OK else None
