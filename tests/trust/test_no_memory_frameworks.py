# SPDX-License-Identifier: BSD-3-Clause
"""Memory refused to fastconv inside PyTorch and TensorFlow: an exception, and the next call is right."""

from pathlib import Path

import pytest
from preloading import HEAD, run

TORCH = """
import torch
import fastconv.torch as ft
torch.set_num_threads(2)
x, w = torch.randn(2, 24, 40, 33, requires_grad=True), torch.randn(16, 24, 3, 3, requires_grad=True)
def gradient(function, *arguments):
    return torch.autograd.grad(function(*arguments).sum(), arguments[0])[0].numpy()
model = torch.nn.Sequential(torch.nn.Conv2d(24, 16, 3), torch.nn.MaxPool2d(2)).eval()
frozen = ft.accelerate(model, freeze=True)
KINDS = (MemoryError,)
CALLS = {
    "corr2d": lambda: ft.corr2d(x, w).detach().numpy(),
    "the gradient of x": lambda: gradient(ft.corr2d, x, w),
    "the gradient of w": lambda: gradient(lambda w, x: ft.corr2d(x, w), w, x),
    "max_pool2d": lambda: gradient(lambda x: ft.max_pool2d(x, 3), x),
    "avg_pool2d": lambda: gradient(lambda x: ft.avg_pool2d(x, 3), x),
    "frozen": lambda: frozen(x.detach()).detach().numpy(),
}
"""

TENSORFLOW = """
from itertools import count
import tensorflow as tf
import fastconv.tensorflow as fct
x, w = tf.random.normal((2, 40, 33, 24)), tf.random.normal((3, 3, 24, 16))
steps = count()
def gradient(function, argument):
    with tf.GradientTape() as tape:
        tape.watch(argument)
        y = tf.reduce_sum(function(argument))
    return tape.gradient(y, argument).numpy()
graph = tf.function(lambda x: fct.max_pool2d(fct.corr2d(x, w, 1, "VALID"), 2, 2, "VALID"))
def a_new_kernel():  # another attribute each time; the result stays the same
    return fct.avg_pool2d(tf.ones((1, 4, 4, 1)), 2, 5 + next(steps), "VALID").numpy()
KINDS = (MemoryError, tf.errors.ResourceExhaustedError)
CALLS = {
    "corr2d": lambda: fct.corr2d(x, w, 1, "VALID").numpy(),
    "the gradient of x": lambda: gradient(lambda x: fct.corr2d(x, w, 1, "VALID"), x),
    "the gradient of w": lambda: gradient(lambda w: fct.corr2d(x, w, 1, "VALID"), w),
    "max_pool2d": lambda: gradient(lambda x: fct.max_pool2d(x, 3, 3, "VALID"), x),
    "avg_pool2d": lambda: gradient(lambda x: fct.avg_pool2d(x, 3, 3, "VALID"), x),
    "a graph": lambda: graph(x).numpy(),
    "a new kernel": a_new_kernel,
}
"""

SWEEPS = """
for name, call in CALLS.items():
    call()
    expected = call()
    def check(result):
        assert result is None or result.tobytes() == expected.tobytes(), f"{name}: a wrong answer"
    total, raised = each_refusal(call, check, "fastconv", kinds=KINDS)
    assert raised == total > 0, f"{name}: {total} refused, {raised} raised"
    print(name, total)
print("done")
"""


@pytest.mark.parametrize("framework", [TORCH, TENSORFLOW], ids=["torch", "tensorflow"])
def test_memory_is_refused_inside_a_framework(framework: str, preloaded: Path):
    printed = run(HEAD + framework + SWEEPS, preloaded)
    print(printed)
    assert printed.endswith("done\n")
