# SPDX-License-Identifier: BSD-3-Clause
"""Many threads, forks at any moment, an exit during a call, signals, and threads that the system refuses."""

from pathlib import Path

import pytest
from frameworks import run_script
from preloading import HEAD, run

TESTS = Path(__file__).parents[1]

SETUP = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
import os, random, signal, threading, time
import numpy as np
import fastconv
from operators import GEOMETRIES, LAYOUTS, OPERATORS, arrays, call
fastconv.set_num_threads(4)
PROBLEMS = [(op, g, layout) for op in OPERATORS for g in GEOMETRIES for layout in LAYOUTS]
# Not by the cache of `arrays`: without the GIL it has a lock, which another thread may hold when a child is forked.
ARRAYS = {{p: arrays(*p[1:]) for p in PROBLEMS}}
ALONE = {{p: call(*p, ARRAYS[p]).tobytes() for p in PROBLEMS}}
def right(problem):
    return call(*problem, ARRAYS[problem]).tobytes() == ALONE[problem]
def must_all_be_right():
    wrong = [p for p in PROBLEMS if not right(p)]
    assert not wrong, wrong
"""

THREADS = """
go, wrong, done = threading.Event(), [], []
def work(number):
    rng, calls = random.Random(number), 0
    go.wait()  # without the GIL, threads that work keep others from starting
    while time.monotonic() < stop or calls < 5:
        problem = rng.choice(PROBLEMS)
        if not right(problem):
            wrong.append(problem)
        calls += 1
    done.append(calls)
threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
for thread in threads:
    thread.start()
stop = time.monotonic() + float(sys.argv[1])
go.set()
rng, changes = random.Random(0), 0
while any(thread.is_alive() for thread in threads):
    fastconv.set_num_threads(rng.randint(1, 16))
    for wrong_number in (0, 2000):
        try:
            fastconv.set_num_threads(wrong_number)
        except ValueError:
            changes += 1
    time.sleep(0.003)
assert not wrong, set(wrong)
print(len(done), sum(done), changes)
"""

FORKS = """
stop, wrong = threading.Event(), []
def busy(number):
    rng = random.Random(number)
    while not stop.is_set():
        problem = rng.choice(PROBLEMS)
        if not right(problem):
            wrong.append(problem)
threads = [threading.Thread(target=busy, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
rng = random.Random(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    time.sleep(rng.random() * 0.01)
    some = rng.sample(PROBLEMS, 3)
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs ends itself
        good = all(right(problem) for problem in some)
        if good and number % 5 == 0:
            grandchild = os.fork()
            if grandchild == 0:
                os._exit(0 if right(some[0]) else 4)
            good = os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) == 0
        os._exit(0 if good else 3)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, f"child {number}: {status}"
stop.set()
for thread in threads:
    thread.join()
assert not wrong, wrong
must_all_be_right()
print("done")
"""

LONG = """
import os, sys, threading, time
import numpy as np
import fastconv
fastconv.set_num_threads(int(sys.argv[1]))
x, w = np.ones((8, 64, 128, 128), np.float32), np.ones((64, 64, 5, 5), np.float32)
running = threading.Event()
def forever():
    while True:
        running.set()
        fastconv.corr2d(x, w)
        fastconv.max_pool2d(x, 9, stride=1)
for _ in range(2):
    threading.Thread(target=forever, daemon=True).start()
running.wait()
time.sleep(float(sys.argv[2]))
"""

INTERRUPTED = """
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process is started without it
x, w = np.ones((4, 48, 96, 96), np.float32), np.ones((48, 48, 5, 5), np.float32)
def long_call():
    return fastconv.corr2d(x, w, algorithm="direct")
start = time.perf_counter()
long_call()
seconds = time.perf_counter() - start
for fraction in (0.1, 0.5, 0.9):
    timer = threading.Timer(fraction * seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.perf_counter()
    try:
        for _ in range(1000):
            long_call()
    except KeyboardInterrupt:
        pass
    else:
        raise SystemExit("the interrupt was lost")
    late = time.perf_counter() - start - fraction * seconds
    assert late < 10 * seconds + 5, f"the interrupt came after {late:.1f} s"
    timer.join()
    must_all_be_right()
print("done")
"""

SIGNALS = """
count = 0
def handler(number, frame):
    global count
    count += 1
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
while count <= 20:
    must_all_be_right()
signal.setitimer(signal.ITIMER_REAL, 0)

def raising(number, frame):
    raise InterruptedError
signal.signal(signal.SIGALRM, raising)
raised = 0
for number in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 0.002))
        right(PROBLEMS[number % len(PROBLEMS)])
        time.sleep(0.01)
    except InterruptedError:
        raised += 1
assert raised == 200, raised
must_all_be_right()
print("done")
"""

NO_THREADS = """
import os, sys
x, w = np.ones((4, 32, 64, 64), np.float32), np.ones((32, 32, 3, 3), np.float32)
def results():
    return [a.tobytes() for a in (fastconv.corr2d(x, w), fastconv.max_pool2d(x, 3), fastconv.avg_pool2d(x, 3),
                                  fastconv.corr2d_weight_grad(x[..., 2:, 2:], x, w.shape))]
fastconv.set_num_threads(1)
alone = results()
before = len(os.listdir("/proc/self/task"))
fastconv.set_num_threads(6)
for granted in (0, 2):
    SYSTEM.refuse_threads(granted)
    assert results() == alone
    assert SYSTEM.refused_threads() > 0
    assert len(os.listdir("/proc/self/task")) == before + granted
SYSTEM.refuse_threads(-1)
assert results() == alone
assert len(os.listdir("/proc/self/task")) == before + 5  # refused once is not refused for ever
print("done")
"""


def test_32_threads_while_their_number_changes():
    threads, calls, changes = map(int, run_script(SETUP + THREADS, 4).split())
    assert threads == 32
    assert calls >= 160
    assert changes >= 20


def test_forks_at_random_moments():
    assert run_script("import warnings\nwarnings.simplefilter('ignore')\n" + SETUP + FORKS, 1, 40) == "done\n"


@pytest.mark.parametrize("threads", [1, 4])
def test_the_interpreter_exits_while_a_call_runs(threads: int):
    """Daemon threads come back from C to find no interpreter: they must end without asking for one."""
    for delay in (0, 0.003, *(0.2,) * 4):
        assert run_script(LONG, threads, delay) == ""


def test_ctrl_c_during_a_call_leaves_a_usable_process():
    assert run_script(SETUP + INTERRUPTED) == "done\n"


def test_signals_during_calls():
    assert run_script(SETUP + SIGNALS) == "done\n"


def test_threads_that_the_system_refuses_are_done_without(preloaded: Path):
    assert run(HEAD + NO_THREADS, preloaded) == "done\n"


def test_only_what_was_tested_without_the_gil_says_that_it_needs_none():
    """Torch's extensions keep what they found for the latest call, unguarded: they must turn the GIL on."""
    sources = {path.name: path.read_text() for path in (TESTS.parent / "src").rglob("*.pyx")}
    declared = {name for name, text in sources.items() if "freethreading_compatible=True" in text}
    assert declared == {"_core.pyx", "_plain.pyx"}
    assert len(sources) > 3
