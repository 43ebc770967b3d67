# SPDX-License-Identifier: BSD-3-Clause
"""What a call costs beside its arithmetic: fastconv.torch against torch.nn.functional on tiny tensors.

Both take turns in one process; a row shows the least time of each and their ratio, and the median over rounds of the
ratios of neighbouring turns. Also prints the memory that is kept for the backward pass.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from tqdm import tqdm

import fastconv.torch

Call = Callable[[], object]


def contests() -> dict[str, tuple[Call, Call, bool]]:
    """Calls of fastconv and of torch by name, and whether gradients are off around them."""
    x, w, b = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 3, 3), torch.randn(1)
    grads = [t.clone().requires_grad_() for t in (x, w, b)]
    last, last_w = (
        t.clone().to(memory_format=torch.channels_last) for t in (torch.randn(1, 4, 8, 8), w.expand(4, 4, 3, 3))
    )
    y, pooled = torch.ones(1, 1, 6, 6), torch.ones(1, 1, 4, 4)
    layer, frozen, torchs = (kind(1, 1, 3) for kind in (fastconv.torch.Conv2d, fastconv.torch.Conv2d, torch.nn.Conv2d))
    fastconv.torch.accelerate(frozen.eval(), freeze=True)
    ours, theirs = (fastconv.torch.corr2d, F.conv2d)

    def both(make: Callable[..., Call], one: Callable, two: Callable, off: bool) -> tuple[Call, Call, bool]:
        return make(one), make(two), off

    return {
        "corr2d, no gradient": both(lambda f: lambda: f(x, w, b), ours, theirs, True),
        "corr2d, channels_last, no gradient": both(lambda f: lambda: f(last, last_w), ours, theirs, True),
        "Conv2d, no gradient": (lambda: layer(x), lambda: torchs(x), True),
        "Conv2d, frozen": (lambda: frozen(x), lambda: torchs(x), True),
        "Conv2d, frozen / Conv2d": (lambda: frozen(x), lambda: layer(x), True),
        "corr2d, recorded": both(lambda f: lambda: f(*grads), ours, theirs, False),
        "corr2d, forward and backward": both(lambda f: lambda: f(*grads).backward(y), ours, theirs, False),
        "max_pool2d, no gradient": both(lambda f: lambda: f(x, 2), fastconv.torch.max_pool2d, F.max_pool2d, True),
        "max_pool2d, forward and backward": both(
            lambda f: lambda: f(grads[0], 2).backward(pooled), fastconv.torch.max_pool2d, F.max_pool2d, False
        ),
        "avg_pool2d, no gradient": both(lambda f: lambda: f(x, 2), fastconv.torch.avg_pool2d, F.avg_pool2d, True),
        "avg_pool2d, forward and backward": both(
            lambda f: lambda: f(grads[0], 2).backward(pooled), fastconv.torch.avg_pool2d, F.avg_pool2d, False
        ),
    }


def seconds(call: Call, calls: int) -> float:
    """Of one call, among so many."""
    call()
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def measure(ours: Call, theirs: Call, off: bool, rounds: int, calls: int) -> tuple[float, float, float]:
    """(seconds of ours, of torch's, ratio): the least, the least, the median."""
    turns = []
    with torch.set_grad_enabled(not off):
        for _ in range(rounds):
            turns.append((seconds(ours, calls), seconds(theirs, calls)))
    one, two = zip(*turns, strict=True)
    return min(one), min(two), statistics.median(a / b for a, b in turns)


def kept_bytes(call: Call) -> int:
    """The bytes of the distinct memory that a call keeps for its backward pass."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        call()
    return sum(kept.values())


def main() -> None:
    """Print one line a contest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=300, help="in one turn")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':<38}{'fastconv':>10}{'other':>10}{'ratio':>8}{'median':>8}")
    for name, contest in tqdm(contests().items(), leave=False):
        ours, theirs, ratio = measure(*contest, args.rounds, args.calls)
        tqdm.write(f"{name:<38}{1e6 * ours:>8.1f}us{1e6 * theirs:>8.1f}us{ours / theirs:>8.2f}{ratio:>8.2f}")
    x, w = torch.randn(8, 16, 32, 32, requires_grad=True), torch.randn(16, 16, 3, 3, requires_grad=True)
    for name, ours, theirs in (
        ("corr2d", lambda: fastconv.torch.corr2d(x, w), lambda: F.conv2d(x, w)),
        ("max_pool2d", lambda: fastconv.torch.max_pool2d(x, 2), lambda: F.max_pool2d(x, 2)),
        ("avg_pool2d", lambda: fastconv.torch.avg_pool2d(x, 2), lambda: F.avg_pool2d(x, 2)),
    ):
        print(f"{name} keeps for backward: {kept_bytes(ours)} bytes, torch {kept_bytes(theirs)}")


if __name__ == "__main__":
    main()
