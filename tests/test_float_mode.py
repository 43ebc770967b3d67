# SPDX-License-Identifier: BSD-3-Clause
"""Denormal numbers neither slow a call down nor spoil it, and the caller's floating-point mode and flags stay."""

import ctypes
import ctypes.util
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from cases import each_algorithm
from numerics import fresh_rng
from operators import GEOMETRIES, LAYOUTS, OPERATORS, arrays, call, oracle

import fastconv

FLOATS = ("float32", "float64")


LIBM = ctypes.CDLL(ctypes.util.find_library("m"))
FLUSH = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24), "arm64": (8, 1 << 24)}  # where fenv_t holds which bits


def mode_is_ieee() -> bool:
    """Tell whether NumPy's arithmetic in this thread keeps subnormals and rounds to nearest."""
    kept = []
    for dtype, bits, digits in ((np.float32, np.uint32, 23), (np.float64, np.uint64, 52)):
        least, normal = np.full(64, 1, bits).view(dtype), np.full(64, 1 << digits, bits).view(dtype)
        one, half_ulp = np.ones(64, dtype), dtype(2.0 ** -(digits + 1))
        kept += [(least * dtype(3)).view(bits) == 3, (normal / dtype(4)).view(bits) == 1 << (digits - 2)]
        kept += [one + half_ulp == 1, one - half_ulp / 2 == 1, one + half_ulp * dtype(1.5) > 1]
    return bool(np.all(kept))


@contextmanager
def flushing() -> Iterator[None]:
    """Flush subnormals to zero in this thread."""
    saved = ctypes.create_string_buffer(64)
    assert LIBM.fegetenv(saved) == 0
    changed, (offset, bits) = ctypes.create_string_buffer(saved.raw), FLUSH[platform.machine()]
    word = ctypes.c_uint32.from_buffer(changed, offset)
    word.value |= bits
    assert LIBM.fesetenv(changed) == 0
    try:
        yield
    finally:
        LIBM.fesetenv(saved)


def test_the_check_of_the_mode_can_fail():
    with flushing():
        assert not mode_is_ieee()
    assert mode_is_ieee()


@pytest.mark.parametrize("op", OPERATORS)
def test_a_caller_that_flushes_goes_on_flushing(isa: str, op: str):
    geometry = GEOMETRIES[0]
    a = arrays(geometry, "NCHW")
    with flushing():
        call(op, geometry, "NCHW", a)
        assert not mode_is_ieee(), f"{isa} {op} changed the caller's floating-point mode"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_mode_of_the_caller_is_restored(isa: str, dtype: str, op: str, layout: str):
    assert mode_is_ieee()
    geometry = GEOMETRIES[0]
    for threads in (1, 3):
        fastconv.set_num_threads(threads)
        for name in each_algorithm(op, lambda name: call(op, geometry, layout, arrays(geometry, layout, dtype), name)):
            assert mode_is_ieee(), f"{isa} {op} {name} left another floating-point mode behind"


@pytest.mark.parametrize("op", OPERATORS)
def test_the_mode_is_restored_in_other_threads_and_after_refusals(op: str):
    geometry = GEOMETRIES[0]
    a = arrays(geometry, "NCHW")

    def work() -> bool:
        call(op, geometry, "NCHW", a)
        with pytest.raises(ValueError, match="layout"):
            call(op, geometry, "no layout", a)
        return mode_is_ieee()

    with ThreadPoolExecutor(3) as executor:
        assert all(executor.submit(work).result() for _ in range(6))
    assert mode_is_ieee()


@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_floating_point_flag_becomes_a_warning(isa: str, op: str, layout: str):
    geometry = GEOMETRIES[0]
    a = {name: value.copy() for name, value in arrays(geometry, layout).items()}
    for name in ("x", "grad_y", "grad_pooled", "w"):
        flat = a[name].reshape(-1)
        flat[::7], flat[1::7], flat[2::7], flat[3::7] = np.nan, np.inf, 3e38, 1e-42
    with np.errstate(all="raise"):
        each_algorithm(op, lambda name: call(op, geometry, layout, a, name))
        assert (np.ones(3) + 1 == 2).all()
    full = arrays(geometry, layout)
    half = {name: value if name == "indices" else value.astype(np.float16) for name, value in full.items()}
    with np.errstate(all="raise"):
        each_algorithm(op, lambda name: call(op, geometry, layout, half, name))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_subnormal_numbers_count_or_vanish(isa: str, dtype: str, op: str, layout: str):
    """Subnormal inputs may be taken as zero, each of them: the error is at most what they could contribute."""
    geometry, tiny = GEOMETRIES[0], float(np.finfo(dtype).tiny)
    plain, rng = arrays(geometry, layout, dtype), fresh_rng("mixed", dtype)
    mixed = {
        name: np.where(rng.random(value.shape) < 0.5, value * value.dtype.type(tiny), value)
        for name, value in plain.items()
        if name != "indices"
    }
    mixed["indices"] = plain["indices"]
    reference = oracle(op, geometry, layout, mixed)
    scale = float(np.abs(reference).max())
    for name, y in each_algorithm(op, lambda name: call(op, geometry, layout, mixed, name)).items():
        error = float(np.abs(y.astype(np.float64) - reference).max())
        assert error <= 1e-5 * scale if dtype == "float32" else error <= 1e-13 * scale, f"{isa} {op} {name}: {error}"


def best_time(function: Callable[[], object]) -> float:
    """Take the shortest of some calls, in seconds."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
def test_subnormal_numbers_do_not_slow_a_call_down(isa: str, op: str, layout: str):
    """Where the processor takes subnormals in microcode, they cost twenty to a hundred times as much."""
    geometry = GEOMETRIES[0]
    plain = arrays(geometry, layout)
    slow = {name: value if name == "indices" else (value * np.float32(1e-40)) for name, value in plain.items()}
    slow["w"] = plain["w"]
    for name in each_algorithm(op, lambda name: call(op, geometry, layout, plain, name)):
        ordinary = best_time(lambda: call(op, geometry, layout, plain, name))  # noqa: B023
        for _ in range(20):  # other programs may be at work: microcode would be slow every time
            denormal = best_time(lambda: call(op, geometry, layout, slow, name))  # noqa: B023
            if denormal < 4 * ordinary + 1e-4:
                break
        else:
            pytest.fail(f"{isa} {op} {name}: {denormal:.2g} s instead of {ordinary:.2g} s")


def rounded_up() -> Iterator[None]:
    """Round towards plus infinity in this thread."""
    upward = {"x86_64": 0x800, "aarch64": 0x400000, "arm64": 0x400000}[platform.machine()]
    before = LIBM.fegetround()
    assert LIBM.fesetround(upward) == 0
    try:
        yield
    finally:
        LIBM.fesetround(before)


@pytest.mark.parametrize("mode", [flushing, contextmanager(rounded_up)], ids=["flushing", "rounding up"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_callers_mode_reaches_no_kernel(mode: Callable, threads: int, isa: str):
    """Not this thread's kernels, and not those of pool threads that were started under it."""
    rng = np.random.default_rng(0)
    least = rng.integers(1, 1 << 20, (8, 160, 160)).astype(np.uint32).view(np.float32)
    x, w = rng.standard_normal((8, 64, 64), np.float32), rng.standard_normal((8, 8, 3, 3), np.float32)
    fastconv.set_num_threads(1)
    largest, correlated = fastconv.max_pool2d(least, 2), fastconv.corr2d(x, w)
    fastconv.set_num_threads(threads)
    try:
        with mode():
            bits = fastconv.max_pool2d(least, 2).view(np.uint32), fastconv.corr2d(x, w).view(np.uint32)
    finally:
        fastconv.set_num_threads(2)
    np.testing.assert_array_equal(bits[0], largest.view(np.uint32))
    np.testing.assert_array_equal(bits[1], correlated.view(np.uint32))
