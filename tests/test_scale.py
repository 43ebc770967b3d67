# SPDX-License-Identifier: BSD-3-Clause
"""Two processes train as one does: the same losses, and the same weights in both."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frameworks import QUIET

EXAMPLES = Path(__file__).parents[1] / "examples"
STEPS, TORCH_STEPS = "20", "80"
THREADS_AFTER_MAIN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv.pop(1))
import torch_distributed
sys.argv += ["--steps", "2"]
torch_distributed.main()
names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
print([name for name in names if "gloo" in name])
"""


def run(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **QUIET, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def torch_results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    results = {}
    for processes in (1, 2):
        result = tmp_path_factory.mktemp("torch") / "result.json"
        run(
            "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes,
            EXAMPLES / "torch_distributed.py", "--steps", TORCH_STEPS, "--json", result,
        )  # fmt: skip
        results[processes] = json.loads(result.read_text())
    return results


def test_distributed_data_parallel_is_as_one_process(torch_results: dict[int, dict[str, Any]]):
    one, two = (torch_results[processes] for processes in (1, 2))
    assert len(one["losses"]) == int(TORCH_STEPS)
    np.testing.assert_allclose(two["losses"][:50], one["losses"][:50], rtol=1e-4)  # rounding grows once it learns
    assert one["losses"][-1] < 0.8 * one["losses"][0]
    assert two["apart"] == 0


def test_no_thread_of_gloo_outlives_its_group(tmp_path: Path):
    """One that meets the end of Python aborts the process."""
    program = tmp_path / "program.py"
    program.write_text(THREADS_AFTER_MAIN)
    printed = run("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 1, program, EXAMPLES)
    assert printed.splitlines()[-1] == "[]"


def test_multi_worker_mirrored_is_as_one_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FASTCONV_BATCH_INVARIANT", "1")  # a worker has half a batch
    for workers in (1, 2):
        name = tmp_path / f"{workers}-{{}}.json"
        run(EXAMPLES / "keras_distributed.py", "--local", workers, "--steps", STEPS, "--json", name)
    one, first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("1-0", "2-0", "2-1"))
    assert (one["workers"], first["workers"], second["workers"]) == (1, 2, 2)
    # Halves of a batch add up in another order. After some steps a maximum of nearly equal pixels falls the other way.
    np.testing.assert_allclose(first["losses"][:5], one["losses"][:5], rtol=1e-5)
    np.testing.assert_allclose(first["losses"], one["losses"], rtol=5e-3)
    assert first["losses"] == second["losses"]
    assert first["weights"] == second["weights"]
    assert one["losses"][-1] < one["losses"][0]
