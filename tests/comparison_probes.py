# SPDX-License-Identifier: BSD-3-Clause
"""What each library does, tried: for every row of docs/comparison.md and every library, a call that tells.

A probe answers whether the library does what the row says; an exception is a no. The arrays are small and hand-made, or
random where only shapes matter.
"""

import json
import warnings
from collections.abc import Callable
from typing import Any

import cv2
import jax
import jax.numpy as jnp
import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import torch
import torch.nn.functional as F
from frameworks import run_script
from jax import lax
from scipy import ndimage, signal

import fastconv
import fastconv.torch

Probe = Callable[[], Any]
PROBES: dict[str, dict[str, Probe]] = {}

RNG = np.random.default_rng(0)
X, W = RNG.random((2, 4, 9, 9), np.float32), RNG.random((6, 4, 3, 3), np.float32)
XT, WT = torch.from_numpy(X), torch.from_numpy(W)
XL, WL = tf.constant(X.transpose(0, 2, 3, 1)), tf.constant(W.transpose(2, 3, 1, 0))
PLANE, KERNEL = X[0, 0], W[0, 0]
NAN = np.array([[np.nan, 1], [2, 3]], np.float32)
EIGHT_BITS, FOURS = np.full((1, 1, 3, 3), 100, np.int8), np.full((1, 1, 2, 2), 4, np.int8)  # sums of 1600


def onnx_run(
    operator: str, *arrays: np.ndarray, opset: int = 22, outputs: int = 1, **attributes: Any
) -> list[np.ndarray]:
    """One operator of ONNX, by ONNX Runtime."""
    names = [f"a{i}" for i in range(len(arrays))]
    results = [f"y{i}" for i in range(outputs)]
    kind = {
        np.dtype(t): onnx.helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in ("f4", "f8", "i4", "i1", "u1", "f2")
    }
    given = [onnx.helper.make_tensor_value_info(n, kind[a.dtype], a.shape) for n, a in zip(names, arrays, strict=True)]
    node = onnx.helper.make_node(operator, names, results, **attributes)
    graph = onnx.helper.make_graph([node], "g", given, [onnx.helper.make_empty_tensor_value_info(r) for r in results])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # refusals are expected
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, arrays, strict=True)))


def jax_conv(x: Any, w: Any, stride: int = 1, padding: Any = "VALID", **options: Any) -> Any:
    return lax.conv_general_dilated(x, w, (stride, stride), padding, **options)


def jax_max(x: Any, k: int = 2, stride: int = 1, padding: Any = "VALID", dilation: int = 1) -> Any:
    ones = (1,) * (x.ndim - 2)
    return lax.reduce_window(
        x,
        -jnp.inf,
        lax.max,
        (*ones, k, k),
        (*ones, stride, stride),
        padding,
        window_dilation=(*ones, dilation, dilation),
    )


def tf_grad(function: Callable[[Any], Any], at: Any) -> Any:
    variable = tf.Variable(at)
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(function(variable))
    return tape.gradient(y, variable)


def row(name: str, **probes: Probe) -> None:
    PROBES[name] = probes


def shaped(shape: tuple[int, ...], call: Probe) -> Probe:
    """The answer has this shape."""
    return lambda: tuple(call().shape) == shape


# ---- correlation -----------------------------------------------------------------------------------------------------

row(
    "images of several channels in batches",
    fastconv=shaped((2, 6, 7, 7), lambda: fastconv.corr2d(X, W)),
    torch=shaped((2, 6, 7, 7), lambda: F.conv2d(XT, WT)),
    tensorflow=shaped((2, 7, 7, 6), lambda: tf.nn.conv2d(XL, WL, 1, "VALID")),
    jax=shaped((2, 6, 7, 7), lambda: jax_conv(X, W)),
    onnxruntime=shaped((2, 6, 7, 7), lambda: onnx_run("Conv", X, W)[0]),
    scipy=lambda: signal.correlate2d(X, W, "valid"),
    opencv=lambda: cv2.filter2D(X, -1, W),
)
row(
    "one plane of rank 2, as it is",
    fastconv=shaped((7, 7), lambda: fastconv.corr2d(PLANE, KERNEL)),
    torch=lambda: F.conv2d(XT[0, 0], WT[0, 0]),
    jax=lambda: jax_conv(PLANE, KERNEL),
    onnxruntime=lambda: onnx_run("Conv", PLANE, KERNEL),
    scipy=shaped((7, 7), lambda: signal.correlate2d(PLANE, KERNEL, "valid")),
    opencv=shaped((9, 9), lambda: cv2.filter2D(PLANE, -1, KERNEL)),
)
row(
    "stride",
    fastconv=shaped((2, 6, 4, 4), lambda: fastconv.corr2d(X, W, stride=2)),
    torch=shaped((2, 6, 4, 4), lambda: F.conv2d(XT, WT, stride=2)),
    tensorflow=shaped((2, 4, 4, 6), lambda: tf.nn.conv2d(XL, WL, 2, "VALID")),
    jax=shaped((2, 6, 4, 4), lambda: jax_conv(X, W, 2)),
    onnxruntime=shaped((2, 6, 4, 4), lambda: onnx_run("Conv", X, W, strides=[2, 2])[0]),
    scipy=lambda: signal.correlate2d(PLANE, KERNEL, "valid", stride=2),
    opencv=lambda: cv2.filter2D(PLANE, -1, KERNEL, stride=2),
)
row(
    "stride and dilation together, in a layer",
    fastconv=shaped((2, 6, 3, 3), lambda: fastconv.torch.Conv2d(4, 6, 3, stride=2, dilation=2)(XT)),
    torch=shaped((2, 6, 3, 3), lambda: torch.nn.Conv2d(4, 6, 3, stride=2, dilation=2)(XT)),
    tensorflow=lambda: keras.layers.Conv2D(6, 3, strides=2, dilation_rate=2)(XL),
)
row(
    "`same` padding with stride",
    fastconv=shaped((2, 6, 5, 5), lambda: fastconv.corr2d(X, W, stride=2, padding="same")),
    torch=lambda: F.conv2d(XT, WT, stride=2, padding="same"),
    tensorflow=shaped((2, 5, 5, 6), lambda: tf.nn.conv2d(XL, WL, 2, "SAME")),
    jax=shaped((2, 6, 5, 5), lambda: jax_conv(X, W, 2, "SAME")),
    onnxruntime=shaped((2, 6, 5, 5), lambda: onnx_run("Conv", X, W, auto_pad="SAME_UPPER", strides=[2, 2])[0]),
)
row(
    "another padding on each side",
    fastconv=shaped((2, 6, 10, 9), lambda: fastconv.corr2d(X, W, padding=((1, 2), (2, 0)))),
    torch=lambda: F.conv2d(XT, WT, padding=((1, 2), (2, 0))),
    tensorflow=shaped((2, 10, 9, 6), lambda: tf.nn.conv2d(XL, WL, 1, [[0, 0], [1, 2], [2, 0], [0, 0]])),
    jax=shaped((2, 6, 10, 9), lambda: jax_conv(X, W, 1, ((1, 2), (2, 0)))),
    onnxruntime=shaped((2, 6, 10, 9), lambda: onnx_run("Conv", X, W, pads=[1, 2, 2, 0])[0]),
)
row(
    "negative padding (cropping)",
    fastconv=lambda: fastconv.corr2d(X, W, padding=-1),
    torch=lambda: F.conv2d(XT, WT, padding=-1),
    tensorflow=lambda: tf.nn.conv2d(XL, WL, 1, [[0, 0], [-1, -1], [-1, -1], [0, 0]]),
    jax=shaped((2, 6, 5, 5), lambda: jax_conv(X, W, 1, ((-1, -1), (-1, -1)))),
    onnxruntime=lambda: onnx_run("Conv", X, W, pads=[-1, -1, -1, -1]),
)
row(
    "mirrored and other borders",
    fastconv=lambda: fastconv.corr2d(X, W, padding="reflect"),
    torch=shaped((2, 6, 9, 9), lambda: torch.nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect")(XT)),
    tensorflow=lambda: tf.nn.conv2d(XL, WL, 1, "REFLECT"),
    jax=lambda: jax_conv(X, W, 1, "REFLECT"),
    onnxruntime=lambda: onnx_run("Conv", X, W, auto_pad="REFLECT"),
    scipy=shaped((9, 9), lambda: ndimage.correlate(PLANE, KERNEL, mode="mirror")),
    opencv=shaped((9, 9), lambda: cv2.filter2D(PLANE, -1, KERNEL, borderType=cv2.BORDER_REFLECT_101)),
)
row(
    "groups",
    fastconv=shaped((2, 6, 7, 7), lambda: fastconv.corr2d(X, W[:, :2], groups=2)),
    torch=shaped((2, 6, 7, 7), lambda: F.conv2d(XT, WT[:, :2], groups=2)),
    tensorflow=shaped((2, 7, 7, 6), lambda: tf.nn.conv2d(XL, WL[:, :, :2], 1, "VALID")),
    jax=shaped((2, 6, 7, 7), lambda: jax_conv(X, W[:, :2], feature_group_count=2)),
    onnxruntime=shaped((2, 6, 7, 7), lambda: onnx_run("Conv", X, W[:, :2], group=2)[0]),
)
row(
    "one and three dimensions",
    fastconv=lambda: fastconv.corr2d(X[None], W[None]),
    torch=shaped((1, 1, 1, 7, 7), lambda: F.conv3d(XT[None, :1], WT[None, :1])),
    tensorflow=shaped((1, 2, 7, 7, 6), lambda: tf.nn.conv3d(XL[None], WL[None], [1] * 5, "VALID")),
    jax=shaped((1, 6, 7), lambda: lax.conv(X[:1, :, 0], W[..., 0], (1,), "VALID")),
    onnxruntime=shaped((2, 6, 7), lambda: onnx_run("Conv", X[:, :, 0], W[..., 0])[0]),
    scipy=shaped((1, 7, 7), lambda: signal.correlate(X[0], W[0], "valid")),
)
row(
    "transposed convolution as a function or layer",
    fastconv=lambda: fastconv.conv_transpose2d(X, W),
    torch=shaped((2, 6, 11, 11), lambda: F.conv_transpose2d(XT, WT.transpose(0, 1))),
    tensorflow=shaped((2, 11, 11, 6), lambda: keras.layers.Conv2DTranspose(6, 3)(XL)),
    jax=shaped((2, 11, 11, 6), lambda: lax.conv_transpose(XL.numpy(), WL.numpy(), (1, 1), "VALID")),
    onnxruntime=shaped((2, 6, 11, 11), lambda: onnx_run("ConvTranspose", X, W.swapaxes(0, 1).copy())[0]),
)
row(
    "float64",
    fastconv=lambda: fastconv.corr2d(X.astype("f8"), W.astype("f8")).dtype == "f8",
    torch=lambda: F.conv2d(XT.double(), WT.double()).dtype == torch.float64,
    tensorflow=lambda: tf.nn.conv2d(tf.cast(XL, "float64"), tf.cast(WL, "float64"), 1, "VALID").dtype == "float64",
    onnxruntime=lambda: onnx_run("Conv", X.astype("f8"), W.astype("f8")),
    scipy=lambda: signal.correlate2d(PLANE.astype("f8"), KERNEL.astype("f8")).dtype == "f8",
    opencv=lambda: cv2.filter2D(PLANE.astype("f8"), -1, KERNEL).dtype == "f8",
)
row(
    "float16",
    fastconv=lambda: fastconv.corr2d(X.astype("f2"), W.astype("f2")).dtype == "f2",
    torch=lambda: F.conv2d(XT.half(), WT.half()).dtype == torch.float16,
    tensorflow=lambda: tf.nn.conv2d(tf.cast(XL, "float16"), tf.cast(WL, "float16"), 1, "VALID").dtype == "float16",
    jax=lambda: jax_conv(X.astype("f2"), W.astype("f2")).dtype == "f2",
    scipy=lambda: signal.correlate2d(PLANE.astype("f2"), KERNEL.astype("f2")),
    opencv=lambda: cv2.filter2D(PLANE.astype("f2"), -1, KERNEL),
)
row(
    "8-bit integers with sums that fit",
    fastconv=lambda: fastconv.corr2d(EIGHT_BITS, FOURS).ravel()[0] == 1600,
    torch=lambda: F.conv2d(torch.from_numpy(EIGHT_BITS), torch.from_numpy(FOURS)).ravel()[0].item() == 1600,
    tensorflow=lambda: tf.nn.conv2d(EIGHT_BITS.reshape(1, 3, 3, 1), FOURS.reshape(2, 2, 1, 1), 1, "VALID"),
    jax=lambda: jax_conv(EIGHT_BITS, FOURS, preferred_element_type=jnp.int32).ravel()[0] == 1600,
    onnxruntime=lambda: (
        onnx_run("ConvInteger", EIGHT_BITS.astype("u1"), FOURS.astype("u1"), opset=10)[0].ravel()[0] == 1600
    ),
    scipy=lambda: signal.correlate2d(EIGHT_BITS[0, 0], FOURS[0, 0], "valid")[0, 0] == 1600,
    opencv=lambda: cv2.filter2D(EIGHT_BITS[0, 0].astype("u1"), -1, FOURS[0, 0].astype("f4"))[1, 1] == 1600,
)
row(
    "complex numbers",
    fastconv=lambda: fastconv.corr2d(X.astype("c8"), W.astype("c8")),
    torch=lambda: F.conv2d(XT.to(torch.complex64), WT.to(torch.complex64)).dtype == torch.complex64,
    tensorflow=lambda: tf.nn.conv2d(tf.cast(XL, "complex64"), tf.cast(WL, "complex64"), 1, "VALID"),
    jax=lambda: jax_conv(X.astype("c8"), W.astype("c8")).dtype == "c8",
    scipy=lambda: signal.correlate2d(PLANE.astype("c8"), KERNEL.astype("c8")).dtype == "c8",
)
row(
    "an image and a kernel of two dtypes",
    fastconv=lambda: fastconv.corr2d(X, W.astype("f8")).dtype == "f8",
    torch=lambda: F.conv2d(XT, WT.double()),
    tensorflow=lambda: tf.nn.conv2d(XL, tf.cast(WL, "float64"), 1, "VALID"),
    jax=lambda: jax_conv(X, W.astype("f2")),
    scipy=lambda: signal.correlate2d(PLANE, KERNEL.astype("f8")).dtype == "f8",
)
row(
    "a place for the result (`out`)",
    fastconv=lambda: fastconv.corr2d(PLANE, KERNEL, out=np.empty((7, 7), "f4")).shape == (7, 7),
    torch=lambda: F.conv2d(XT, WT, out=torch.empty(2, 6, 7, 7)),
    tensorflow=lambda: tf.nn.conv2d(XL, WL, 1, "VALID", out=None),
    scipy=lambda: ndimage.correlate(PLANE, KERNEL, output=np.empty_like(PLANE)).shape == (9, 9),
    opencv=lambda: cv2.filter2D(PLANE, -1, KERNEL, dst=np.empty_like(PLANE)).shape == (9, 9),
)
row(
    "large kernels by FFT",
    fastconv=lambda: "fft" in " ".join(fastconv.algorithms("corr2d")),
    scipy=shaped((32, 32), lambda: signal.fftconvolve(np.ones((64, 64)), np.ones((33, 33)), "valid")),
)
ONE, ZERO = np.ones((1,), np.float32), np.zeros((1,), np.int8)
row(
    "quantized layers",
    fastconv=lambda: fastconv.qlinear_conv2d(X, W),
    onnxruntime=lambda: (
        onnx_run("QLinearConv", EIGHT_BITS, ONE, ZERO, FOURS, ONE, ZERO, 64 * ONE, ZERO)[0][0, 0, 0, 0] == 25
    ),
)
row(
    "an empty batch has the right shape",
    fastconv=shaped((0, 6, 7, 7), lambda: fastconv.corr2d(X[:0], W)),
    torch=shaped((0, 6, 7, 7), lambda: F.conv2d(XT[:0], WT)),
    tensorflow=shaped((0, 7, 7, 6), lambda: tf.nn.conv2d(XL[:0], WL, 1, "VALID")),
    jax=shaped((0, 6, 7, 7), lambda: jax_conv(X[:0], W)),
)


def refuses(call: Probe) -> Probe:
    """There is an exception, and no answer."""

    def probe() -> bool:
        try:
            call()
        except Exception:  # of whatever kind the library has
            return True
        return False

    return probe


row(
    "a kernel larger than the image is an error",
    fastconv=refuses(lambda: fastconv.corr2d(X[:, :, :2, :2], W)),
    torch=refuses(lambda: F.conv2d(XT[:, :, :2, :2], WT)),
    tensorflow=refuses(lambda: tf.nn.conv2d(XL[:, :2, :2], WL, 1, "VALID")),
    scipy=refuses(lambda: signal.correlate2d(PLANE[:2, :2], KERNEL, "valid")),
)

ABORTS = """
import tensorflow as tf
try:
    tf.nn.conv2d(tf.ones((8, 9, 4)), tf.ones((3, 3, 4, 6)), 1, "VALID")
except Exception:
    pass
"""
row(
    "a wrong rank is an error, not the end of the process",
    fastconv=refuses(lambda: fastconv.corr2d(X[0, 0], W)),
    torch=refuses(lambda: F.conv2d(XT[0, 0], WT)),
    tensorflow=lambda: run_script(ABORTS) == "",
    jax=refuses(lambda: jax_conv(X[0, 0], W)),
)

# ---- pooling ---------------------------------------------------------------------------------------------------------

row(
    "padding beyond half the window",
    fastconv=shaped((2, 4, 12, 12), lambda: fastconv.max_pool2d(X, 2, stride=1, padding=2)),
    torch=lambda: F.max_pool2d(XT, 2, 1, padding=2),
    tensorflow=shaped((2, 12, 12, 4), lambda: tf.nn.max_pool2d(XL, 2, 1, [[0, 0], [2, 2], [2, 2], [0, 0]])),
    jax=shaped((2, 4, 12, 12), lambda: jax_max(jnp.asarray(X), padding=((0, 0), (0, 0), (2, 2), (2, 2)))),
    onnxruntime=lambda: onnx_run("MaxPool", X, kernel_shape=[2, 2], pads=[2, 2, 2, 2]),
)
row(
    "averages with explicit padding",
    fastconv=shaped((2, 4, 5, 5), lambda: fastconv.avg_pool2d(X, 2, padding=1)),
    torch=shaped((2, 4, 5, 5), lambda: F.avg_pool2d(XT, 2, padding=1)),
    tensorflow=lambda: tf.nn.avg_pool2d(XL, 2, 2, [[0, 0], [1, 1], [1, 1], [0, 0]]),
    onnxruntime=shaped((2, 4, 10, 10), lambda: onnx_run("AveragePool", X, kernel_shape=[2, 2], pads=[1] * 4)[0]),
)
row(
    "averages with dilation",
    fastconv=shaped((2, 4, 7, 7), lambda: fastconv.avg_pool2d(X, 2, stride=1, dilation=2)),
    torch=lambda: F.avg_pool2d(XT, 2, 1, dilation=2),
    tensorflow=shaped((2, 7, 7, 4), lambda: tf.nn.pool(XL, (2, 2), "AVG", dilations=(2, 2), padding="VALID")),
    onnxruntime=shaped((2, 4, 7, 7), lambda: onnx_run("AveragePool", X, kernel_shape=[2, 2], dilations=[2, 2])[0]),
)
row(
    "stride and dilation together",
    fastconv=shaped((2, 4, 4, 4), lambda: fastconv.max_pool2d(X, 2, stride=2, dilation=2)),
    torch=shaped((2, 4, 4, 4), lambda: F.max_pool2d(XT, 2, 2, dilation=2)),
    tensorflow=lambda: tf.nn.pool(XL, (2, 2), "MAX", strides=(2, 2), dilations=(2, 2), padding="VALID"),
    jax=shaped((2, 4, 4, 4), lambda: jax_max(jnp.asarray(X), stride=2, dilation=2)),
    onnxruntime=shaped(
        (2, 4, 4, 4), lambda: onnx_run("MaxPool", X, kernel_shape=[2, 2], strides=[2, 2], dilations=[2, 2])[0]
    ),
)
row(
    "the gradient of a dilated maximum",
    fastconv=lambda: fastconv.torch.max_pool2d(XT.clone().requires_grad_(), 2, 1, dilation=2).sum().backward() is None,
    torch=lambda: F.max_pool2d(XT.clone().requires_grad_(), 2, 1, dilation=2).sum().backward() is None,
    tensorflow=shaped(
        (2, 9, 9, 4), lambda: tf_grad(lambda x: tf.nn.pool(x, (2, 2), "MAX", dilations=(2, 2), padding="VALID"), XL)
    ),
    jax=lambda: jax.grad(lambda x: jax_max(x, dilation=2).sum())(jnp.asarray(X)),
)
row(
    "channels first, with gradients, in eager mode",
    fastconv=lambda: fastconv.max_pool2d(XT.clone().requires_grad_(), 2).sum().backward() is None,
    torch=lambda: F.max_pool2d(XT.clone().requires_grad_(), 2).sum().backward() is None,
    tensorflow=lambda: tf_grad(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID", data_format="NCHW"), X),
)
row(
    "a NaN survives a maximum",
    fastconv=lambda: np.isnan(fastconv.max_pool2d(NAN, 2)).all(),
    torch=lambda: F.max_pool2d(torch.from_numpy(NAN)[None], 2).isnan().all(),
    tensorflow=lambda: np.isnan(tf.nn.max_pool2d(NAN[None, ..., None], 2, 2, "VALID")).all(),
    jax=lambda: jnp.isnan(jax_max(jnp.asarray(NAN))).all(),
)
row(
    "minus infinity survives a maximum",
    fastconv=lambda: fastconv.max_pool2d(np.full((2, 2), -np.inf), 2)[0, 0] == -np.inf,
    torch=lambda: F.max_pool2d(torch.full((1, 2, 2), -torch.inf), 2).item() == -np.inf,
    tensorflow=lambda: tf.nn.max_pool2d(tf.fill((1, 2, 2, 1), -np.inf), 2, 2, "VALID").numpy().item() == -np.inf,
    jax=lambda: jax_max(jnp.full((2, 2), -jnp.inf)).item() == -np.inf,
)
row(
    "indices of the maxima",
    fastconv=lambda: fastconv.max_pool2d(PLANE, 3, return_indices=True)[1].shape == (3, 3),
    torch=lambda: F.max_pool2d(XT, 3, return_indices=True)[1].shape == (2, 4, 3, 3),
    tensorflow=lambda: tuple(tf.nn.max_pool_with_argmax(XL, 3, 3, "VALID")[1].shape) == (2, 3, 3, 4),
    onnxruntime=lambda: onnx_run("MaxPool", X, outputs=2, kernel_shape=[3, 3])[1].shape == (2, 4, 7, 7),
)
row(
    "averages of 8-bit integers",
    fastconv=lambda: fastconv.avg_pool2d(np.array([[1, 2], [3, 4]], "u1"), 2)[0, 0] == 2.5,
    torch=lambda: F.avg_pool2d(torch.ones(1, 4, 4, dtype=torch.uint8), 2),
    tensorflow=lambda: tf.nn.avg_pool2d(tf.ones((1, 4, 4, 1), tf.uint8), 2, 2, "VALID"),
)
row(
    "adaptive pooling, unpooling, other norms",
    fastconv=lambda: fastconv.adaptive_max_pool2d(X, 3),
    torch=shaped((2, 4, 3, 3), lambda: F.adaptive_max_pool2d(XT, 3)),
    onnxruntime=shaped((2, 4, 8, 8), lambda: onnx_run("LpPool", X, kernel_shape=[2, 2])[0]),
)


def does(probe: Probe) -> bool:
    """Try it; an exception is a no."""
    try:
        return bool(probe())
    except Exception:  # of whatever kind the library has; a subprocess that ended badly
        return False


def main() -> None:
    """Print all answers as JSON."""
    warnings.simplefilter("ignore")  # theirs
    print(
        json.dumps({name: {library: does(probe) for library, probe in tried.items()} for name, tried in PROBES.items()})
    )
