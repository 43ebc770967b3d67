# SPDX-License-Identifier: BSD-3-Clause
"""OpenVINO: one infer request with the latency hint, inputs shared; its output memory belongs to the request."""

from collections.abc import Callable
from typing import Any

import numpy as np
import openvino
from openvino.preprocess import PrePostProcessor

from .base import Contestant, Peer, PoolProblem, Problem, from_nhwc
from .onnx_model import conv_model, pool_model


class OpenVINO(Peer):
    """Plain NCHW, and images with channels last."""

    def __init__(self, threads: int) -> None:
        self.version = openvino.__version__.partition("-")[0]
        self.core = openvino.Core()
        self.settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Two of them."""
        return self._both(conv_model(problem), problem)

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Two of them."""
        return self._both(pool_model(problem), problem)

    def _both(self, model: bytes, problem: Problem | PoolProblem) -> dict[str, Contestant]:
        return {
            "OpenVINO NCHW": self._contestant(self.core.read_model(model), problem.x, lambda y: y),
            "OpenVINO NHWC": self._contestant(_channels_last(self.core.read_model(model)), problem.x_nhwc, from_nhwc),
        }

    def _contestant(self, model: Any, x: np.ndarray, read: Callable[[np.ndarray], np.ndarray]) -> Contestant:
        request = self.core.compile_model(model, "CPU", self.settings).create_infer_request()
        request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
        return Contestant(request.infer, lambda _: read(request.get_output_tensor().data))


def _channels_last(model: Any) -> Any:
    """The model with NHWC images on both sides."""
    layouts = PrePostProcessor(model)
    for side in (layouts.input(), layouts.output()):
        side.tensor().set_layout(openvino.Layout("NHWC"))
        side.model().set_layout(openvino.Layout("NCHW"))
    return layouts.build()
