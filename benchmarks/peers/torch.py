# SPDX-License-Identifier: BSD-3-Clause
"""torch: NCHW, channels_last, and channels_last with the weights packed as torch.compile's freezing packs them."""

from typing import ClassVar

import torch

from .base import Contestant, Peer, Problem


class Torch(Peer):
    """Calls run in inference mode."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self.version = torch.__version__

    def contestants(self, problem: Problem) -> dict[str, Contestant]:
        """Both layouts, and packed weights where oneDNN has them."""
        options, conv2d = problem.layer.options, torch.nn.functional.conv2d
        x, w = torch.from_numpy(problem.x), torch.from_numpy(problem.w)
        last_x, last_w = (t.to(memory_format=torch.channels_last) for t in (x, w))
        calls = {
            "torch NCHW": lambda: conv2d(x, w, **options),
            "torch channels_last": lambda: conv2d(last_x, last_w, **options),
        }
        if problem.dtype == "float32" and torch.backends.mkldnn.is_available():
            pad, stride, dilation, groups = (options[key] for key in ("padding", "stride", "dilation", "groups"))
            where = (pad, (stride, stride), (dilation, dilation), groups)
            packed = torch._C._nn.mkldnn_reorder_conv2d_weight(w.to_mkldnn(), *where, list(x.shape))
            convolution = torch.ops.mkldnn._convolution_pointwise
            calls["torch channels_last packed"] = lambda: convolution(last_x, packed, None, *where, "none", [], "")
        return {name: Contestant(torch.inference_mode()(call), lambda y: y.numpy()) for name, call in calls.items()}
