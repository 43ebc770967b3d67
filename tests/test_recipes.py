# SPDX-License-Identifier: BSD-3-Clause
"""The recipes of docs/ work: what they say is done to a copy of the sources, built and tested."""

import ctypes
import os
import platform
import shutil
from pathlib import Path

import pytest
from c_build import ROOT, run, tool
from frameworks import run_script
from pages import DOCS, apply, captioned

import fastconv

RECIPES = DOCS / "recipes"
X86 = platform.machine().lower() in ("x86_64", "amd64")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C sources with an algorithm and an instruction set more, built with the C tests."""
    root = tmp_path_factory.mktemp("recipe")
    shutil.copytree(ROOT / "csrc", root / "csrc")
    shutil.copytree(ROOT / "tests" / "c", root / "tests" / "c")
    shutil.copy(ROOT / "CMakeLists.txt", root)
    for page in ("algorithm", "isa"):
        for block in captioned(RECIPES / f"{page}.md"):
            apply(block, root)
    options = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", "-DFASTCONV_BUILD_TESTS=ON"]
    done = run(tool("cmake"), "-S", root, "-B", root / "build", *options)
    assert done.returncode == 0, done.stdout
    compile_copy(root)
    return root


def compile_copy(root: Path) -> None:
    done = run(tool("cmake"), "--build", root / "build", "--parallel", str(os.cpu_count() or 1))
    assert done.returncode == 0, done.stdout[-6000:]
    assert "warning:" not in done.stdout, done.stdout[-6000:]


def names(root: Path, function: str, *arguments: int) -> list[str]:
    """What a function of the core that lists names lists."""
    library = ctypes.CDLL(str(next((root / "build").glob("libfastconv.*"))))
    listing = getattr(library, function)
    listing.restype = ctypes.c_char_p
    found = iter(lambda: listing(*arguments, len(seen)), None)
    seen: list[str] = []
    for name in found:
        seen.append(name.decode())
    return seen


def c_tests(root: Path, group: str) -> int:
    return run(root / "build/tests/c/test_api", group).returncode


def test_the_algorithm_is_there_and_right(copy: Path):
    corr2d = 0
    assert names(copy, "fc_algorithm_name", corr2d)[-2:] == ["taps", "direct"]
    assert c_tests(copy, "corr2d") == 0
    assert c_tests(copy, "random") == 0


@pytest.mark.skipif(not X86, reason="the recipe's instruction set is one of x86")
def test_the_instruction_set_is_there_and_right(copy: Path):
    assert names(copy, "fc_built_isa_name")[-2:] == ["fma", "scalar"]
    assert ("fma" in names(copy, "fc_isa_name")) == ("avx2" in fastconv.isas())
    assert c_tests(copy, "facts") == 0
    assert c_tests(copy, "pool2d") == 0


def test_a_wrong_algorithm_is_found(copy: Path):
    """The last test on the copy: it breaks it."""
    source = copy / "csrc/algorithms/corr2d_taps.c"
    right = source.read_text()
    wrong = right.replace("* weight;", "+ weight;")
    assert wrong != right
    source.write_text(wrong)
    compile_copy(copy)
    assert c_tests(copy, "random") != 0


USE = """
import sys
import fastconv
fastconv.__path__.append(sys.argv[1])
exec(compile(open(sys.argv[2]).read(), "frontend.md", "exec"))
assert "fastconv.jax" in sys.modules
print("right")
"""


def test_the_front_end_is_right(tmp_path: Path):
    """The subpackage, found as if it lay beside the others; in a process of its own: JAX warns of every later fork."""
    for block in captioned(RECIPES / "frontend.md"):
        apply(block if block.caption.endswith(".py") else block._replace(caption="use"), tmp_path)
    assert run_script(USE, tmp_path / "src" / "fastconv", tmp_path / "use") == "right\n"
