# SPDX-License-Identifier: BSD-3-Clause
"""The sweep that measures the choice of algorithms: its shapes, its arithmetic, one run of it. Speed is not tested."""

import json
import subprocess
import sys
from pathlib import Path

import choice
import pytest

import fastconv

SHAPE = choice.Shape(8, 6, 2, (3, 1), 9, 2, 2, "NHWC")


def test_shapes_are_distinct_and_what_they_say():
    every = [shape for family in choice.FAMILIES.values() for shape in family]
    assert len(set(every)) == len(every) > 1000
    x, w = SHAPE.arrays()
    y = fastconv.corr2d(x, w, **SHAPE.options)
    assert y.shape == (2, 5, 5, 6)
    assert SHAPE.flops == fastconv.explain("corr2d", x.shape, w.shape, **SHAPE.options).flops


@pytest.mark.parametrize("operation", choice.OPERATIONS)
def test_every_algorithm_that_takes_a_shape_is_measured(operation: str):
    row = choice.measure(operation, SHAPE)
    assert row["loss"] == row["seconds"][row["auto"]] / min(row["seconds"].values()) >= 1
    x, w = (array.shape for array in SHAPE.arrays())
    declined = fastconv.explain(operation, x, w, **SHAPE.options).declined
    assert set(row["seconds"]) == set(fastconv.algorithms(operation)) - set(declined) - {"direct"}
    assert f"8-6/2 3x1/2 @9: {row['auto']}; " in choice.row_line(row)


def test_one_run(tmp_path: Path):
    result = tmp_path / "result.json"
    words = ["--quick", "--families", "1x1", "--operations", "corr2d", "--json", str(result)]
    command = [sys.executable, choice.__file__, *words]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(result.read_text())
    mean = found["means"]["1x1"]["corr2d"]
    assert mean["shapes"] == len(found["worst"])
    assert 1 <= mean["mean"] <= mean["worst"] == found["worst"][0]["loss"]
    assert f"{mean['mean']:.3f}" in printed
