# SPDX-License-Identifier: BSD-3-Clause
"""No code on a page goes unexecuted: each block is of a kind that something runs, and what runs it is there."""

import re
from pathlib import Path

import pytest
from pages import DOCS, ROOT, captioned, cells

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
BY = {  # what runs a kind of block, and a word of it
    "python": ("tests/test_readme.py", "def blocks"),
    "{code-cell} ipython3": (".ci/run", "sphinx-build -q -W docs"),
    "{code-block} c": ("tests/test_recipes.py", "captioned"),
    "{code-block} diff": ("tests/test_recipes.py", "captioned"),
    "{code-block} python": ("tests/test_recipes.py", "captioned"),
}
NO_CODE = {"text", "{toctree}", "{eval-rst}", "{literalinclude} ../../csrc/include/fastconv.h"}
COMMANDS = {  # what runs a command of a page, or its like, and a word of it
    "pip install '.[demo]' && python -m fastconv demo": ("tests/wheel.sh", "python -m fastconv demo"),
    "pip install '.[test]' && pytest": (".ci/run", "pip install .*&& pytest"),
    "pip install '.[docs]' && sphinx-build -W docs docs/_build/html": (".ci/run", "sphinx-build -q -W docs"),
    "pip install '.[bench]' && python benchmarks/compare.py --quick --chart chart.png": (
        "tests/test_benchmarks.py",
        "compare.py",
    ),
    "python benchmarks/compare.py --quick --chart chart.png": ("tests/test_benchmarks.py", "compare.py"),
    "torchrun --standalone --nproc-per-node 2 examples/torch_distributed.py": (
        "tests/test_scale.py",
        "distributed.run",
    ),
    "python examples/keras_distributed.py --local 2": ("tests/test_scale.py", "--local"),
    "cmake -S . -B build/c -DFASTCONV_BUILD_TESTS=ON && cmake --build build/c && ctest --test-dir build/c": (
        "tests/test_c_api.py",
        "ctest",
    ),
    "pip install scikit-build-core cython cython-cmake numpy": ("pyproject.toml", "cython-cmake"),
    "pip install --no-build-isolation -C editable.rebuild=true -e .": ("CONTRIBUTING.md", "editable.rebuild=true"),
}


def fences(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page: what follows the backticks, and the text."""
    return re.findall(r"^```([^\n`]+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_something_runs_every_block(page: Path):
    for kind, text in fences(page):
        if kind == "sh":
            for line in text.splitlines():
                assert line in COMMANDS, f"nothing runs {line}"
        else:
            assert kind in BY or kind in NO_CODE, f"nothing runs a block of {kind}"
    if not page.is_relative_to(DOCS / "recipes"):
        assert not captioned(page), "code with a caption is what test_recipes.py runs"
    if cells(page):
        assert page.read_text().startswith("---\nfile_format: mystnb\n"), "cells are executed in notebooks alone"


@pytest.mark.parametrize(("file", "word"), sorted({*BY.values(), *COMMANDS.values()}))
def test_what_runs_it_is_there(file: str, word: str):
    assert word in (ROOT / file).read_text()


def test_the_pages_have_code():
    kinds = [kind for page in PAGES for kind, _ in fences(page)]
    assert {*BY, "sh"} <= set(kinds)
    assert kinds.count("python") > 15
    assert kinds.count("{code-cell} ipython3") > 40


def test_a_page_is_in_the_table_of_contents():
    listed = {
        (page.parent / entry).resolve()
        for page in DOCS.rglob("*.md")
        for kind, text in fences(page)
        if kind == "{toctree}"
        for entry in text.split()
        if not entry.startswith(":")
    }
    missing = {page.resolve().with_suffix("") for page in DOCS.rglob("*.md")} - listed - {(DOCS / "index").resolve()}
    assert not missing
