# SPDX-License-Identifier: BSD-3-Clause
"""ncnn: a net of one layer in full precision, weights packed on loading; it has no batches: image by image."""

import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from .base import Contestant, Peer, Problem


class Ncnn(Peer):
    """Winograd and SGEMM as ncnn chooses; 16-bit storage and arithmetic are off."""

    def __init__(self, threads: int) -> None:
        self.version = metadata.version("ncnn")
        self.threads = threads

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """One of them."""
        net = self._net(problem)
        images = [ncnn.Mat(image) for image in problem.x]

        def run(image: Any) -> Any:
            extractor = net.create_extractor()
            extractor.input("x", image)
            status, y = extractor.extract("y")
            if status:
                raise RuntimeError(f"ncnn answers {status}")
            return y

        return {"ncnn": Contestant(lambda: [run(image) for image in images], lambda ys: np.stack([*map(np.array, ys)]))}

    def _net(self, problem: Problem) -> Any:
        net, layer = ncnn.Net(), problem.layer
        net.opt.num_threads = self.threads
        for option in dir(net.opt):
            if "fp16" in option or "bf16" in option:
                setattr(net.opt, option, False)
        kind = "Convolution" if layer.groups == 1 else "ConvolutionDepthWise"
        parameters = {
            0: layer.out_channels,
            1: layer.kernel_w,
            11: layer.kernel_h,
            2: layer.dilation,
            3: layer.stride,
            4: layer.padding[1],
            14: layer.padding[0],
            6: problem.w.size,
        }
        if layer.groups > 1:
            parameters[7] = layer.groups
        text = " ".join(f"{key}={value}" for key, value in parameters.items())
        if net.load_param_mem(f"7767517\n2 2\nInput in 0 1 x\n{kind} conv 1 1 x y {text}\n"):
            raise RuntimeError("ncnn refuses the layer")
        with tempfile.TemporaryDirectory() as folder:
            weights = Path(folder, "weights.bin")
            weights.write_bytes(bytes(4) + problem.w.tobytes())  # four zeros: float32 follows
            if net.load_model(str(weights)):
                raise RuntimeError("ncnn refuses the weights")
        return net
