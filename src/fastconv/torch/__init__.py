# SPDX-License-Identifier: BSD-3-Clause
"""fastconv for PyTorch: functions with the arguments of `torch.nn.functional`, and layers like those of `torch.nn`.

`corr2d`, `max_pool2d` and `avg_pool2d` are differentiable any number of times, forwards and backwards, under
`torch.func` and `torch.compile`. `Conv2d`, `LazyConv2d`, `MaxPool2d` and `AvgPool2d` are layers; `accelerate` puts them
into an existing model and `restore` takes them out again.
"""

import fastconv.torch.arraylike  # noqa: F401 (compiled calls of fastconv's own functions find it loaded)
from fastconv.torch.acceleration import accelerate, restore
from fastconv.torch.functional import corr2d
from fastconv.torch.functional_pooling import avg_pool2d, max_pool2d
from fastconv.torch.layers import AvgPool2d, Conv2d, LazyConv2d, MaxPool2d

__all__ = [
    "AvgPool2d",
    "Conv2d",
    "LazyConv2d",
    "MaxPool2d",
    "accelerate",
    "avg_pool2d",
    "corr2d",
    "max_pool2d",
    "restore",
]
