# SPDX-License-Identifier: BSD-3-Clause
"""The code that pages of docs/ show, by the file that each block is for."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


class Block(NamedTuple):
    """A block of code with a caption."""

    language: str
    caption: str
    text: str


def captioned(page: Path) -> list[Block]:
    """The blocks that say which file they are for."""
    found = re.findall(
        r"^```\{code-block\} (\w+)\n:caption: ([^\n]+)\n\n(.*?)^```$",
        page.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    return [Block(*each) for each in found]


def cells(page: Path) -> list[str]:
    """The cells of a page that is executed when it is built, in order."""
    found = re.findall(
        r"^```\{code-cell\}[^\n]*\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [re.sub(r"^:tags:.*\n", "", cell) for cell in found]


def apply(block: Block, root: Path) -> None:
    """Do to a copy of the sources what a block says: write a file, or replace the one place that a diff shows."""
    path = root / block.caption
    if block.language != "diff":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        return
    lines = block.text.splitlines()
    before = "\n".join(line[1:] for line in lines if line[0] in " -")
    after = "\n".join(line[1:] for line in lines if line[0] in " +")
    text = path.read_text()
    assert text.count(before) == 1, f"{block.caption} has {text.count(before)} places like\n{before}"
    path.write_text(text.replace(before, after))
