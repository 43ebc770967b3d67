# SPDX-License-Identifier: BSD-3-Clause
"""The TensorFlow front end is documented: sentences, parameters, examples that run, and a page that is right."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import fastconv.tensorflow as fct

PAGE = Path(__file__).parents[1] / "docs" / "tensorflow.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
PROMISED = {
    "corr2d", "max_pool2d", "max_pool2d_with_argmax", "avg_pool2d", "Conv2D", "DepthwiseConv2D", "MaxPooling2D",
    "AveragePooling2D", "accelerate",
}  # fmt: skip


def test_every_promised_name_is_public():
    assert set(fct.__all__) == PROMISED


@pytest.mark.parametrize("name", sorted(fct.__all__))
def test_a_name_is_documented(name: str):
    documented = getattr(fct, name)
    text = inspect.getdoc(documented) or ""
    assert text.partition("\n\n")[0].endswith(".")
    for section in ("Parameters", "Examples"):
        assert f"\n{section}\n---" in text, f"{name} has no section {section}"
    for parameter in set(inspect.signature(documented).parameters):
        assert re.search(rf"\b{re.escape(parameter)}\b", text), f"{name}: {parameter} is not documented"


@pytest.mark.parametrize("name", sorted(fct.__all__))
def test_examples_run(name: str):
    tests = doctest.DocTestFinder(recurse=False).find(getattr(fct, name), f"fastconv.tensorflow.{name}", globs={})
    assert sum(len(test.examples) for test in tests) > 0, f"{name} has no example"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_the_page_has_examples():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS)
def test_the_pages_examples_run(block: str):
    exec(compile(block, str(PAGE), "exec"), {})  # the page is ours
