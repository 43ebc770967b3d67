# SPDX-License-Identifier: BSD-3-Clause
"""The functions on arrays: dtype, rank, layout, and the place of the result. Sizes are judged in C."""

from fastconv.functional.correlation import corr2d, corr2d_multi_in, corr2d_multi_in_out
from fastconv.functional.correlation_grad import corr2d_input_grad, corr2d_weight_grad
from fastconv.functional.explain import Explanation, algorithms, explain
from fastconv.functional.pooling import avg_pool2d, max_pool2d, pool2d
from fastconv.functional.pooling_grad import avg_pool2d_grad, max_pool2d_grad
from fastconv.functional.prepare import Prepared, prepare

__all__ = [
    "Explanation",
    "Prepared",
    "algorithms",
    "avg_pool2d",
    "avg_pool2d_grad",
    "corr2d",
    "corr2d_input_grad",
    "corr2d_multi_in",
    "corr2d_multi_in_out",
    "corr2d_weight_grad",
    "explain",
    "max_pool2d",
    "max_pool2d_grad",
    "pool2d",
    "prepare",
]
