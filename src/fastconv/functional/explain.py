# SPDX-License-Identifier: BSD-3-Clause
"""Which algorithm would run, and why not the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastconv import _core
from fastconv.functional.arrays import as_array, average_dtypes, compute_dtype, correlation_dtypes
from fastconv.functional.pooling import Images, pool_problem
from fastconv.functional.problems import Ranks, problem, shape_of
from fastconv.geometry import Windows, integer, layout_name


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `explain` answers.

    Attributes
    ----------
    operation, algorithm : str
        What was asked, and what "auto" takes.
    declined : dict of str to str
        Why the algorithms that do not take the problem do not.
    passed_over : dict of str to str
        Why "auto" prefers another one to algorithms that would take the problem.
    flops : int
        Multiplications and additions (comparisons, for pooling) of the definition.
    workspace_bytes : int
        Memory beside inputs and outputs, at the present number of threads, transformed weights included.
    """

    operation: str
    algorithm: str
    declined: dict[str, str]
    passed_over: dict[str, str]
    flops: int
    workspace_bytes: int

    def __str__(self) -> str:
        lines = [
            f"{self.operation}: {self.algorithm}",
            f"  {self.flops / 1e6:,.3f} MFLOP, workspace {self.workspace_bytes / 1024:,.0f} KiB",
        ]
        lines += [f"  {name} declines: {reason}" for name, reason in self.declined.items()]
        lines += [f"  {name} is passed over: {reason}" for name, reason in self.passed_over.items()]
        return "\n".join(lines)


def algorithms(operation: str) -> tuple[str, ...]:
    """Names of an operation's algorithms, best first; the last accepts every problem.

    Parameters
    ----------
    operation : str
        ``"corr2d"``, ``"corr2d_input_grad"``, ``"corr2d_weight_grad"``, ``"max_pool2d"``, ``"avg_pool2d"``,
        ``"max_pool2d_grad"`` or ``"avg_pool2d_grad"``.

    Returns
    -------
    tuple of str
        The names that the `algorithm` argument takes beside ``"auto"``.

    Raises
    ------
    ValueError
        `operation` is none of them.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.algorithms("corr2d")[-1]
    'direct'
    """
    return _core.algorithms(_known(operation))


def _known(operation: str) -> str:
    if operation not in _core.OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(_core.OPERATIONS)}, got {operation!r}")
    return operation


def explain(
    operation: str,
    x_shape: tuple[int, ...],
    w_shape: Any,
    *,
    dtype: Any = "float32",
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    return_indices: bool = False,
    layout: Any = "NCHW",
) -> Explanation:
    """Tell which algorithm "auto" takes for a problem, why the others declined, and what it costs.

    Parameters
    ----------
    operation : str
        One of those that `algorithms` knows.
    x_shape : tuple of int
        The shape of the images.
    w_shape : tuple of int
        The shape of the weights; for pooling the `pool_size`.
    dtype : dtype
        Of the arrays.
    stride, padding, dilation, groups, ceil_mode, count_include_pad, divisor_override, return_indices, layout
        As in the operation itself, with its defaults.

    Returns
    -------
    Explanation
        Its ``str`` is readable.

    Raises
    ------
    ValueError
        The operation is unknown, or it would refuse the problem.
    TypeError
        A dtype or an argument's type is not supported.

    Examples
    --------
    >>> import fastconv
    >>> fastconv.explain("corr2d", (1, 64, 56, 56), (64, 64, 3, 3), padding=1).algorithm
    'winograd_nchw'
    """
    _known(operation)
    shape, example = shape_of("x_shape", x_shape), as_array("dtype", np.empty(0, dtype))
    if operation.startswith("corr2d"):
        ranks = Ranks.of(shape, shape_of("w_shape", w_shape), layout_name(layout))
        windows = Windows.of(1 if stride is None else stride, padding, dilation)
        computed = correlation_dtypes(dtype=example)[0]
        found = problem(computed, ranks, windows, integer("groups", groups)).explain(operation)
    else:
        images = Images.of("x_shape", shape, layout_name(layout))
        average = operation.startswith("avg")
        computed = average_dtypes(example.dtype)[0] if average else compute_dtype(example.dtype)
        found = pool_problem(
            computed, images, w_shape, stride, padding, dilation, ceil_mode, count_include_pad, divisor_override
        ).explain(operation, bool(return_indices))
    return Explanation(operation, *found)
