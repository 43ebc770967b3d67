# SPDX-License-Identifier: BSD-3-Clause
"""A result that is measured in pieces, so that each one is short enough for a machine to stay calm."""

import json
from pathlib import Path
from typing import Any

from summary import Row

SAME = ("cpu", "isa", "threads", "dtype", "rounds", "fastconv")  # of all pieces


def _identity(row: Row) -> tuple[str, str]:
    return row["operation"], json.dumps(row["shape"], sort_keys=True)


def earlier(path: Path, about: dict[str, Any], rows: list[Row]) -> tuple[list[Row], dict[str, Any]]:
    """The rows of a result that are not measured again, and its machine; its peers' versions go to `about`.

    ValueError where the conditions, or a peer's version, are others.
    """
    if not path.exists():
        return [], {}
    result = json.loads(path.read_text())
    before = result["conditions"]
    for key in SAME:
        if before[key] != about[key]:
            raise ValueError(f"{path} was measured with {key} {before[key]!r}, this is {about[key]!r}")
    for name, version in before["peers"].items():
        if about["peers"].setdefault(name, version) != version:
            raise ValueError(f"{path} was measured with {name} {version}, this is {about['peers'][name]}")
    new = {_identity(json.loads(json.dumps(row))) for row in rows}
    return [row for row in result["rows"] if _identity(row) not in new], result["machine"]
