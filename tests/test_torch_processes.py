# SPDX-License-Identifier: BSD-3-Clause
"""Several processes and threads: DDP, DataLoader's forked workers, torch's number of threads."""

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch_cases import drawn

import fastconv
import fastconv.torch as ft
from fastconv.torch import _threads

DDP = """
import sys
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import fastconv.torch as ft

def network(module):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        module.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), module.MaxPool2d(2), module.AvgPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(16, 3),
    ).double()

def data():
    torch.manual_seed(1)
    return torch.randn(8, 1, 8, 8).double(), torch.arange(8) % 3

def steps(model, x, labels):
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()

def work(rank, file):
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    model = torch.nn.parallel.DistributedDataParallel(network(ft))
    x, labels = data()
    steps(model, x[4 * rank : 4 * rank + 4], labels[4 * rank : 4 * rank + 4])
    alone = network(torch.nn)
    steps(alone, x, labels)
    for one, two in zip(model.module.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, two)
    dist.destroy_process_group()
    print(f"rank {rank} agrees\\n", end="")  # in one piece: both write to one pipe

if __name__ == "__main__":
    mp.start_processes(work, (sys.argv[1],), nprocs=2, start_method="spawn")
"""

LOADER = """
import torch
import fastconv, fastconv.torch as ft

class Images(torch.utils.data.Dataset):
    def __len__(self):
        return 12
    def __getitem__(self, i):
        x = torch.full((4, 64, 64), float(i))
        smooth = ft.corr2d(x, torch.ones(4, 4, 3, 3) / 36)
        return fastconv.avg_pool2d(ft.max_pool2d(smooth, 2).numpy(), 31).max()

if __name__ == "__main__":
    fastconv.set_num_threads(4)
    torch.set_num_threads(4)
    big = torch.ones(4, 32, 64, 64)
    ft.corr2d(big, torch.ones(32, 32, 3, 3))  # the parent's pool of threads is running when it forks
    loader = torch.utils.data.DataLoader(Images(), batch_size=3, num_workers=2, multiprocessing_context="fork")
    got = torch.cat([batch for batch in loader])
    torch.testing.assert_close(got, torch.arange(12.0))
    print("all loaded")
"""

THREADS = """
import os, sys, torch
import fastconv, fastconv.torch as ft
from fastconv.torch import _threads

assert _threads.use_team(sys.argv[3] == "team") == (sys.argv[3] == "team")
fastconv.set_num_threads(4)
torch.set_num_threads(int(sys.argv[1]))
x, w = torch.ones(4, 32, 64, 64), torch.ones(32, 32, 3, 3, requires_grad=True)
with torch.inference_mode():
    ft.corr2d(x, w)
    ft.max_pool2d(x, 3)
before = len(os.listdir("/proc/self/task"))
if sys.argv[2] == "numpy":
    fastconv.corr2d(x.numpy(), w.detach().numpy())
else:
    ft.avg_pool2d(ft.max_pool2d(ft.corr2d(x, w), 2), 2)
print(before, len(os.listdir("/proc/self/task")), fastconv.get_num_threads())
"""


def run(*arguments: object) -> str:
    """What a Python of its own prints."""
    command = [sys.executable, "-W", "ignore", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def written(folder: Path, script: str) -> Path:
    """The script as a file, for a process that starts others."""
    file = folder / "script.py"
    file.write_text(script)
    return file


def test_two_processes_of_ddp_learn_what_one_learns(tmp_path: Path):
    printed = run(written(tmp_path, DDP), tmp_path / "meeting")
    assert sorted(printed.splitlines()) == ["rank 0 agrees", "rank 1 agrees"]


def test_forked_workers_of_a_dataloader(tmp_path: Path):
    assert run(written(tmp_path, LOADER)) == "all loaded\n"


def threads(torchs: int, last: str, whose: str) -> list[int]:
    """Threads of a process after some calls from torch, after the last call, and fastconv's own setting."""
    return [int(number) for number in run("-c", THREADS, torchs, last, whose).split()]


@pytest.mark.parametrize(("torchs", "workers"), [(1, 0), (3, 2), (16, 3)])
def test_torchs_number_of_threads_is_honoured(torchs: int, workers: int):
    """fastconv's number is 4: calls from torch take the lesser, and leave it as it was for the others."""
    before, after, setting = threads(torchs, "numpy", "pool")
    assert setting == 4
    assert after - before == 3 - workers
    before, after, setting = threads(torchs, "torch", "pool")
    assert after == before


@pytest.mark.skipif(not _threads.use_team(True), reason="torch's threads cannot be had here")
@pytest.mark.parametrize("torchs", [1, 3, 16])
def test_calls_from_torch_start_no_thread_of_ours(torchs: int):
    before, after, setting = threads(torchs, "numpy", "team")
    assert setting == 4
    assert after - before == 3  # the first three
    before, after, setting = threads(torchs, "torch", "team")
    assert after == before


def test_bits_do_not_depend_on_the_threads():
    x, w = drawn(2, 32, 40, 40, dtype=torch.float32), drawn(32, 32, 3, 3, dtype=torch.float32)
    results, torchs = [], torch.get_num_threads()
    try:
        for number, whose in itertools.product((1, 2, 5), (True, False)):
            _threads.use_team(whose)
            torch.set_num_threads(number)
            fastconv.set_num_threads(8)
            y = ft.corr2d(x, w)
            results.append((y, *torch.autograd.grad(y.square().sum(), (x, w))))
    finally:
        torch.set_num_threads(torchs)
        _threads.use_team(True)
    for one, *others in zip(*results, strict=True):
        assert all(torch.equal(one, other) for other in others)


def test_many_threads_at_once():
    x, w = drawn(4, 16, 24, 24, dtype=torch.float32, grad=False), drawn(16, 16, 3, 3, dtype=torch.float32)
    wanted = torch.autograd.grad(F.conv2d(x, w).sum(), w)[0]
    failures = []

    def work() -> None:
        for _ in range(10):
            (grad,) = torch.autograd.grad(ft.corr2d(x, w).sum(), w)
            if not torch.allclose(grad, wanted, rtol=1e-4, atol=1e-2):
                failures.append(grad)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
