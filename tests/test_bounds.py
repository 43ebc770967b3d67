# SPDX-License-Identifier: BSD-3-Clause
"""No operator reads or writes outside its arrays: a process whose arrays touch forbidden pages survives."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fenced.py")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the fenced script."""
    command = [sys.executable, "-X", "faulthandler", str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("side", ["before", "after"])
def test_nothing_outside_the_arrays_is_touched(isa: str, side: str):
    done = run(side, isa)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-3000:]}"
    assert done.stdout.split() == ["untouched"]


@pytest.mark.parametrize("side", ["before", "after"])
def test_the_fence_is_fatal(side: str):
    done = run(side, "scalar", "touch")
    assert done.returncode in (-signal.SIGSEGV, -signal.SIGBUS), f"status {done.returncode}: {done.stderr[-3000:]}"
    assert "string_at" in done.stderr or "ctypes" in done.stderr, done.stderr[-3000:]
