# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic and the words of bench_operators.py. A ratio is another's time over fastconv's."""

import statistics
from collections.abc import Callable, Iterable, Iterator

from report import BUSY, TRUSTED, cells, label
from summary import BASE, BASE_NHWC, Row
from timing import geometric_mean

OURS = ("fastconv NCHW", "fastconv NHWC")
KEPT = (*OURS, BASE, BASE_NHWC)

# Short name: (ours, theirs): of all contestants whose names begin so, the fastest.
RATIOS: dict[str, tuple[str, str]] = {
    "nchw/torch nchw": (OURS[0], BASE),
    "nhwc/torch cl": (OURS[1], BASE_NHWC),
    "any/torch": ("fastconv", "torch"),
    "any/tensorflow": ("fastconv", "TensorFlow"),
    "nchw/best": (OURS[0], ""),
    "nhwc/best": (OURS[1], ""),
    "any/best": ("fastconv", ""),
}
LEGEND = (
    "Ratios are the other's time over fastconv's: above 1, fastconv is faster. nchw, nhwc: fastconv in that layout;\n"
    "any: in the faster one; torch nchw, torch cl (channels_last): in its best form there; torch, tensorflow: in its\n"
    "best form and layout; best: the fastest peer. GB/s: bytes of all operands and the result once, by fastconv NCHW."
)


def fastest(row: Row, start: str) -> tuple[str, float] | None:
    """Of the contestants whose names begin so; of the peers when nothing is given."""
    seconds = row["seconds"]
    if start:
        names = [name for name in seconds if name.startswith(start)]
    else:
        names = [name for name in seconds if not name.startswith("fastconv")]
    if not names:
        return None
    name = min(names, key=seconds.__getitem__)
    return name, seconds[name]


def ratio(row: Row, name: str) -> float | None:
    """One of RATIOS; None where the other does not take part."""
    ours, theirs = (fastest(row, side) for side in RATIOS[name])
    return theirs[1] / ours[1] if ours and theirs else None


def shares(row: Row, bandwidth_gbs: float) -> dict[str, float]:
    """Of the bandwidth, by every contestant."""
    return {name: row["bytes"] / seconds / 1e9 / bandwidth_gbs for name, seconds in row["seconds"].items()}


def selections(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each operation, of each mode of pooling, and of each table of it."""
    keys: tuple[Callable[[Row], str], ...] = (
        lambda row: row["operation"],
        lambda row: f"{row['operation']} {row['shape'].get('mode', '')}".rstrip(),
        lambda row: f"{row['operation']} {row['shape']['table']}",
    )
    parts: dict[str, list[Row]] = {}
    rows = list(rows)
    for key in keys:
        for name in dict.fromkeys(map(key, rows)):
            parts[name] = [row for row in rows if key(row) == name]
    return parts


def means(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Geometric means over the rows that have the ratio, for every selection; `rows` counts all."""
    result = {}
    for name, part in selections(rows).items():
        result[name] = {"rows": float(len(part))}
        for key in RATIOS:
            found = [value for row in part if (value := ratio(row, key)) is not None]
            if found:
                result[name][key] = geometric_mean(found)
    return result


def heading(row: Row) -> str:
    """What a row is."""
    batch = row["shape"]["batch"]
    return f"{row['operation']}: {label(row)}, {batch} image{'s' if batch > 1 else ''}"


def row_lines(row: Row) -> Iterator[str]:
    """All the contestants of a row, the fastest first: milliseconds, GB/s, and the error."""
    yield f"{heading(row)}, {row['bytes'] / 1e6:.2f} MB"
    seconds, errors = row["seconds"], row["errors"]
    ranking = sorted(seconds, key=seconds.__getitem__)
    yield from cells(
        (
            f"{seconds[name] * 1e3:9.4f} ms {row['bytes'] / seconds[name] / 1e9:6.1f} GB/s {errors[name]:.0e} {name}"
            for name in ranking
        ),
        58,
    )
    for peer, reason in row["left_out"].items():
        yield f"  left out: {peer}: {reason}"


def table_lines(rows: Iterable[Row]) -> Iterator[str]:
    """One line a row of the tables and operation."""
    yield (
        f"{'':<48}{'MB':>8}{'nchw ms':>9}{'nhwc ms':>9}{'best ms':>9}"
        + "".join(f"{name.split('/')[0]:>11}" for name in RATIOS)
        + f"{'GB/s':>7}{'share':>7}  best"
    )
    yield " " * 83 + "".join(f"{'/' + name.split('/')[1]:>11}" for name in RATIOS)
    for row in rows:
        best = fastest(row, "")
        ours = row["seconds"][OURS[0]], row["seconds"][OURS[1]]
        values = (ratio(row, name) for name in RATIOS)
        yield (
            f"{row['operation']} {label(row)}".ljust(48)
            + f"{row['bytes'] / 1e6:8.2f}"
            + "".join(f"{time * 1e3:9.4f}" for time in (*ours, best[1] if best else float("nan")))
            + "".join(f"{'-':>11}" if value is None else f"{value:11.2f}" for value in values)
            + f"{row['bytes'] / ours[0] / 1e9:7.1f}{row['share'][OURS[0]]:7.0%}  {best[0] if best else 'none'}"
        )


def mean_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Geometric means, one line a selection."""
    yield f"{'geometric means of':<40}{'rows':>5}" + "".join(f"{name:>16}" for name in RATIOS)
    for name, values in means(rows).items():
        texts = (f"{values[key]:15.2f}x" if key in values else f"{'-':>16}" for key in RATIOS)
        yield f"{name:<40}{values['rows']:5.0f}" + "".join(texts)


def worst_lines(rows: Iterable[Row], count: int = 8) -> Iterator[str]:
    """Where fastconv is furthest behind, for each operation."""
    rows = list(rows)
    for operation in dict.fromkeys(row["operation"] for row in rows):
        found = [(ratio(row, "any/best"), row) for row in rows if row["operation"] == operation]
        ranking = sorted(((value, row) for value, row in found if value is not None), key=lambda pair: pair[0])
        yield f"worst of any/best, {operation}:"
        yield from cells((f"{value:.2f}x {label(row)}" for value, row in ranking[:count]), 59)


def report(rows: list[Row], machine: dict[str, float], skipped: list[str]) -> Iterator[str]:
    """Everything behind the last measurement."""
    yield from ("", *table_lines(rows), "", *worst_lines(rows), "")
    if skipped:
        yield from (f"not run, too large: {', '.join(skipped)}", "")
    yield f"a copy moves {machine['bandwidth_gbs']:.1f} GB/s, bytes read and bytes written"
    differ = statistics.median(row["scatter"] for row in rows) if rows else 0.0
    yield f"rounds differ by {differ:.0%} in the median" + (BUSY if differ > TRUSTED else "")
    yield from ("", *mean_lines(rows), "", LEGEND)
