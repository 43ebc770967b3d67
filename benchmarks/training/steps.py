# SPDX-License-Identifier: BSD-3-Clause
"""Whole training steps: all contestants of a framework on one network, in turns."""

import math
from importlib import import_module
from typing import Any

from timing import medians

from . import data
from .memory import peak_bytes
from .summary import BASES, KERAS_XLA

FRAMEWORKS = ("torch", "keras")
PROFILED_STEPS = 3
# Of the losses of the first two steps, relative: the first tells of the forward pass, the second of the gradients too.
AGREE = (1e-4, 1e-3)


def judge(losses: dict[str, list[float]], network: str) -> None:
    """RuntimeError unless the contestants' first losses are the same, within AGREE."""
    names = list(losses)
    for name in names[1:]:
        for index, tolerance in enumerate(AGREE):
            one, other = losses[names[0]][index], losses[name][index]
            if not math.isclose(one, other, rel_tol=tolerance):
                raise RuntimeError(f"{network}: step {index} has the loss {other} by {name} but {one} by {names[0]}")


def measure(framework: str, network: str, threads: int, rounds: int, seconds: float) -> dict[str, Any]:
    """One network."""
    steps = import_module(f"training.{framework}_steps")
    steps.set_threads(threads)
    calls = {name: steps.step(network, name) for name in steps.CONTESTANTS}
    losses = {name: [call() for _ in AGREE] for name, call in calls.items()}
    judge(losses, network)
    middle, scatter = medians(calls, rounds, seconds)
    base = BASES[framework]
    outside = {name: steps.outside(calls[name], PROFILED_STEPS) for name in calls if name != KERAS_XLA}
    return {
        "framework": framework,
        "network": network,
        "shape": data.SHAPES[network],
        "seconds": middle,
        "scatter": scatter,
        "losses": losses,
        "peak_bytes": {name: peak_bytes(framework, network, name, threads) for name in calls},
        "outside": outside,
        "ceiling": 1 / outside[base],
    }
