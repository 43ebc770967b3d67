# SPDX-License-Identifier: BSD-3-Clause
"""docs/comparison.md says what is so: every mark in its tables is tried, or has a citation."""

import json
import re

import pytest
from frameworks import run_script
from pages import DOCS

PAGE = DOCS / "comparison.md"
LIBRARIES = ("fastconv", "torch", "tensorflow", "jax", "onnxruntime", "scipy", "opencv")
YES, NO, NOT_ASKED = "●", "○", "–"


def table_rows(text: str) -> dict[str, dict[str, str]]:
    """The cells of the tables whose head names the libraries, by row and library."""
    rows: dict[str, dict[str, str]] = {}
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        head, _, *body = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines())
        if len(head) == 1 + len(LIBRARIES):
            rows.update({cells[0]: dict(zip(LIBRARIES, cells[1:], strict=True)) for cells in body})
    return rows


ROWS = table_rows(PAGE.read_text(encoding="utf-8"))
CELLS = [(name, library, cell) for name, cells in ROWS.items() for library, cell in cells.items()]
TRIED = [(name, library, cell) for name, library, cell in CELLS if cell in (YES, NO)]


Found = dict[str, dict[str, bool]]


@pytest.fixture(scope="module")
def found() -> Found:
    """What was tried, in a process of its own: JAX warns of every later fork in a process that has imported it."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); import comparison_probes; comparison_probes.main()"
    return json.loads(run_script(script, DOCS.parent / "tests"))


def test_rows_and_probes_belong_together(found: Found):
    assert len(ROWS) > 25
    assert {name for name, _, _ in TRIED} == set(found)
    for name, library, _ in TRIED:
        assert library in found[name], f"nothing tries {name} of {library}"
    for name, tried in found.items():
        for library in tried:
            assert ROWS[name][library] in (YES, NO), f"{name} of {library} is tried, and not told"


def test_what_is_not_tried_is_cited():
    for name, library, cell in CELLS:
        if cell not in (YES, NO, NOT_ASKED):
            assert re.fullmatch(rf"\[[{YES}{NO}]\]\(https://\S+\)", cell), f"{name} of {library}: {cell}"


@pytest.mark.parametrize(("name", "library", "cell"), TRIED)
def test_a_mark_is_true(name: str, library: str, cell: str, found: Found):
    assert found[name][library] == (cell == YES)


def test_a_wrong_mark_is_seen(found: Found):
    wrong = table_rows(PAGE.read_text(encoding="utf-8").replace("| complex numbers | ○ |", "| complex numbers | ● |"))
    assert wrong["complex numbers"]["fastconv"] == YES
    assert not found["complex numbers"]["fastconv"]
    assert found["complex numbers"]["torch"]
