# SPDX-License-Identifier: BSD-3-Clause
"""The chapter on convolution, made real: ``python -m fastconv demo``.

Importing this package is cheap; scikit-learn, matplotlib, Pillow and tqdm are imported when the demo runs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import fastconv

__all__ = ["DEFAULT_EPOCHS", "REQUIRED_ACCURACY", "add_arguments", "run"]

DEFAULT_EPOCHS = 30
REQUIRED_ACCURACY = 0.97
"""Held-out accuracy below which the demo fails, unless it was told to train for less than the default."""

LARGEST_ERROR = 1e-5
"""Disagreement with the loops, relative to the largest output, above which the demo fails."""

_EXTRA = ("sklearn", "matplotlib", "PIL", "tqdm")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {value}")
    return value


# argparse names the type in its message when int() fails.
_positive.__name__ = _seed.__name__ = "int"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the demo to `parser`."""
    parser.add_argument("--image", metavar="PATH", type=Path, help="a picture (default: scikit-learn's china.jpg)")
    parser.add_argument(
        "--out",
        metavar="PATH",
        type=Path,
        default=Path("fastconv_demo.png"),
        help="where to save the figure (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=_positive,
        default=DEFAULT_EPOCHS,
        help="passes over the digits (default: %(default)s)",
    )
    parser.add_argument(
        "--threads", metavar="N", type=_positive, help="threads of the library (default: its own choice)"
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_seed,
        default=0,
        help="of the network's first weights and the order of its batches (default: %(default)s)",
    )


def _fail(sentence: str) -> int:
    print(f"fastconv demo: {sentence}", file=sys.stderr)
    return 1


def run(args: argparse.Namespace) -> int:
    """Run the demo.

    Parameters
    ----------
    args : argparse.Namespace
        The options that `add_arguments` describes.

    Returns
    -------
    int
        0; or 1, after one sentence on stderr, when the demo could not run or its results are not good enough.
    """
    try:
        for name in _EXTRA:
            importlib.import_module(name)
    except ImportError as error:
        return _fail(f"{error.name or name} is missing; install it with: pip install 'fastconv[demo]'")

    from fastconv.demo import chapter, digits, figure, picture, report

    try:
        figure.check_path(args.out)
        photo = picture.load(args.image)
    except picture.PictureError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot write the figure to '{args.out}': {error.strerror or error}")
    if args.threads is not None:
        fastconv.set_num_threads(args.threads)

    report.opening(photo)
    comparisons = report.with_progress(chapter.measure, chapter.tasks(photo.rgb, photo.grey))
    report.comparisons(comparisons)
    shapes = chapter.shapes()
    report.shapes(shapes)
    report.layers(chapter.layers(photo.grey))

    data = digits.load()
    training = digits.train(data, epochs=args.epochs, seed=args.seed)
    report.training(training, data)

    try:
        figure.save(args.out, photo, comparisons, training, data)
    except OSError as error:
        return _fail(f"cannot write the figure to '{args.out}': {error.strerror or error}")
    print(f"\nFigure saved to {args.out}")

    wrong = [each.name for each in comparisons if not each.relative_error <= LARGEST_ERROR]
    wrong += [row.call for row in shapes if not row.agrees]
    if wrong:
        return _fail(f"the loops and the library disagree about {', '.join(dict.fromkeys(wrong))}")
    if args.epochs >= DEFAULT_EPOCHS and training.accuracy < REQUIRED_ACCURACY:
        return _fail(f"accuracy {training.accuracy:.1%} is below {REQUIRED_ACCURACY:.0%}")
    return 0
