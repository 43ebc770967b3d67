# SPDX-License-Identifier: BSD-3-Clause
"""fastconv itself: two layouts, weights as they come and prepared."""

from typing import Any, ClassVar

import fastconv

from .base import Contestant, Peer, PoolProblem, Problem, from_nhwc


class Fastconv(Peer):
    """Results are new arrays in every call."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    integers: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int32", "int64")

    def __init__(self, threads: int) -> None:
        fastconv.set_num_threads(threads)
        self.version = fastconv.__version__

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Four of them."""
        options = problem.layer.options
        x, w, x_nhwc, w_hwio = problem.x, problem.w, problem.x_nhwc, problem.w_hwio
        prepared = fastconv.prepare(w, **options)
        prepared_nhwc = fastconv.prepare(w_hwio, layout="NHWC", **options)
        return {
            "fastconv NCHW": Contestant(lambda: fastconv.corr2d(x, w, **options), lambda y: y),
            "fastconv NCHW prepared": Contestant(lambda: prepared(x), lambda y: y),
            "fastconv NHWC": Contestant(lambda: fastconv.corr2d(x_nhwc, w_hwio, layout="NHWC", **options), from_nhwc),
            "fastconv NHWC prepared": Contestant(lambda: prepared_nhwc(x_nhwc), from_nhwc),
        }

    def input_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """Both layouts."""
        layer, gradient = problem.layer, fastconv.corr2d_input_grad
        grad_y, grad_y_nhwc, w, w_hwio = problem.grad_y, problem.grad_y_nhwc, problem.w, problem.w_hwio
        shape, nhwc_shape, options = layer.x_shape, problem.x_nhwc.shape, layer.options
        return _both(
            lambda: gradient(grad_y, w, shape, **options),
            lambda: gradient(grad_y_nhwc, w_hwio, nhwc_shape, layout="NHWC", **options),
        )

    def weight_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """Both layouts."""
        layer, gradient = problem.layer, fastconv.corr2d_weight_grad
        grad_y, grad_y_nhwc, x, x_nhwc = problem.grad_y, problem.grad_y_nhwc, problem.x, problem.x_nhwc
        shape, hwio_shape, options = layer.w_shape, problem.w_hwio.shape, layer.options
        return {
            "fastconv NCHW": Contestant(lambda: gradient(grad_y, x, shape, **options), lambda w: w),
            "fastconv NHWC": Contestant(
                lambda: gradient(grad_y_nhwc, x_nhwc, hwio_shape, layout="NHWC", **options),
                lambda w: w.transpose(3, 2, 0, 1),
            ),
        }

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Both layouts."""
        pool, x, x_nhwc = problem.pool, problem.x, problem.x_nhwc
        call: Any = fastconv.max_pool2d if pool.mode == "max" else fastconv.avg_pool2d
        options = pool.options if pool.mode == "max" else pool.avg_options
        kernel = pool.kernel
        return _both(lambda: call(x, kernel, **options), lambda: call(x_nhwc, kernel, layout="NHWC", **options))

    def pool_gradients(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Both layouts; of maxima by their places."""
        pool, grad_y, grad_y_nhwc = problem.pool, problem.grad_y, problem.grad_y_nhwc
        shape, nhwc_shape = problem.x.shape, problem.x_nhwc.shape
        if pool.mode == "max":
            places, places_nhwc = problem.indices, problem.indices_nhwc
            return _both(
                lambda: fastconv.max_pool2d_grad(grad_y, places, shape),
                lambda: fastconv.max_pool2d_grad(grad_y_nhwc, places_nhwc, nhwc_shape, layout="NHWC"),
            )
        kernel, options = pool.kernel, pool.avg_options
        return _both(
            lambda: fastconv.avg_pool2d_grad(grad_y, kernel, shape, **options),
            lambda: fastconv.avg_pool2d_grad(grad_y_nhwc, kernel, nhwc_shape, layout="NHWC", **options),
        )


def _both(nchw: Any, nhwc: Any) -> dict[str, Contestant]:
    return {"fastconv NCHW": Contestant(nchw, lambda y: y), "fastconv NHWC": Contestant(nhwc, from_nhwc)}
