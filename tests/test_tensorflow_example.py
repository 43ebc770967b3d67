# SPDX-License-Identifier: BSD-3-Clause
"""The example trains: as Keras's own layers do, to 98 %, and its saved model predicts the same in a new process."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PATH = Path(__file__).parents[1] / "examples" / "keras_digits.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("keras_digits", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_lenet_learns_the_digits(example: Any):
    ours = example.train("fastconv", example.EPOCHS, seed=0, verbose=0)
    assert ours["accuracy"] >= 0.98
    assert ours["reloaded"]
    theirs = example.train("tensorflow", 2, seed=0, verbose=0)
    assert len(theirs["losses"]) > 50
    np.testing.assert_allclose(ours["losses"][:50], theirs["losses"][:50], atol=1e-3, rtol=0)
    assert ours["losses"][0] > 1.5 > ours["losses"][80]
