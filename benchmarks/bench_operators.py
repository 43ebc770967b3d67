# SPDX-License-Identifier: BSD-3-Clause
"""Times fastconv's operators against torch's, layer by layer.

    python benchmarks/bench_operators.py --shapes resnet50 --threads 2 --json result.json

Every contestant gets the same threads, its inference mode, float32 inputs in its own best form (torch's channels_last
rows have image and weights in that format already) and allocates its output. Ratios are torch's time over fastconv's:
above 1 fastconv is faster. The error is relative to a float64 result, in the L2 norm.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layers import Layer, read_layers
from timing import geometric_mean, interleaved
from tqdm import tqdm

import fastconv

OURS = "fastconv"
PEERS = ("torch NCHW", "torch channels_last")


def contestants(layer: Layer, rng: np.random.Generator) -> tuple[dict[str, Callable[[], Any]], float]:
    """The calls to time, and fastconv's relative error against float64."""
    x = rng.standard_normal(layer.x_shape, np.float32)
    w = rng.standard_normal(layer.w_shape, np.float32)
    tx, tw = torch.from_numpy(x), torch.from_numpy(w)
    last_x, last_w = (t.to(memory_format=torch.channels_last) for t in (tx, tw))
    calls = {
        OURS: lambda: fastconv.corr2d(x, w, **layer.options),
        PEERS[0]: lambda: torch.nn.functional.conv2d(tx, tw, **layer.options),
        PEERS[1]: lambda: torch.nn.functional.conv2d(last_x, last_w, **layer.options),
    }
    reference = torch.nn.functional.conv2d(tx.double(), tw.double(), **layer.options).numpy()
    error = np.linalg.norm(calls[OURS]() - reference) / np.linalg.norm(reference)
    return calls, float(error)


def cpu_name() -> str:
    """As the operating system calls it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str:
    """Of the checkout that this file is in."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def conditions(threads: int) -> dict[str, Any]:
    """What a reader needs to judge or repeat the numbers."""
    return {
        "cpu": cpu_name(),
        "isa": fastconv.get_isa(),
        "threads": threads,
        "fastconv": fastconv.__version__,
        "commit": commit(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def measure(shapes: str, rounds: int) -> list[dict[str, Any]]:
    """One row a layer."""
    rng = np.random.default_rng(0)
    rows = []
    for layer in tqdm(read_layers(shapes), desc=shapes, disable=not sys.stderr.isatty()):
        calls, error = contestants(layer, rng)
        with torch.inference_mode():
            seconds = interleaved(calls, rounds)
        flops = fastconv.explain("corr2d", layer.x_shape, layer.w_shape, **layer.options).flops
        rows.append({"layer": layer.name, "seconds": seconds, "gflops": flops / 1e9, "error": error})
    return rows


def report(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Print the table; answer the geometric means of the ratios."""
    names = (OURS, *PEERS)
    print(
        f"{'layer':<20}"
        + "".join(f"{name + ' ms':>23}" for name in names)
        + "".join(f"{'x':>7}" for _ in PEERS)
        + f"{'GFLOP/s':>9}{'error':>10}"
    )
    for row in rows:
        seconds = row["seconds"]
        times = "".join(f"{seconds[name] * 1e3:>23.3f}" for name in names)
        ratios = "".join(f"{seconds[peer] / seconds[OURS]:>7.2f}" for peer in PEERS)
        print(f"{row['layer']:<20}{times}{ratios}{row['gflops'] / seconds[OURS]:>9.1f}{row['error']:>10.1e}")
    means = {peer: geometric_mean(row["seconds"][peer] / row["seconds"][OURS] for row in rows) for peer in PEERS}
    for peer, mean in means.items():
        print(f"geometric mean against {peer}: {mean:.2f}x")
    return means


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", default="resnet50", help="a table of benchmarks/shapes, without .csv")
    parser.add_argument("--threads", type=int, default=fastconv.get_num_threads(), help="of every contestant")
    parser.add_argument("--rounds", type=int, default=12, help="turns of every contestant")
    parser.add_argument("--json", type=Path, help="where to write the result")
    arguments = parser.parse_args()
    fastconv.set_num_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    about = conditions(arguments.threads)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    rows = measure(arguments.shapes, arguments.rounds)
    means = report(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"conditions": about, "rows": rows, "means": means}, indent=1) + "\n")


if __name__ == "__main__":
    main()
