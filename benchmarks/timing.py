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
    best = dict.fromkeys(contestants, math.inf)
    for call in contestants.values():
        call()
    start = time.perf_counter()
    for turn in range(rounds):
        if turn and time.perf_counter() - start > seconds:
            break
        for name, call in contestants.items():
            _rest()
            best[name] = min(best[name], _fastest(call))
    return best


def _rest() -> None:
    time.sleep(REST_SECONDS)
    end = time.perf_counter() + LONGEST_REST_SECONDS
    while time.perf_counter() < end:
        used = time.process_time()
        time.sleep(QUIET_SECONDS)
        if time.process_time() - used < QUIET_SHARE * QUIET_SECONDS:
            return


def _fastest(call: Callable[[], object]) -> float:
    for _ in range(SETTLE_CALLS):
        start = time.perf_counter()
        call()
        if time.perf_counter() - start > CALL_SECONDS:
            break  # long enough to have settled on the way
    best, spent, calls = math.inf, 0.0, 0
    while spent < CALL_SECONDS or (calls < LEAST_CALLS and spent < LONGEST_TURN_SECONDS):
        start = time.perf_counter()
        call()
        took = time.perf_counter() - start
        best, spent, calls = min(best, took), spent + took, calls + 1
    return best


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of positive numbers."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
