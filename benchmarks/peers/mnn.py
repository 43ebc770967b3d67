# SPDX-License-Identifier: BSD-3-Clause
"""MNN: a session of one layer, precision high; its input is set before and its output belongs to the session."""

import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .base import Contestant, Peer, Problem, silent_stdout
from .onnx_model import conv_model

with silent_stdout():
    import _tools  # MNN's converter itself; `MNN.tools` around it would install a package for telemetry by pip
    import MNN

WINOGRAD_LEVEL = 3, 1  # hint and value: larger tiles, its default, are 1.5e-4 off, beyond what compare.py admits


class Mnn(Peer):
    """Weights are packed when the session is made."""

    def __init__(self, threads: int) -> None:
        self.version = metadata.version("mnn")
        self.settings = {"precision": "high", "numThread": threads, "backend": "CPU"}

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """One of them."""
        with tempfile.TemporaryDirectory() as folder, silent_stdout():
            source, model = Path(folder, "layer.onnx"), Path(folder, "layer.mnn")
            source.write_bytes(conv_model(problem))
            files = ["--modelFile", str(source), "--MNNModel", str(model)]
            _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "layer"])
            interpreter = MNN.Interpreter(str(model))
            interpreter.setSessionHint(*WINOGRAD_LEVEL)
            session = interpreter.createSession(self.settings)
        x = interpreter.getSessionInput(session)
        interpreter.resizeTensor(x, problem.layer.x_shape)
        interpreter.resizeSession(session)
        x.copyFrom(_tensor(problem.x))

        def read(_: Any) -> np.ndarray:
            y = _tensor(np.zeros(problem.layer.y_shape, np.float32))
            interpreter.getSessionOutput(session).copyToHostTensor(y)
            return np.array(y.getNumpyData()).reshape(problem.layer.y_shape)

        return {"MNN": Contestant(lambda: interpreter.runSession(session), read)}


def _tensor(values: np.ndarray) -> Any:
    """NCHW."""
    return MNN.Tensor(values.shape, MNN.Halide_Type_Float, values, MNN.Tensor_DimensionType_Caffe)
