# SPDX-License-Identifier: BSD-3-Clause
"""The op library: loaded once, and seen to be whole. Everything of TensorFlow that is not public is named here."""

import ctypes
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record

_SUFFIX = "dylib" if sys.platform == "darwin" else "so"
_NAMES = (f"libfastconv_tensorflow.{_SUFFIX}", "libfastconv_tensorflow.so")

EagerTensor: Any = tf.__internal__.EagerTensor


def _found() -> str:
    """The library's path."""
    if sys.platform == "win32":
        raise ImportError("fastconv has no operations for TensorFlow on Windows: use fastconv or fastconv.torch there")
    folders = sys.modules[__package__].__path__  # an editable install has two: the sources and what was built
    places = (Path(folder) / name for folder in folders for name in _NAMES)
    path = next((str(place) for place in places if place.exists()), None)
    if path is None:
        raise ImportError(f"fastconv was built without {_NAMES[0]}, which TensorFlow loads")
    return path


def _load() -> Any:
    """Load the ops into the TensorFlow of this process; ImportError if that one will not have them."""
    path = _found()
    try:
        module = tf.load_op_library(path)
    except (tf.errors.OpError, RuntimeError) as error:
        raise ImportError(f"TensorFlow {tf.__version__} does not load fastconv's ops: {error}") from error
    ask = ctypes.CDLL(path).fastconv_tensorflow_problem
    ask.restype = ctypes.c_char_p
    problem = ask()
    if problem is not None:
        raise ImportError(f"TensorFlow {tf.__version__} does not take fastconv's ops: {problem.decode()}")
    return module


def _functions() -> Any:
    """What `freezing` calls beside the ops."""
    library = ctypes.CDLL(_found())
    for name, answer in (("freeze", ctypes.c_int), ("unfreeze", None), ("preparations", ctypes.c_int64)):
        function = getattr(library, f"fastconv_tensorflow_{name}")
        function.argtypes, function.restype = [ctypes.c_int64], answer
    return library


ops: Any = _load()
library: Any = _functions()


def in_xla() -> bool:
    """Whether the graph that is being traced will be compiled by XLA (``jit_compile=True``)."""
    return tf.__internal__.get_enclosing_xla_context() is not None


def recording() -> bool:
    """Whether a gradient tape or a forward accumulator is open, which may ask for a gradient of what is called now."""
    return bool(record.could_possibly_record())
