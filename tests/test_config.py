# SPDX-License-Identifier: BSD-3-Clause
"""Settings by function and by environment, and what the library tells about itself."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastconv

KNOWN = ("avx512", "avx2", "neon", "scalar")
VARIABLES = ("FASTCONV_ISA", "FASTCONV_NUM_THREADS", "OMP_NUM_THREADS", "FASTCONV_BATCH_INVARIANT")

STATE = "import fastconv as f; print(f.get_isa(), f.get_num_threads(), f.get_batch_invariant())"


def run(*arguments: str, cpus: set[int] | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these variables of ours and no others, on these CPUs."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    limit = None if cpus is None else lambda: os.sched_setaffinity(0, cpus)
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **environment},
        preexec_fn=limit,
    )


def state(cpus: set[int] | None = None, **environment: str) -> list[str]:
    """Give the instruction set, threads and batch invariance of a fresh process."""
    done = run("-c", STATE, cpus=cpus, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_isas_are_listed_best_first():
    isas = fastconv.isas()
    assert isinstance(isas, tuple)
    assert len(isas) == len(set(isas)) >= 1
    assert isas[-1] == "scalar"
    assert list(isas) == sorted(isas, key=KNOWN.index)


def test_the_best_isa_is_the_default():
    assert state()[0] == fastconv.isas()[0]


@pytest.mark.parametrize("name", fastconv.isas())
def test_isa_from_the_environment(name: str):
    assert state(FASTCONV_ISA=name)[0] == name


def test_isa_switches_at_run_time(isa: str):
    assert fastconv.get_isa() == isa
    np.testing.assert_array_equal(fastconv.corr2d(np.ones((3, 3)), np.ones((2, 2))), np.full((2, 2), 4))


@pytest.mark.parametrize("name", ["sse9", "AVX-512", "none"])
def test_an_unknown_isa_in_the_environment_is_an_error(name: str):
    done = run("-c", STATE, FASTCONV_ISA=name)
    assert done.returncode != 0, "an unknown instruction set was accepted"
    last = done.stderr.strip().splitlines()[-1]
    assert "ValueError" in last
    assert "FASTCONV_ISA" in last
    for word in (name, *fastconv.isas()):
        assert word in last


def test_threads_from_the_environment():
    assert state(FASTCONV_NUM_THREADS="3")[1] == "3"
    assert state(OMP_NUM_THREADS="5")[1] == "5"
    assert state(OMP_NUM_THREADS="5", FASTCONV_NUM_THREADS="3")[1] == "3"
    assert state(OMP_NUM_THREADS="4,2")[1] == "4", "OpenMP allows one number for each level of nesting"


def test_threads_are_the_usable_cpus_otherwise():
    usable = os.sched_getaffinity(0)
    assert 1 <= int(state()[1]) <= len(usable)
    assert state(cpus={min(usable)})[1] == "1"


@pytest.mark.parametrize("value", ["0", "-2", "many", "1.5", "3 4", "99999999999999999999"])
def test_bad_thread_counts_in_the_environment_are_errors(value: str):
    done = run("-c", STATE, FASTCONV_NUM_THREADS=value)
    assert done.returncode != 0, f"FASTCONV_NUM_THREADS={value} was accepted: {done.stdout}"
    last = done.stderr.strip().splitlines()[-1]
    assert "ValueError" in last
    assert "FASTCONV_NUM_THREADS" in last
    assert value in last


@pytest.mark.parametrize(("value", "expected"), [("1", "True"), ("0", "False")])
def test_batch_invariance_from_the_environment(value: str, expected: str):
    assert state()[2] == "False"
    assert state(FASTCONV_BATCH_INVARIANT=value)[2] == expected


def test_a_bad_batch_invariance_in_the_environment_is_an_error():
    done = run("-c", STATE, FASTCONV_BATCH_INVARIANT="maybe")
    assert done.returncode != 0
    assert "FASTCONV_BATCH_INVARIANT" in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("threads", [1, 2, 7, np.int64(4)])
def test_threads_by_function(threads: int):
    fastconv.set_num_threads(threads)
    assert fastconv.get_num_threads() == threads
    assert type(fastconv.get_num_threads()) is int


def test_batch_invariance_by_function():
    for value in (True, False):
        fastconv.set_batch_invariant(value)
        assert fastconv.get_batch_invariant() is value


def test_show_config_tells_the_facts(capsys: pytest.CaptureFixture[str]):
    fastconv.set_num_threads(13)
    fastconv.show_config()
    text = capsys.readouterr().out
    for word in (fastconv.__version__, fastconv.get_isa(), *fastconv.isas(), "13", "numpy", np.__version__):
        assert word in text.lower(), f"{word} is not in: {text}"
    assert re.search(r"gcc|clang|msvc", text, re.IGNORECASE), f"no compiler in: {text}"
    for word in ("torch", "tensorflow"):
        assert word in text.lower(), f"{word} found or not is not told: {text}"


def test_python_dash_m_prints_the_same():
    module = run("-m", "fastconv", FASTCONV_NUM_THREADS="13")
    function = run("-c", "import fastconv; fastconv.show_config()", FASTCONV_NUM_THREADS="13")
    assert (module.returncode, module.stderr) == (0, "")
    assert module.stdout == function.stdout
    assert fastconv.__version__ in module.stdout


def test_show_config_tells_a_forced_isa():
    done = run("-m", "fastconv", FASTCONV_ISA="scalar")
    assert done.returncode == 0, done.stderr
    assert done.stdout != run("-m", "fastconv", FASTCONV_ISA=fastconv.isas()[0]).stdout or len(fastconv.isas()) == 1
    assert "scalar" in done.stdout
