# SPDX-License-Identifier: BSD-3-Clause
"""Who takes part in the measurement of a row, and the measurement: what all comparisons share."""

import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
import peers
from summary import scatter
from timing import interleaved

SLOW = 8  # times the fastest one's first round: who takes longer has lost
MUST_TAKE_PART = ("fastconv", "torch")  # others may refuse a layer

Library = tuple[str, peers.Peer]


class Admitted(NamedTuple):
    """The calls to time, their errors, and why others are not among them."""

    calls: dict[str, Callable[[], Any]]
    errors: dict[str, float]
    left_out: dict[str, str]


def admit(
    libraries: list[Library],
    offer: Callable[[peers.Peer], dict[str, peers.Contestant]],
    error: Callable[[np.ndarray], float],
    tolerance: float,
    kept: Collection[str],
    what: str,
) -> Admitted:
    """Those whose result is right; RuntimeError when one of `kept` is wrong."""
    calls: dict[str, Callable[[], Any]] = {}
    errors: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for library, peer in libraries:
        try:
            offered = offer(peer)
            found = {name: error(one.read(one.call())) for name, one in offered.items()}
        except Exception as refusal:  # whatever a library raises on a layer, the others go on
            if library in MUST_TAKE_PART:
                raise
            left_out[library] = f"{type(refusal).__name__}: {str(refusal).splitlines()[0][:100]}"
            continue
        for name, distance in found.items():
            if distance <= tolerance:  # a NaN is not
                calls[name], errors[name] = offered[name].call, distance
            elif name in kept:
                raise RuntimeError(f"{name} is wrong on {what}: relative error {distance:.1e}")
            else:
                left_out[name] = f"wrong: its relative error is {distance:.1e}, above {tolerance:.0e}"
    return Admitted(calls, errors, left_out)


def contest(
    calls: dict[str, Callable[[], Any]], rounds: int, seconds: float, kept: Collection[str]
) -> tuple[dict[str, float], float]:
    """The least time of each, and how much rounds differ; who is far behind after one round runs no more."""
    first = interleaved(calls, 1)
    limit = SLOW * min(first.values())
    going_on = {name: call for name, call in calls.items() if name in kept or first[name] <= limit}
    later = interleaved(going_on, rounds - 1, seconds) if rounds > 1 else {}
    return {name: min(took, later.get(name, math.inf)) for name, took in first.items()}, scatter(first, later)
