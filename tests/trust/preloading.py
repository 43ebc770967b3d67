# SPDX-License-Identifier: BSD-3-Clause
"""A Python of its own with refusing.c preloaded."""

import os
import subprocess
import sys
from pathlib import Path

from frameworks import QUIET

HERE = Path(__file__).parent

HEAD = f"""
import sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
import numpy as np
import fastconv
from refusals import SYSTEM, bytes_in_use, each_refusal
fastconv.set_num_threads(2)
"""


def run(script: str, preloaded: Path, *arguments: object) -> str:
    """Run a Python whose every object is an allocation of its own."""
    environment = {**os.environ, **QUIET, "LD_PRELOAD": str(preloaded), "PYTHONMALLOC": "malloc"}
    environment["GLIBC_TUNABLES"] = "glibc.malloc.tcache_count=0"  # what waits there counts as in use
    command = [sys.executable, "-X", "faulthandler", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-4000:]}"
    return done.stdout
