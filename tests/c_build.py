# SPDX-License-Identifier: BSD-3-Clause
"""The C core and its tests, configured and built by CMake alone: once a session, for whoever asks."""

import atexit
import functools
import os
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tool(name: str) -> str:
    """Find a program: the one of this Python's environment (the `test` extra brings cmake and ninja), else any."""
    found = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    assert found, f"the test needs {name}: pip install '.[test]', and binutils for nm and objdump"
    return found


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command, with these variables set; stdout and stderr come as one text."""
    environment = {**os.environ, **environment}
    return subprocess.run(
        [str(word) for word in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1200,
        check=False,
    )


def configure(directory: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Configure the repository as a C project, without Python."""
    make = f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"
    return run(tool("cmake"), "-S", ROOT, "-B", directory, "-G", "Ninja", make, *options, **environment)


@dataclass(frozen=True)
class Build:
    """What came of it; nothing is asserted here, so that every test says for itself what is missing."""

    directory: Path
    configured: subprocess.CompletedProcess[str]
    compiled: subprocess.CompletedProcess[str]

    def objects(self, target: str) -> list[Path]:
        """Find the object files of a target."""
        return sorted((self.directory / "CMakeFiles" / f"{target}.dir").rglob("*.o"))


@functools.cache
def c_build() -> Build:
    """Configure and build the core and tests/c."""
    directory = Path(tempfile.mkdtemp(prefix="fastconv-c-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    configured = configure(directory, "-DFASTCONV_BUILD_TESTS=ON")
    compiled = run(tool("cmake"), "--build", directory, "--parallel", str(os.cpu_count() or 1))
    return Build(directory, configured, compiled)
