# SPDX-License-Identifier: BSD-3-Clause
"""Scripts in a process of their own, for what can only be seen in a fresh one."""

import os
import subprocess
import sys
import textwrap

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def run_script(script: str, *arguments: object, **environment: str) -> str:
    """Run Python on a script; what it printed, or an AssertionError with what it said when it failed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **QUIET, **environment},
    )
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout
