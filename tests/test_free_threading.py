# SPDX-License-Identifier: BSD-3-Clause
"""Everything of the NumPy API from many threads at once, which an interpreter without the GIL runs at once indeed."""

import gc
import importlib
import pickle
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frameworks import run_script
from numerics import SEED, fresh_rng
from operators import GEOMETRIES, LAYOUTS, OPERATORS, POOL, Geometry, arrays, call

import fastconv
from fastconv.functional import _plain

THREADS = 8
Job = Callable[[], Any]


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Run `work(number)` in so many threads that start together; what they answered, or the first exception."""
    start, answers, errors = threading.Barrier(THREADS), [None] * THREADS, []

    def run(number: int) -> None:
        try:
            start.wait()
            answers[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return answers


def bits(answer: Any) -> Any:
    """What is compared: of arrays the bits, of all else the thing itself."""
    if isinstance(answer, tuple):
        return tuple(bits(part) for part in answer)
    return (answer.shape, answer.dtype.str, answer.tobytes()) if isinstance(answer, np.ndarray) else answer


def message_of(job: Job) -> str:
    """What a wrong call says."""
    with pytest.raises((ValueError, TypeError)) as caught:
        job()
    return str(caught.value)


def facts(geometry: Geometry, layout: str, a: dict[str, np.ndarray]) -> tuple[Any, ...]:
    """All that `explain` says but the workspace, which depends on the number of threads of the moment."""
    found = fastconv.explain("corr2d", a["x"].shape, a["w"].shape, **geometry.corr, layout=layout)
    pooled = fastconv.explain("max_pool2d", a["x"].shape, (3, 3), **POOL, layout=layout)
    return tuple((e.algorithm, e.declined, e.passed_over, e.flops) for e in (found, pooled))


def into(function: Callable[..., Any], shape: tuple[int, ...], dtype: Any, *arguments: Any, **options: Any) -> Any:
    """The same call with a place for its result."""
    out = np.full(shape, 7, dtype)
    assert function(*arguments, **options, out=out) is out
    return out


def jobs() -> dict[tuple[str, ...], Job]:
    """Calls on shared arrays: short ways and long, of arrays that are read as they lie and that are converted."""
    found: dict[tuple[str, ...], Job] = {}
    for geometry, layout, dtype in product(GEOMETRIES, LAYOUTS, ("float32", "float64", "float16")):
        a, where = arrays(geometry, layout, dtype), (str(geometry), layout, dtype)
        options = {**geometry.corr, "layout": layout}
        for operator in OPERATORS:
            found[operator, *where] = partial(call, operator, geometry, layout, a)
        y = fastconv.corr2d(a["x"], a["w"], a["bias"], **options)
        found["out", *where] = partial(into, fastconv.corr2d, y.shape, y.dtype, a["x"], a["w"], a["bias"], **options)
        found["bias", *where] = partial(
            fastconv.corr2d_weight_grad, a["grad_y"], a["x"], a["w"].shape, with_bias=True, **options
        )
        found["places", *where] = partial(fastconv.max_pool2d, a["x"], 3, **POOL, layout=layout, return_indices=True)
        found["pool2d", *where] = partial(fastconv.pool2d, a["x"], 2, "avg", layout=layout)
        mirrored, other_order = a["x"][::-1], a["w"].astype(a["w"].dtype.newbyteorder("S"))
        found["converted", *where] = partial(fastconv.corr2d, mirrored, other_order, **options)
        shared = fastconv.prepare(a["w"], a["bias"], **options)
        found["prepared", *where] = partial(shared, a["x"])
        found["prepared, one image", *where] = partial(shared, a["x"][:1])
        found["prepared, wider", *where] = partial(shared, a["x"].astype(np.float64))
        found["prepared, out", *where] = partial(into, shared, y.shape, y.dtype, a["x"])
        found["unpickled", *where] = lambda shared=shared, a=a: pickle.loads(pickle.dumps(shared))(a["x"])
        found["explain", *where] = partial(facts, geometry, layout, a)
        found["refused", *where] = partial(message_of, partial(fastconv.corr2d, a["x"], a["w"], stride=0))
    found["facts"] = lambda: (fastconv.isas(), fastconv.get_isa(), *map(fastconv.algorithms, OPERATORS))
    return found


def test_every_call_from_eight_threads_at_once_gives_the_bits_that_it_gives_alone():
    todo = jobs()
    alone = {name: bits(job()) for name, job in todo.items()}
    names = list(todo)

    def work(number: int) -> list[tuple[str, ...]]:
        order, held, wrong = np.random.default_rng([SEED, number]).permutation(len(names)), deque(), []
        for count, index in enumerate([*order, *order[:100]]):
            held.append((names[index], todo[names[index]]()))
            while len(held) > 4 * (count < len(names)):  # a result stays what it was while others are made
                name, answer = held.popleft()
                if bits(answer) != alone[name]:
                    wrong.append(name)
            if count % 10 == number:
                fastconv.set_num_threads(1 + count % 5)
                fastconv.set_isa(fastconv.get_isa())
                fastconv.set_batch_invariant(fastconv.get_batch_invariant())
                assert 1 <= fastconv.get_num_threads() <= 5
        return wrong

    fastconv.set_num_threads(4)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # with the GIL, threads change places in the middle of calls
    try:
        assert not [name for wrong in at_once(work) for name in wrong]
    finally:
        sys.setswitchinterval(interval)


def small_calls(number: int) -> list[Job]:
    """Calls of a microsecond, whose sizes and arguments are no other thread's."""
    rng, side, corr = fresh_rng("small", number), 3 + number, {"padding": number % 3, "stride": 1 + number % 2}
    pool = {"stride": 1 + number % 3, "padding": number % 2}
    x, w = rng.standard_normal((1, 1 + number, side, side)), rng.standard_normal((2, 1 + number, 2, 3))
    y, (pooled, places) = fastconv.corr2d(x, w, **corr), fastconv.max_pool2d(x, 3, **pool, return_indices=True)
    return [
        partial(fastconv.corr2d, x, w, **corr),
        partial(fastconv.corr2d_input_grad, y, w, x.shape, **corr),
        partial(fastconv.corr2d_weight_grad, y, x, w.shape, **corr),
        partial(fastconv.prepare(w, **corr), x),
        partial(fastconv.max_pool2d, x, 3, **pool),
        partial(fastconv.avg_pool2d, x, 3, **pool),
        partial(fastconv.max_pool2d_grad, pooled, places, x.shape),
        partial(fastconv.avg_pool2d_grad, pooled, 3, x.shape, **pool),
    ]


def test_small_calls_of_eight_threads_take_nothing_of_each_other():
    def work(number: int) -> int:
        todo = small_calls(number)
        alone = [job().tobytes() for job in todo]
        return sum(job().tobytes() != expected for _ in range(8000) for job, expected in zip(todo, alone, strict=True))

    assert at_once(work) == [0] * THREADS


def test_weights_that_eight_threads_prepare_at_once_are_kept_once(monkeypatch: pytest.MonkeyPatch):
    """All find the transformed weights missing, and all but one transform them in vain."""
    rng, made = fresh_rng("prepared at once"), []
    w = rng.standard_normal((48, 32, 3, 3)).astype(np.float32)
    x = rng.standard_normal((1, 32, 20, 20)).astype(np.float32)
    module = importlib.import_module("fastconv.functional.prepare")  # the package has a function of that name
    bytes_to_keep = module.bytes_to_keep

    def watched(size: int) -> np.ndarray:
        array = bytes_to_keep(size)
        made.append(weakref.ref(array))
        return array

    monkeypatch.setattr(module, "bytes_to_keep", watched)
    expected = fastconv.corr2d(x, w).tobytes()
    most = 0
    for _ in range(100):
        made.clear()
        prepared = fastconv.prepare(w)
        assert [y.tobytes() for y in at_once(lambda number: prepared(x))] == [expected] * THREADS  # noqa: B023
        gc.collect()
        most = max(most, len(made))
        assert [reference() is not None for reference in made].count(True) == 1
        if most > 1:
            break
    assert most > 1, "no two threads met"


def test_filters_keep_one_copy_of_what_eight_threads_bring():
    w = np.ones((2, 2, 3, 3), np.float32)
    for _ in range(300):
        filters = _plain.Filters(w, None, 1, 0, 1, 1, "NCHW", "auto")
        at_once(lambda number: filters.keep("direct", f"isa {number % 2}", w))  # noqa: B023
        (copies,) = (held for held in gc.get_referents(filters) if type(held) is list)
        assert len(copies) == 2


FIRST = f"""
import sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
x = np.random.default_rng(0).standard_normal((4, 24, 40, 40)).astype(np.float32)
w = np.random.default_rng(1).standard_normal((32, 24, 3, 3)).astype(np.float32)
start, results = threading.Barrier({THREADS}), []
def work():
    start.wait()
    import fastconv
    results.append(fastconv.corr2d(x, w, padding=1).tobytes())
threads = [threading.Thread(target=work) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(results) == {THREADS} and len(set(results)) == 1, len(results)
print("done")
"""


def test_eight_threads_import_and_make_the_first_calls_at_once():
    for _ in range(5):
        assert run_script(FIRST, FASTCONV_NUM_THREADS="4") == "done\n"


def test_the_import_leaves_the_gil_as_it_was():
    script = """
    import sys
    import numpy
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    before = enabled()
    import fastconv
    fastconv.corr2d(numpy.ones((3, 3)), numpy.ones((2, 2)))
    assert enabled() == before, "the import of fastconv turned the GIL on"
    print("done")
    """
    assert run_script(script) == "done\n"
