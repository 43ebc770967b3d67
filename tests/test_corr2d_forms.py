# SPDX-License-Identifier: BSD-3-Clause
"""The forms of a call to corr2d: ranks, spellings of padding and sizes, prepared weights and out=."""

from collections.abc import Callable

import numpy as np
import pytest
import reference as ref
from cases import CASES, LAYOUTS, Case, each_algorithm, expected, pad, problem
from numerics import assert_close, assert_same_bits, fresh_rng

import fastconv

OPTIONS = {"stride": (1, 2), "padding": ((1, 0), (2, 1)), "dilation": (2, 1)}


def arrays(c: int, o: int, layout: str, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a batch of one image, a bank of 3x2 filters and a bias."""
    rng = fresh_rng("forms", c, o)
    x, w, bias = (rng.standard_normal(shape).astype(dtype) for shape in ((1, c, 9, 8), (o, c, 3, 2), (o,)))
    return ref.images(x, layout).copy(), ref.weights(w, layout).copy(), bias


def channel_axis(layout: str) -> int:
    return -1 if layout == "NHWC" else 0


def test_textbook_example():
    y = fastconv.corr2d(np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2))
    np.testing.assert_array_equal(y, [[19, 25], [37, 43]])
    y = fastconv.corr2d([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, [[19, 25], [37, 43]])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_textbook_channels(layout: str):
    x, k = np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2)
    axis = channel_axis(layout)
    xs, ks = np.stack([x, x + 1], axis), np.stack([k, k + 1], axis)
    y = fastconv.corr2d_multi_in(xs, ks, layout=layout)
    np.testing.assert_array_equal(y, [[56, 72], [104, 120]])
    y = fastconv.corr2d_multi_in_out(xs, np.stack([ks, ks + 1, ks + 2], axis), layout=layout)
    expected_y = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]
    np.testing.assert_array_equal(np.moveaxis(y, axis, 0), expected_y)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bias", [None, 0.5, [0.5], np.array(0.5), np.array([0.5])], ids=repr)
def test_rank_2(layout: str, bias: object):
    x, w, _ = arrays(1, 1, layout)
    y = fastconv.corr2d(x.reshape(9, 8), w.reshape(3, 2), bias, **OPTIONS, layout=layout)
    offset = None if bias is None else np.array([0.5])
    assert y.dtype == np.float32
    assert_close(y, ref.corr2d(x, w, offset, **OPTIONS, layout=layout).reshape(y.shape), layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", [fastconv.corr2d, fastconv.corr2d_multi_in])
def test_rank_3_summed_over_channels(layout: str, function: Callable):
    x, w, bias = arrays(5, 1, layout)
    one = w[..., 0] if layout == "NHWC" else w[0]
    y = function(x[0], one, bias, **OPTIONS, layout=layout)
    assert y.ndim == 2
    assert_close(y, ref.corr2d(x, w, bias, **OPTIONS, layout=layout).reshape(y.shape), layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("function", [fastconv.corr2d, fastconv.corr2d_multi_in_out])
def test_rank_3_with_output_channels(layout: str, function: Callable):
    x, w, bias = arrays(5, 4, layout)
    y = function(x[0], w, bias, **OPTIONS, layout=layout)
    assert_close(y, ref.corr2d(x, w, bias, **OPTIONS, layout=layout)[0], layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rank_3_with_groups(layout: str):
    rng = fresh_rng("rank 3 groups")
    x, w = rng.standard_normal((1, 6, 5, 5)), rng.standard_normal((4, 3, 2, 2))
    reference = ref.corr2d(x, w, groups=2)
    y = fastconv.corr2d(ref.images(x, layout)[0], ref.weights(w, layout), groups=2, layout=layout)
    assert_close(y, ref.images(reference, layout)[0], layout)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"stride": 2}, {"stride": (2, 2)}),
        ({"stride": [2, 3]}, {"stride": (2, 3)}),
        ({"stride": np.int64(2)}, {"stride": (np.int32(2), 2)}),
        ({"dilation": 2}, {"dilation": (2, 2)}),
        ({"dilation": np.array([1, 2])}, {"dilation": (1, 2)}),
        ({"padding": 1}, {"padding": ((1, 1), (1, 1))}),
        ({"padding": (2, 1)}, {"padding": ((2, 2), (1, 1))}),
        ({"padding": [[2, 0], [1, 3]]}, {"padding": ((2, 0), (1, 3))}),
        ({"padding": "valid"}, {"padding": 0}),
        ({"groups": np.int8(1)}, {}),
        ({"algorithm": "auto"}, {}),
    ],
    ids=lambda options: repr(options),
)
def test_spellings_of_one_thing(short: dict, long: dict):
    x, w, bias = arrays(3, 4, "NCHW")
    assert_same_bits(fastconv.corr2d(x, w, bias, **short), fastconv.corr2d(x, w, bias, **long), f"{short} {long}")


@pytest.mark.parametrize("padding", ["same", "same_lower"])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 4), (5, 3)], ids=str)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (5, 7)], ids=str)
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)], ids=str)
def test_same_gives_the_size_divided_by_the_stride(
    padding: str, kernel: ref.Pair, stride: ref.Pair, dilation: ref.Pair
):
    rng = fresh_rng("same", padding, kernel, stride, dilation)
    for h, width in ((7, 8), (12, 5), (1, 2)):
        x, w = rng.standard_normal((2, 3, h, width)), rng.standard_normal((2, 3, *kernel))
        axes = zip((h, width), kernel, stride, dilation, strict=True)
        explicit = tuple(ref.same_padding(*axis, padding == "same_lower") for axis in axes)
        reference = ref.corr2d(x, w, stride=stride, padding=explicit, dilation=dilation)
        y = fastconv.corr2d(x, w, stride=stride, padding=padding, dilation=dilation)
        assert y.shape[2:] == (-(-h // stride[0]), -(-width // stride[1]))
        assert_close(y, reference, f"{padding} of {h}x{width}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_prepared_weights(isa: str, case: Case, dtype: str, layout: str):
    p = problem(case, layout, dtype)
    (reference,) = expected("corr2d", case, layout, dtype)
    w, bias = p.w.copy(), None if p.bias is None else p.bias.copy()
    prepared = fastconv.prepare(w, bias, **case.options, layout=layout)
    w[...] = 1
    if bias is not None:
        bias[...] = 1
    y = prepared(p.x)
    assert y.dtype == p.dtype
    assert_close(y, reference, f"{isa} {layout} {case}")
    out = np.full_like(y, 77)
    assert prepared(p.x, out=out) is out
    assert_same_bits(out, y, "prepared with out=")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 3])
def test_prepared_weights_by_every_algorithm(isa: str, groups: int, layout: str):
    """The same bits as the plain call of that algorithm."""
    case = Case("prepared", (3, 27, 11, 13), (36, 3, 3), padding=((1, 1), (1, 1)), groups=groups)
    p, options = problem(case, layout, "float32"), {**case.options, "layout": layout}
    plain = each_algorithm("corr2d", lambda name: fastconv.corr2d(p.x, p.w, p.bias, **options, algorithm=name))
    assert len(plain) > 2, f"only {list(plain)} took the problem"
    for name in set(plain) - {"auto"}:
        y = fastconv.prepare(p.w, p.bias, **options, algorithm=name)(p.x)
        assert_same_bits(y, plain[name], f"{isa} {name} {layout}")
    for name in set(fastconv.algorithms("corr2d")) - set(plain):
        with pytest.raises(ValueError, match="declines"):
            fastconv.prepare(p.w, p.bias, **options, algorithm=name)(p.x)


# One at least for every algorithm; the weights of one are so many that Winograd's transforms of raw ones are made late.
PREPARED = (
    Case("plain", (2, 19, 9, 12), (20, 3, 3), padding=pad(1)),
    Case("many-weights", (1, 180, 8, 7), (180, 3, 3), padding=pad(1)),
    Case("apart", (1, 33, 21, 22), (34, 3, 3), stride=(2, 2), padding=pad(1)),
    Case("five", (1, 18, 9, 10), (21, 5, 5), padding=pad(2)),
    Case("line", (1, 40, 5, 13), (36, 1, 7), padding=((0, 0), (3, 3))),
    Case("window", (3, 35, 4, 4), (33, 4, 4)),
    Case("depthwise", (2, 37, 9, 11), (37, 3, 3), padding=pad(1), groups=37),
    Case("colours", (2, 3, 9, 11), (3, 5, 5), padding=pad(2), groups=3),
    Case("filters-of-a-channel", (2, 5, 9, 11), (15, 3, 3), padding=pad(1), groups=5),
    Case("depthwise-five", (1, 19, 9, 11), (19, 5, 5), padding=pad(2), groups=19),
    Case("few-a-group", (2, 64, 7, 9), (64, 3, 3), padding=pad(1), groups=16),
    Case("full-groups", (2, 64, 9, 7), (48, 3, 3), padding=pad(1), groups=2),
    Case("first-layer", (1, 3, 20, 23), (24, 7, 7), stride=(2, 2), padding=pad(3)),
)


def test_every_algorithm_has_a_case_of_prepared_weights():
    taken = set()
    for layout in LAYOUTS:
        for case in PREPARED:
            shapes = case.x_shape(layout), case.w_shape(layout)
            told = fastconv.explain("corr2d", *shapes, **case.options, layout=layout)
            taken |= set(fastconv.algorithms("corr2d")) - set(told.declined)
    assert taken == set(fastconv.algorithms("corr2d"))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", PREPARED, ids=str)
def test_prepared_weights_give_the_bits_of_raw_ones_whatever_is_changed(case: Case, layout: str):
    """The instruction set and the dtype of the images change between the calls of one `Prepared`."""
    p, options = problem(case, layout, "float32"), {**case.options, "layout": layout}
    images = {dtype: p.x.astype(dtype) for dtype in ("float32", "float64")}
    taken = 0
    for name in fastconv.algorithms("corr2d"):
        prepared = fastconv.prepare(p.w, p.bias, **options, algorithm=name)
        for isa in (*fastconv.isas(), *reversed(fastconv.isas())):
            fastconv.set_isa(isa)
            for dtype in ("float32", "float64", "float32"):
                try:
                    plain = fastconv.corr2d(images[dtype], p.w, p.bias, **options, algorithm=name)
                except ValueError:
                    with pytest.raises(ValueError, match="declines"):
                        prepared(images[dtype])
                    continue
                assert_same_bits(prepared(images[dtype]), plain, f"{isa} {dtype} {name} {layout} {case}")
                taken += 1
    assert taken > 12, "only the definition took the case"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_prepared_weights_follow_the_instruction_set(layout: str):
    x, w, bias = arrays(33, 34, layout)
    prepared, reference = fastconv.prepare(w, bias, layout=layout), ref.corr2d(x, w, bias, layout=layout)
    for name in (*fastconv.isas(), *reversed(fastconv.isas())):
        fastconv.set_isa(name)
        assert_close(prepared(x), reference, name)
        assert_same_bits(prepared(x), prepared(x.copy()), name)


def test_prepared_weights_take_other_dtypes():
    x, w, bias = arrays(5, 6, "NCHW")
    prepared = fastconv.prepare(w, bias)
    for dtype in ("float64", "float32", "float16", "int8", "float64"):
        y, expected_dtype = prepared((4 * x).astype(dtype)), np.result_type(np.dtype(dtype), np.float32)
        assert y.dtype == expected_dtype
        assert_close(y, ref.corr2d((4 * x).astype(dtype), w, bias), dtype)


def test_prepared_weights_take_images_of_every_size_and_rank():
    x, w, bias = arrays(3, 4, "NCHW")
    prepared = fastconv.prepare(w, bias, padding="same", stride=2)
    for h in (1, 4, 9):
        part = x[:, :, :h, : h + 1 if h < 8 else 8]
        y = prepared(part)
        assert_close(y, fastconv.corr2d(part, w, bias, padding="same", stride=2).astype(np.float64), f"height {h}")
        assert_close(prepared(part[0]), y[0].astype(np.float64), "rank 3")
    many = np.concatenate([x] * 5)
    assert_close(prepared(many)[4], prepared(x)[0].astype(np.float64), "batch")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int64"])
@pytest.mark.parametrize("form", ["steps", "reversed", "transposed", "fortran", "offset"])
def test_out_of_any_strides(form: str, dtype: str, layout: str):
    case = Case("out", (2, 3, 6, 7), (5, 3, 3), padding=((1, 1), (1, 1)))
    p = problem(case, layout, dtype)
    y = fastconv.corr2d(p.x, p.w, p.bias, **case.options, layout=layout)
    if form == "steps":
        whole = np.full([2 * n + 1 for n in y.shape], 55, y.dtype)
        out = whole[1::2, 1::2, 1::2, 1::2]
    elif form == "reversed":
        whole = np.full(y.shape, 55, y.dtype)
        out = whole[::-1, :, ::-1, ::-1]
    elif form == "transposed":
        whole = np.full(y.shape[::-1], 55, y.dtype)
        out = whole.T
    elif form == "fortran":
        out = whole = np.full(y.shape, 55, y.dtype, order="F")
    else:
        whole = np.full(y.size + 3, 55, y.dtype)
        out = whole[3:].reshape(y.shape)
    assert fastconv.corr2d(p.x, p.w, p.bias, **case.options, layout=layout, out=out) is out
    assert_same_bits(out, y, form)
    assert (whole == 55).sum() == whole.size - y.size + (y == 55).sum(), "wrote between the elements of out"


def test_out_of_the_other_operators():
    x, w, bias = arrays(1, 1, "NCHW")
    out = np.empty((7, 7), np.float32)
    assert fastconv.corr2d_multi_in(x[0], w[0], out=out) is out
    assert_close(out, ref.corr2d(x, w)[0, 0], "corr2d_multi_in")
    out = np.empty((1, 7, 7), np.float32)
    assert fastconv.corr2d_multi_in_out(x[0], w, bias, out=out) is out
    assert_close(out, ref.corr2d(x, w, bias)[0], "corr2d_multi_in_out")


def test_narrow_functions_refuse_other_ranks():
    x, w, _ = arrays(3, 4, "NCHW")
    for function, wrong in {
        fastconv.corr2d_multi_in: [(x, w), (x[0], w), (x[0, 0], w[0, 0])],
        fastconv.corr2d_multi_in_out: [(x[0], w[0]), (x[0, 0], w[0, 0])],
    }.items():
        for arguments in wrong:
            with pytest.raises(ValueError, match=r"\b[xw]\b"):
                function(*arguments)
