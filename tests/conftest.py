# SPDX-License-Identifier: BSD-3-Clause
"""Options and fixtures of the whole suite."""

import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from numerics import SEED

import fastconv

settings.register_profile(
    "fastconv",
    deadline=None,
    database=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("fastconv")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--isa", action="append", help="test this instruction set alone (may be repeated)")


def pytest_report_header() -> str:
    gil = "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    return f"fastconv: seed {SEED} (set FASTCONV_TEST_SEED to repeat), isas {fastconv.isas()}, GIL {gil}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "isa" in metafunc.fixturenames:
        metafunc.parametrize("isa", metafunc.config.getoption("isa") or fastconv.isas(), indirect=True)


@pytest.fixture(autouse=True)
def settings_restored() -> Iterator[None]:
    """Leave the library's settings as they were found, whatever a test does."""
    isa, threads = fastconv.get_isa(), fastconv.get_num_threads()
    batch_invariant = fastconv.get_batch_invariant()
    yield
    fastconv.set_isa(isa)
    fastconv.set_num_threads(threads)
    fastconv.set_batch_invariant(batch_invariant)


@pytest.fixture
def isa(request: pytest.FixtureRequest) -> str:
    """Run the test once with every instruction set this machine can run."""
    fastconv.set_isa(request.param)
    assert fastconv.get_isa() == request.param
    return request.param
