# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of one dense layer: what its backward pass asks for, by fastconv and by torch."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import peers
import torch
from contest import admit, contest
from layers import Layer, read_layers, representative

import fastconv

from .summary import OURS, TORCHS

TABLES = ("resnet50", "vgg16", "inceptionv3", "unet", "convnext", "lenet", "mobilenetv2")
WITH_BIAS = ("vgg16", "unet", "convnext", "lenet")  # the others normalize behind their convolutions
IMAGE_CHANNELS = 3  # a layer of so many and fewer is a network's first: nobody asks for its input's gradient
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}  # relative error in the L2 norm
BACKWARD, INPUT, WEIGHT = "gradients", "input_gradient", "weight_gradient"
OPERATIONS = (BACKWARD, INPUT, WEIGHT)


class Asked(NamedTuple):
    """Which gradients: torch's output_mask."""

    input: bool
    weight: bool
    bias: bool


def asked(operation: str, layer: Layer) -> Asked:
    """What a layer of a network asks for; or one gradient by itself."""
    bias = layer.table in WITH_BIAS and operation != INPUT
    return Asked(
        operation == INPUT or (operation == BACKWARD and layer.channels > IMAGE_CHANNELS), operation != INPUT, bias
    )


def flops(layer: Layer, which: Asked) -> int:
    """Of the definitions: each of the two large gradients takes as many as the layer."""
    return layer.flops * (which.input + which.weight)


def dense_layers(table: str, quick: bool) -> list[Layer]:
    """The rows of a table that are no depthwise or grouped correlations, or one of each kind."""
    layers = [layer for layer in read_layers(table) if layer.groups == 1]
    return representative(layers) if quick else layers


def _ours(problem: peers.Problem, which: Asked) -> dict[str, peers.Contestant]:
    layer, offered = problem.layer, {}
    for name, layout, x, w, grad_y in (
        (OURS[0], "NCHW", problem.x, problem.w, problem.grad_y),
        (OURS[1], "NHWC", problem.x_nhwc, problem.w_hwio, problem.grad_y_nhwc),
    ):
        options = {"layout": layout, **layer.options}

        def call(x: Any = x, w: Any = w, grad_y: Any = grad_y, options: Any = options) -> list[np.ndarray]:
            found = []
            if which.input:
                found.append(fastconv.corr2d_input_grad(grad_y, w, x.shape, **options))
            if which.bias:
                found += fastconv.corr2d_weight_grad(grad_y, x, w.shape, with_bias=True, **options)
            elif which.weight:
                found.append(fastconv.corr2d_weight_grad(grad_y, x, w.shape, **options))
            return found

        offered[name] = peers.Contestant(call, lambda found, layout=layout: _as_nchw(found, layout, which))
    return offered


def _as_nchw(found: list[np.ndarray], layout: str, which: Asked) -> list[np.ndarray]:
    if layout == "NCHW":
        return found
    axes = [(0, 3, 1, 2)] * which.input + [(3, 2, 0, 1)] * which.weight + [(0,)] * which.bias
    return [array.transpose(order) for array, order in zip(found, axes, strict=True)]


def _backward(layer: Layer, which: Asked, *tensors: torch.Tensor) -> list[torch.Tensor]:
    """By the operation that autograd calls; of (grad_y, x, w)."""
    bias = [layer.out_channels] if which.bias else None
    where = [layer.stride] * 2, layer.padding, [layer.dilation] * 2, False, [0, 0], layer.groups
    found = torch.ops.aten.convolution_backward(*tensors, bias, *where, list(which))
    return [one for one, wanted in zip(found, which, strict=True) if wanted]


def _torchs(problem: peers.Problem, which: Asked) -> dict[str, peers.Contestant]:
    tensors = [torch.from_numpy(array) for array in (problem.grad_y, problem.x, problem.w)]
    offered = {}
    for name, form in zip(TORCHS, (torch.contiguous_format, torch.channels_last), strict=True):
        laid = [tensor.contiguous(memory_format=form) for tensor in tensors]
        call = torch.inference_mode()(lambda laid=laid: _backward(problem.layer, which, *laid))
        offered[name] = peers.Contestant(call, lambda found: [one.numpy() for one in found])
    return offered


def reference(problem: peers.Problem, which: Asked) -> list[np.ndarray]:
    """In float64, by torch."""
    tensors = (torch.from_numpy(array).double() for array in (problem.grad_y, problem.x, problem.w))
    return [one.numpy() for one in _backward(problem.layer, which, *tensors)]


def error(found: list[np.ndarray], exact: list[np.ndarray]) -> float:
    """The largest of the gradients' relative errors in the L2 norm; infinite where a shape is another."""
    if [one.shape for one in found] != [one.shape for one in exact]:
        return float("inf")
    parts = zip(found, exact, strict=True)
    return max(float(np.linalg.norm(one - other) / np.linalg.norm(other)) for one, other in parts)


def measure(operation: str, layer: Layer, dtype: str, rounds: int, seconds: float) -> dict[str, Any]:
    """One row."""
    problem, which = peers.Problem(layer, dtype), asked(operation, layer)
    exact = reference(problem, which)
    libraries: list[tuple[str, Callable[..., Any]]] = [("fastconv", _ours), ("torch", _torchs)]
    admitted = admit(
        libraries,
        lambda offer: offer(problem, which),
        lambda found: error(found, exact),
        TOLERANCE[dtype],
        (*OURS, *TORCHS),
        f"{operation} of {layer}",
    )
    least, rounds_differ = contest(admitted.calls, rounds, seconds, (*OURS, *TORCHS))
    return {
        "operation": operation,
        "shape": asdict(layer),
        "asked": which._asdict(),
        "seconds": least,
        "scatter": rounds_differ,
        "errors": admitted.errors,
        "flops": flops(layer, which),
    }
