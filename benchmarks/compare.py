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

import numpy as np
import peers
import roofline
import torch
from conditions import conditions
from contest import Library, admit, contest
from layers import Layer, batched, network_tables, read_layers, representative
from peers.fastconv import Fastconv
from report import condition_line, layer_lines, report
from summary import BASE, BASE_NHWC, OURS, Row, means
from tqdm import tqdm

import fastconv

TOLERANCE = {"float32": 1e-4, "float64": 1e-12}  # relative error in the L2 norm
LAYER_SECONDS, QUICK_SECONDS = 60, 5  # no further round of a layer begins after these
QUICK_ROUNDS = 2
LARGEST = 1 << 28  # bytes of one array
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
    itemsize = np.dtype(arguments.dtype).itemsize
    large = [layer for layer in layers if max(map(math.prod, (layer.x_shape, layer.y_shape))) * itemsize > LARGEST]
    skipped = [f"{layer.table} {layer.name} of {layer.batch} images" for layer in large]
    return [layer for layer in layers if layer not in large], skipped


def load_libraries(names: list[str], threads: int, dtype: str) -> list[Library]:
    """Ours first, then the peers that compute in this dtype."""
    loaded = [(name, peers.load(name, threads)) for name in tqdm(names, desc="libraries", leave=False, disable=None)]
    return [("fastconv", Fastconv(threads)), *((name, peer) for name, peer in loaded if dtype in peer.dtypes)]


def parse() -> argparse.Namespace:
    """Command line."""
    tables = network_tables()
    found = peers.installed()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="some layers, about a minute")
    parser.add_argument("--shapes", nargs="+", default=tables, help=f"tables ({', '.join(tables)}) or CSV files")
    parser.add_argument("--batch", nargs="+", type=int, help="images, times those of the table (1 8; --quick: 1)")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=fastconv.get_num_threads(), help="of every contestant")
    parser.add_argument("--rounds", type=int, help=f"turns of every contestant (8; --quick: {QUICK_ROUNDS})")
    parser.add_argument("--peers", nargs="+", choices=tuple(peers.ADAPTERS), default=found, help="beside torch")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--chart", type=Path, help="where to draw it, a PNG")
    arguments = parser.parse_args()
    arguments.batch = arguments.batch or ([1] if arguments.quick else [1, 8])
    arguments.rounds = arguments.rounds or (QUICK_ROUNDS if arguments.quick else 8)
    absent = set(arguments.peers) - set(found)
    if absent:
        parser.error(f"not installed: {', '.join(sorted(absent))}")
    arguments.peers = ["torch", *(name for name in arguments.peers if name != "torch")]
    return arguments


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    layers, skipped = chosen_layers(arguments)
    libraries = load_libraries(arguments.peers, arguments.threads, arguments.dtype)
    about = conditions(arguments.threads, arguments.dtype, arguments.rounds)
    about["peers"] = {name: peer.version for name, peer in libraries[1:]}
    print(condition_line(about))
    print(f"not installed: {', '.join(set(peers.ADAPTERS) - set(peers.installed())) or 'none'}")
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"others load this machine: {load:.1f} processes ran in the last minute; expect the numbers to scatter")
    machine = roofline.measure(arguments.threads, arguments.dtype)
    rows = []
    seconds = QUICK_SECONDS if arguments.quick else LAYER_SECONDS
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
