# SPDX-License-Identifier: BSD-3-Clause
"""The C core builds without Python, its own tests pass, and a compiler that will not do is told from one that will."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from c_build import ROOT, Build, c_build, configure, run, tool

import fastconv

GROUPS = re.findall(r"^ +X\((\w+),", (ROOT / "tests/c/groups.h").read_text(), re.MULTILINE)
WANTED = "install GCC 10 or newer, or Clang 12 or newer"


@pytest.fixture(scope="module")
def built() -> Build:
    """The core and the C tests, built."""
    build = c_build()
    assert build.configured.returncode == 0, build.configured.stdout
    assert build.compiled.returncode == 0, build.compiled.stdout[-6000:]
    return build


def test_configuring_prints_the_instruction_sets(built: Build):
    (line,) = re.findall(r"^-- fastconv: instruction sets built: (.+)$", built.configured.stdout, re.MULTILINE)
    assert line.split()[-1] == "scalar"
    assert set(line.split()) >= set(fastconv.isas())


def test_the_build_gives_no_warning(built: Build):
    assert "warning:" not in built.compiled.stdout, built.compiled.stdout[-6000:]


def test_the_c_tests_pass(built: Build):
    done = run(tool("ctest"), "--test-dir", built.directory, "--output-on-failure", "--parallel", "2")
    assert done.returncode == 0, done.stdout[-6000:]
    assert set(re.findall(r"Test +#\d+: (\w+) \.+ +Passed", done.stdout)) == set(GROUPS), done.stdout


def test_a_failing_c_test_is_seen(built: Build, tmp_path: Path):
    """A bug planted in the copy of one source file: the program says where it fails, and fails."""
    assert run(built.directory / "tests/c/test_api", "no_such_group").returncode == 2
    source = (ROOT / "csrc/operators/geometry.c").read_text()
    planted = source.replace("*out = room / axis->stride + 1;", "*out = room / axis->stride + 2;")
    assert planted != source
    (tmp_path / "geometry.c").write_text(planted)
    objects = [
        file
        for target in built.directory.glob("CMakeFiles/fastconv_*.dir")
        for file in built.objects(target.stem)
        if file.name != "geometry.c.o"
    ]
    tests = [file for file in sorted((ROOT / "tests/c").glob("*.c")) if not file.stem.endswith("_windows")]
    flags = ["-std=gnu11", "-I", ROOT / "csrc", "-I", ROOT / "csrc/include", "-pthread"]
    done = run(
        os.environ.get("CC") or shutil.which("gcc") or tool("cc"), *flags, tmp_path / "geometry.c",
        *tests, *objects, "-lm", "-o", tmp_path / "bad",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    done = run(tmp_path / "bad", "corr2d")
    assert done.returncode == 1, done.stdout
    assert re.search(r"^.*test_corr2d\.c:\d+: .*\n  situation: corr2d .*\n  seed: \d+", done.stdout, re.MULTILINE)


# ---- compilers that will not do ----------------------------------------------------------------------------------


def message(done: subprocess.CompletedProcess[str]) -> str:
    """Give what CMake printed as one line: it breaks its messages anywhere."""
    assert done.returncode != 0, done.stdout
    return " ".join(done.stdout.split())


def script(path: Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("environment", [{"CC": "/does/not/exist"}, {"CC": "", "PATH": "/var/empty"}], ids=str)
def test_no_compiler(tmp_path: Path, environment: dict[str, str]):
    done = configure(tmp_path / "build", **environment)
    assert f"fastconv found no working C compiler: {WANTED}" in message(done)


def test_a_compiler_that_fails(tmp_path: Path):
    done = configure(tmp_path / "build", CC=script(tmp_path / "cc", "echo broken >&2", "exit 1"))
    assert f"fastconv found no working C compiler: {WANTED}" in message(done)


@pytest.mark.parametrize(
    ("macros", "told"),
    [
        ("-U__GNUC__ -D__GNUC__=9 -U__GNUC_MINOR__ -D__GNUC_MINOR__=4", "GNU 9.4."),
        ("-U__GNUC__ -D__clang__=1 -D__clang_major__=11 -D__clang_minor__=1 -D__clang_patchlevel__=0", "Clang 11.1.0"),
        ("-U__GNUC__", ""),  # CMake has no name for it
    ],
)
def test_a_compiler_too_old_or_unknown(tmp_path: Path, macros: str, told: str):
    """The compiler of this machine in disguise: CMake asks its macros who it is."""
    disguised = script(tmp_path / "cc", f'exec {shutil.which("gcc") or tool("cc")} -w {macros} "$@"')
    text = message(configure(tmp_path / "build", CC=disguised))
    assert f"fastconv cannot be built by {told}" in text
    assert WANTED in text


def test_gcc_is_refused_for_windows(tmp_path: Path):
    gcc = shutil.which("gcc") or tool("cc")
    options = ["-DCMAKE_SYSTEM_NAME=Windows", "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY"]
    text = message(configure(tmp_path / "build", *options, CC=gcc))
    assert "fastconv cannot be built for Windows by GNU" in text
    assert "cmake -T ClangCL" in text
