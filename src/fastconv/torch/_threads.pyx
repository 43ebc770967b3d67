# SPDX-License-Identifier: BSD-3-Clause
# cython: language_level=3, binding=True, embedsignature=True
"""Torch's threads for the kernels that are called from torch.

A thread of torch's OpenMP team waits for milliseconds behind each of its operations, busily, and on the core that a
thread of our pool needs next: in the steps of a network, where the two take turns, each would slow the other to half.
So kernels run on that same team. `GOMP_parallel` is how GCC's code, which torch is, begins a parallel region; torch's
library is asked for it, since another library in the process may have brought another OpenMP.
"""
import ctypes
from pathlib import Path

import torch

from fastconv._capi cimport fc_lend_team, fc_limit_threads, fc_team

cdef object num_threads = torch.get_num_threads

ctypedef void (*parallel_region)(void (*body)(void *context) noexcept nogil, void *context, unsigned threads,
                                 unsigned flags) noexcept nogil

cdef parallel_region region = NULL
cdef fc_team team = NULL
cdef unsigned team_size = 1  # torch's: a smaller region would end some of its threads


cdef void run_as_team(void (*body)(void *context) noexcept nogil, void *context) noexcept nogil:
    region(body, context, team_size, 0)


def use_team(bint on):
    """Run on torch's threads if they can be had and `on`; answer whether it is so."""
    global region, team
    team = NULL  # `region` stays: another thread may be on its way there
    if on and "ATen parallel backend: OpenMP" in torch.__config__.parallel_info():
        for library in (Path(torch.__file__).parent / "lib").glob("libtorch_cpu.so"):
            try:
                found = ctypes.CDLL(str(library)).GOMP_parallel  # its own or that of a library that it needs
            except (OSError, AttributeError):
                continue
            region = <parallel_region><size_t>ctypes.cast(found, ctypes.c_void_p).value
            team = run_as_team
    fc_lend_team(NULL)  # from here on a child of this process knows that it has no team
    return team != NULL


use_team(True)


cdef void borrow() except *:
    """Before a kernel."""
    global team_size
    cdef int threads = num_threads()
    team_size = threads
    fc_limit_threads(threads)
    fc_lend_team(team)


cdef void give_back() noexcept nogil:
    """Behind it, on the same thread."""
    fc_limit_threads(0)
    fc_lend_team(NULL)
