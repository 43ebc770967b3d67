# SPDX-License-Identifier: BSD-3-Clause
"""The house keeps its order: who includes and imports whom, and which symbols and instructions end up where.

Every check is a function that lists what is wrong, and is shown something wrong as well.
"""

import ast
import importlib.util
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from c_build import ROOT, Build, c_build, run, tool

import fastconv

# ---- C includes downwards only ---------------------------------------------------------------------------------------

LAYERS = ("platform", "kernels", "algorithms", "operators")  # the lowest first
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def wrong_includes(csrc: Path) -> Iterator[str]:
    """List the includes that go upwards, nowhere, or from one instruction set to another."""
    for file in sorted([*csrc.rglob("*.c"), *csrc.rglob("*.h")]):
        here = file.relative_to(csrc).parts
        for name in INCLUDE.findall(file.read_text()):
            there = Path(name).parts
            where = f"{'/'.join(here)} includes {name}"
            if name == "fastconv.h":
                continue
            if not (csrc / name).is_file():
                yield f"{where}, which is not there (names begin at csrc)"
            elif here[0] == there[0] == "frontends":
                continue  # beside the layers, on top of fastconv.h
            elif here[0] not in LAYERS or there[0] not in LAYERS:
                yield f"{where}: outside of the layers only fastconv.h is included"
            elif LAYERS.index(there[0]) > LAYERS.index(here[0]):
                yield f"{where}, which is above"
            elif len(there) > 2 and there[:-1] != here[:-1]:
                yield f"{where}, which belongs to another folder alone"


def test_includes_go_downwards():
    assert not list(wrong_includes(ROOT / "csrc"))


@pytest.mark.parametrize(
    ("file", "included", "told"),
    [
        ("platform/memory.c", "operators/judge.h", "above"),
        ("kernels/gemm.h", "algorithms/problem.h", "above"),
        ("algorithms/list.c", "operators/judge.h", "above"),
        ("operators/judge.c", "judge.h", "not there"),
        ("frontends/tensorflow_ops.c", "platform/memory.h", "outside"),
        ("operators/judge.c", "frontends/tensorflow_api.h", "outside"),
        ("include/fastconv.h", "kernels/gemm.h", "outside"),
        ("kernels/avx512/table.c", "kernels/avx2/vec.h", "another folder"),
    ],
)
def test_a_wrong_include_is_found(tmp_path: Path, file: str, included: str, told: str):
    headers = ["operators/judge.h", "algorithms/problem.h", "kernels/gemm.h", "kernels/avx2/vec.h", "platform/memory.h"]
    headers += ["frontends/tensorflow_api.h"]
    for name in [*headers, file]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('#include "fastconv.h"\n#include <stdio.h>\n')
    assert not list(wrong_includes(tmp_path))
    (tmp_path / file).write_text(f'/* head */\n  # include "{included}"\n')
    (found,) = wrong_includes(tmp_path)
    assert told in found
    assert file in found


# ---- every operating system has the same functions -------------------------------------------------------------------

SHOWN = re.compile(r"^(?!static )[a-z][\w ]*[ *](fc_\w+)\(", re.MULTILINE)


def missing_on_windows(platform_layer: Path) -> Iterator[str]:
    """List the functions of files for POSIX that their fellows for Windows lack."""
    for file in sorted(platform_layer.glob("*_posix.c")):
        fellow = file.with_name(file.name.replace("_posix", "_windows"))
        there = SHOWN.findall(fellow.read_text()) if fellow.exists() else []
        yield from (f"{fellow.name} lacks {name}" for name in SHOWN.findall(file.read_text()) if name not in there)


def test_windows_has_what_posix_has():
    assert not list(missing_on_windows(ROOT / "csrc" / "platform"))


def test_what_windows_lacks_is_found(tmp_path: Path):
    (tmp_path / "a_posix.c").write_text("int fc_one(void)\n{\n}\n\nvoid *fc_two(int a) { return 0; }\n")
    assert list(missing_on_windows(tmp_path)) == ["a_windows.c lacks fc_one", "a_windows.c lacks fc_two"]
    (tmp_path / "a_windows.c").write_text("static int fc_one(void)\n{\n}\n\nvoid *fc_two(int a) { return 0; }\n")
    assert list(missing_on_windows(tmp_path)) == ["a_windows.c lacks fc_one"]


def test_cython_sees_the_c_api_alone():
    files = [*(ROOT / "src").rglob("*.px[yd]")]
    headers = {name for file in files for name in re.findall(r'extern from "([^"<]+)"', file.read_text())}
    assert headers == {"fastconv.h"}


# ---- Python imports --------------------------------------------------------------------------------------------------

# Which part of fastconv may import what; nothing else may.
FOREIGN = {
    "torch": "fastconv.torch",
    "tensorflow": "fastconv.tensorflow",
    "keras": "fastconv.tensorflow",
    "jax": None,
    "matplotlib": "fastconv.demo",
    "PIL": "fastconv.demo",
    "sklearn": "fastconv.demo",
    "threadpoolctl": "fastconv.threadpoolctl",
    "tqdm": "fastconv.demo",
    "scipy": None,
    "pandas": None,
}
STUB = "__init__.pyi"  # of the package: what type checkers see, where types of frameworks are named; nothing runs it
FRONT_ENDS = ("fastconv.torch", "fastconv.tensorflow", "fastconv.demo", "fastconv.threadpoolctl", "fastconv.__main__")
NOT_ABOVE = ("fastconv.functional", "fastconv.geometry", "fastconv.config", "fastconv._core")


def inside(module: str, package: str | None) -> bool:
    return package is not None and (module == package or module.startswith(package + "."))


def imports(module: str, is_package: bool, source: str) -> Iterator[str]:
    """List the absolute names of all modules that a source imports, anywhere in it; `from a import b` may mean a.b."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.args[0].value


# The one lazy import: a front end, by its name in this file's table, when a tensor of its framework has come.
LAZY = "fastconv.functional.frontends"


def lazy_imports(source: str) -> Iterator[str]:
    """List the modules that a table named _FRONT_ENDS names, for an import_module of what is in it."""
    for node in ast.walk(ast.parse(source)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(getattr(target, "id", "") == "_FRONT_ENDS" for target in targets):
            yield from (value.value for value in node.value.values)


def computed_imports(source: str) -> int:
    """Count the calls of import_module and __import__ whose argument is not written out."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and node.args)
    named = ((getattr(c.func, "attr", getattr(c.func, "id", "")), c.args[0]) for c in calls)
    return sum(name in ("import_module", "__import__") and not isinstance(a, ast.Constant) for name, a in named)


def wrong_imports(src: Path) -> Iterator[str]:
    """List the imports of frameworks outside their own subpackage, and those that go upwards."""
    for file in sorted([*src.rglob("*.py"), *src.rglob("*.pyi")]):
        if file == src / "fastconv" / STUB:
            continue
        parts = file.relative_to(src).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        low = any(inside(module, part) for part in NOT_ABOVE)
        if low and computed_imports(file.read_text()) > (module == LAZY):
            yield f"{module} imports a module whose name is computed"
        for name in lazy_imports(file.read_text()):
            if module != LAZY or not re.fullmatch(r"fastconv\.(torch|tensorflow)\.arraylike", name):
                yield f"{module} imports {name} lazily"
        for name in sorted(set(imports(module, is_package, file.read_text()))):
            foreign = name.partition(".")[0]
            if foreign in FOREIGN and not inside(module, FOREIGN[foreign]):
                yield f"{module} imports {name}"
            if low and any(inside(name, front) for front in FRONT_ENDS):
                yield f"{module} imports {name}, which is above"


def test_imports_go_downwards():
    assert not list(wrong_imports(ROOT / "src"))


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("functional/arrays.py", "import torch", "fastconv.functional.arrays imports torch"),
        ("functional/arrays.py", "from ..torch import Conv2d", "imports fastconv.torch, which is above"),
        ("functional/__init__.py", "from .. import demo", "imports fastconv.demo, which is above"),
        ("geometry.py", "from fastconv import tensorflow", "imports fastconv.tensorflow, which is above"),
        ("torch/layers.py", "from tensorflow import keras", "fastconv.torch.layers imports tensorflow"),
        ("__init__.py", "import matplotlib.pyplot as plt", "fastconv imports matplotlib.pyplot"),
        ("_core.pyi", "def f():\n    import tqdm", "fastconv._core imports tqdm"),
        ("config.py", "import importlib\nimportlib.import_module('sklearn.datasets')", "imports sklearn.datasets"),
        (
            "config.py",
            "import importlib\nimportlib.import_module(name)",
            "config imports a module whose name is computed",
        ),
        (
            "functional/frontends.py",
            "a = import_module(b)\nc = __import__(d)",
            "imports a module whose name is computed",
        ),
        ("functional/frontends.py", "import torch", "fastconv.functional.frontends imports torch"),
        ("functional/frontends.py", "import_module('torch')", "imports torch"),
        ("functional/frontends.py", "import fastconv.torch", "imports fastconv.torch, which is above"),
        ("functional/frontends.py", "_FRONT_ENDS = {'torch': 'torch.nn'}", "frontends imports torch.nn lazily"),
        ("functional/arrays.py", "_FRONT_ENDS = {'a': 'fastconv.torch.arraylike'}", "fastconv.torch.arraylike lazily"),
        ("functional/frontends.py", "import_module('fastconv.torch.arraylike')", "arraylike, which is above"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, line: str, found: str):
    path = tmp_path / "fastconv" / file
    path.parent.mkdir(parents=True)
    path.write_text("import numpy as np\nfrom numpy import linalg\n")
    assert not list(wrong_imports(tmp_path))
    path.write_text(line)
    assert any(found in wrong for wrong in wrong_imports(tmp_path)), list(wrong_imports(tmp_path))


# ---- symbols and instructions ----------------------------------------------------------------------------------------

X86 = platform.machine().lower() in ("x86_64", "amd64")


@pytest.fixture(scope="module")
def built() -> Build:
    """The core, built by CMake alone."""
    build = c_build()
    assert build.compiled.returncode == 0, build.compiled.stdout[-6000:]
    return build


def isas_of(build: Build) -> list[str]:
    (line,) = re.findall(r"instruction sets built: (.+)", build.configured.stdout)
    return line.split()


def defined(file: Path, *options: str) -> list[str]:
    """List the symbols that an object gives to others."""
    done = run(tool("nm"), "--defined-only", "--extern-only", *options, file)
    assert done.returncode == 0, done.stdout
    return sorted(line.split()[-1] for line in done.stdout.splitlines() if line.strip())


def wide_registers(file: Path) -> set[str]:
    """Tell which registers that not every x86-64 machine has an object's instructions name."""
    done = run(tool("objdump"), "--disassemble", "--no-show-raw-insn", file)
    assert done.returncode == 0, done.stdout
    return set(re.findall(r"%([yz]mm|k)[0-9]+\b", done.stdout))


def compile_c(path: Path, source: str, *flags: str) -> Path:
    path.with_suffix(".c").write_text(source)
    done = run(tool("cc"), "-O3", *flags, path.with_suffix(".c"), "-o", path)
    assert done.returncode == 0, done.stdout
    return path


def test_every_instruction_set_gives_one_symbol(built: Build):
    for isa in isas_of(built):
        (file,) = built.objects(f"fastconv_{isa}")
        assert defined(file) == [f"fc_kernels_{isa}"]


def test_a_second_symbol_is_found(tmp_path: Path):
    source = "const int fc_kernels_avx2 = 1; static int own; int *helper(void) { return &own; }"
    assert defined(compile_c(tmp_path / "two.o", source, "-c")) == ["fc_kernels_avx2", "helper"]


@pytest.mark.skipif(not X86, reason="elsewhere there is no instruction set but the common one")
def test_instructions_stay_in_their_folder(built: Build):
    allowed = {"fastconv_avx512": {"ymm", "zmm", "k"}, "fastconv_avx2": {"ymm"}}
    seen = 0
    for target in ["fastconv_core", *(f"fastconv_{isa}" for isa in isas_of(built))]:
        for file in built.objects(target):
            registers = wide_registers(file)
            assert registers <= allowed.get(target, set()), f"{file.name} uses {registers}"
            seen += 1
        if target in allowed:
            assert wide_registers(built.objects(target)[0]) == allowed[target], "the check sees nothing"
    assert seen > 20


@pytest.mark.skipif(not X86, reason="elsewhere there is no instruction set but the common one")
@pytest.mark.parametrize(("flag", "found"), [("-mavx2", {"ymm"}), ("-msse4.1", set())])
def test_a_leaked_instruction_is_found(tmp_path: Path, flag: str, found: set[str]):
    source = "void f(float *restrict y, const float *restrict x) { for (int i = 0; i < 1024; i++) y[i] += x[i]; }"
    assert wide_registers(compile_c(tmp_path / "leak.o", source, "-c", flag)) == found


def exported(library: Path) -> list[str]:
    """List what a library gives to the process that loads it."""
    return defined(library, "--dynamic")


def test_the_extension_exports_its_init_function_alone():
    assert exported(Path(fastconv._core.__file__)) == ["PyInit__core"]


def test_the_core_exports_its_api_alone():
    header = (ROOT / "csrc" / "include" / "fastconv.h").read_text()
    declared = re.findall(r"^[a-z][\w ]*[ *](fc_\w+)\(", header, re.MULTILINE)
    assert len(declared) > 25
    assert exported(Path(fastconv._core.__file__).parent / "libfastconv.so") == sorted(declared)


def test_the_library_for_tensorflow_exports_what_it_is_asked_for_alone():
    (library,) = (Path(fastconv._core.__file__).parent / "tensorflow").glob("libfastconv_tensorflow.*")
    asked_for = ("freeze", "preparations", "problem", "unfreeze")
    assert exported(library) == [f"fastconv_tensorflow_{name}" for name in asked_for]


def test_a_second_export_is_found(tmp_path: Path):
    source = (
        'void PyInit__core(void) {} void fc_corr2d(void) {} __attribute__((visibility("hidden"))) void own(void) {}'
    )
    assert exported(compile_c(tmp_path / "two.so", source, "-shared", "-fPIC")) == ["PyInit__core", "fc_corr2d"]
