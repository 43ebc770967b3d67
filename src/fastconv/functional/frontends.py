# SPDX-License-Identifier: BSD-3-Clause
"""Tensors among the arguments: the front end of their framework answers, which is imported with the first of them."""

import importlib
import sys
from typing import Any

import numpy as np

# A framework, and what answers for its tensors: functions of fastconv's names and keywords. A framework whose tensors
# are here has been imported by the caller; fastconv itself imports none.
_FRONT_ENDS = {
    "torch": "fastconv.torch.arraylike",
    "tensorflow": "fastconv.tensorflow.arraylike",
}
_TENSORS = {
    "torch": ("Tensor",),
    "tensorflow": ("Tensor", "Variable"),
}


def _framework_of(value: Any) -> str | None:
    """Name the framework that `value` is a tensor of."""
    for name, types in _TENSORS.items():
        framework = sys.modules.get(name)
        if framework is None:
            continue
        for kind in types:
            tensor_type = getattr(framework, kind, None)
            if isinstance(tensor_type, type) and isinstance(value, tensor_type):
                return name
    # Keras's variables are of none of these types, and say so by this method.
    return "tensorflow" if "tensorflow" in sys.modules and hasattr(type(value), "__tf_tensor__") else None


def tensor_front_end(*arguments: Any) -> Any:
    """The module that answers for the tensors among the arguments; None for arrays alone.

    Parameters
    ----------
    *arguments
        Array-likes, tensors and None.

    Returns
    -------
    module or None
        It has functions of the same names and keywords as fastconv's own.

    Raises
    ------
    TypeError
        Tensors of two frameworks meet.
    """
    found: str | None = None
    for value in arguments:
        if type(value) is np.ndarray or value is None:
            continue
        name = _framework_of(value)
        if name is not None and found is not None and name != found:
            raise TypeError(f"tensors of {found} and of {name} meet in one call")
        found = name or found
    if found is None:
        return None
    name = _FRONT_ENDS[found]
    return sys.modules.get(name) or importlib.import_module(name)  # compilers can follow the first
