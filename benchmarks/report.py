# SPDX-License-Identifier: BSD-3-Clause
"""What compare.py prints."""

import statistics
from collections.abc import Iterable, Iterator
from typing import Any

from summary import LEGEND, OURS, RATIOS, Row, best_peer, gflops, means, ratio, seconds_of, worst

WIDTH = 120
IN_TABLE = ("raw/torch", "prep/torch", "raw/best", "prep/best", "nhwc/cl")
TRUSTED = 0.1
BUSY = ": this machine was too busy, trust no ratio; libraries with OpenMP's barriers suffer most"


def label(row: Row) -> str:
    """A layer's name, without its batch."""
    return f"{row['shape']['table']} {row['shape']['name']}"


def cells(texts: Iterable[str], width: int) -> Iterator[str]:
    """Lines of as many cells as fit."""
    texts = list(texts)
    step = (WIDTH - 2) // width
    for start in range(0, len(texts), step):
        yield "  " + "".join(f"{text:<{width}}" for text in texts[start : start + step]).rstrip()


def layer_lines(row: Row) -> Iterator[str]:
    """All the contestants of a layer, the fastest first: milliseconds, and the error against float64."""
    batch = row["shape"]["batch"]
    yield f"{label(row)}, {batch} image{'s' if batch > 1 else ''}, {row['flops'] / 1e9:.3f} GFLOP"
    seconds, errors = row["seconds"], row["errors"]
    ranking = sorted(seconds, key=seconds.__getitem__)
    yield from cells((f"{seconds[name] * 1e3:9.3f} ms {errors[name]:.0e} {name}" for name in ranking), 46)
    for peer, reason in row["left_out"].items():
        yield f"  left out: {peer}: {reason}"


def table_lines(rows: Iterable[Row]) -> Iterator[str]:
    """One line a layer."""
    head = "".join(f"{name:>11}" for name in IN_TABLE)
    yield f"{'layer':<34}{'batch':>6}{'raw ms':>9}{'prep ms':>9}{'best ms':>9}{head}{'GFLOP/s':>9}{'roof':>6}  best"
    for row in rows:
        peer, best = best_peer(row)
        times = (seconds_of(row, OURS[0]), seconds_of(row, OURS[1]), best)
        yield (
            f"{label(row):<34}{row['shape']['batch']:>6}"
            + "".join(f"{time * 1e3:>9.3f}" for time in times)
            + "".join(f"{ratio(row, name):>11.2f}" for name in IN_TABLE)
            + f"{gflops(row):>9.1f}{gflops(row) / row['roof_gflops']:>6.0%}  {peer}"
        )


def mean_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Geometric means, one line a selection."""
    yield f"{'geometric means of':<32}{'rows':>5}" + "".join(f"{name:>13}" for name in RATIOS)
    for name, values in means(rows).items():
        yield f"{name:<32}{values['rows']:>5}" + "".join(f"{values[key]:>12.2f}x" for key in RATIOS)


def worst_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Where fastconv is furthest behind."""
    rows = list(rows)
    for name in ("raw/torch", "raw/best", "prep/best"):
        found = (f"{ratio(row, name):.2f}x {label(row)}, batch {row['shape']['batch']}" for row in worst(rows, name))
        yield f"worst of {name}:"
        yield from cells(found, 59)


def report(rows: list[Row], machine: dict[str, float], skipped: list[str]) -> Iterator[str]:
    """Everything behind the last measurement."""
    yield from ("", *table_lines(rows), "", *worst_lines(rows), "")
    left_out = _left_out(rows)
    if left_out:
        yield from ("left out: " + ", ".join(f"{peer} of {count} rows" for peer, count in left_out.items()), "")
    if skipped:
        yield from (f"not run, too large: {', '.join(skipped)}", "")
    yield (
        f"roof: the lesser of {machine['peak_gflops']:.0f} GFLOP/s (a matrix product's) and "
        f"{machine['bandwidth_gbs']:.1f} GB/s (a copy's) for x, w and y once; GFLOP/s: raw; see roofline.py"
    )
    differ = statistics.median(row["scatter"] for row in rows)
    yield f"rounds differ by {differ:.0%} in the median" + (BUSY if differ > TRUSTED else "")
    yield from ("", *mean_lines(rows), "", LEGEND)


def _left_out(rows: Iterable[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        for peer in row["left_out"]:
            counts[peer] = counts.get(peer, 0) + 1
    return counts


def condition_line(about: dict[str, Any]) -> str:
    """In words."""
    flat = {**about, **about["peers"]}
    return ", ".join(f"{name} {value}" for name, value in flat.items() if not isinstance(value, dict))
