# SPDX-License-Identifier: BSD-3-Clause
"""The same call through NumPy, PyTorch, TensorFlow and a TensorFlow graph: NCHW arrays in, arrays out."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
import torch

import fastconv
import fastconv.tensorflow as fct
import fastconv.torch as ft


class NumPy:
    """Fastconv's own functions."""

    refusals: ClassVar = (ValueError, TypeError, MemoryError)

    @staticmethod
    def corr2d(x: Any, w: Any, bias: Any = None, **options: Any) -> Any:
        return fastconv.corr2d(x, w, bias, **options)

    max_pool2d = staticmethod(fastconv.max_pool2d)
    avg_pool2d = staticmethod(fastconv.avg_pool2d)

    @staticmethod
    def input_grad(grad_y: Any, w: Any, x_shape: tuple[int, ...], **options: Any) -> Any:
        return fastconv.corr2d_input_grad(grad_y, w, x_shape, **options)

    @staticmethod
    def weight_grad(grad_y: Any, x: Any, w_shape: tuple[int, ...], **options: Any) -> Any:
        return fastconv.corr2d_weight_grad(grad_y, x, w_shape, **options)

    max_grad = staticmethod(fastconv.max_pool2d_grad)

    @staticmethod
    def avg_grad(grad_y: Any, size: Any, x_shape: tuple[int, ...], **options: Any) -> Any:
        return fastconv.avg_pool2d_grad(grad_y, size, x_shape, **options)


def explicit(options: dict[str, Any]) -> tuple[int, int, int, int]:
    """Give the padding of the operations: before and after in height, before and after in width."""
    pad = options.get("padding", 0)
    return (pad,) * 4


class Torch:
    """The functions of fastconv.torch, and the operations behind their gradients, which are public."""

    refusals: ClassVar = (ValueError, TypeError, MemoryError, RuntimeError, OverflowError)

    @staticmethod
    def corr2d(x: Any, w: Any, bias: Any = None, **options: Any) -> Any:
        tensors = [None if a is None else torch.from_numpy(a) for a in (x, w, bias)]
        return ft.corr2d(*tensors, **options).numpy()

    @staticmethod
    def max_pool2d(x: Any, size: Any, **options: Any) -> Any:
        return ft.max_pool2d(torch.from_numpy(x), size, **options).numpy()

    @staticmethod
    def avg_pool2d(x: Any, size: Any, **options: Any) -> Any:
        return ft.avg_pool2d(torch.from_numpy(x), size, **options).numpy()

    @staticmethod
    def input_grad(grad_y: Any, w: Any, x_shape: tuple[int, ...], **options: Any) -> Any:
        return torch.ops.fastconv.corr2d_input_grad(
            torch.from_numpy(grad_y), torch.from_numpy(w), x_shape, *Torch.windows(options), None
        ).numpy()

    @staticmethod
    def weight_grad(grad_y: Any, x: Any, w_shape: tuple[int, ...], **options: Any) -> Any:
        return torch.ops.fastconv.corr2d_weight_grad(
            torch.from_numpy(grad_y), torch.from_numpy(x), w_shape, *Torch.windows(options), None, "OIHW", False
        )[0].numpy()

    @staticmethod
    def max_grad(grad_y: Any, indices: Any, x_shape: tuple[int, ...]) -> Any:
        return torch.ops.fastconv.max_pool2d_grad(
            torch.from_numpy(grad_y), torch.from_numpy(indices), x_shape, None
        ).numpy()

    @staticmethod
    def avg_grad(grad_y: Any, size: Any, x_shape: tuple[int, ...], stride: Any = None, **options: Any) -> Any:
        stride, pad, padding, dilation, _ = Torch.windows({"stride": size if stride is None else stride, **options})
        return torch.ops.fastconv.avg_pool2d_grad(
            torch.from_numpy(grad_y), x_shape, (size,) * 2, stride, pad, padding, dilation, False, True, None, None
        ).numpy()

    @staticmethod
    def windows(options: dict[str, Any]) -> tuple[Any, ...]:
        stride, dilation = options.get("stride", 1), options.get("dilation", 1)
        return (
            (stride,) * 2,
            "explicit",
            explicit(options),
            (dilation,) * 2,
            options.get("groups", 1),
        )


class TensorFlow:
    """The functions of fastconv.tensorflow, and the operations behind their gradients, which are public."""

    refusals: ClassVar = (
        ValueError,
        TypeError,
        MemoryError,
        OverflowError,
        tf.errors.InvalidArgumentError,
        tf.errors.ResourceExhaustedError,
    )

    def run(self, call: Callable[..., Any], *arrays: Any) -> Any:
        return call(*(tf.constant(a) for a in arrays)).numpy()

    @staticmethod
    def options(options: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        rest = dict(options)
        pad, stride = rest.pop("padding", 0), rest.pop("stride", 1)
        if "dilation" in rest:
            rest["dilations"] = rest.pop("dilation")
        return stride, [[0, 0], [pad, pad], [pad, pad], [0, 0]], rest

    def corr2d(self, x: Any, w: Any, bias: Any = None, **options: Any) -> Any:
        stride, padding, rest = self.options(options)
        more = [] if bias is None else [bias]
        y = self.run(
            lambda x, w, *b: fct.corr2d(x, w, stride, padding, bias=b[0] if b else None, **rest),
            np.moveaxis(x, 1, -1), np.moveaxis(w, (2, 3, 1, 0), (0, 1, 2, 3)), *more,
        )  # fmt: skip
        return np.moveaxis(y, -1, 1)

    def max_pool2d(self, x: Any, size: Any, stride: Any = None, **options: Any) -> Any:
        return self.pool(fct.max_pool2d, x, size, stride, options)

    def avg_pool2d(self, x: Any, size: Any, stride: Any = None, **options: Any) -> Any:
        return self.pool(fct.avg_pool2d, x, size, stride, options)

    def pool(self, function: Any, x: Any, size: Any, stride: Any, options: dict[str, Any]) -> Any:
        stride, padding, rest = self.options({"stride": size if stride is None else stride, **options})
        return np.moveaxis(self.run(lambda x: function(x, size, stride, padding, **rest), np.moveaxis(x, 1, -1)), -1, 1)

    def attributes(self, options: dict[str, Any], layouts: str = "NCHW OIHW") -> dict[str, Any]:
        stride, dilation = options.get("stride", 1), options.get("dilation", 1)
        windows = [stride, stride, dilation, dilation, *explicit(options)]
        return {"windows": windows, "padding": "EXPLICIT", "groups": options.get("groups", 1), "layouts": layouts}

    def input_grad(self, grad_y: Any, w: Any, x_shape: tuple[int, ...], **options: Any) -> Any:
        from fastconv.tensorflow._library import ops

        shape = tf.constant(x_shape, tf.int64)
        return self.run(lambda g, w: ops.fastconv_corr2d_input_grad(g, w, shape, **self.attributes(options)), grad_y, w)

    def weight_grad(self, grad_y: Any, x: Any, w_shape: tuple[int, ...], **options: Any) -> Any:
        from fastconv.tensorflow._library import ops

        shape = tf.constant(w_shape, tf.int64)
        return self.run(
            lambda g, x: ops.fastconv_corr2d_weight_grad(g, x, shape, num_bias=0, **self.attributes(options))[0],
            grad_y, x,
        )  # fmt: skip

    def max_grad(self, grad_y: Any, indices: Any, x_shape: tuple[int, ...]) -> Any:
        from fastconv.tensorflow._library import ops

        shape = tf.constant(x_shape, tf.int64)
        return self.run(lambda g, i: ops.fastconv_max_pool2d_grad(g, i, shape, data_format="NCHW"), grad_y, indices)

    def avg_grad(self, grad_y: Any, size: Any, x_shape: tuple[int, ...], stride: Any = None, **options: Any) -> Any:
        from fastconv.tensorflow._library import ops

        shape, attributes = tf.constant(x_shape, tf.int64), self.attributes({"stride": stride or size, **options})
        windows, kind = attributes["windows"], attributes["padding"]
        rest = {"ceil_mode": False, "count_include_pad": True, "divisor": 0, "data_format": "NCHW"}
        return self.run(
            lambda g: ops.fastconv_avg_pool2d_grad(g, shape, ksize=[size] * 2, windows=windows, padding=kind, **rest),
            grad_y,
        )


class Graph(TensorFlow):
    """The same, in a graph that knows no shapes while it is built."""

    def run(self, call: Callable[..., Any], *arrays: Any) -> Any:
        unknown = [tf.TensorSpec(None, np.asarray(a).dtype) for a in arrays]
        return tf.function(call, input_signature=unknown)(*(tf.constant(a) for a in arrays)).numpy()


FRONT_ENDS = {"numpy": NumPy(), "torch": Torch(), "tensorflow": TensorFlow(), "graph": Graph()}
