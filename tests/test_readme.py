# SPDX-License-Identifier: BSD-3-Clause
"""What the README and the pages of docs/ show runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def blocks(page: Path) -> list[str]:
    """The Python that a page shows."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


BLOCKS = blocks(README)
PAGES = [(page.name, block) for page in sorted((ROOT / "docs").rglob("*.md")) for block in blocks(page)]


def test_there_is_an_example():
    assert BLOCKS


def run(block: str, source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, source, "exec"), names)  # the pages are ours
    return names


def test_the_first_example_runs(capsys: pytest.CaptureFixture[str]):
    assert run(BLOCKS[0], str(README))["y"].shape == (8, 64, 112, 112)
    assert "padded_rows" in capsys.readouterr().out


def test_the_example_of_torch_runs():
    (block,) = (block for block in BLOCKS if "import torch" in block)
    names = run(block, str(README))
    assert names["w"].grad.shape == names["w"].shape
    assert [type(layer).__module__.partition(".")[0] for layer in names["model"]] == ["fastconv", "torch", "fastconv"]


def test_the_example_of_tensorflow_runs():
    (block,) = (block for block in BLOCKS if "import tensorflow" in block)
    names = run(block, str(README))
    assert tuple(names["y"].shape) == (8, 112, 112, 64)
    assert names["grad_w"].shape == names["w"].shape
    assert type(names["model"].layers[-1]).__module__.partition(".")[0] == "fastconv"


@pytest.mark.parametrize(("page", "block"), PAGES)
def test_examples_of_the_pages_run(page: str, block: str):
    assert run(block, page)
