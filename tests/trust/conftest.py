# SPDX-License-Identifier: BSD-3-Clause
"""What is built once for these tests."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that refuses, built."""
    library = tmp_path_factory.mktemp("refusing") / "librefusing.so"
    compiler = os.environ.get("CC") or "cc"
    flags = ["-O1", "-shared", "-fPIC", "-pthread", HERE / "refusing.c", "-o", library, "-ldl"]
    done = subprocess.run([compiler, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return library
