# SPDX-License-Identifier: BSD-3-Clause
"""ONNX Runtime: every graph optimisation, so that it may choose its blocked NCHWc layout, and OrtValues in and out."""

import numpy as np
import onnxruntime

from .base import Contestant, Peer, PoolProblem, Problem
from .onnx_model import conv_model, pool_model


class OnnxRuntime(Peer):
    """Weights are packed when the session is made; a call allocates its output in ONNX Runtime's arena."""

    def __init__(self, threads: int) -> None:
        self.version = onnxruntime.__version__
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """One of them."""
        return self._contestant(conv_model(problem), problem.x)

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """One of them."""
        return self._contestant(pool_model(problem), problem.x)

    def _contestant(self, model: bytes, images: np.ndarray) -> dict[str, Contestant]:
        session = onnxruntime.InferenceSession(model, self.options, providers=["CPUExecutionProvider"])
        x = onnxruntime.OrtValue.ortvalue_from_numpy(images)
        call = lambda: session.run_with_ort_values(["y"], {"x": x})  # noqa: E731
        return {"ONNX Runtime": Contestant(call, lambda values: values[0].numpy())}
