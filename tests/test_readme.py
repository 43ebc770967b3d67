# SPDX-License-Identifier: BSD-3-Clause
"""What the README shows runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_there_is_an_example():
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_example_runs(block: str, capsys: pytest.CaptureFixture[str]):
    names: dict[str, object] = {}
    exec(compile(block, str(README), "exec"), names)  # the README is ours
    assert tuple(names["y"].shape) in ((8, 64, 112, 112), (8, 112, 112, 64))
    assert ("implicit_gemm_nchw" in capsys.readouterr().out) == ("explain" in block)
