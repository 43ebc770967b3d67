# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of pooling: against the oracle, by finite differences, and the refusal of wrong indices."""

import numpy as np
import pytest
from cases import each_algorithm
from guard import check_inputs, guarded, guarded_copy
from hypothesis import given
from hypothesis import strategies as st
from numerics import assert_close, assert_same_bits, fresh_rng
from pool_cases import LAYOUTS, POOL_CASES, PoolCase, drawn_pool_cases

import fastconv

FLOATS = ("float32", "float64")


def check_max(case: PoolCase, layout: str, dtype: str, what: str) -> None:
    """Scatter through the oracle's indices, between guard bytes."""
    images, gradient = case.arrays(layout, dtype)
    _, index = case.expected("max_pool2d", layout, dtype)
    grad_y, indices = guarded_copy(gradient), guarded_copy(index)

    def call(name: str) -> np.ndarray:
        out = guarded(images.shape, dtype)
        options = {"layout": layout, "algorithm": name, "out": out.array}
        result = fastconv.max_pool2d_grad(grad_y.array, indices.array, images.shape, **options)
        assert result is out.array, f"{name}: the result is not out="
        check_inputs(grad_y, indices, what=name)
        return out.check(name)

    for name, grad_x in each_algorithm("max_pool2d_grad", call).items():
        assert grad_x.dtype == np.dtype(dtype)
        (reference,) = case.expected("max_pool2d_grad", layout, dtype)
        assert_close(grad_x, reference, f"{what} {name} {layout} {case!r}")


def check_avg(case: PoolCase, layout: str, dtype: str, what: str) -> None:
    """Spread the gradient as the oracle does."""
    images, gradient = case.arrays(layout, dtype)
    grad_y, options = guarded_copy(gradient), {**case.avg_options, "layout": layout}

    def call(name: str) -> np.ndarray:
        out = guarded(images.shape, dtype)
        result = fastconv.avg_pool2d_grad(
            grad_y.array, case.kernel, images.shape, **options, algorithm=name, out=out.array
        )
        assert result is out.array, f"{name}: the result is not out="
        check_inputs(grad_y, what=name)
        return out.check(name)

    for name, grad_x in each_algorithm("avg_pool2d_grad", call).items():
        assert grad_x.dtype == np.dtype(dtype)
        (reference,) = case.expected("avg_pool2d_grad", layout, dtype)
        assert_close(grad_x, reference, f"{what} {name} {layout} {case!r}")


CHECKS = {"max": check_max, "avg": check_avg}


@pytest.mark.parametrize("case", POOL_CASES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("mode", CHECKS)
def test_matches_the_oracle(isa: str, mode: str, dtype: str, layout: str, case: PoolCase):
    CHECKS[mode](case, layout, dtype, isa)


@given(data=st.data())
@pytest.mark.parametrize("mode", CHECKS)
def test_matches_the_oracle_on_drawn_geometries(isa: str, mode: str, data: st.DataObject):
    case, layout = data.draw(drawn_pool_cases()), data.draw(st.sampled_from(LAYOUTS))
    CHECKS[mode](case, layout, data.draw(st.sampled_from(FLOATS)), isa)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", CHECKS)
def test_images_larger_than_every_block(isa: str, mode: str, layout: str):
    fastconv.set_num_threads(3)
    case = PoolCase("large", (3, 37, 61, 59), (3, 3), (2, 2), ((1, 1), (1, 1)))
    CHECKS[mode](case, layout, "float32", isa)


@pytest.mark.parametrize("op", ["max_pool2d_grad", "avg_pool2d_grad"])
def test_every_algorithm_takes_part(isa: str, op: str):
    taken: set[str] = set()
    for layout in LAYOUTS:
        for case in POOL_CASES:
            images, grad_y = case.arrays(layout, "float32")
            index = case.expected("max_pool2d", layout, "float32")[1]
            if op == "max_pool2d_grad":
                arguments, options = (grad_y, index, images.shape), {"layout": layout}
            else:
                arguments, options = (grad_y, case.kernel, images.shape), {**case.avg_options, "layout": layout}
            call = getattr(fastconv, op)
            taken |= set(each_algorithm(op, lambda name: call(*arguments, **options, algorithm=name)))  # noqa: B023
    assert taken - {"auto"} == set(fastconv.algorithms(op)), "an algorithm declined every case of the table"


@pytest.mark.parametrize("case", [case for case in POOL_CASES if 0 < np.prod(case.x) < 2000], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_finite_differences(layout: str, case: PoolCase):
    """Along one random direction; the images have no ties, and the step is smaller than their least distance."""
    rng = fresh_rng("pool differences", case.id)
    shape = case.x_shape(layout)
    x = rng.permutation(np.prod(shape)).reshape(shape).astype(np.float64)
    direction = rng.uniform(-1, 1, shape)
    y, index = fastconv.max_pool2d(x, case.kernel, **case.max_options, layout=layout, return_indices=True)
    held = index >= 0
    grad_y = rng.standard_normal(y.shape)
    up, down = (
        fastconv.max_pool2d(x + step * direction, case.kernel, **case.max_options, layout=layout)
        for step in (0.25, -0.25)
    )
    grad_x = fastconv.max_pool2d_grad(grad_y, index, shape, layout=layout)
    numeric = np.vdot((up[held] - down[held]) / 0.5, grad_y[held])
    np.testing.assert_allclose(np.vdot(grad_x, direction), numeric, rtol=1e-9, atol=1e-9)

    options = {**case.avg_options, "layout": layout}
    up, down = (fastconv.avg_pool2d(x + step * direction, case.kernel, **options) for step in (0.25, -0.25))
    grad_x = fastconv.avg_pool2d_grad(grad_y, case.kernel, shape, **options)
    numeric = np.vdot(np.nan_to_num((up - down) / 0.5), grad_y)
    np.testing.assert_allclose(np.vdot(grad_x, direction), numeric, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rank", [2, 3])
def test_lower_ranks(layout: str, rank: int):
    rng = fresh_rng("pool gradient ranks")
    shape = (1, 8, 9, 1 if rank == 2 else 4) if layout == "NHWC" else (1, 1 if rank == 2 else 4, 8, 9)
    low = (8, 9) if rank == 2 else shape[1:]
    x = rng.standard_normal(shape)
    options = {"padding": ((1, 0), (1, 0)), "layout": layout}
    y, index = fastconv.max_pool2d(x, 2, **options, return_indices=True)
    grad_y = rng.standard_normal(y.shape)
    low_y = y.shape[2:] if layout == "NCHW" else y.shape[1:3]
    low_y = low_y if rank == 2 else y.shape[1:]
    grad_x = fastconv.max_pool2d_grad(grad_y.reshape(low_y), index.reshape(low_y), low, layout=layout)
    assert_same_bits(grad_x, fastconv.max_pool2d_grad(grad_y, index, shape, layout=layout).reshape(low), "max")
    grad_x = fastconv.avg_pool2d_grad(grad_y.reshape(low_y), 2, low, **options)
    assert_same_bits(grad_x, fastconv.avg_pool2d_grad(grad_y, 2, shape, **options).reshape(low), "avg")


def test_indices_that_repeat_add_up():
    index = np.array([[3, 3], [3, -1]])
    grad_x = fastconv.max_pool2d_grad(np.array([[1.0, 2], [4, 8]]), index, (2, 2))
    np.testing.assert_array_equal(grad_x, [[0, 0], [0, 7]])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint8", "uint16", "uint32", ">i8", ">i4"])
def test_indices_of_every_integer_type(dtype: str):
    index = np.array([[0, 3], [3, 1]]).astype(dtype)
    grad_x = fastconv.max_pool2d_grad(np.array([[1.0, 2], [4, 8]]), index, (2, 2))
    np.testing.assert_array_equal(grad_x, [[1, 8], [0, 6]])


@pytest.mark.parametrize("algorithm", fastconv.algorithms("max_pool2d_grad"))
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("wrong", [-2, 30, 31, 2**31, 2**62, -(2**63)])
@pytest.mark.parametrize("place", [0, 13, 23])
def test_wrong_indices_are_refused_before_they_write(algorithm: str, layout: str, wrong: int, place: int):
    grad_y, index = np.ones((2, 2, 2, 3)), np.zeros((2, 2, 2, 3), np.int64)
    index.reshape(-1)[place] = wrong
    shape = (2, 2, 5, 6) if layout == "NCHW" else (2, 5, 6, 3)
    with pytest.raises(ValueError, match="indices") as caught:
        fastconv.max_pool2d_grad(grad_y, index, shape, layout=layout, algorithm=algorithm)
    assert "declines" not in str(caught.value), f"{algorithm} declined instead of judging the indices"
    assert str(wrong) in str(caught.value), f"the message does not tell the index {wrong}: {caught.value}"


@pytest.mark.parametrize("threads", [1, 3])
def test_the_first_of_many_wrong_indices_is_told(threads: int):
    """So many indices that threads share the judging; nothing is written to out=."""
    fastconv.set_num_threads(threads)
    grad_y, index = np.ones((1, 8, 200, 210)), np.zeros((1, 8, 200, 210), np.int64)
    index.reshape(-1)[[300_001, 300_002, 66_000]] = 9999, 8888, 7777
    out = np.full((1, 8, 50, 50), 5.0)
    with pytest.raises(ValueError, match=r"\bindices\b.*\b7777\b"):
        fastconv.max_pool2d_grad(grad_y, index, out.shape, out=out)
    assert (out == 5).all(), "wrote before it judged"
    index[index > 2500] = 2499
    grad_x = fastconv.max_pool2d_grad(grad_y, index, out.shape, out=out)
    assert grad_x[..., 0, 0].sum() == index.size - 3
    assert grad_x[..., -1, -1].sum() == 3
