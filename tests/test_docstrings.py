# SPDX-License-Identifier: BSD-3-Clause
"""Every public name is documented: a sentence, its parameters, and an example that runs."""

import doctest
import inspect
import re

import numpy as np
import pytest

import fastconv
import fastconv.torch

FUNCTIONS = sorted(name for name in fastconv.__all__ if inspect.isroutine(getattr(fastconv, name)))
DOCUMENTED = sorted(name for name in fastconv.__all__ if callable(getattr(fastconv, name)))
TORCH = sorted(fastconv.torch.__all__)
PROMISED = {
    "corr2d", "corr2d_multi_in", "corr2d_multi_in_out", "pool2d", "max_pool2d", "avg_pool2d",
    "corr2d_input_grad", "corr2d_weight_grad", "max_pool2d_grad", "avg_pool2d_grad", "prepare",
    "algorithms", "explain", "isas", "set_isa", "get_isa", "set_num_threads", "get_num_threads",
    "set_batch_invariant", "get_batch_invariant", "show_config",
}  # fmt: skip


def test_every_promised_function_is_public():
    assert set(FUNCTIONS) >= PROMISED
    for name in fastconv.__all__:
        assert hasattr(fastconv, name), f"__all__ tells of {name}, which is not there"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstring_begins_with_a_sentence(name: str):
    first = (inspect.getdoc(getattr(fastconv, name)) or "").partition("\n\n")[0]
    assert first.endswith("."), f"{name}: {first!r}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_documented(name: str):
    function = getattr(fastconv, name)
    text = inspect.getdoc(function) or ""
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"\b{re.escape(parameter)}\b", text), f"{name}: {parameter} is not documented"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_run(name: str):
    function = getattr(fastconv, name)
    finder = doctest.DocTestFinder(recurse=False)
    examples = finder.find(function, f"fastconv.{name}", module=fastconv, globs={"np": np, "fastconv": fastconv})
    assert sum(len(test.examples) for test in examples) > 0, f"{name} has no example"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in examples:
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_a_wrong_example_is_noticed():
    runner = doctest.DocTestRunner()
    test = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    runner.run(test, out=lambda _: None)
    assert runner.summarize(verbose=False).failed == 1


@pytest.mark.parametrize("name", TORCH)
def test_torch_is_documented(name: str):
    """A sentence, every parameter, and an example that runs; a layer's parameters are those of torch's."""
    documented = getattr(fastconv.torch, name)
    text = inspect.getdoc(documented) or ""
    assert text.partition("\n\n")[0].endswith(".")
    for parameter in inspect.signature(documented).parameters:
        assert re.search(rf"\b{re.escape(parameter)}\b", text), f"{name}: {parameter} is not documented"
    finder = doctest.DocTestFinder(recurse=False)
    examples = finder.find(documented, f"fastconv.torch.{name}", globs={"fastconv": fastconv})
    assert sum(len(test.examples) for test in examples) > 0, f"{name} has no example"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in examples:
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
