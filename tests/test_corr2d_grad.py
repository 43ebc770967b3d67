# SPDX-License-Identifier: BSD-3-Clause
"""Both gradients of correlation: against the oracle, by finite differences, and their forms of call."""

import numpy as np
import pytest
import reference as ref
from cases import CASES, DTYPES, LAYOUTS, Case, drawn_cases, each_algorithm, expected, pad, problem, spread
from guard import check_inputs, guarded, guarded_copy
from hypothesis import given
from hypothesis import strategies as st
from numerics import assert_close, assert_same_bits, fresh_rng

import fastconv

GRADIENTS = ("corr2d_input_grad", "corr2d_weight_grad")


def run_guarded(op: str, case: Case, layout: str, dtype: str) -> dict[str, np.ndarray]:
    """Compute one gradient between guard bytes by every algorithm that takes the case."""
    p = problem(case, layout, dtype)
    other, shape = (p.w, p.x.shape) if op == "corr2d_input_grad" else (p.x, p.w.shape)
    grad_y, array = guarded_copy(p.grad_y), guarded_copy(other)

    def call(name: str) -> np.ndarray:
        out = guarded(shape, p.dtype)
        options = {**case.options, "layout": layout, "algorithm": name, "out": out.array}
        result = getattr(fastconv, op)(grad_y.array, array.array, shape, **options)
        assert result is out.array, f"{name}: the result is not out="
        check_inputs(grad_y, array, what=name)
        return out.check(name)

    return each_algorithm(op, call)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", GRADIENTS)
def test_matches_the_oracle(isa: str, op: str, dtype: str, layout: str, case: Case):
    reference = expected(op, case, layout, dtype)[0]
    for name, gradient in run_guarded(op, case, layout, dtype).items():
        assert_close(gradient, reference, f"{isa} {op} {name} {layout} {case}", spread(op, case, dtype))


@given(data=st.data())
def test_matches_the_oracle_on_drawn_geometries(isa: str, data: st.DataObject):
    case, layout = data.draw(drawn_cases()), data.draw(st.sampled_from(LAYOUTS))
    op, dtype = data.draw(st.sampled_from(GRADIENTS)), data.draw(st.sampled_from(DTYPES))
    reference = expected(op, case, layout, dtype)[0]
    for name, gradient in run_guarded(op, case, layout, dtype).items():
        assert_close(gradient, reference, f"{isa} {op} {name} {layout} {case!r}", spread(op, case, dtype))


@pytest.mark.parametrize("op", GRADIENTS)
def test_every_algorithm_takes_part(isa: str, op: str):
    taken = {layout: set() for layout in LAYOUTS}
    for layout in LAYOUTS:
        for case in CASES:
            taken[layout] |= set(run_guarded(op, case, layout, "float32"))
    every = set(fastconv.algorithms(op))
    if isa in ("scalar", "avx2"):
        every -= {"phases", "runs"}  # for which they have too few registers
    assert set.union(*taken.values()) - {"auto"} == every, "an algorithm declined every case of the table"
    for layout in LAYOUTS:
        fast = taken[layout] - {"auto", "direct"}
        assert fast or every == {"direct"}, f"{layout}: every algorithm but direct declined every case"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
@pytest.mark.parametrize("op", GRADIENTS)
def test_results_larger_than_every_block(isa: str, op: str, layout: str, dtype: str):
    case = Case("large", (2, 40, 21, 23), (70, 3, 3), padding=((1, 1), (1, 1)))
    reference = expected(op, case, layout, dtype)[0]
    fastconv.set_num_threads(3)
    for name, y in run_guarded(op, case, layout, dtype).items():
        assert_close(y, reference, f"{isa} {op} {name} {layout}")


def sizes_a_filter(grad_y: np.ndarray, layout: str) -> np.ndarray:
    """Sum the sizes of what each filter's bias gradient adds up: the sum itself may cancel."""
    return np.abs(grad_y.astype(np.float64)).sum((0, 2, 3) if layout == "NCHW" else (0, 1, 2))


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_bias_gradient(dtype: str, layout: str, case: Case):
    p = problem(case, layout, dtype)
    options = {**case.options, "layout": layout}
    grad_w, grad_bias = fastconv.corr2d_weight_grad(p.grad_y, p.x, p.w.shape, **options, with_bias=True)
    alone = fastconv.corr2d_weight_grad(p.grad_y, p.x, p.w.shape, **options)
    assert_same_bits(grad_w, alone, "grad_w with and without the bias gradient")
    assert grad_bias.dtype == grad_w.dtype
    reference = expected("corr2d_weight_grad", case, layout, dtype)[1]
    assert_close(grad_bias, reference, f"{layout} {case}", sizes_a_filter(p.grad_y, layout))


@pytest.mark.parametrize("case", [case for case in CASES if 0 < np.prod(case.x) < 2000], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_finite_differences(layout: str, case: Case):
    """The derivative along random directions, by central differences of the library's own forward operator."""
    p = problem(case, layout, "float64")
    options = {**case.options, "layout": layout}
    rng = fresh_rng("differences", case.id)
    dx, dw, db = rng.standard_normal(p.x.shape), rng.standard_normal(p.w.shape), rng.standard_normal(case.w[0])
    bias = np.zeros(case.w[0])

    def loss(step: float) -> float:
        y = fastconv.corr2d(p.x + step * dx, p.w + step * dw, bias + step * db, **options)
        return float(np.vdot(y, p.grad_y))

    grad_x = fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **options)
    grad_w, grad_bias = fastconv.corr2d_weight_grad(p.grad_y, p.x, p.w.shape, **options, with_bias=True)
    analytic = np.vdot(grad_x, dx) + np.vdot(grad_w, dw) + np.vdot(grad_bias, db)
    step = 0.5  # the loss is quadratic along a line: central differences are exact for any step
    size = np.linalg.norm(p.grad_y) * (1 + np.abs(p.w).sum()) * (1 + np.linalg.norm(p.x) + np.linalg.norm(dx))
    assert abs((loss(step) - loss(-step)) / (2 * step) - analytic) <= 1e-13 * (1 + size)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("c", "o"), [(3, 4), (3, 1), (1, 1)], ids=["3 to 3", "3 to 2", "2 to 2"])
def test_lower_ranks(layout: str, c: int, o: int):
    rng = fresh_rng("gradient ranks")
    options = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "layout": layout}
    x = ref.images(rng.standard_normal((1, c, 7, 6)), layout)
    w = ref.weights(rng.standard_normal((o, c, 3, 2)), layout)
    grad_y = rng.standard_normal(ref.corr2d(x, w, **options).shape)
    low_x, low_w, low_y = (np.squeeze(a) for a in (x, w, grad_y))
    grad_x = fastconv.corr2d_input_grad(low_y, low_w, low_x.shape, **options)
    grad_w, grad_bias = fastconv.corr2d_weight_grad(low_y, low_x, low_w.shape, **options, with_bias=True)
    ref_w, ref_bias = ref.corr2d_weight_grad(grad_y, x, w.shape, **options)
    assert_close(grad_x, np.squeeze(ref.corr2d_input_grad(grad_y, w, x.shape, **options)), "grad_x")
    assert_close(grad_w, np.squeeze(ref_w), "grad_w")
    assert_close(np.atleast_1d(grad_bias), ref_bias, "grad_bias", sizes_a_filter(grad_y, layout))


@pytest.mark.parametrize("padding", ["same", "same_lower", "valid", 1, (2, 1)], ids=repr)
def test_padding_spellings(padding: object):
    rng = fresh_rng("gradient padding")
    x, w = rng.standard_normal((2, 3, 8, 7)), rng.standard_normal((4, 3, 4, 3))
    y = fastconv.corr2d(x, w, stride=2, padding=padding)
    grad_y = rng.standard_normal(y.shape)
    by_x = np.vdot(fastconv.corr2d_input_grad(grad_y, w, x.shape, stride=2, padding=padding), x)
    by_w = np.vdot(fastconv.corr2d_weight_grad(grad_y, x, w.shape, stride=2, padding=padding), w)
    np.testing.assert_allclose([by_x, by_w], np.vdot(y, grad_y), atol=1e-11)


def test_shapes_may_be_lists_of_numpy_integers():
    rng = fresh_rng("shapes")
    x, w, grad_y = (
        rng.standard_normal((1, 2, 5, 5)),
        rng.standard_normal((3, 2, 2, 2)),
        rng.standard_normal((1, 3, 4, 4)),
    )
    for convert in (list, np.array):
        grad_x = fastconv.corr2d_input_grad(grad_y, w, convert(x.shape))
        assert_same_bits(grad_x, fastconv.corr2d_input_grad(grad_y, w, x.shape), "x_shape")
        grad_w = fastconv.corr2d_weight_grad(grad_y, x, convert(w.shape))
        assert_same_bits(grad_w, fastconv.corr2d_weight_grad(grad_y, x, w.shape), "w_shape")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("channels", "filters", "side", "dilation"),
    [(128, 512, 24, 1), (64, 512, 16, 1), (64, 500, 24, 2), (64, 400, 24, 2)],
)
def test_a_phase_that_is_small_though_the_whole_is_not(
    isa: str, channels: int, filters: int, side: int, dilation: int, layout: str
):
    case = Case(
        f"phases-{filters}-{side}",
        (1, channels, side, side),
        (filters, 3, 3),
        stride=(2, 2),
        padding=pad(dilation),
        dilation=(dilation, dilation),
    )
    p = problem(case, layout, "float32")
    fastconv.set_num_threads(2)
    grad_x = fastconv.corr2d_input_grad(p.grad_y, p.w, p.x.shape, **case.options, layout=layout)
    assert_close(grad_x, expected("corr2d_input_grad", case, layout, "float32")[0], f"{isa} {layout} {case}")
