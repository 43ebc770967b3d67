# SPDX-License-Identifier: BSD-3-Clause
"""Fast 2-D cross-correlation and pooling on the CPU.

Functions take NumPy arrays: `corr2d`, `corr2d_multi_in`, `corr2d_multi_in_out`, `pool2d`, `max_pool2d`, `avg_pool2d`;
their gradients end in ``_grad``; `prepare` transforms weights once. `explain`, `show_config` and `set_num_threads` tell
and set how they run.
"""

import sys

from fastconv import _core
from fastconv.config import (
    get_batch_invariant,
    get_isa,
    get_num_threads,
    isas,
    set_batch_invariant,
    set_isa,
    set_num_threads,
    show_config,
)
from fastconv.functional import (
    Explanation,
    Prepared,
    algorithms,
    avg_pool2d,
    avg_pool2d_grad,
    corr2d,
    corr2d_input_grad,
    corr2d_multi_in,
    corr2d_multi_in_out,
    corr2d_weight_grad,
    explain,
    max_pool2d,
    max_pool2d_grad,
    pool2d,
    prepare,
)

__version__: str = _core.version()

__all__ = [
    "Explanation",
    "Prepared",
    "algorithms",
    "avg_pool2d",
    "avg_pool2d_grad",
    "corr2d",
    "corr2d_input_grad",
    "corr2d_multi_in",
    "corr2d_multi_in_out",
    "corr2d_weight_grad",
    "explain",
    "get_batch_invariant",
    "get_isa",
    "get_num_threads",
    "isas",
    "max_pool2d",
    "max_pool2d_grad",
    "pool2d",
    "prepare",
    "set_batch_invariant",
    "set_isa",
    "set_num_threads",
    "show_config",
]

_core.configure()

if "threadpoolctl" in sys.modules:  # who limits threads with it wants ours to be limited
    import fastconv.threadpoolctl  # noqa: F401
