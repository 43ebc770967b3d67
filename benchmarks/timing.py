# SPDX-License-Identifier: BSD-3-Clause
"""Fair times on a shared machine: contestants take turns in one process, warm and rested."""

import math
import statistics
import time
from collections.abc import Callable, Iterable

REST_SECONDS = 0.025  # worker threads of one library spin for a while behind a call, and would tax the next
QUIET_SECONDS, QUIET_SHARE = 0.005, 0.2  # the rest goes on until this process leaves the CPU alone for so long
LONGEST_REST_SECONDS = 0.5
CALL_SECONDS = 0.02  # of calls in one turn
LEAST_CALLS, LONGEST_TURN_SECONDS = 6, 0.15  # a call that waits for a preempted thread is no measurement
SETTLE_CALLS = 2


def interleaved(
    contestants: dict[str, Callable[[], object]], rounds: int, seconds: float = math.inf
) -> dict[str, float]:
    """Seconds of the fastest call of each: what others do on the machine only ever adds to a time.

    No round begins after so many seconds, but for the first.
    """
    return {name: min(map(min, turns)) for name, turns in _taken(contestants, rounds, seconds).items()}


def medians(
    contestants: dict[str, Callable[[], object]], rounds: int, seconds: float = math.inf
) -> tuple[dict[str, float], float]:
    """Seconds of the median call of each; and by how much quarters of its calls differ, the median contestant's.

    For long calls that do many things: their fastest one is luck.
    """
    times = {
        name: [one for turn in turns for one in turn] for name, turns in _taken(contestants, rounds, seconds).items()
    }
    middle = {name: statistics.median(found) for name, found in times.items()}
    apart = []
    for name, found in times.items():
        low, _, high = statistics.quantiles(found, n=4, method="inclusive") if len(found) > 1 else (0.0, 0.0, 0.0)
        apart.append((high - low) / middle[name])
    return middle, statistics.median(apart)


def _taken(contestants: dict[str, Callable[[], object]], rounds: int, seconds: float) -> dict[str, list[list[float]]]:
    """Seconds of all calls of all turns."""
    taken: dict[str, list[list[float]]] = {name: [] for name in contestants}
    for call in contestants.values():
        call()
    start = time.perf_counter()
    for turn in range(rounds):
        if turn and time.perf_counter() - start > seconds:
            break
        for name, call in contestants.items():
            _rest()
            taken[name].append(_turn(call))
    return taken


def _rest() -> None:
    time.sleep(REST_SECONDS)
    end = time.perf_counter() + LONGEST_REST_SECONDS
    while time.perf_counter() < end:
        used = time.process_time()
        time.sleep(QUIET_SECONDS)
        if time.process_time() - used < QUIET_SHARE * QUIET_SECONDS:
            return


def _turn(call: Callable[[], object]) -> list[float]:
    for _ in range(SETTLE_CALLS):
        start = time.perf_counter()
        call()
        if time.perf_counter() - start > CALL_SECONDS:
            break  # long enough to have settled on the way
    times: list[float] = []
    while sum(times) < CALL_SECONDS or (len(times) < LEAST_CALLS and sum(times) < LONGEST_TURN_SECONDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of positive numbers."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
