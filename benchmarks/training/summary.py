# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic and the words of bench_training.py. A ratio is another's time over fastconv's."""

import statistics
from collections.abc import Callable, Iterable, Iterator

from report import BUSY, TRUSTED, label
from summary import Row
from timing import geometric_mean

TORCHS = ("torch NCHW", "torch channels_last")
OURS = ("fastconv NCHW", "fastconv NHWC")
ACCELERATED = ("fastconv NCHW", "fastconv channels_last")
KERAS, KERAS_XLA, OURS_IN_KERAS = "Keras", "Keras with XLA", "fastconv in Keras"
BASES = {"torch": TORCHS[0], "keras": KERAS}

Ratios = dict[str, tuple[str, str]]  # short name: (ours, theirs)

GRADIENTS: Ratios = {
    "nchw/torch nchw": (OURS[0], TORCHS[0]),
    "nchw/torch cl": (OURS[0], TORCHS[1]),
    "nhwc/torch cl": (OURS[1], TORCHS[1]),
}
STEPS: dict[str, Ratios] = {
    "torch": {
        "nchw/torch nchw": (ACCELERATED[0], TORCHS[0]),
        "cl/torch nchw": (ACCELERATED[1], TORCHS[0]),
        "cl/torch cl": (ACCELERATED[1], TORCHS[1]),
    },
    "keras": {"ours/keras": (OURS_IN_KERAS, KERAS), "ours/xla": (OURS_IN_KERAS, KERAS_XLA)},
}
LEGEND = (
    "Ratios are the other's time over fastconv's: above 1, fastconv is faster. nchw, nhwc, cl (channels_last): the\n"
    "layout of each; in steps, the same model after accelerate. outside: the share of the step that is neither\n"
    "convolution nor pooling; ceiling: how many times as fast the step would be if those two took no time."
)


def ratio(row: Row, pair: tuple[str, str]) -> float | None:
    """The second's time over the first's; None where one does not take part."""
    ours, theirs = (row["seconds"].get(name) for name in pair)
    return theirs / ours if ours and theirs else None


def _means(rows: list[Row], ratios: Ratios) -> dict[str, float]:
    found = {name: [value for row in rows if (value := ratio(row, pair))] for name, pair in ratios.items()}
    return {"rows": float(len(rows)), **{name: geometric_mean(values) for name, values in found.items() if values}}


def _parts(rows: list[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    return {name: [row for row in rows if key(row) == name] for name in dict.fromkeys(map(key, rows))}


def gradient_means(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Geometric means over the layers: of each operation, and of each batch and table of it."""
    keys: tuple[Callable[[Row], str], ...] = (
        lambda row: row["operation"],
        lambda row: f"{row['operation']} batch {row['shape']['batch']}",
        lambda row: f"{row['operation']} {row['shape']['table']}",
    )
    return {name: _means(part, GRADIENTS) for key in keys for name, part in _parts(rows, key).items()}


def step_means(rows: list[Row]) -> dict[str, dict[str, float]]:
    """Geometric means over the networks, of each framework."""
    parts = _parts(rows, lambda row: row["framework"])
    return {name: _means(part, STEPS[name]) for name, part in parts.items()}


def gradient_lines(row: Row) -> Iterator[str]:
    """A layer's contestants: milliseconds, GFLOP/s, errors; and the ratios."""
    times = (
        f"{name} {seconds * 1e3:.3f} ms {row['flops'] / seconds / 1e9:.0f} GFLOP/s {row['errors'][name]:.0e}"
        for name, seconds in row["seconds"].items()
    )
    ratios = (f"{name} {ratio(row, pair):.2f}" for name, pair in GRADIENTS.items())
    yield f"{row['operation']}: {label(row)}, batch {row['shape']['batch']}: {', '.join(ratios)}"
    yield f"  {'; '.join(times)}"


def step_lines(row: Row) -> Iterator[str]:
    """A network's contestants: milliseconds, peak memory, the share outside; and the ratios."""
    told = ((name, ratio(row, pair)) for name, pair in STEPS[row["framework"]].items())
    ratios = ", ".join(f"{name} {value:.2f}" for name, value in told if value)
    what = f"{row['framework']}: a step of {row['network']}, {row['shape'][0]} images of {row['shape'][1:]}"
    yield f"{what}: {ratios}; ceiling {row['ceiling']:.2f}"
    for name, seconds in row["seconds"].items():
        peak, outside = row["peak_bytes"].get(name), row["outside"].get(name)
        yield (
            f"  {name:<24}{seconds * 1e3:9.2f} ms"
            + (f"{peak / 1e6:9.1f} MB at its peak" if peak is not None else "")
            + (f"{outside:8.0%} outside" if outside is not None else "")
        )


def mean_lines(means: dict[str, dict[str, float]]) -> Iterator[str]:
    """One line a selection."""
    for name, values in means.items():
        ratios = "".join(f"{value:8.2f}x {key}" for key, value in values.items() if key != "rows")
        yield f"{name:<32}{values['rows']:5.0f}{ratios}"


def worst_lines(rows: Iterable[Row], count: int = 8) -> Iterator[str]:
    """Where fastconv is furthest behind, of each operation and ratio."""
    for operation, part in _parts(list(rows), lambda row: row["operation"]).items():
        for name, pair in GRADIENTS.items():
            ranking = sorted((ratio(row, pair) or 0.0, label(row), row["shape"]["batch"]) for row in part)
            yield f"worst of {name}, {operation}:"
            yield from (f"  {value:.2f}x {what}, batch {batch}" for value, what, batch in ranking[:count])


def report(gradients: list[Row], steps: list[Row], skipped: list[str]) -> Iterator[str]:
    """Everything behind the last measurement."""
    yield from ("", *worst_lines(gradients), "")
    if skipped:
        yield from (f"not run, too large: {', '.join(skipped)}", "")
    differ = statistics.median(row["scatter"] for row in (*gradients, *steps)) if gradients or steps else 0.0
    yield f"rounds differ by {differ:.0%} in the median" + (BUSY if differ > TRUSTED else "")
    yield f"{'geometric means of':<32}{'rows':>5}"
    yield from (*mean_lines(gradient_means(gradients)), *mean_lines(step_means(steps)), "", LEGEND)
