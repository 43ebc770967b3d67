# SPDX-License-Identifier: BSD-3-Clause
"""The short form of load.py: what runs for an hour runs for a few seconds here, and a leak is seen."""

import re
import subprocess
import sys
from pathlib import Path

LOAD = Path(__file__).with_name("load.py")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300, check=False, cwd=LOAD.parent
    )


def test_a_few_seconds_of_load():
    done = run(str(LOAD), "--minutes", "0.15", "--threads", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"checked: (\d+)", done.stdout)[1]) > 3
    assert int(re.search(r"refusals: (\d+)", done.stdout)[1]) > 0


def test_a_leak_is_seen():
    """Calls that keep a MiB each."""
    script = (
        "import sys, numpy as np, load\n"
        "kept, honest = [], load.one_call\n"
        "def leaking(rng, check):\n"
        "    kept.append(np.ones(2**20, np.uint8))\n"
        "    return honest(rng, check)\n"
        "load.one_call = leaking\n"
        "sys.argv = ['load.py', '--minutes', '0.15']\n"
        "sys.exit(load.main())\n"
    )
    done = run("-c", script)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "at the end" in done.stdout, done.stdout + done.stderr
