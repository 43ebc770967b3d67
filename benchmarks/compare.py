# SPDX-License-Identifier: BSD-3-Clause
"""fastconv beside every library that is installed, on the convolutions of well-known networks.

    python benchmarks/compare.py --quick
    python benchmarks/compare.py --shapes resnet50 vgg16 --batch 1 8 --threads 2 --json result.json --chart chart.png

Every contestant computes the same layer on the same numbers, with the same threads, in its own best form: what can be
made ready before a call (weights packed, layouts changed, graphs compiled) is. fastconv comes with weights as they are
and with prepared ones. A result that is further from float64 than TOLERANCE is not timed. Contestants take turns in one
process, warm and rested; a time is that of the fastest call. One that takes more than contest.SLOW times as long as
the fastest in the first round has lost, and runs no more. Every call of fastconv, torch, ONNX Runtime, ncnn, TensorFlow
and JAX allocates its result; OpenVINO and MNN write to memory that they keep.

--quick takes one layer of each kind (kernel, stride, dilation, depthwise or not) of each table, the one of median
arithmetic, one image, and two rounds: about a minute with what the extra `bench` installs, two with every peer.
"""

import argparse
import json
import math
import os
from dataclasses import asdict
from pathlib import Path

import command
import numpy as np
import peers
import roofline
import torch
from conditions import conditions
from contest import Library, admit, contest
from layers import Layer, batched, network_tables, read_layers, representative
from report import condition_line, layer_lines, report
from summary import BASE, BASE_NHWC, OURS, Row, means
from tqdm import tqdm

TOLERANCE = {"float32": 1e-4, "float64": 1e-12}  # relative error in the L2 norm
QUICK_SECONDS = 5  # in the place of command.LAYER_SECONDS
KEPT = (BASE, BASE_NHWC, *OURS)


def checked_indices(batch: int) -> list[int]:
    """Of the images whose results are compared with float64."""
    return sorted({0, batch - 1})


def reference(problem: peers.Problem) -> np.ndarray:
    """In float64, by torch, of the checked images."""
    x = torch.from_numpy(problem.x[checked_indices(problem.layer.batch)]).double()
    return torch.nn.functional.conv2d(x, torch.from_numpy(problem.w).double(), **problem.layer.options).numpy()


def error(y: np.ndarray, exact: np.ndarray, layer: Layer) -> float:
    """Relative, in the L2 norm; infinite where the shape is another."""
    if y.shape != layer.y_shape:
        return math.inf
    return float(np.linalg.norm(y[checked_indices(layer.batch)] - exact) / np.linalg.norm(exact))


def measure(layer: Layer, libraries: list[Library], dtype: str, rounds: int, seconds: float) -> Row:
    """One layer."""
    problem = peers.Problem(layer, dtype)
    exact = reference(problem)
    admitted = admit(
        libraries,
        lambda peer: peer.contestants(problem),
        lambda y: error(y, exact, layer),
        TOLERANCE[dtype],
        KEPT,
        str(layer),
    )
    least, rounds_differ = contest(admitted.calls, rounds, seconds, KEPT)
    return {
        "shape": asdict(layer),
        "seconds": least,
        "scatter": rounds_differ,
        "errors": admitted.errors,
        "left_out": admitted.left_out,
        "flops": layer.flops,
        "intensity": roofline.intensity(layer, dtype),
    }


def chosen_layers(arguments: argparse.Namespace) -> tuple[list[Layer], list[str]]:
    """What to run, and what is too large to."""
    layers = [layer for table in arguments.shapes for layer in read_layers(table)]
    layers = batched(representative(layers) if arguments.quick else layers, arguments.batch)
    return command.that_fit(layers, arguments.dtype)


def parse() -> argparse.Namespace:
    """Command line."""
    words = command.parser(__doc__, "some layers, about a minute", network_tables(), ("float32", "float64"))
    words.add_argument("--batch", nargs="+", type=int, help="images, times those of the table (1 8; --quick: 1)")
    words.add_argument("--chart", type=Path, help="where to draw it, a PNG")
    arguments = command.parsed_with_peers(words, peers.ADAPTERS, peers.installed())
    arguments.batch = arguments.batch or ([1] if arguments.quick else [1, 8])
    return arguments


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    layers, skipped = chosen_layers(arguments)
    libraries = command.load_libraries(arguments.peers, arguments.threads, arguments.dtype)
    about = conditions(arguments.threads, arguments.dtype, arguments.rounds)
    about["peers"] = {name: peer.version for name, peer in libraries[1:]}
    print(condition_line(about))
    print(f"not installed: {', '.join(set(peers.ADAPTERS) - set(peers.installed())) or 'none'}")
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"others load this machine: {load:.1f} processes ran in the last minute; expect the numbers to scatter")
    machine = roofline.measure(arguments.threads, arguments.dtype)
    rows = []
    seconds = QUICK_SECONDS if arguments.quick else command.LAYER_SECONDS
    for layer in tqdm(layers, desc="layers", unit="layer", disable=None):
        row = measure(layer, libraries, arguments.dtype, arguments.rounds, seconds)
        rows.append(row)
        tqdm.write("\n".join(layer_lines(row)))
    machine = roofline.best(machine, roofline.measure(arguments.threads, arguments.dtype))
    for row in rows:
        row["roof_gflops"] = roofline.bound(machine, row["intensity"])
    print("\n".join(report(rows, machine, skipped)))
    result = {"conditions": about, "machine": machine, "rows": rows, "means": means(rows), "skipped": skipped}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    if arguments.chart:
        from chart import draw  # needs matplotlib, which the measurement does not

        draw(result, arguments.chart)


if __name__ == "__main__":
    main()
