# SPDX-License-Identifier: BSD-3-Clause
"""The argument `out` of the functions of `fastconv` on tensors."""

from typing import Any

import torch
from torch import Tensor


def placed(result: Tensor, out: Any, *inputs: Tensor | None) -> Tensor:
    """The result; in the caller's own tensor, if there is one and it is of the right shape, dtype and memory."""
    if out is None:
        return result
    if not isinstance(out, Tensor):
        raise TypeError(f"out must be a torch.Tensor, got {type(out).__name__}")
    if out.shape != result.shape:
        raise ValueError(f"out has shape {tuple(out.shape)} but must have {tuple(result.shape)}")
    if out.dtype != result.dtype:
        raise ValueError(f"out has dtype {out.dtype} but must have {result.dtype}")
    if out.device != result.device:
        raise ValueError(f"out lies on {out.device} but must lie on {result.device}")
    if result.requires_grad or out.requires_grad:
        raise ValueError("out cannot be given where a gradient is wanted")
    if any(tensor is not None and _overlap(out, tensor) for tensor in inputs):
        raise ValueError("out must not share memory with an input")
    if _overlaps_itself(out):
        raise ValueError(f"out has elements that share memory: strides {out.stride()} for shape {tuple(out.shape)}")
    return out.copy_(result)


def _overlaps_itself(tensor: Tensor) -> bool:
    """Whether an axis steps less than the axes within it span; no slice or transpose of a tensor does."""
    span = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1:
            if stride < span:
                return tensor.numel() > 0
            span += stride * (size - 1)
    return False


def _span(tensor: Tensor) -> tuple[int, int]:
    """The bytes from the first element to past the last."""
    last = sum(stride * (size - 1) for stride, size in zip(tensor.stride(), tensor.shape, strict=True))
    start = tensor.data_ptr()
    return start, start + (last + 1) * tensor.element_size()


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Whether their spans of memory meet."""
    if a.numel() == 0 or b.numel() == 0 or torch.compiler.is_compiling() or "meta" in (a.device.type, b.device.type):
        return False
    (a_first, a_last), (b_first, b_last) = _span(a), _span(b)
    return a_first < b_last and b_first < a_last
