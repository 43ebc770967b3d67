# SPDX-License-Identifier: BSD-3-Clause
"""Training steps in torch: forward, loss, backward and SGD, with torch's layers and after `accelerate`."""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

import fastconv.torch

from . import data
from .summary import ACCELERATED, TORCHS
from .torch_networks import NETWORKS

CONTESTANTS = (*TORCHS, *ACCELERATED)
# What the profiler calls convolution and pooling: torch's operators, and the Functions of fastconv.
_OPERATORS = {
    "aten::convolution",
    "aten::convolution_backward",
    "aten::max_pool2d_with_indices",
    "aten::max_pool2d_with_indices_backward",
    "aten::avg_pool2d",
    "aten::avg_pool2d_backward",
    *(name + end for name in ("Corr2d", "MaxPool2d", "AvgPool2d") for end in ("", "Backward")),
}


def set_threads(threads: int) -> None:
    """Of both."""
    torch.set_num_threads(threads)
    fastconv.set_num_threads(threads)


def step(network: str, contestant: str) -> Callable[[], float]:
    """A call makes one step and answers the loss before it; every contestant begins with the same weights."""
    torch.manual_seed(0)
    form = torch.channels_last if contestant.endswith("channels_last") else torch.contiguous_format
    model = NETWORKS[network]().to(memory_format=form)
    if contestant in ACCELERATED:
        fastconv.torch.accelerate(model)
    images, labels = data.batch(network)
    x, y = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=form), torch.from_numpy(labels)
    optimizer = torch.optim.SGD(model.parameters(), data.RATES[network], momentum=data.MOMENTUM)

    def call() -> float:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def outside(call: Callable[[], float], steps: int) -> float:
    """The share of the time of warm steps that is spent in something else than convolution and pooling."""
    call()
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        start = time.perf_counter()
        for _ in range(steps):
            call()
        took = time.perf_counter() - start
    inside = sum(event.cpu_time_total for event in profile.key_averages() if event.key in _OPERATORS)
    return 1 - inside / 1e6 / took
