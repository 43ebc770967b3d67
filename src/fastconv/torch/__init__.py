# SPDX-License-Identifier: BSD-3-Clause
"""fastconv for PyTorch: differentiable functions with the arguments of `torch.nn.functional`."""

from fastconv.torch.functional import avg_pool2d, corr2d, max_pool2d

__all__ = ["avg_pool2d", "corr2d", "max_pool2d"]
