# SPDX-License-Identifier: BSD-3-Clause
"""torch: NCHW, channels_last, and channels_last with the weights packed as torch.compile's freezing packs them."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from .base import Contestant, Peer, PoolProblem, Problem


class Torch(Peer):
    """Calls run in inference mode."""

    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    integers: ClassVar[tuple[str, ...]] = ("int8", "uint8", "int32", "int64")

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
        return _contestants(calls)

    def input_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """By the operation that autograd calls."""
        return _convolution_backward(problem, 0)

    def weight_gradients(self, problem: Problem) -> dict[str, Contestant]:
        """By the operation that autograd calls."""
        return _convolution_backward(problem, 1)

    def pools(self, problem: PoolProblem) -> dict[str, Contestant]:
        """Both layouts; of whole images by reduction as well, which is the better half of the time."""
        pool, functional = problem.pool, torch.nn.functional
        kernel, calls = pool.kernel, {}
        for name, x in _layouts(problem.x).items():
            if pool.mode == "max":
                calls[name] = lambda x=x: functional.max_pool2d(x, kernel, **pool.options)
            else:
                calls[name] = lambda x=x: functional.avg_pool2d(x, kernel, **pool.avg_options)
            if pool.whole:
                reduce = torch.amax if pool.mode == "max" else torch.mean
                calls[f"{name} {reduce.__name__}"] = lambda x=x, reduce=reduce: reduce(x, (2, 3), keepdim=True)
        return _contestants(calls)

    def pool_gradients(self, problem: PoolProblem) -> dict[str, Contestant]:
        """By the operations that autograd calls; of the mean of whole images as autograd has that of torch.mean."""
        pool, aten, calls = problem.pool, torch.ops.aten, {}
        windows = pool.kernel, [pool.stride] * 2, pool.padding
        for (name, x), grad_y in zip(_layouts(problem.x).items(), _layouts(problem.grad_y).values(), strict=True):
            if pool.mode == "max":
                _, places = aten.max_pool2d_with_indices(x, *windows, [pool.dilation] * 2)
                arguments = grad_y, x, *windows, [pool.dilation] * 2, False, places
                calls[name] = lambda arguments=arguments: aten.max_pool2d_with_indices_backward(*arguments)
            else:
                arguments = grad_y, x, *windows, False, pool.count_include_pad, None
                calls[name] = lambda arguments=arguments: aten.avg_pool2d_backward(*arguments)
                if pool.whole:
                    form = _memory_format(x, name)
                    calls[f"{name} mean"] = lambda grad_y=grad_y, x=x, form=form: (
                        (grad_y / (pool.height * pool.width)).expand(x.shape).contiguous(memory_format=form)
                    )
        return _contestants(calls)


def _memory_format(x: torch.Tensor, name: str) -> torch.memory_format:
    return torch.channels_last if name.endswith("channels_last") else torch.contiguous_format


def _layouts(x: np.ndarray) -> dict[str, torch.Tensor]:
    plain = torch.from_numpy(x)
    return {"torch NCHW": plain, "torch channels_last": plain.to(memory_format=torch.channels_last)}


def _contestants(calls: dict[str, Callable[[], Any]]) -> dict[str, Contestant]:
    return {name: Contestant(torch.inference_mode()(call), lambda y: y.numpy()) for name, call in calls.items()}


def _convolution_backward(problem: Problem, which: int) -> dict[str, Contestant]:
    """0: the gradient of the input, 1: of the weights."""
    layer, calls = problem.layer, {}
    mask = [which == 0, which == 1, False]
    where = [layer.stride] * 2, layer.padding, [layer.dilation] * 2, False, [0, 0], layer.groups, mask
    for (name, x), w, grad_y in zip(
        _layouts(problem.x).items(), _layouts(problem.w).values(), _layouts(problem.grad_y).values(), strict=True
    ):
        calls[name] = lambda x=x, w=w, grad_y=grad_y: torch.ops.aten.convolution_backward(grad_y, x, w, None, *where)[
            which
        ]
    return _contestants(calls)
