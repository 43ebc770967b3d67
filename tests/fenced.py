# SPDX-License-Identifier: BSD-3-Clause
"""Run the case tables with arrays that touch a forbidden page, so that reading or writing outside them is fatal.

Run as a script: ``python fenced.py before|after isa`` exits with status 0 when nothing was touched; with a third
argument it touches the page itself at once, to prove that the fence is there.
"""

import ctypes
import mmap
import sys

import numpy as np
from cases import CASES, LAYOUTS, each_algorithm, problem
from pool_cases import POOL_CASES

import fastconv

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)


def fenced(shape: tuple[int, ...], dtype: object, side: str) -> np.ndarray:
    """Make an array of zeros whose first ("before") or last ("after") byte is next to a forbidden page."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    pages = -(-size // PAGE) + 2
    memory = mmap.mmap(-1, pages * PAGE)
    whole = np.frombuffer(memory, np.uint8)
    address = whole.ctypes.data
    for edge in (address, address + (pages - 1) * PAGE):
        if LIBC.mprotect(ctypes.c_void_p(edge), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    start = PAGE if side == "before" else (pages - 1) * PAGE - size
    return np.ndarray(shape, dtype, memory, start)


def copy(a: np.ndarray | None, side: str) -> np.ndarray | None:
    """Copy an array next to the fence."""
    if a is None:
        return None
    b = fenced(a.shape, a.dtype, side)
    b[...] = a
    return b


def correlations(side: str, layout: str, dtype: str) -> None:
    """Run the three correlation operators over the table."""
    for case in CASES:
        p, options = problem(case, layout, dtype), {**case.options, "layout": layout}
        x, w, bias, grad_y = (copy(a, side) for a in (p.x, p.w, p.bias, p.grad_y))
        calls = {
            "corr2d": (lambda **k: fastconv.corr2d(x, w, bias, **k), case.y_shape(layout)),  # noqa: B023
            "corr2d_input_grad": (lambda **k: fastconv.corr2d_input_grad(grad_y, w, x.shape, **k), p.x.shape),  # noqa: B023
            "corr2d_weight_grad": (lambda **k: fastconv.corr2d_weight_grad(grad_y, x, w.shape, **k), p.w.shape),  # noqa: B023
        }
        for op, (call, shape) in calls.items():
            out = fenced(shape, p.dtype, side)
            each_algorithm(op, lambda name: call(**options, algorithm=name, out=out))  # noqa: B023


def poolings(side: str, layout: str, dtype: str) -> None:
    """Run the four pooling operators over the table."""
    for case in POOL_CASES:
        x, grad_y = (copy(a, side) for a in case.arrays(layout, dtype))
        options = {**case.max_options, "layout": layout}
        index = copy(fastconv.max_pool2d(x, case.kernel, **options, return_indices=True)[1], side)
        calls = {
            "max_pool2d": lambda **k: fastconv.max_pool2d(x, case.kernel, **options, **k),  # noqa: B023
            "avg_pool2d": lambda **k: fastconv.avg_pool2d(x, case.kernel, **options, **k),  # noqa: B023
        }
        for op, call in calls.items():
            out = fenced(grad_y.shape, "float64" if op == "avg_pool2d" and x.dtype.kind in "iu" else dtype, side)
            each_algorithm(op, lambda name: call(algorithm=name, out=out))  # noqa: B023
        if x.dtype.kind == "f":
            out = fenced(x.shape, dtype, side)
            fastconv.max_pool2d_grad(grad_y, index, x.shape, layout=layout, out=out)
            fastconv.avg_pool2d_grad(grad_y, case.kernel, x.shape, **case.avg_options, layout=layout, out=out)


def main(side: str, isa: str, touch: bool) -> None:
    fastconv.set_isa(isa)
    if touch:
        ctypes.string_at(fenced((PAGE,), np.uint8, side).ctypes.data + (-1 if side == "before" else PAGE), 1)
    for layout in LAYOUTS:
        for dtype in ("float32", "float64", "int8"):
            correlations(side, layout, dtype)
            poolings(side, layout, dtype)
    print("untouched")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], len(sys.argv) > 3)
