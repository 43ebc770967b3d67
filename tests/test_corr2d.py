# SPDX-License-Identifier: BSD-3-Clause
"""Correlation against the oracle: every instruction set, algorithm, layout and dtype over every geometry."""

import numpy as np
import pytest
from cases import CASES, DTYPES, LAYOUTS, Case, drawn_cases, each_algorithm, expected, problem, spread
from guard import check_inputs, guarded, guarded_copy
from hypothesis import given
from hypothesis import strategies as st
from numerics import assert_close, fresh_rng, random_array
from reference import corr2d

import fastconv


def run_guarded(case: Case, layout: str, dtype: str) -> dict[str, np.ndarray]:
    """Correlate between guard bytes by every algorithm that takes the case."""
    p = problem(case, layout, dtype)
    x, w = guarded_copy(p.x), guarded_copy(p.w)
    bias = None if p.bias is None else guarded_copy(p.bias)

    def call(name: str) -> np.ndarray:
        out = guarded(case.y_shape(layout), p.dtype)
        options = {**case.options, "layout": layout, "algorithm": name, "out": out.array}
        y = fastconv.corr2d(x.array, w.array, bias and bias.array, **options)
        assert y is out.array, f"{name}: the result is not out="
        check_inputs(x, w, bias, what=name)
        return out.check(name)

    return each_algorithm("corr2d", call)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_matches_the_oracle(isa: str, dtype: str, layout: str, case: Case):
    (reference,) = expected("corr2d", case, layout, dtype)
    for name, y in run_guarded(case, layout, dtype).items():
        assert y.dtype == problem(case, layout, dtype).dtype
        assert_close(y, reference, f"{isa} {name} {layout} {case}", spread("corr2d", case, dtype))


@given(data=st.data())
def test_matches_the_oracle_on_drawn_geometries(isa: str, data: st.DataObject):
    case, layout = data.draw(drawn_cases()), data.draw(st.sampled_from(LAYOUTS))
    dtype = data.draw(st.sampled_from(DTYPES))
    (reference,) = expected("corr2d", case, layout, dtype)
    for name, y in run_guarded(case, layout, dtype).items():
        assert_close(y, reference, f"{isa} {name} {layout} {case!r}", spread("corr2d", case, dtype))


def test_every_algorithm_takes_part(isa: str):
    taken = {layout: set() for layout in LAYOUTS}
    for layout in LAYOUTS:
        for case in CASES:
            taken[layout] |= set(run_guarded(case, layout, "float32"))
    every = set(fastconv.algorithms("corr2d"))
    assert set.union(*taken.values()) - {"auto"} == every, "an algorithm declined every case of the table"
    for layout in LAYOUTS:
        assert taken[layout] - {"auto", "direct"}, f"{layout}: every algorithm but direct declined every case"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elementwise_bound(isa: str, dtype: str, layout: str):
    """Direct summation and the implicit GEMM err by less than K roundings of the sum of magnitudes at every element."""
    rng = fresh_rng("elementwise", dtype, layout)
    case = Case("elementwise", (2, 120, 9, 10), (19, 3, 3), padding=((1, 1), (1, 1)))
    p = problem(case, layout, dtype)
    x = p.x * np.exp(4 * rng.standard_normal(p.x.shape)).astype(dtype)
    options = {**case.options, "layout": layout}
    exact = [a.astype(np.longdouble) for a in (x, p.w, p.bias)]
    reference, bound = corr2d(*exact, **options), corr2d(*map(np.abs, exact), **options)
    bound *= (120 * 9 + 1) * np.finfo(dtype).eps / 2
    results = each_algorithm("corr2d", lambda name: fastconv.corr2d(x, p.w, p.bias, **options, algorithm=name))
    bounded = [name for name in results if name == "direct" or name.startswith("implicit_gemm")]
    assert len(bounded) > 1, f"no implicit GEMM among {list(results)}"
    for name in bounded:
        excess = np.max(np.abs(results[name] - reference) / bound)
        assert excess <= 1, f"{isa} {name} {layout}: the error is {excess:.3g} times its bound"


def test_auto_is_one_of_the_algorithms(isa: str):
    case = CASES[7]
    for layout in LAYOUTS:
        results = run_guarded(case, layout, "float32")
        auto = results.pop("auto").tobytes()
        assert auto in [y.tobytes() for y in results.values()], f"{layout}: auto is none of {list(results)}"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
def test_results_larger_than_every_block(isa: str, layout: str, dtype: str):
    """A problem of several million multiplications, so that work is split over threads and blocks."""
    case = Case("large", (2, 40, 21, 23), (70, 3, 3), padding=((1, 1), (1, 1)))
    (reference,) = expected("corr2d", case, layout, dtype)
    fastconv.set_num_threads(3)
    for name, y in run_guarded(case, layout, dtype).items():
        assert_close(y, reference, f"{isa} {name} {layout}")


def test_the_checks_of_this_file_can_fail():
    """A wrong element, a write outside and a changed input are each noticed."""
    (reference,) = expected("corr2d", CASES[0], "NCHW", "float64")
    wrong = reference.copy()
    wrong[0, 0, 1, 1] *= 1 + 1e-12
    with pytest.raises(AssertionError, match="relative error"):
        assert_close(wrong, reference, "wrong")
    out = guarded((3,), "float32")
    assert np.isnan(out.array).all()
    out.buffer[-200] = 0
    with pytest.raises(AssertionError, match="wrote after"):
        out.check("overrun")
    copy = guarded_copy(random_array(fresh_rng(), (4,), "int8"))
    copy.array[1] ^= 1
    with pytest.raises(AssertionError, match="input was changed"):
        check_inputs(copy, what="changed")
