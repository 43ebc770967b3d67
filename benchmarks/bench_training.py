# SPDX-License-Identifier: BSD-3-Clause
"""Training: the gradients of dense layers, and whole steps of four networks, beside torch and Keras.

    python benchmarks/bench_training.py --quick
    python benchmarks/bench_training.py --parts gradients --shapes resnet50 --batch 1 8 --json result.json

Three parts. `gradients`: all that a layer's backward pass asks for (its input's gradient unless it is the network's
first layer, its weights', its bias's where it has one), ours and torch's convolution_backward; --operations names the
two large gradients by themselves. `torch`, `keras`: a step of LeNet on digits, ResNet-18 (32 x 32 pixels, batch 32),
MobileNetV2 (96 x 96, batch 8) and a small U-Net (96 x 96, batch 4), forward, loss, backward and SGD, as the framework
has it and after `accelerate`.

A gradient's time is that of its fastest call, a step's that of its median one; contestants take turns in one process,
warm and rested. Gradients further from float64 than gradients.TOLERANCE are not timed, and a network whose contestants
do not have the same losses ends the run. Peak memory is measured in a process for each step.

--quick takes one layer of each kind of two tables, two networks of torch and one of Keras, and two rounds: about a
minute.
"""

import argparse
import json
from importlib import import_module
from typing import Any

import command
from conditions import conditions
from layers import batched
from report import condition_line
from tqdm import tqdm
from training import gradients, summary
from training.data import NAMES
from training.steps import FRAMEWORKS, measure

STEP_SECONDS = 60  # no further round of a network begins after these
QUICK_SECONDS = 1  # of a layer
QUICK_TABLES = ("resnet50", "lenet")
QUICK_NETWORKS = {"torch": ("lenet", "mobilenetv2"), "keras": ("lenet",)}


def parse() -> argparse.Namespace:
    """Command line."""
    dtypes = tuple(gradients.TOLERANCE)
    words = command.parser(__doc__, "some layers and networks, about a minute", gradients.TABLES, dtypes)
    parts = ("gradients", *FRAMEWORKS)
    words.add_argument("--parts", nargs="+", choices=parts, default=parts)
    words.add_argument("--operations", nargs="+", choices=gradients.OPERATIONS, default=[gradients.BACKWARD])
    words.add_argument("--batch", nargs="+", type=int, default=[1], help="images of a gradient")
    words.add_argument("--networks", nargs="+", choices=NAMES, default=NAMES, help="whose steps are made")
    arguments = command.parsed(words)
    if arguments.quick and arguments.shapes is gradients.TABLES:
        arguments.shapes = QUICK_TABLES
    return arguments


def measured_gradients(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows, and what is too large."""
    layers = [layer for table in arguments.shapes for layer in gradients.dense_layers(table, arguments.quick)]
    fitting, skipped = command.that_fit(batched(layers, arguments.batch), arguments.dtype)
    command.load_libraries(["torch"], arguments.threads, arguments.dtype)  # both take their number of threads
    seconds, rows = QUICK_SECONDS if arguments.quick else command.LAYER_SECONDS, []
    for layer in tqdm(fitting, desc="layers", unit="layer", disable=None):
        for operation in arguments.operations:
            row = gradients.measure(operation, layer, arguments.dtype, arguments.rounds, seconds)
            rows.append(row)
            tqdm.write("\n".join(summary.gradient_lines(row)))
    return rows, skipped


def measured_steps(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows."""
    rows = []
    chosen = [(framework, name) for framework in FRAMEWORKS for name in arguments.networks]
    for framework, name in tqdm(chosen, desc="networks", unit="network", disable=None):
        if framework not in arguments.parts or (arguments.quick and name not in QUICK_NETWORKS[framework]):
            continue
        row = measure(framework, name, arguments.threads, arguments.rounds, STEP_SECONDS)
        rows.append(row)
        tqdm.write("\n".join(summary.step_lines(row)))
    return rows


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    about: dict[str, Any] = conditions(arguments.threads, arguments.dtype, arguments.rounds)
    about["peers"] = versions(arguments.parts)
    print(condition_line(about))
    layers, skipped = measured_gradients(arguments) if "gradients" in arguments.parts else ([], [])
    steps = measured_steps(arguments)
    print("\n".join(summary.report(layers, steps, skipped)))
    means = {"gradients": summary.gradient_means(layers), "steps": summary.step_means(steps)}
    result = {"conditions": about, "gradients": layers, "steps": steps, "means": means, "skipped": skipped}
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def versions(parts: list[str]) -> dict[str, str]:
    """Of the frameworks that take part."""
    needed = ["torch", *(["keras", "tensorflow"] if "keras" in parts else [])]
    return {name: import_module(name).__version__ for name in needed}


if __name__ == "__main__":
    main()
