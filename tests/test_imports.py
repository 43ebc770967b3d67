# SPDX-License-Identifier: BSD-3-Clause
"""Importing and using fastconv imports no framework; and the check that says so can fail."""

import subprocess
import sys

import pytest

FOREIGN = ("torch", "tensorflow", "keras", "jax", "matplotlib", "sklearn", "scipy", "pandas")

SCRIPT = """
import sys
{first}
import fastconv
{use}
foreign = sorted(set({foreign}) & {{name.partition(".")[0] for name in sys.modules}})
if foreign:
    sys.exit("imported " + ", ".join(foreign))
"""

USE = """
import numpy as np
x, w = np.ones((1, 2, 5, 5)), np.ones((3, 2, 3, 3))
y = fastconv.corr2d(x, w)
fastconv.corr2d_weight_grad(y, x, w.shape)
fastconv.max_pool2d(x, 2)
fastconv.prepare(w)(x)
fastconv.explain("corr2d", x.shape, w.shape)
fastconv.show_config()
fastconv.corr2d([[1]], [[2]])
"""


def run(first: str = "", use: str = "") -> subprocess.CompletedProcess[str]:
    """Import fastconv in a fresh process and look at what came with it."""
    script = SCRIPT.format(first=first, use=use, foreign=FOREIGN)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("use", ["", USE, "import fastconv.__main__"], ids=["imported", "used", "command line"])
def test_no_framework_is_imported(use: str):
    done = run(use=use)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FOREIGN)
def test_the_check_can_fail(name: str):
    """With something of that name imported beforehand, the same script fails and tells the name."""
    done = run(first=f"import types; sys.modules[{name + '.fake'!r}] = types.ModuleType('fake')")
    assert done.returncode == 1
    assert done.stderr.strip() == f"imported {name}"


def test_the_python_files_of_the_core_are_free_of_warnings():
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", "import fastconv" + USE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
