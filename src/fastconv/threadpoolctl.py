# SPDX-License-Identifier: BSD-3-Clause
"""Let threadpoolctl see and limit fastconv's threads.

Importing this module registers a controller. ``import fastconv`` does so by itself where threadpoolctl was imported
before.
"""

import ctypes

from threadpoolctl import LibController, register

__all__ = ["FastconvController"]


class FastconvController(LibController):  # type: ignore[misc,unused-ignore]
    """The pool of libfastconv: `threadpoolctl.threadpool_limits` sets what `fastconv.set_num_threads` does.

    Examples
    --------
    >>> import fastconv.threadpoolctl
    >>> import threadpoolctl
    >>> with threadpoolctl.threadpool_limits(1, user_api="fastconv"):
    ...     fastconv.get_num_threads()
    1
    """

    user_api = "fastconv"
    internal_api = "fastconv"
    filename_prefixes = ("libfastconv.", "fastconv.")  # not libfastconv_tensorflow, which shares this pool
    check_symbols = ("fc_get_num_threads", "fc_set_num_threads")

    def get_num_threads(self) -> int:
        """Return the most threads that a call uses."""
        return int(self.dynlib.fc_get_num_threads())

    def set_num_threads(self, num_threads: int) -> None:
        """Set the most threads that a call uses, in the whole process."""
        self.dynlib.fc_set_num_threads(ctypes.c_int64(num_threads), None)

    def get_version(self) -> str:
        """Return fastconv's version."""
        from fastconv import _core

        return _core.version()


register(FastconvController)
