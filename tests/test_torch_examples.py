# SPDX-License-Identifier: BSD-3-Clause
"""The examples do what they say: the same curve of training as torch's, and a faster network that is the same."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import fastconv.torch as ft

EXAMPLES = Path(__file__).parents[1] / "examples"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_steps_of_training_are_torchs():
    digits = loaded("torch_digits")
    ours, _ = digits.train(ft, steps=50)
    theirs, _ = digits.train(torch.nn, steps=50)
    assert len(ours) == len(theirs) == 50
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) < 1e-3
    assert ours[-1] < ours[0]


def test_digits_are_learned(tmp_path: Path):
    plot = tmp_path / "curve.png"
    command = [sys.executable, EXAMPLES / "torch_digits.py", "--plot", plot]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    accuracy = float(done.stdout.split("%")[0].rpartition(" ")[2])
    assert accuracy >= 98
    assert "860/860" in done.stderr
    assert plot.stat().st_size > 5000


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_accelerated_resnet_is_the_same(memory_format: torch.memory_format):
    example = loaded("torch_accelerate")
    torch.manual_seed(0)
    model = example.resnet18(10).to(memory_format=memory_format)
    x = torch.randn(2, 3, 48, 48).to(memory_format=memory_format)
    outputs, gradients = example.compare(model, x, torch.tensor([1, 7]))
    assert outputs < 1e-12
    assert 0 < gradients < 1e-9
    before, after = example.seconds(model.eval(), lambda: model(x), 1, "inference")
    assert min(before, after) > 0
    assert not any(type(m) is ft.Conv2d for m in model.modules())
