# SPDX-License-Identifier: BSD-3-Clause
"""Libraries to compare with: one adapter a file, found if the library is installed.

A new one is a file with a subclass of `base.Peer`, and its line below.
"""

from importlib import import_module, metadata

from .base import Contestant, Peer, PoolProblem, Problem

__all__ = ["ADAPTERS", "FILTERS", "Contestant", "Peer", "PoolProblem", "Problem", "installed", "load"]

# Adapter: (class, the distributions that it needs, any one of each tuple).
ADAPTERS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "torch": ("Torch", (("torch",),)),
    "onnxruntime": ("OnnxRuntime", (("onnxruntime",), ("onnx",))),
    "openvino": ("OpenVINO", (("openvino",), ("onnx",))),
    "ncnn": ("Ncnn", (("ncnn",),)),
    "mnn": ("Mnn", (("mnn",), ("onnx",))),
    "tensorflow": ("TensorFlow", (("tensorflow", "tensorflow-cpu"),)),
    "jax": ("Jax", (("jax",), ("jaxlib",))),
}

# Image libraries whose filters are poolings of stride one.
FILTERS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "scipy": ("SciPy", (("scipy",),)),
    "opencv": (
        "OpenCV",
        (("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),),
    ),
}


def _has(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def installed(adapters: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = ADAPTERS) -> list[str]:
    """The adapters whose libraries are here."""
    return [name for name, (_, needs) in adapters.items() if all(any(map(_has, one)) for one in needs)]


def load(name: str, threads: int) -> Peer:
    """One adapter, with its library."""
    return getattr(import_module(f".{name}", __name__), {**ADAPTERS, **FILTERS}[name][0])(threads)
