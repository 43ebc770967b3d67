# SPDX-License-Identifier: BSD-3-Clause
"""Code of a user's, for `mypy --strict` (tests/test_typing.py): nothing in it is Any where it need not be."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, randn

import fastconv

x: NDArray[np.float32] = np.ones((1, 3, 8, 8), np.float32)
w: NDArray[np.float32] = np.ones((4, 3, 3, 3), np.float32)

assert_type(fastconv.corr2d(x, w, stride=2, padding="same"), NDArray[Any])
assert_type(fastconv.corr2d(x, w, np.ones(4), padding=((1, 0), (0, 1)), layout="NCHW"), NDArray[Any])
assert_type(fastconv.corr2d([[1.0]], [[2.0]]), NDArray[Any])
image: NDArray[np.uint8] = np.ones((3, 8, 8), np.uint8)
assert_type(fastconv.corr2d_multi_in(image, image), NDArray[Any])
assert_type(fastconv.corr2d_multi_in_out(image, w), NDArray[Any])
assert_type(fastconv.max_pool2d(x, 2), NDArray[Any])
assert_type(fastconv.max_pool2d(x, (2, 3), return_indices=True), tuple[NDArray[Any], NDArray[Any]])
assert_type(fastconv.avg_pool2d(x, 2, count_include_pad=False), NDArray[Any])
grad_w, grad_b = fastconv.corr2d_weight_grad(x, x, (3, 3, 1, 1), with_bias=True)
flat: np.ndarray[Any, Any] = grad_w + grad_b + fastconv.prepare(w)(x)
assert_type(fastconv.explain("corr2d", x.shape, w.shape).workspace_bytes, int)
assert_type(fastconv.__version__, str)

images, filters = randn(1, 3, 8, 8), randn(4, 3, 3, 3)
assert_type(fastconv.corr2d(images, filters, stride=(1, 2)), Tensor)
assert_type(fastconv.corr2d(images, w), Tensor)
assert_type(fastconv.max_pool2d(images, 2), Tensor)
assert_type(fastconv.max_pool2d(images, 2, return_indices=True), tuple[Tensor, Tensor])
assert_type(fastconv.avg_pool2d(images, 2), Tensor)

fastconv.corr2d(x, w, stride="2")  # type: ignore[call-overload]
fastconv.corr2d(x, w, padding="full")  # type: ignore[call-overload]
fastconv.max_pool2d(x)  # type: ignore[call-overload]
fastconv.set_num_threads("two")  # type: ignore[arg-type]
