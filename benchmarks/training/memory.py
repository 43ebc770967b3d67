# SPDX-License-Identifier: BSD-3-Clause
"""The memory that training steps take at their peak, measured in a process of its own; on Linux alone.

    python -m training.memory torch resnet18 "torch NCHW" 2      (in the folder benchmarks)

prints the bytes by which the process grows, at its largest, over what it was with the network and its images and
before the first step: gradients, the optimizer's state, what the backward pass needs and workspaces. A step of LeNet
goes before, so that code and what the libraries keep for themselves are not counted.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

STEPS = 3


def peak_bytes(framework: str, network: str, contestant: str, threads: int) -> int | None:
    """None where the system does not tell."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, "-m", "training.memory", framework, network, contestant, str(threads)]
    run = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"{network} by {contestant} failed in a process of its own: {run.stderr[-2000:]}")
    return int(run.stdout.split()[-1])


def _status(name: str) -> int:
    """Bytes, as the system knows this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Measure this process."""
    framework, network, contestant, threads = sys.argv[1:]
    steps = import_module(f"training.{framework}_steps")
    steps.set_threads(int(threads))
    steps.step("lenet", contestant)()
    call = steps.step(network, contestant)
    Path("/proc/self/clear_refs").write_text("5")  # the largest size so far is forgotten
    before = _status("VmRSS")
    for _ in range(STEPS):
        call()
    print(_status("VmHWM") - before)


if __name__ == "__main__":
    main()
