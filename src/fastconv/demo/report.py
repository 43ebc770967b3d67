# SPDX-License-Identifier: BSD-3-Clause
"""What the demo prints."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import fastconv
from fastconv.demo.chapter import Comparison, Layers, Shape, Task
from fastconv.demo.digits import Data, Training
from fastconv.demo.picture import Picture

__all__ = ["comparisons", "geometric_mean", "layers", "opening", "shapes", "training", "with_progress"]


def opening(picture: Picture) -> None:
    """Say what is about to run on what."""
    height, width = picture.grey.shape
    threads = fastconv.get_num_threads()
    print(
        f"fastconv {fastconv.__version__} on {threads} thread{'s' * (threads != 1)};"
        f" {picture.name}, {height} x {width} pixels, float32"
    )


def with_progress(measure: Callable[[Task], Comparison], tasks: Sequence[Task]) -> list[Comparison]:
    """Measure every task behind a progress bar."""
    from tqdm import tqdm

    results: list[Comparison] = []
    with tqdm(tasks, "Python loops", unit="kernel", disable=None, leave=False) as bar:
        for task in bar:
            bar.set_postfix_str(task.name)
            results.append(measure(task))
    return results


def geometric_mean(results: Sequence[Comparison]) -> float:
    """Average the speed-ups as ratios should be."""
    return statistics.geometric_mean(each.ratio for each in results)


def comparisons(results: Sequence[Comparison]) -> None:
    """Print the loops beside the library."""
    _heading("Python loops and fastconv")
    print(
        f"{'operation':<20} {'window':<14} {'loops':>8} {'fastconv':>10}"
        f" {'faster':>9} {'max error':>10} {'relative':>9}"
    )
    for each in results:
        print(
            f"{each.name:<20} {each.window:<14} {each.loop_seconds:>6.2f} s"
            f" {each.fast_seconds * 1e3:>7.3f} ms {each.ratio:>7,.0f} x"
            f" {each.absolute_error:>10.1e} {each.relative_error:>9.1e}"
        )
    print(f"{'geometric mean':<55} {geometric_mean(results):>7,.0f} x")
    print("Loops: processor time of one run. fastconv: time on the clock, the median of many warm calls.")


def shapes(rows: Sequence[Shape]) -> None:
    """Print what padding and stride do to the output's size."""
    _heading("Padding and stride on an 8 x 8 plane")
    print(f"{'operation':<12} {'kernel':<8} {'padding':<9} {'stride':<8} {'output':<8} as the loops")
    for row in rows:
        print(
            f"{row.call:<12} {_by(row.kernel):<8} {row.padding:<9} {row.stride:<8}"
            f" {_by(row.result):<8} {'yes' if row.agrees else 'NO'}"
        )


def layers(facts: Layers) -> None:
    """Print how convolutional and dense layers differ."""
    _heading("A convolutional layer and a dense one")
    print(f"From {_by(facts.inputs)} pixels to {_by(facts.outputs)} outputs:")
    print(f"{'':<24} {'convolution':>12} {'dense':>16}")
    print(f"{'parameters':<24} {facts.convolution_parameters:>12,} {facts.dense_parameters:>16,}")
    dense_reach = facts.outputs[0] * facts.outputs[1]
    print(f"{'outputs a pixel reaches':<24} {facts.convolution_reach:>12,} {dense_reach:>16,}")
    outcome = f"differ by at most {facts.shift_error:.1e}" if facts.shift_error else "are equal"
    print(
        f"Move the picture by {facts.shift} and correlate it, or correlate it and move the result:"
        f"\naway from the border the two {outcome}."
    )


def training(result: Training, data: Data) -> None:
    """Print what the network learned."""
    _heading("A small network learns handwritten digits")
    held_out = len(data.test_labels)
    right = round(result.accuracy * held_out)
    print(
        f"{result.network.parameters:,} parameters, {len(data.train_labels):,} digits,"
        f" {len(result.losses)} epochs in {result.seconds:.1f} s;"
        f" loss {result.losses[0]:.3f} to {result.losses[-1]:.4f}"
    )
    print(f"Accuracy on held-out digits: {result.accuracy:.1%} ({right} of {held_out})")


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(f"{size}" for size in sizes)


def _heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")
