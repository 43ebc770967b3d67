# SPDX-License-Identifier: BSD-3-Clause
"""What a reader needs to judge or repeat a measurement."""

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import fastconv


def cpu_name() -> str:
    """As the operating system calls it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str:
    """Of the checkout that this file is in."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def conditions(threads: int, dtype: str, rounds: int) -> dict[str, Any]:
    """All but the peers' versions."""
    return {
        "cpu": cpu_name(),
        "isa": fastconv.get_isa(),
        "threads": threads,
        "dtype": dtype,
        "rounds": rounds,
        "fastconv": fastconv.__version__,
        "commit": commit(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
