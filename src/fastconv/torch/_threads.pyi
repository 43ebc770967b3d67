# SPDX-License-Identifier: BSD-3-Clause
"""Torch's threads for the kernels that are called from torch."""

def use_team(on: bool) -> bool: ...
