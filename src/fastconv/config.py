# SPDX-License-Identifier: BSD-3-Clause
"""Threads, instruction sets, and what this build is made of."""

import importlib.util
import platform
import sys

import numpy as np

from fastconv import _core
from fastconv.geometry import integer


def isas() -> tuple[str, ...]:
    """Instruction sets that were built and that this machine runs.

    Returns
    -------
    tuple of str
        Of ``"avx512"``, ``"avx2"``, ``"neon"`` and ``"scalar"``, best first.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.isas()[-1]
    'scalar'
    """
    return _core.isas()


def get_isa() -> str:
    """Instruction set in use: the best one, unless ``FASTCONV_ISA`` or `set_isa` chose another.

    Returns
    -------
    str
        One of `isas`.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.get_isa() in fastconv.isas()
    True
    """
    return _core.get_isa()


def set_isa(name: str) -> None:
    """Use another instruction set from the next call on, in the whole process.

    Parameters
    ----------
    name : str
        One of `isas`.

    Raises
    ------
    ValueError
        It was not built, or this machine does not run it.

    Examples
    --------
    >>> import fastconv
    >>> before = fastconv.get_isa()
    >>> fastconv.set_isa("scalar")
    >>> fastconv.set_isa(before)
    """
    if not isinstance(name, str):
        raise TypeError(f"isa must be a string, got {name!r}")
    _core.set_isa(name)


def get_num_threads() -> int:
    """Return the most threads that a call uses.

    Returns
    -------
    int
        From `set_num_threads`, else ``FASTCONV_NUM_THREADS``, else ``OMP_NUM_THREADS``, else the CPUs that this
        process may use (affinity and control group limits).

    Examples
    --------
    >>> import fastconv
    >>> fastconv.get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


def set_num_threads(threads: int) -> None:
    """Set the most threads that a call uses, in the whole process. Results do not depend on it.

    Parameters
    ----------
    threads : int
        From 1 to 1024.

    Raises
    ------
    ValueError
        It is out of range.
    TypeError
        It is not an integer.

    Examples
    --------
    >>> import fastconv
    >>> before = fastconv.get_num_threads()
    >>> fastconv.set_num_threads(1)
    >>> fastconv.set_num_threads(before)
    """
    _core.set_num_threads(integer("the number of threads", threads))


def get_batch_invariant() -> bool:
    """Whether "auto" chooses the algorithm as if for a single image.

    Returns
    -------
    bool
        From `set_batch_invariant`, else ``FASTCONV_BATCH_INVARIANT``, else False.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.get_batch_invariant()
    False
    """
    return _core.get_batch_invariant()


def set_batch_invariant(on: bool) -> None:
    """Let "auto" choose as if for a single image, so that an image's output never depends on its batch.

    Parameters
    ----------
    on : bool
        Whether to.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.set_batch_invariant(True)
    >>> fastconv.set_batch_invariant(False)
    """
    _core.set_batch_invariant(on)


def _framework(name: str) -> str:
    """Say whether a framework is there, without importing it."""
    if name in sys.modules:
        return f"{getattr(sys.modules[name], '__version__', 'unknown version')}, imported"
    return "found" if importlib.util.find_spec(name) else "not found"


def show_config() -> None:
    """Print the version, the compiler, instruction sets, threads, and the frameworks that were found.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.show_config()  # doctest: +ELLIPSIS
    fastconv ...
    """
    rows = {
        "fastconv": _core.version(),
        "compiler": _core.compiler(),
        "instruction sets": f"{_core.get_isa()} in use, {', '.join(_core.built_isas())} built",
        "threads": str(_core.get_num_threads()),
        "batch invariant": "on" if _core.get_batch_invariant() else "off",
        "python": f"{platform.python_version()} ({platform.machine()})",
        "numpy": np.__version__,
        "torch": _framework("torch"),
        "tensorflow": _framework("tensorflow"),
    }
    for name, value in rows.items():
        print(f"{name:<18}{value}")
