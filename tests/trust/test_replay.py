# SPDX-License-Identifier: BSD-3-Clause
"""What broke other libraries' convolutions and poolings, played back: an answer that is right, or an exception.

The names tell where each class was seen: CVE numbers of advisories, and issues of pytorch/pytorch (`torch#`) and of
tensorflow/tensorflow (`tf#`). Each goes through NumPy, PyTorch, TensorFlow and a TensorFlow graph that learns the
shapes late. The time is that of this process, and bounded for all of them alike.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from frontends import FRONT_ENDS

HUGE = (2**31 - 1, 2**31, 2**32 + 1, 2**62, 2**63 - 1)
REFUSED = None


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def places(*shape: int, value: int = 0) -> np.ndarray:
    return np.full(shape, value, np.int64)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


X, W = ones(1, 2, 5, 5), ones(3, 2, 3, 3)
Y = np.full((1, 3, 3, 3), 18, np.float32)

# Of each: what is called, and the answer; REFUSED: an exception.
Case = tuple[Callable[[Any], Any], np.ndarray | None]

ZERO_DIVISORS: dict[str, Case] = {
    "an empty filter (CVE-2021-41209, CVE-2021-29526)": (lambda f: f.corr2d(X, zeros(0, 2, 3, 3)), zeros(1, 0, 3, 3)),
    "a filter of no height (CVE-2021-41209)": (lambda f: f.corr2d(X, zeros(3, 2, 0, 3)), REFUSED),
    "an empty batch": (lambda f: f.corr2d(zeros(0, 2, 5, 5), W), zeros(0, 3, 3, 3)),
    "no channels": (lambda f: f.corr2d(zeros(1, 0, 5, 5), zeros(3, 0, 3, 3), ones(3)), ones(1, 3, 3, 3)),
    "no pixels": (lambda f: f.corr2d(zeros(1, 2, 0, 5), W), REFUSED),
    "no groups (CVE-2021-29530)": (lambda f: f.corr2d(X, W, groups=0), REFUSED),
    "stride 0 (CVE-2022-21725)": (lambda f: f.corr2d(X, W, stride=0), REFUSED),
    "dilation 0": (lambda f: f.corr2d(X, W, dilation=0), REFUSED),
    "all is empty, for the images' gradient (CVE-2021-29525)": (
        lambda f: f.input_grad(zeros(0, 0, 3, 3), zeros(0, 0, 3, 3), (0, 0, 5, 5)), zeros(0, 0, 5, 5),
    ),
    "all is empty, for the filters' gradient (CVE-2021-29538)": (
        lambda f: f.weight_grad(zeros(0, 0, 3, 3), zeros(0, 0, 5, 5), (0, 0, 3, 3)), zeros(0, 0, 3, 3),
    ),
    "no batch, for the filters' gradient": (
        lambda f: f.weight_grad(zeros(0, 3, 3, 3), zeros(0, 2, 5, 5), (3, 2, 3, 3)), zeros(3, 2, 3, 3),
    ),
    "a filter of no size, for the images' gradient": (
        lambda f: f.input_grad(ones(1, 3, 3, 3), zeros(3, 2, 0, 0), (1, 2, 5, 5)), REFUSED,
    ),
    "a window of 0 (CVE-2021-29573)": (lambda f: f.max_pool2d(X, 0), REFUSED),
    "an average's window of 0 (CVE-2023-25669)": (lambda f: f.avg_pool2d(X, 0, stride=1), REFUSED),
    "a pooling's stride of 0 (CVE-2025-2953, tf#42205)": (lambda f: f.max_pool2d(X, 2, stride=0), REFUSED),
    "an average's stride of 0 (tf#42205)": (lambda f: f.avg_pool2d(X, 2, stride=0), REFUSED),
    "an average's gradient, stride 0": (
        lambda f: f.avg_grad(ones(1, 2, 4, 4), 2, (1, 2, 5, 5), stride=-1), REFUSED,
    ),
    "a pooling of nothing (CVE-2021-29574)": (lambda f: f.max_pool2d(zeros(0, 2, 4, 4), 2), zeros(0, 2, 2, 2)),
    "a pooling without channels": (lambda f: f.avg_pool2d(zeros(2, 0, 4, 4), 2), zeros(2, 0, 2, 2)),
    "a pooling without pixels": (lambda f: f.avg_pool2d(zeros(2, 1, 0, 4), 2), REFUSED),
    "places of nothing": (lambda f: f.max_grad(zeros(0, 2, 2, 2), places(0, 2, 2, 2), (0, 2, 4, 4)), zeros(0, 2, 4, 4)),
}  # fmt: skip

MISMATCHES: dict[str, Case] = {
    "grad_y is larger (CVE-2021-29540)": (lambda f: f.weight_grad(ones(1, 3, 9, 9), X, (3, 2, 3, 3)), REFUSED),
    "grad_y is smaller": (lambda f: f.weight_grad(ones(1, 3, 1, 1), X, (3, 2, 3, 3)), REFUSED),
    "grad_y of other channels": (lambda f: f.weight_grad(ones(1, 4, 3, 3), X, (3, 2, 3, 3)), REFUSED),
    "grad_y of another batch": (lambda f: f.weight_grad(ones(2, 3, 3, 3), X, (3, 2, 3, 3)), REFUSED),
    "filters of a size that nothing has (CVE-2021-29540)": (
        lambda f: f.weight_grad(ones(1, 3, 3, 3), X, (3, 2, 2**31, 2**31)), REFUSED,
    ),
    "filters of other channels (CVE-2021-41206)": (lambda f: f.weight_grad(Y, X, (3, 1, 3, 3)), REFUSED),
    "filters of a negative size": (lambda f: f.weight_grad(Y, X, (3, 2, -3, 3)), REFUSED),
    "images larger than grad_y says (CVE-2022-35999)": (lambda f: f.input_grad(Y, W, (1, 2, 6, 5)), REFUSED),
    "images of other channels": (lambda f: f.input_grad(Y, W, (1, 4, 5, 5)), REFUSED),
    "images of rank 3": (lambda f: f.input_grad(Y, W, (2, 5, 5)), REFUSED),
    "images of rank 5": (lambda f: f.input_grad(Y, W, (1, 1, 2, 5, 5)), REFUSED),
    "a scalar for a shape (tf#74956)": (lambda f: f.input_grad(Y, W, (5,)), REFUSED),
    "groups that nothing divides by": (lambda f: f.corr2d(X, W, groups=2**62), REFUSED),
    "a filter of other channels": (lambda f: f.corr2d(X, ones(3, 5, 3, 3)), REFUSED),
    "a bias of another length": (lambda f: f.corr2d(X, W, ones(4)), REFUSED),
    "a bias without elements": (lambda f: f.corr2d(X, W, zeros(0)), REFUSED),
    "an average's gradient of another shape (CVE-2021-29577, tf#64642)": (
        lambda f: f.avg_grad(ones(2, 3, 3, 3), 1, (2, 2, 2, 2)), REFUSED,
    ),
    "an average's gradient of more channels (tf#63353)": (
        lambda f: f.avg_grad(ones(1, 6, 14, 14), 2, (1, 3, 28, 28)), REFUSED,
    ),
    "an average's gradient without axes (tf#118354, CVE-2022-35968)": (
        lambda f: f.avg_grad(np.float32(1).reshape(()), 2, (1, 3, 4, 4)), REFUSED,
    ),
    "a maximum's gradient of another batch (torch#140923)": (
        lambda f: f.max_grad(ones(9, 7, 9, 9), places(5, 7, 9, 9, value=5), (5, 7, 9, 9)), REFUSED,
    ),
    "a maximum's gradient of other channels (CVE-2021-29579)": (
        lambda f: f.max_grad(ones(1, 3, 2, 2), places(1, 3, 2, 2), (1, 2, 4, 4)), REFUSED,
    ),
    "fewer places than gradients (CVE-2021-37674)": (
        lambda f: f.max_grad(ones(1, 2, 2, 2), places(1, 2, 2, 1), (1, 2, 4, 4)), REFUSED,
    ),
    "places without elements (CVE-2021-37674)": (
        lambda f: f.max_grad(ones(1, 2, 2, 2), places(0, 2, 2, 2), (1, 2, 4, 4)), REFUSED,
    ),
}  # fmt: skip

INDICES: dict[str, Case] = {
    f"the place {value} (CVE-2021-29570, tf#61653, torch#152913)": (
        lambda f, value=value: f.max_grad(ones(1, 2, 2, 2), places(1, 2, 2, 2, value=value), (1, 2, 4, 4)),
        REFUSED,
    )
    for value in (16, 17, -2, -256, 2**31, 2**32 + 3, 2**62, 2**63 - 1, -(2**63))
}
INDICES["the place -1 goes nowhere"] = (
    lambda f: f.max_grad(ones(1, 2, 2, 2), places(1, 2, 2, 2, value=-1), (1, 2, 4, 4)),
    zeros(1, 2, 4, 4),
)
INDICES["places that are floats"] = (lambda f: f.max_grad(ones(1, 2, 2, 2), ones(1, 2, 2, 2), (1, 2, 4, 4)), REFUSED)

ONE_TAP = ones(1, 1, 1, 1)
OVERFLOWS: dict[str, Case] = {}
for size in HUGE:
    OVERFLOWS |= {
        f"a window of {size} (CVE-2022-35941)": (lambda f, s=size: f.avg_pool2d(X, s, stride=1), REFUSED),
        f"a maximum's window of {size} (torch#73190)": (lambda f, s=size: f.max_pool2d(X, s, dilation=s), REFUSED),
        f"a stride of {size}": (lambda f, s=size: f.corr2d(X, W, stride=s), Y[..., :1, :1]),
        f"a pooling's stride of {size}": (lambda f, s=size: f.max_pool2d(X, 2, stride=s), ones(1, 2, 1, 1)),
        f"a dilation of {size} (torch#9404)": (lambda f, s=size: f.corr2d(X, W, dilation=s), REFUSED),
        f"a dilation of {size} of one tap (torch#189664)": (
            lambda f, s=size: f.corr2d(ones(1, 1, 2, 2), ONE_TAP, dilation=s),
            ones(1, 1, 2, 2),
        ),
        f"a pooling's dilation of {size} of one tap (torch#189664)": (
            lambda f, s=size: f.max_pool2d(X, 1, dilation=s),
            X,
        ),
        f"a padding of {size} and one window (torch#188959)": (
            lambda f, s=size: f.corr2d(X, ones(1, 2, 1, 1), padding=s, stride=s),
            REFUSED
            if size >= 2**62
            else np.pad(np.full((1, 1, 1, 1), 2, np.float32), ((0, 0), (0, 0), (1, 1), (1, 1))),
        ),
        f"images of {size} that nobody has": (lambda f, s=size: f.input_grad(Y, W, (s, 2, 5, 5)), REFUSED),
        f"an average's images of {size}": (lambda f, s=size: f.avg_grad(ones(1, 1, 2, 2), 2, (1, 1, s, s)), REFUSED),
        f"a plane of {size} for a maximum": (
            lambda f, s=size: f.max_grad(ones(1, 1, 2, 2), places(1, 1, 2, 2), (1, 1, s, s)),
            REFUSED,
        ),
    }

NEGATIVE: dict[str, Case] = {
    "a negative window (CVE-2022-35941)": (lambda f: f.avg_pool2d(X, -2, stride=1), REFUSED),
    "a negative window of a maximum": (lambda f: f.max_pool2d(X, -1), REFUSED),
    "the least window": (lambda f: f.max_pool2d(X, -(2**63), stride=1), REFUSED),
    "a negative dilation (torch#136716)": (lambda f: f.max_pool2d(X, 2, dilation=-1), REFUSED),
    "the least dilation": (lambda f: f.corr2d(X, W, dilation=-(2**63)), REFUSED),
    "a negative stride": (lambda f: f.corr2d(X, W, stride=-1), REFUSED),
    "the least stride": (lambda f: f.corr2d(X, W, stride=-(2**63)), REFUSED),
    "a negative padding": (lambda f: f.corr2d(X, W, padding=-1), REFUSED),
    "the least padding": (lambda f: f.corr2d(X, W, padding=-(2**63)), REFUSED),
    "a negative padding of a pooling": (lambda f: f.avg_pool2d(X, 2, padding=-1), REFUSED),
    "negative groups": (lambda f: f.corr2d(X, W, groups=-1), REFUSED),
    "a negative batch": (lambda f: f.input_grad(Y, W, (-1, 2, 5, 5)), REFUSED),
    "a window without sizes": (lambda f: f.max_pool2d(X, ()), REFUSED),
    "a window of three sizes": (lambda f: f.max_pool2d(X, (1, 2, 2)), REFUSED),
    "a float for a window": (lambda f: f.max_pool2d(X, 2.5), REFUSED),
    "a string for a stride": (lambda f: f.corr2d(X, W, stride="two"), REFUSED),
}

RANKS: dict[str, Case] = {
    f"{name} of rank {rank}": (lambda f, call=call, rank=rank: call(f, np.ones((2,) * rank, np.float32)), REFUSED)
    for rank in (0, 1, 5, 8)
    for name, call in {
        "images": lambda f, a: f.corr2d(a, W),
        "filters": lambda f, a: f.corr2d(X, a),
        "a maximum's images": lambda f, a: f.max_pool2d(a, 2),
        "an average's images": lambda f, a: f.avg_pool2d(a, 2),
        "grad_y": lambda f, a: f.input_grad(a, W, (1, 2, 5, 5)),
        "grad_y and images": lambda f, a: f.weight_grad(a, a, (3, 2, 3, 3)),
        "grad_y and places": lambda f, a: f.max_grad(a, a.astype(np.int64), (1, 2, 4, 4)),
    }.items()
}

NAN, INF = np.float32(np.nan), np.float32(np.inf)


def planted(value: np.float32) -> np.ndarray:
    x = ones(1, 1, 4, 4)
    x[0, 0, 0, 0] = value
    return x


def answered(first: np.float32, rest: float = 1) -> np.ndarray:
    y = np.full((1, 1, 2, 2), rest, np.float32)
    y[0, 0, 0, 0] = first
    return y


SPECIAL: dict[str, Case] = {
    "a window with a NaN": (lambda f: f.max_pool2d(planted(NAN), 2), answered(NAN)),
    "an average with a NaN": (lambda f: f.avg_pool2d(planted(NAN), 2), answered(NAN)),
    "a window with an infinity": (lambda f: f.max_pool2d(planted(INF), 2), answered(INF)),
    "an average with an infinity": (lambda f: f.avg_pool2d(planted(-INF), 2), answered(-INF)),
    "a sum with a NaN": (lambda f: f.corr2d(planted(NAN), ones(1, 1, 2, 2), stride=2), answered(NAN, 4)),
    "a sum with an infinity": (lambda f: f.corr2d(planted(INF), ones(1, 1, 2, 2), stride=2), answered(INF, 4)),
    "windows of NaNs alone": (lambda f: f.max_pool2d(np.full((1, 1, 4, 4), NAN), 2), np.full((1, 1, 2, 2), NAN)),
    "windows of -inf alone": (lambda f: f.max_pool2d(np.full((1, 1, 4, 4), -INF), 2), np.full((1, 1, 2, 2), -INF)),
}

CASES = {**ZERO_DIVISORS, **MISMATCHES, **INDICES, **OVERFLOWS, **NEGATIVE, **RANKS, **SPECIAL}
SECONDS = 2  # of this process's own time; a call that loops over a parameter takes years


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("name", CASES)
def test_replay(name: str, front_end: str):
    call, answer = CASES[name]
    front = FRONT_ENDS[front_end]
    start = time.process_time()
    try:
        result = call(front)
    except front.refusals as error:
        result = error
    assert time.process_time() - start < SECONDS + 8 * (front_end == "graph"), "the time depends on a parameter"
    if answer is None:
        assert isinstance(result, front.refusals), f"taken: {result}"
        assert str(result), "an exception that says nothing"
        return
    assert not isinstance(result, Exception), f"refused: {type(result).__name__}: {result}"
    np.testing.assert_array_equal(np.asarray(result), answer)
