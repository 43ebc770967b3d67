# SPDX-License-Identifier: BSD-3-Clause
"""A user's code passes `mypy --strict`, and the stub that makes it so tells what the functions are."""

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

import fastconv

STUB = ROOT / "src" / "fastconv" / "__init__.pyi"


def mypy(file: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """As a user would: strict, and with no configuration of ours."""
    options = ["--strict", "--config-file=", f"--cache-dir={cache}", "--no-error-summary"]
    return subprocess.run(
        [sys.executable, "-m", "mypy", *options, file],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy found out about torch, for the next run."""
    return tmp_path_factory.mktemp("cache")


def test_a_users_code_is_typed(cache: Path):
    done = mypy(ROOT / "tests" / "typed_user.py", cache)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_is_found(tmp_path: Path, cache: Path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import numpy as np\nimport fastconv\nfastconv.corr2d(np.ones(3), np.ones(3), stride='2')\n")
    done = mypy(wrong, cache)
    assert done.returncode == 1
    assert 'wrong.py:3: error: No overload variant of "corr2d"' in done.stdout, done.stdout


def declared() -> dict[str, list[ast.FunctionDef]]:
    found: dict[str, list[ast.FunctionDef]] = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, []).append(node)
    return found


@pytest.mark.parametrize("name", sorted(declared()))
def test_the_stub_has_the_functions_parameters(name: str):
    actual = inspect.signature(getattr(fastconv, name)).parameters
    for overload in declared()[name]:
        spec = overload.args
        told = [*spec.args, *spec.kwonlyargs] + ([spec.kwarg] if spec.kwarg else [])
        assert [argument.arg for argument in told] == list(actual)
        assert [argument.arg for argument in spec.kwonlyargs] == [
            p.name for p in actual.values() if p.kind is p.KEYWORD_ONLY
        ]
        defaults = dict(zip([a.arg for a in spec.kwonlyargs], spec.kw_defaults, strict=True))
        defaults.update(zip([a.arg for a in reversed(spec.args)], reversed(spec.defaults), strict=False))
        for argument, value in defaults.items():
            if value is not None:
                assert ast.literal_eval(value) == actual[argument].default, f"{name}: {argument}"


def test_the_stub_names_all_that_is_public():
    body = ast.parse(STUB.read_text()).body
    imported = {alias.asname for node in body if isinstance(node, ast.ImportFrom) for alias in node.names} - {None}
    assert imported | set(declared()) == set(fastconv.__all__)
