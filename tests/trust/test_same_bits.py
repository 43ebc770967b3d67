# SPDX-License-Identifier: BSD-3-Clause
"""The table "The same bits" of docs/numerics.md, line by line: what must not show in a result.

`tests/test_reproducible.py` holds every algorithm of every instruction set to the same, one setting at a time; here all
that may change at once does, and the front ends meet.
"""

import os
import random
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
import torch
from numerics import assert_same_bits
from operators import GEOMETRIES, LAYOUTS, OPERATORS, Arrays, Geometry, arrays, call
from variants import VARIANTS

import fastconv
import fastconv.tensorflow as fct
import fastconv.torch as ft

EVERY_GEOMETRY = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
THREADS = (1, 2, 3, 4, 5, 7, 8, 11, 16)


def one_image(a: np.ndarray) -> np.ndarray:
    """The first axis, of one element, with a stride that leads nowhere."""
    return np.lib.stride_tricks.as_strided(a, a.shape, (-(2**50) - 1, *a.strides[1:]))


LAID_OUT = {name: VARIANTS[name] for name in ("steps", "reversed", "fortran", "row-padding", "misaligned")}


@pytest.mark.parametrize("layout", LAYOUTS)
@EVERY_GEOMETRY
def test_threads_strides_and_repetition_all_at_once(geometry: Geometry, layout: str, isa: str):
    rng = random.Random(f"{geometry} {layout} {isa}")
    a = arrays(geometry, layout)
    fastconv.set_num_threads(1)
    alone = {op: call(op, geometry, layout, a) for op in OPERATORS}
    for threads in THREADS:
        fastconv.set_num_threads(threads)
        for op in OPERATORS:
            names = {key: rng.choice(list(LAID_OUT)) for key in a}
            changed = {key: LAID_OUT[names[key]](value) for key, value in a.items()}
            assert_same_bits(call(op, geometry, layout, changed), alone[op], f"{op}, {threads} threads, {names}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
def test_axes_of_one_element_with_wild_strides(op: str, layout: str):
    geometry = GEOMETRIES[0]
    a = {name: v if name in ("w", "bias") else v[:1] for name, v in arrays(geometry, layout).items()}
    changed = {name: v if name in ("w", "bias") else one_image(v) for name, v in a.items()}
    assert_same_bits(call(op, geometry, layout, changed), call(op, geometry, layout, a), op)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
def test_strides_of_zero(op: str, layout: str):
    """All images of a batch are one, without a copy."""
    geometry = GEOMETRIES[0]
    whole = arrays(geometry, layout)
    fixed = ("w", "bias")
    one = {name: v if name in fixed else np.broadcast_to(v[:1], v.shape) for name, v in whole.items()}
    copied = {name: np.ascontiguousarray(v) for name, v in one.items()}
    assert_same_bits(call(op, geometry, layout, one), call(op, geometry, layout, copied), op)


@pytest.mark.parametrize("layout", LAYOUTS)
@EVERY_GEOMETRY
def test_any_split_of_the_batch(geometry: Geometry, layout: str):
    fastconv.set_batch_invariant(True)
    a = arrays(geometry, layout)
    for op in OPERATORS:
        if op == "corr2d_weight_grad":
            continue  # sums over the batch
        whole = call(op, geometry, layout, a)
        for size in range(1, geometry.n):
            parts = [
                call(op, geometry, layout, {n: v if n in ("w", "bias") else v[i : i + size] for n, v in a.items()})
                for i in range(0, geometry.n, size)
            ]
            assert_same_bits(np.concatenate(parts), whole, f"{op} in parts of {size}")


# ---- front ends ------------------------------------------------------------------------------------------------------


def by_torch(g: Geometry, a: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    x, w, bias, grad_y, grad_pooled = (
        torch.from_numpy(a[name].copy()) for name in ("x", "w", "bias", "grad_y", "grad_pooled")
    )
    x.requires_grad_()
    w.requires_grad_()
    y = ft.corr2d(x, w, bias, g.stride, g.kernel // 2, 1, g.groups)
    yield "corr2d", y.detach().numpy()
    grad_x, grad_w = torch.autograd.grad(y, (x, w), grad_y)
    yield "corr2d_input_grad", grad_x.numpy()
    yield "corr2d_weight_grad", grad_w.numpy()
    for name, pool in (("max_pool2d", ft.max_pool2d), ("avg_pool2d", ft.avg_pool2d)):
        y = pool(x, 3, 2, 1)
        yield name, y.detach().numpy()
        yield f"{name}_grad", torch.autograd.grad(y, x, grad_pooled)[0].numpy()


def by_tensorflow(g: Geometry, a: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    x, w, bias, grad_y, grad_pooled = (tf.constant(a[name]) for name in ("x", "w", "bias", "grad_y", "grad_pooled"))
    half = g.kernel // 2
    pads, ones = [[0, 0], [half, half], [half, half], [0, 0]], [[0, 0], [1, 1], [1, 1], [0, 0]]
    with tf.GradientTape() as tape:
        tape.watch((x, w))
        y = fct.corr2d(x, w, g.stride, pads, groups=g.groups, bias=bias)
    grad_x, grad_w = tape.gradient(y, (x, w), grad_y)
    yield "corr2d", y.numpy()
    yield "corr2d_input_grad", grad_x.numpy()
    yield "corr2d_weight_grad", grad_w.numpy()
    pools: list[tuple[str, Callable]] = [
        ("max_pool2d", partial(fct.max_pool2d, ksize=3, strides=2, padding=ones)),
        ("avg_pool2d", partial(fastconv.avg_pool2d, pool_size=3, stride=2, padding=1, layout="NHWC")),
    ]
    for name, pool in pools:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = pool(x)
        yield name, y.numpy()
        yield f"{name}_grad", tape.gradient(y, x, grad_pooled).numpy()


@pytest.mark.parametrize(("framework", "layout"), [("torch", "NCHW"), ("tensorflow", "NHWC")])
@EVERY_GEOMETRY
def test_front_ends(geometry: Geometry, framework: str, layout: str, isa: str):
    a = arrays(geometry, layout)
    results = dict(by_torch(geometry, a) if framework == "torch" else by_tensorflow(geometry, a))
    assert set(results) == set(OPERATORS)
    for op, result in results.items():
        assert_same_bits(result, call(op, geometry, layout, a), f"{framework} {op}")


# ---- processes -------------------------------------------------------------------------------------------------------


def checksum() -> int:
    crc = 0
    for geometry in GEOMETRIES:
        for layout in LAYOUTS:
            for op in OPERATORS:
                crc = zlib.crc32(call(op, geometry, layout, arrays(geometry, layout)).tobytes(), crc)
    return crc


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child(isa: str):
    """The child answers through a pipe, with another number of threads."""
    fastconv.set_num_threads(3)
    mine = checksum()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        fastconv.set_num_threads(2)
        os.write(writing, checksum().to_bytes(4, "little"))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = int.from_bytes(pipe.read(), "little")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert theirs == mine
