# SPDX-License-Identifier: BSD-3-Clause
"""Pooling, depthwise and grouped correlation, and their gradients, beside every library that is installed.

    python benchmarks/bench_operators.py --quick
    python benchmarks/bench_operators.py --shapes pool_vgg16 --operations pool pool_gradient --json result.json

The rules are those of compare.py: the same numbers and threads, each contestant in its best form and layout, a result
checked before it is timed (maxima must be equal, of the others the error against float64 small), turns in one process,
the time of the fastest call. Beside each time stand the bytes that must move (every operand and the result once) and
the share that this is of the bandwidth of a copy, measured in the same run: what lies in the caches may pass it.

Tables whose names begin with pool_ hold poolings, the others (depthwise_, grouped_) correlations. A gradient is
measured by the operation that a library's differentiation calls. The gradient of the maximum is given what the
library's forward pass keeps: fastconv and torch places, TensorFlow and JAX x.

With --json and --add a result grows in pieces: one table, or one operation, at a time.

--quick takes one pooling of each mode of each table, one correlation of each kind, and two rounds against torch and
ONNX Runtime: about a minute. --peers names others.
"""

import argparse
import json
from dataclasses import asdict, replace
from typing import Any

import command
import numpy as np
import operations
import operator_summary as summary
import peers
import pieces
import roofline
from conditions import conditions
from contest import Library, admit, contest
from layers import Layer, operator_tables, read_layers, representative, table_path
from operations import OPERATIONS, Operation
from peers.fastconv import Fastconv
from pools import Pool, is_pool_table, read_pools, representative_pools
from report import condition_line
from summary import Row
from tqdm import tqdm

QUICK_SECONDS = 1
QUICK_PEERS = ("torch", "onnxruntime")


def measure(
    operation: Operation, layer: Layer | Pool, libraries: list[Library], dtype: str, rounds: int, seconds: float
) -> Row:
    """One operation of one row of a table."""
    problem = operation.problem(layer, dtype)
    exact = operation.reference(problem)
    admitted = admit(
        libraries,
        lambda peer: operation.offer(peer, problem),
        lambda found: operations.error(found, exact),
        operation.tolerance(layer, dtype),
        summary.KEPT,
        f"{operation.name} of {layer}",
    )
    least, rounds_differ = contest(admitted.calls, rounds, seconds, summary.KEPT)
    return {
        "operation": operation.name,
        "shape": asdict(layer),
        "seconds": least,
        "scatter": rounds_differ,
        "errors": admitted.errors,
        "left_out": admitted.left_out,
        "bytes": operation.moved(layer, np.dtype(dtype).itemsize),
    }


def read_table(name: str, quick: bool) -> list[Layer | Pool]:
    """The rows of a table, or one of each kind."""
    if is_pool_table(table_path(name)):
        return [*(representative_pools if quick else list)(read_pools(name))]
    return [*(representative if quick else list)(read_layers(name))]


def chosen(arguments: argparse.Namespace) -> tuple[list[tuple[Operation, Layer | Pool]], list[str]]:
    """What to run, and what is too large to."""
    rows = [row for table in arguments.shapes for row in read_table(table, arguments.quick)]
    rows = [replace(row, batch=row.batch * batch) for row in rows for batch in arguments.batch]
    fitting, large = command.that_fit(rows, arguments.dtype)
    wanted = [OPERATIONS[name] for name in arguments.operations]
    pairs = [(operation, row) for row in fitting for operation in wanted]
    return [(operation, row) for operation, row in pairs if operation.takes(row, arguments.dtype)], large


def parse() -> argparse.Namespace:
    """Command line."""
    adapters = {**peers.ADAPTERS, **peers.FILTERS}
    dtypes = ("float32", "float64", *Fastconv.integers)
    words = command.parser(__doc__, "some rows, about a minute", operator_tables(), dtypes)
    words.add_argument("--operations", nargs="+", choices=tuple(OPERATIONS), default=list(OPERATIONS))
    words.add_argument("--batch", nargs="+", type=int, default=[1], help="images, times those of the table")
    words.add_argument("--add", action="store_true", help="to what is there: the rows that are not measured again stay")
    arguments = command.parsed_with_peers(words, adapters, peers.installed(adapters), QUICK_PEERS)
    if arguments.add and not arguments.json:
        words.error("--add wants --json")
    return arguments


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    work, skipped = chosen(arguments)
    libraries = command.load_libraries(arguments.peers, arguments.threads, arguments.dtype, integers=True)
    about: dict[str, Any] = conditions(arguments.threads, arguments.dtype, arguments.rounds)
    about["peers"] = {name: peer.version for name, peer in libraries[1:]}
    print(condition_line(about))
    machine = {"bandwidth_gbs": roofline.bandwidth(arguments.threads)}
    rows = []
    seconds = QUICK_SECONDS if arguments.quick else command.LAYER_SECONDS
    for operation, layer in tqdm(work, desc="rows", unit="row", disable=None):
        row = measure(operation, layer, libraries, arguments.dtype, arguments.rounds, seconds)
        rows.append(row)
        tqdm.write("\n".join(summary.row_lines(row)))
    machine = roofline.best(machine, {"bandwidth_gbs": roofline.bandwidth(arguments.threads)})
    if arguments.add:
        before, its_machine = pieces.earlier(arguments.json, about, rows)
        rows, machine = before + rows, roofline.best(machine, {**machine, **its_machine})
    for row in rows:
        row["share"] = summary.shares(row, machine["bandwidth_gbs"])
    print("\n".join(summary.report(rows, machine, skipped)))
    result = {"conditions": about, "machine": machine, "rows": rows, "means": summary.means(rows), "skipped": skipped}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
