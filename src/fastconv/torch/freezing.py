# SPDX-License-Identifier: BSD-3-Clause
"""Which weights may be frozen, and the edits of frozen ones that torch does not count."""

from threading import Lock
from typing import Any
from weakref import WeakSet

from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from fastconv.torch._frozen import Frozen

_watched: WeakSet[Frozen] = WeakSet()
_lock = Lock()


def frozen(layer: nn.Module) -> Frozen:
    """A layer's weight on the word that it stays; ValueError says why it cannot be taken."""
    weight = layer._parameters.get("weight")
    if weight is None:
        raise ValueError("its weight is computed in every call")
    if weight.is_inference():
        raise ValueError("its weight was made in inference mode, where torch counts no edits")
    made = Frozen(weight)
    with _lock:
        _watched.add(made)
    return made


def _stepped(optimizer: Any, *_: Any) -> None:
    """End the word for what an optimizer edits: torch's fused ones, and those that edit `.data`, count no edit."""
    with _lock:
        watched = list(_watched)
    if watched:
        edited = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        for each in watched:
            if id(each.weight) in edited:
                each.end()


register_optimizer_step_post_hook(_stepped)
