# SPDX-License-Identifier: BSD-3-Clause
"""Forked children, many Python threads at once, settings changed meanwhile, and the GIL released."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numerics import assert_close, fresh_rng, same_bits
from operators import GEOMETRIES, LAYOUTS, OPERATORS, arrays, call, expected
from reference import corr2d

import fastconv

HEAD = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import multiprocessing, os, threading
import numpy as np
import fastconv
from operators import GEOMETRIES, OPERATORS, arrays, call
fastconv.set_num_threads(4)
G = GEOMETRIES[0]
A = arrays(G, "NCHW")
def bits():
    return b"".join(call(op, G, "NCHW", A).tobytes() for op in OPERATORS)
"""

FORKS = {
    "os.fork": """
before = bits()
child = os.fork()
if child == 0:
    os._exit(0 if bits() == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert bits() == before
""",
    "a fork of a fork": """
before = bits()
child = os.fork()
if child == 0:
    assert bits() == before
    grandchild = os.fork()
    if grandchild == 0:
        os._exit(0 if bits() == before else 3)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
    "a child that changes the threads": """
before = bits()
child = os.fork()
if child == 0:
    fastconv.set_num_threads(3)
    os._exit(0 if bits() == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert fastconv.get_num_threads() == 4
""",
    "a child works in parallel again": """
before = bits()
child = os.fork()
if child == 0:
    alone = len(os.listdir("/proc/self/task")) == 1
    same, threads = bits() == before, len(os.listdir("/proc/self/task"))
    os._exit(0 if alone and same and threads > 1 else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
    "many forks right after calls": """
before = bits()
for number in range(50):
    child = os.fork()
    if child == 0:
        os._exit(0 if call("corr2d", G, "NCHW", A).tobytes() in before else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    call("corr2d", G, "NCHW", A)
""",
    "a fork during calls of other threads": """
before, stop = bits(), threading.Event()
def busy():
    while not stop.is_set():
        assert bits() == before
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if bits() == before else 3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for thread in threads:
    thread.join()
""",
    "multiprocessing": """
before = bits()
with multiprocessing.get_context("fork").Pool(3) as pool:
    assert pool.starmap(bits, [()] * 6) == [before] * 6
assert bits() == before
""",
}


@pytest.mark.parametrize("name", FORKS)
def test_a_forked_child_may_call(name: str):
    script = HEAD + FORKS[name] + "\nprint('done')"
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


def test_calls_from_eight_threads_at_once_while_settings_change():
    problems = list(product(OPERATORS, GEOMETRIES, LAYOUTS))
    alone = {problem: call(*problem, arrays(*problem[1:])) for problem in problems}
    for problem, one in alone.items():
        assert_close(one, expected(*problem), problem)
    start, deadline = threading.Barrier(9), time.monotonic() + 3

    def work(number: int) -> tuple[int, list]:
        rng, done, wrong = np.random.default_rng(number), 0, []
        start.wait()
        while time.monotonic() < deadline or done < 10:
            problem = problems[rng.integers(len(problems))]
            if not same_bits(call(*problem, arrays(*problem[1:])), alone[problem]):
                wrong.append(problem)
            done += 1
        return done, wrong

    with ThreadPoolExecutor(8) as executor:
        futures = [executor.submit(work, number) for number in range(8)]
        start.wait()
        for threads in range(1, 10**9):
            if all(future.done() for future in futures):
                break
            fastconv.set_num_threads(1 + threads % 5)
            time.sleep(0.01)
        results = [future.result() for future in futures]
    assert not [wrong for _, wrong in results if wrong], "a result changed under concurrency"
    assert all(done >= 10 for done, _ in results)


def test_weights_are_prepared_while_the_instruction_set_changes():
    """A problem is run by the instruction set that was in use when it was judged."""
    rng = fresh_rng("prepared while the isa changes")
    x, w = rng.standard_normal((1, 7, 6, 3)), rng.standard_normal((2, 2, 3, 3))  # of other sizes for them
    expected, deadline = corr2d(x, w, layout="NHWC"), time.monotonic() + 2

    def work() -> int:
        done = 0
        while time.monotonic() < deadline or done < 10:
            prepared = fastconv.prepare(w, layout="NHWC")
            for _ in range(2):
                assert_close(prepared(x), expected, "prepared")
            done += 1
        return done

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # a change falls between any two steps of a call
    try:
        with ThreadPoolExecutor(2) as executor:
            futures = [executor.submit(work) for _ in range(2)]
            while not all(future.done() for future in futures):
                for isa in fastconv.isas():
                    fastconv.set_isa(isa)
            for future in futures:
                future.result()
    finally:
        sys.setswitchinterval(interval)


def test_one_prepared_from_eight_threads_at_once():
    """Eight threads find the transformed weights missing together, for images of several sizes and dtypes."""
    rng = fresh_rng("prepared by eight")
    w, bias = rng.standard_normal((40, 33, 3, 3)).astype(np.float32), rng.standard_normal(40).astype(np.float32)
    images = [
        rng.standard_normal((1, 33, side, 9)).astype(dtype) for side in (3, 8, 20) for dtype in ("f4", "f8", "f2")
    ]
    references = [corr2d(x, w, bias) for x in images]
    for _ in range(10):
        prepared, start = fastconv.prepare(w, bias), threading.Barrier(8)

        def work(number: int) -> list[np.ndarray]:
            start.wait()  # noqa: B023
            return [prepared(images[(number + i) % len(images)]) for i in range(len(images))]  # noqa: B023

        with ThreadPoolExecutor(8) as executor:
            for number, results in enumerate(executor.map(work, range(8))):
                for i, y in enumerate(results):
                    assert_close(y, references[(number + i) % len(images)], f"thread {number}, image {i}")


LONG = {
    "corr2d": lambda a: fastconv.corr2d(a, np.ones((a.shape[1], a.shape[1], 3, 3), a.dtype), algorithm="direct"),
    "corr2d_auto": lambda a: fastconv.corr2d(a, np.ones((4 * a.shape[1], a.shape[1], 7, 7), a.dtype)),
    "corr2d_input_grad": lambda a: fastconv.corr2d_input_grad(
        a, np.ones((a.shape[1], a.shape[1], 5, 5), a.dtype), (*a.shape[:2], a.shape[2] + 4, a.shape[3] + 4)
    ),
    "corr2d_weight_grad": lambda a: fastconv.corr2d_weight_grad(a, a, (a.shape[1], a.shape[1], 5, 5), padding=2),
    "max_pool2d": lambda a: fastconv.max_pool2d(a, 9, stride=1, padding=4, return_indices=True),
    "avg_pool2d": lambda a: fastconv.avg_pool2d(a, 9, stride=1, padding=4),
    "avg_pool2d_grad": lambda a: fastconv.avg_pool2d_grad(a, 9, a.shape, stride=1, padding=4),
}


def ticks_during(function: object) -> tuple[float, int]:
    """Count how often another thread woke up in the middle four fifths of a call that does not let go by itself."""
    times: list[float] = []
    stop, ready = threading.Event(), threading.Event()

    def tick() -> None:
        while not stop.is_set():
            times.append(time.perf_counter())
            ready.set()
            time.sleep(0.0005)

    ticker = threading.Thread(target=tick)
    ticker.start()
    ready.wait()
    first = time.perf_counter()
    function()
    last = time.perf_counter()
    stop.set()
    ticker.join()
    margin = (last - first) / 10
    return last - first, sum(first + margin < t < last - margin for t in times)


@pytest.mark.parametrize("name", LONG)
def test_the_gil_is_released(name: str):
    fastconv.set_num_threads(1)
    side, seconds, ticks = 64, 0.0, 0
    while seconds < 0.05:
        a = np.ones((4, 16, side, side), np.float64)
        seconds, ticks = ticks_during(lambda: LONG[name](a))  # noqa: B023
        side += side // 2
    assert ticks >= 5, f"another thread woke up {ticks} times during {seconds:.3f} s of {name}"


def test_the_gil_check_can_fail():
    """Where there is one. A busy machine may hold a call up before it has the GIL: one turn of five is enough."""
    a, held = np.ones(3 * 10**6).tolist(), getattr(sys, "_is_gil_enabled", lambda: True)()
    while ticks_during(lambda: sum(a))[0] < 0.05:  # noqa: B023
        a = a + a
    ticks = [ticks_during(lambda: sum(a))[1] for _ in range(5)]
    assert min(ticks) < 5 if held else max(ticks) >= 5, f"{ticks} ticks; there is {'a' if held else 'no'} GIL to hold"
