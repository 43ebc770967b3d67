# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic of the report. A ratio is another's time over fastconv's: above 1, fastconv is faster."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from timing import geometric_mean

Row = dict[str, Any]  # one layer's result, as the JSON holds it

OURS = ("fastconv NCHW", "fastconv NCHW prepared", "fastconv NHWC", "fastconv NHWC prepared")
BASE, BASE_NHWC = "torch NCHW", "torch channels_last"
BEST = "best peer"

# Short name: (contestant of ours, whom it is compared with).
RATIOS: dict[str, tuple[str, str]] = {
    "raw/torch": (OURS[0], BASE),
    "prep/torch": (OURS[1], BASE),
    "raw/best": (OURS[0], BEST),
    "prep/best": (OURS[1], BEST),
    "raw/cl": (OURS[0], BASE_NHWC),
    "nhwc/cl": (OURS[2], BASE_NHWC),
    "nhwc prep/cl": (OURS[3], BASE_NHWC),
    "any/best": ("best of ours", BEST),
}
LEGEND = (
    "raw, prep: fastconv NCHW, weights as they come and prepared; nhwc: fastconv NHWC; any: fastconv's fastest form;\n"
    "torch: torch NCHW; cl: torch channels_last; best: the fastest peer in any layout, weights packed where it packs.\n"
    "Ratios are the other's time over fastconv's: above 1, fastconv is faster."
)


def best_peer(row: Row) -> tuple[str, float]:
    """The fastest that is not ours."""
    peers = {name: seconds for name, seconds in row["seconds"].items() if name not in OURS}
    name = min(peers, key=peers.__getitem__)
    return name, peers[name]


def seconds_of(row: Row, name: str) -> float:
    """A contestant's, or those of the best of a side."""
    if name == BEST:
        return best_peer(row)[1]
    if name == "best of ours":
        return min(row["seconds"][ours] for ours in OURS)
    return row["seconds"][name]


def ratio(row: Row, name: str) -> float:
    """One of RATIOS."""
    ours, theirs = RATIOS[name]
    return seconds_of(row, theirs) / seconds_of(row, ours)


def is_plain_3x3(row: Row) -> bool:
    """Kernel 3x3, stride 1, undilated, ungrouped, at least 32 channels: where Winograd applies."""
    shape = row["shape"]
    kernel = shape["kernel_h"], shape["kernel_w"], shape["stride"], shape["dilation"], shape["groups"]
    return kernel == (3, 3, 1, 1, 1) and shape["channels"] >= 32


def selections(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """All rows, and parts of them by what they are."""
    rows = list(rows)
    parts: dict[str, Callable[[Row], bool]] = {
        "all layers": lambda _: True,
        "3x3, stride 1, >= 32 channels": is_plain_3x3,
        "all others": lambda row: not is_plain_3x3(row),
    }
    for batch in dict.fromkeys(row["shape"]["batch"] for row in rows):
        parts[f"batch {batch}"] = lambda row, batch=batch: row["shape"]["batch"] == batch
    for table in dict.fromkeys(row["shape"]["table"] for row in rows):
        parts[table] = lambda row, table=table: row["shape"]["table"] == table
    chosen = {name: [row for row in rows if holds(row)] for name, holds in parts.items()}
    return {name: part for name, part in chosen.items() if part}


def means(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Geometric means of the ratios, for every selection; `rows` counts them."""
    return {
        name: {"rows": len(part)} | {key: geometric_mean(ratio(row, key) for row in part) for key in RATIOS}
        for name, part in selections(rows).items()
    }


def worst(rows: Iterable[Row], name: str, count: int = 8) -> list[Row]:
    """Where fastconv is furthest behind, the worst first."""
    return sorted(rows, key=lambda row: ratio(row, name))[:count]


def scatter(first: dict[str, float], later: dict[str, float]) -> float:
    """By how much the least times of the first round and of the others differ: the median contestant's, 0.1 is 10 %."""
    both = [(first[name], seconds) for name, seconds in later.items()]
    return statistics.median(max(pair) / min(pair) - 1 for pair in both) if both else 0.0


def gflops(row: Row, name: str = OURS[0]) -> float:
    """Operations of the definition a second, in 1e9."""
    return row["flops"] / row["seconds"][name] / 1e9
