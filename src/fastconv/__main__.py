# SPDX-License-Identifier: BSD-3-Clause
"""The command line: ``python -m fastconv`` and ``python -m fastconv demo``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import fastconv
from fastconv import demo


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m fastconv",
        description="Fast convolution and pooling for NumPy on the CPU.",
    )
    commands = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    commands.add_parser(
        "config",
        help="print version, compiler, instruction sets and threads (the default)",
        description="Print version, compiler, instruction sets and threads.",
    )
    summary = "walk through the chapter on a photograph and train a small network on digits"
    demo.add_arguments(commands.add_parser("demo", help=summary, description=f"{summary.capitalize()}."))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        The exit status, 0 when all went well.
    """
    args = build_parser().parse_args(argv)
    if args.command == "demo":
        return demo.run(args)
    fastconv.show_config()
    return 0


if __name__ == "__main__":
    sys.exit(main())
