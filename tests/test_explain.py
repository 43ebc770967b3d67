# SPDX-License-Identifier: BSD-3-Clause
"""What explain() tells is what happens: the algorithm, the refusals, the work and the memory."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from cases import CASES, LAYOUTS, Case, problem
from numerics import BFLOAT16, same_bits
from operators import GEOMETRIES, OPERATORS, POOL, Geometry, arrays, call

import fastconv

DTYPES = {"float32": "float32", "float64": "float64", "int8": "int32", "int64": "int64"}  # computed in


def explain(case: Case, layout: str, dtype: str) -> Any:
    return fastconv.explain(
        "corr2d", case.x_shape(layout), case.w_shape(layout), **case.options, layout=layout, dtype=dtype
    )


@pytest.mark.parametrize("op", OPERATORS)
def test_algorithms_end_with_direct(op: str):
    names = fastconv.algorithms(op)
    assert isinstance(names, tuple)
    assert names[-1] == "direct"
    assert len(set(names)) == len(names)
    assert "auto" not in names


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_tells_what_happens(isa: str, dtype: str, layout: str, case: Case):
    told, p = explain(case, layout, DTYPES[dtype]), problem(case, layout, dtype)
    options = {**case.options, "layout": layout}
    assert told.algorithm in fastconv.algorithms("corr2d")
    assert told.algorithm not in {**told.declined, **told.passed_over}
    auto = fastconv.corr2d(p.x, p.w, p.bias, **options)
    assert same_bits(auto, fastconv.corr2d(p.x, p.w, p.bias, **options, algorithm=told.algorithm)), "auto took another"
    for name, reason in told.declined.items():
        assert reason, f"{name} declined without a reason"
        with pytest.raises(ValueError, match="declines") as caught:
            fastconv.corr2d(p.x, p.w, p.bias, **options, algorithm=name)
        assert reason in str(caught.value), f"{reason!r} is not told by {caught.value}"
        assert name in str(caught.value)
    names = fastconv.algorithms("corr2d")
    for name in names[: names.index(told.algorithm)]:
        assert (name in told.declined) != (name in told.passed_over), f"why not {name}?"
    for name in told.passed_over:
        fastconv.corr2d(p.x, p.w, p.bias, **options, algorithm=name)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_flops_and_workspace(layout: str, case: Case):
    told = explain(case, layout, "float32")
    taps = int(np.prod(case.w_shape()[1:]))
    assert told.flops == 2 * taps * int(np.prod(case.y_shape())), "two for each product and sum, bias aside"
    weights = 4 * int(np.prod(case.w_shape()))
    limit = 16 * 2**20 * fastconv.get_num_threads() + 8 * weights + 4 * int(np.prod(case.x))
    assert 0 <= told.workspace_bytes <= limit, f"{told.workspace_bytes} bytes of workspace"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_every_operation_is_explained(isa: str, geometry: Geometry, op: str, layout: str):
    a = arrays(geometry, layout)
    if op.startswith("corr2d"):
        told = fastconv.explain(op, a["x"].shape, a["w"].shape, **geometry.corr, layout=layout)
    else:
        told = fastconv.explain(op, a["x"].shape, 3, **POOL, layout=layout)
    auto = call(op, geometry, layout, a)
    assert same_bits(auto, call(op, geometry, layout, a, told.algorithm)), f"{isa} {op}: auto is not {told.algorithm}"
    for name, reason in told.declined.items():
        with pytest.raises(ValueError, match="declines") as caught:
            call(op, geometry, layout, a, name)
        assert reason in str(caught.value)
    assert set(told.declined) | {told.algorithm, "direct"} <= set(fastconv.algorithms(op))
    assert told.flops > 0
    assert told.workspace_bytes < 32 * 2**20


def test_no_full_im2col():
    """The columns of this problem would take 1.8 GB."""
    told = fastconv.explain("corr2d", (32, 64, 56, 56), (64, 64, 5, 3), padding="same")
    assert told.workspace_bytes <= (16 * 2**20) * fastconv.get_num_threads() + 8 * 4 * 64 * 64 * 15


def test_the_choice_looks_at_neither_threads_nor_arrays():
    case = CASES[7]
    told = []
    for threads in (1, 2, 16):
        fastconv.set_num_threads(threads)
        told.append(explain(case, "NCHW", "float32").algorithm)
    assert len(set(told)) == 1, f"the algorithm depends on the number of threads: {told}"


def test_batch_invariant_mode_is_told():
    fastconv.set_batch_invariant(True)
    for side in (1, 4, 14, 56):
        told = {
            fastconv.explain("corr2d", (n, 32, side, side), (32, 32, 3, 3), padding=1).algorithm for n in (1, 2, 8, 64)
        }
        assert len(told) == 1, f"the algorithm depends on the batch: {told}"


def test_it_is_frozen_and_readable():
    told = fastconv.explain("corr2d", (1, 3, 8, 8), (4, 3, 3, 3))
    assert dataclasses.is_dataclass(told)
    assert {"algorithm", "declined", "flops", "workspace_bytes"} <= {field.name for field in dataclasses.fields(told)}
    with pytest.raises(dataclasses.FrozenInstanceError):
        told.algorithm = "another"
    text = str(told)
    assert told.algorithm in text
    for name, reason in told.declined.items():
        assert name in text
        assert reason in text
    assert not text.startswith("Explanation("), "str() is the dataclass's own"


@pytest.mark.parametrize("rank", [2, 3])
def test_lower_ranks(rank: int):
    x_shape, w_shape = ((9, 8), (3, 2)) if rank == 2 else ((5, 9, 8), (4, 5, 3, 2))
    full = fastconv.explain(
        "corr2d", (1, 1, 9, 8) if rank == 2 else (1, 5, 9, 8), (1, 1, 3, 2) if rank == 2 else w_shape
    )
    assert fastconv.explain("corr2d", x_shape, w_shape) == full


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        (((1, 3, 8, 8), (4, 3, 9, 9)), {}, "kernel|w"),
        (((1, 3, 8, 8), (4, 2, 3, 3)), {}, "w|x|groups"),
        (((1, 3, 8, 8), (4, 3, 3, 3)), {"stride": 0}, "stride"),
        (((1, 3, 8, 8), (4, 3, 3, 3)), {"layout": "HW"}, "layout"),
        (((1, 2**40, 2**40, 8), (4, 2**40, 3, 3)), {}, "x"),
    ],
)
def test_it_refuses_what_the_call_refuses(arguments: tuple, options: dict, word: str):
    with pytest.raises(ValueError, match=word):
        fastconv.explain("corr2d", *arguments, **options)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float16", BFLOAT16, "int16"], ids=str)
def test_it_takes_the_dtypes_of_arrays(dtype: object):
    # int32 with int32 is computed in int64: only eight bits are computed in int32.
    computed = "float32" if dtype in ("float16", BFLOAT16) else "int64" if dtype == "int16" else "int8"
    told = fastconv.explain("corr2d", (1, 9, 8, 8), (4, 9, 3, 3), dtype=computed)
    assert fastconv.explain("corr2d", (1, 9, 8, 8), (4, 9, 3, 3), dtype=dtype).algorithm == told.algorithm


@pytest.mark.parametrize("dtype", ["complex64", "uint64", object])
def test_it_refuses_dtypes(dtype: object):
    with pytest.raises(TypeError):
        fastconv.explain("corr2d", (3, 3), (2, 2), dtype=dtype)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("power", [30, 40, 50])
def test_a_stride_of_any_size_takes_no_time(power: int, layout: str):
    kernel, stride = 2**power, 2 ** (power - 1)
    x, w = ((1, 1, 1, 4), (1, 1, 1, kernel)) if layout == "NCHW" else ((1, 1, 4, 1), (1, kernel, 1, 1))
    options = {"stride": (1, stride), "padding": ((0, 0), (kernel - 1, 0)), "layout": layout}
    assert fastconv.explain("corr2d_input_grad", x, w, **options).algorithm


def test_rows_make_no_gradient_of_an_output_that_is_small_beside_the_kernel():
    for side, taken in ((20, False), (80, True)):
        told = fastconv.explain("corr2d_input_grad", (8, 8, side, side), (16, 8, 9, 9))
        reason = told.passed_over.get("padded_rows")
        assert (reason is None) is taken, told
        assert taken or reason == "the output is small beside the kernel", told
