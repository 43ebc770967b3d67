# SPDX-License-Identifier: BSD-3-Clause
"""Arguments in the forms that torch takes, brought to one form; ranks and element types judged. Sizes are C's."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from fastconv.geometry import Pair, integer, pair
from fastconv.geometry import Windows as _Windows

Ints: TypeAlias = int | tuple[int, ...] | list[int]

# (stride, kind of padding, padding as (top, left, bottom, right), dilation, groups): what the operators take.
Windows: TypeAlias = tuple[Pair, str, tuple[int, int, int, int], Pair, int]


def _unwrapped(value: Any) -> Any:
    """A sequence of one stands for its entry, as in torch."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def windows_of(stride: Any, padding: Any, dilation: Any, groups: Any = 1) -> Windows:
    """Read the arguments in any of their forms; ValueError or TypeError names what makes no sense."""
    w = _Windows.of(_unwrapped(stride), _unwrapped(padding), _unwrapped(dilation))
    return w.stride, w.padding, (*w.before, *w.after), w.dilation, integer("groups", groups)


def pool_windows_of(kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Any, ...]:
    """(kernel size, stride, kind of padding, padding, dilation); no stride means that of the kernel."""
    size = pair("kernel_size", _unwrapped(kernel_size))
    if stride is None or (isinstance(stride, list | tuple) and not stride):
        stride = size
    return size, *windows_of(stride, padding, dilation)[:4]


def judge_tensors(**tensors: Any) -> None:
    """TypeError names the argument that is no tensor."""
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")


def judge_rank(images: Tensor, rank: int, name: str = "input") -> None:
    """ValueError unless the images have a batch and channels."""
    if rank != 4:
        shape = tuple(images.shape)
        raise ValueError(f"{name} must have 4 dimensions (N, C, H, W), or 3 without a batch, got shape {shape}")


def judge_places(**tensors: Tensor | None) -> None:
    """ValueError unless all lie on one device."""
    given = [(name, tensor) for name, tensor in tensors.items() if tensor is not None]
    first_name, first = given[0]
    for name, tensor in given[1:]:
        if tensor.device != first.device:
            raise ValueError(f"{name} lies on {tensor.device} but {first_name} on {first.device}")


def judge_operands(
    images: Tensor, weight: Tensor, bias: Tensor | None, name: str = "input", weight_name: str = "weight"
) -> None:
    """ValueError or TypeError unless ranks, element types and the bias's shape belong together."""
    judge_rank(images, images.dim(), name)
    if weight.dim() != 4:
        axes = "(O, C/groups, kh, kw)" if weight_name == "weight" else "(N, C, H, W)"
        raise ValueError(f"{weight_name} must have 4 dimensions {axes}, got shape {tuple(weight.shape)}")
    judge_places(**{name: images, weight_name: weight, "bias": bias})
    if weight.dtype != images.dtype:
        raise TypeError(f"{weight_name} has dtype {weight.dtype} but {name} has {images.dtype}: they must be the same")
    if bias is None:
        return
    if bias.dtype != images.dtype:
        raise TypeError(f"bias has dtype {bias.dtype} but {name} has {images.dtype}: they must be the same")
    if bias.dim() != 1 or bias.shape[0] != weight.shape[0]:
        channels = weight.shape[0]
        raise ValueError(f"bias has shape {tuple(bias.shape)} but must have ({channels},), one an output channel")


def judge_indices(grad: Tensor, indices: Tensor, input_size: Sequence[Any]) -> None:
    """ValueError or TypeError unless `indices` can say where each element of `grad` goes."""
    judge_rank(grad, grad.dim(), "grad")
    judge_places(grad=grad, indices=indices)
    if indices.dtype != torch.int64:
        raise TypeError(f"indices must be int64, got {indices.dtype}")
    if indices.shape != grad.shape:
        raise ValueError(f"indices have shape {tuple(indices.shape)} but must have that of grad, {tuple(grad.shape)}")
    if tuple(input_size[:2]) != tuple(grad.shape[:2]):
        raise ValueError(f"grad has shape {tuple(grad.shape)} but input_size is {tuple(input_size)}")


def is_channels_last(images: Tensor) -> bool:
    """Whether images count as NHWC: they lie so, and not also in NCHW."""
    return not images.is_contiguous() and images.is_contiguous(memory_format=torch.channels_last)


def order_of(weight: Tensor) -> str:
    """How filters lie in memory; OIHW where they lie in no order that kernels read."""
    if weight.is_contiguous():
        return "OIHW"
    if weight.is_contiguous(memory_format=torch.channels_last):
        return "OHWI"
    return "HWIO" if weight.permute(2, 3, 1, 0).is_contiguous() else "OIHW"
