# SPDX-License-Identifier: BSD-3-Clause
"""A layer as an ONNX model of one Conv, its weights an initializer."""

import onnx
from onnx import TensorProto, helper, numpy_helper

from .base import Problem


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
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, layer.x_shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, layer.y_shape)],
        [numpy_helper.from_array(problem.w, "w")],
    )
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()
