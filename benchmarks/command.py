# SPDX-License-Identifier: BSD-3-Clause
"""What the comparisons' command lines share: their words, and what follows from them."""

import argparse
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import peers
from contest import Library
from layers import Layer
from peers.fastconv import Fastconv
from pools import Pool
from tqdm import tqdm

import fastconv

LAYER_SECONDS = 60  # no further round of a row begins after these
ROUNDS, QUICK_ROUNDS = 8, 2
LARGEST = 1 << 28  # bytes of one array


Row = TypeVar("Row", bound=Layer | Pool)


def parser(about: str | None, quick: str, tables: Sequence[str], dtypes: Sequence[str]) -> argparse.ArgumentParser:
    """With the words that all have; `about` is the script's docstring, `quick` what that word takes."""
    words = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help=quick)
    words.add_argument("--shapes", nargs="+", default=tables, help=f"tables ({', '.join(tables)}) or CSV files")
    words.add_argument("--dtype", choices=dtypes, default="float32")
    words.add_argument("--threads", type=int, default=fastconv.get_num_threads(), help="of every contestant")
    words.add_argument("--rounds", type=int, help=f"turns of every contestant ({ROUNDS}; --quick: {QUICK_ROUNDS})")
    words.add_argument("--json", type=Path, help="where to write the result")
    return words


def parsed(words: argparse.ArgumentParser) -> argparse.Namespace:
    """What was said, the rounds filled in."""
    arguments = words.parse_args()
    arguments.rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS)
    return arguments


def parsed_with_peers(
    words: argparse.ArgumentParser, adapters: Iterable[str], found: Sequence[str], quick: Iterable[str] | None = None
) -> argparse.Namespace:
    """The same of a script that has `--peers`: those that are installed, under --quick `quick`; torch comes first."""
    words.add_argument("--peers", nargs="+", choices=tuple(adapters), help="beside torch (all that are installed)")
    arguments = parsed(words)
    usual = [name for name in found if not arguments.quick or quick is None or name in quick]
    names = arguments.peers or usual
    absent = set(names) - set(found)
    if absent:
        words.error(f"not installed: {', '.join(sorted(absent))}")
    arguments.peers = ["torch", *(name for name in names if name != "torch")]
    return arguments


def that_fit(rows: Iterable[Row], dtype: str) -> tuple[list[Row], list[str]]:
    """The rows whose arrays are not too large, and the names of the others."""
    itemsize = np.dtype(dtype).itemsize
    fitting: list[Row] = []
    large: list[str] = []
    for row in rows:
        if max(map(math.prod, (row.x_shape, row.y_shape))) * itemsize > LARGEST:
            large.append(f"{row.table} {row.name} of {row.batch} images")
        else:
            fitting.append(row)
    return fitting, large


def load_libraries(names: Iterable[str], threads: int, dtype: str, integers: bool = False) -> list[Library]:
    """Ours first, then the peers that compute in this dtype; with `integers`, those that pool in it as well."""
    loaded = [(name, peers.load(name, threads)) for name in tqdm(names, desc="libraries", leave=False, disable=None)]
    able = [(name, peer) for name, peer in loaded if dtype in peer.dtypes or (integers and dtype in peer.integers)]
    return [("fastconv", Fastconv(threads)), *able]
