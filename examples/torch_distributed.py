# SPDX-License-Identifier: BSD-3-Clause
"""The LeNet of torch_digits.py, trained by several processes: torch's DistributedDataParallel over gloo.

    torchrun --standalone --nproc-per-node 2 examples/torch_distributed.py
    torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint HOST:29400 examples/torch_distributed.py

Every process takes its share of every batch, and their gradients are averaged: the losses are those of one process,
up to rounding.
torchrun gives each of several processes one thread (OMP_NUM_THREADS=1), which fastconv obeys; say more where there are
more.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist

# Imported first by DistributedDataParallel, this module would keep the group for its defaults, and gloo's threads would
# outlive destroy_process_group: one of them that meets the end of Python aborts the process.
import torch.distributed.nn.functional
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch_digits import data, lenet

import fastconv.torch

BATCH = 64
RATE = 0.1


def train(steps: int, seed: int = 0) -> tuple[list[float], float, float]:
    """Losses of the whole batches, the accuracy on the test set, and how far the processes' weights lie apart."""
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(seed)  # of the first weights, of which DistributedDataParallel sends round those of rank 0
    x, y, x_test, y_test = data()
    model = DistributedDataParallel(lenet(fastconv.torch))
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9)
    generator = torch.Generator().manual_seed(seed)  # the same order in all processes
    losses = []
    while len(losses) < steps:
        for batch in torch.randperm(len(x), generator=generator)[: len(x) // BATCH * BATCH].split(BATCH):
            mine = batch[rank::world]
            loss = F.cross_entropy(model(x[mine]), y[mine])
            optimizer.zero_grad()
            loss.backward()  # and averages the gradients of all
            optimizer.step()
            mean = loss.detach() / world
            dist.all_reduce(mean)
            losses.append(mean.item())
            if len(losses) == steps:
                break
    with torch.inference_mode():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    apart = weights.clone()
    dist.broadcast(apart, 0)
    apart = (apart - weights).abs().max()
    dist.all_reduce(apart, dist.ReduceOp.MAX)
    return losses, accuracy, apart.item()


def main() -> None:
    """Train; the first process reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--json", type=Path, help="write the losses and the accuracy here")
    arguments = parser.parse_args()
    dist.init_process_group("gloo")
    try:
        losses, accuracy, apart = train(arguments.steps)
        if dist.get_rank() == 0:
            print(
                f"{dist.get_world_size()} process(es): {accuracy:.2%} of the test digits right, weights {apart:g} apart"
            )
            if arguments.json:
                arguments.json.write_text(json.dumps({"losses": losses, "accuracy": accuracy, "apart": apart}))
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
