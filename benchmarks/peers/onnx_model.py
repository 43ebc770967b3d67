# SPDX-License-Identifier: BSD-3-Clause
"""A layer as an ONNX model of one Conv, its weights an initializer; or a pooling as one of one pooling."""

from typing import Any

import onnx
from onnx import TensorProto, helper, numpy_helper

from .base import PoolProblem, Problem


def conv_model(problem: Problem) -> bytes:
    """Float32, input `x`, output `y`."""
    layer = problem.layer
    node = helper.make_node(
        "Conv",
        ["x", "w"],
        ["y"],
        kernel_shape=layer.w_shape[2:],
        strides=[layer.stride] * 2,
        pads=[*layer.padding] * 2,
        dilations=[layer.dilation] * 2,
        group=layer.groups,
    )
    return _model(node, layer.x_shape, layer.y_shape, [numpy_helper.from_array(problem.w, "w")])


def pool_model(problem: PoolProblem) -> bytes:
    """Float32, input `x`, output `y`; of whole images by the operation for them."""
    pool = problem.pool
    kind = "MaxPool" if pool.mode == "max" else "AveragePool"
    options: dict[str, Any] = {}
    if not pool.whole:
        options = {"kernel_shape": pool.kernel, "strides": [pool.stride] * 2, "pads": [*pool.padding] * 2}
        if pool.mode == "max":
            options["dilations"] = [pool.dilation] * 2
        else:
            options["count_include_pad"] = int(pool.count_include_pad)
    node = helper.make_node(f"Global{kind}" if pool.whole else kind, ["x"], ["y"], **options)
    return _model(node, pool.x_shape, pool.y_shape, [])


def _model(
    node: onnx.NodeProto, x_shape: tuple[int, ...], y_shape: tuple[int, ...], weights: list[TensorProto]
) -> bytes:
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y_shape)],
        weights,
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()
