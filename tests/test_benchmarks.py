# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's tables, its arithmetic on hand-made numbers, and one run of it. Speed is not tested."""

import json
import math
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import compare
import numpy as np
import peers
import pytest
import roofline
import summary
import torch
from layers import SHAPES, Layer, batched, network_tables, read_layers, representative
from peers.fastconv import Fastconv
from peers.torch import Torch
from timing import geometric_mean, interleaved

import fastconv

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
DISTINCT_LAYERS = {
    "convnext": 16,
    "inceptionv3": 43,
    "lenet": 3,
    "mobilenetv2": 30,
    "resnet50": 23,
    "unet": 19,
    "vgg16": 9,
}
PLAIN = Layer("table", "plain", 1, 32, 8, 8, 32, 3, 3, 1, (1, 1), 1, 1)

# ---- tables ----------------------------------------------------------------------------------------------------------


def test_the_tables_are_those_of_the_networks():
    assert {name: len(read_layers(name)) for name in network_tables()} == DISTINCT_LAYERS


@pytest.mark.parametrize("table", DISTINCT_LAYERS)
def test_rows_are_distinct_problems(table: str):
    layers = read_layers(table)
    assert len({layer.name for layer in layers}) == len(layers)
    assert len({replace(layer, name="") for layer in layers}) == len(layers)
    for layer in layers:
        told = fastconv.explain("corr2d", layer.x_shape, layer.w_shape, **layer.options)
        assert told.flops == layer.flops  # so that the sizes of y agree as well
        assert layer.batch == 1


def test_padding_is_a_number_or_a_pair(tmp_path: Path):
    head = (SHAPES / "lenet.csv").read_text().splitlines()[0]
    table = tmp_path / "mine.csv"
    table.write_text(f"{head}\nboth,1,2,9,9,2,3,3,1,2,1,1\nwide,1,2,9,9,2,1,7,1,0x3,1,1\n")
    both, wide = read_layers(str(table))
    assert (both.padding, wide.padding) == ((2, 2), (0, 3))
    assert wide.y_shape == (1, 2, 9, 9)
    assert {both.table, wide.table} == {"mine"}


def test_a_batch_multiplies():
    assert [layer.x_shape for layer in batched([replace(PLAIN, batch=2)], [1, 8])] == [(2, 32, 8, 8), (16, 32, 8, 8)]


def test_a_representative_is_the_median_of_its_kind():
    kinds = [replace(PLAIN, name=f"{size}", height=size) for size in (9, 4, 6)]
    others = [replace(PLAIN, name="strided", stride=2), replace(PLAIN, name="depthwise", groups=32)]
    assert [layer.name for layer in representative([*kinds, *others])] == ["6", "strided", "depthwise"]
    assert len(representative(kinds + [replace(layer, table="another") for layer in kinds])) == 2


def test_operations_and_bytes():
    assert PLAIN.flops == 2 * 32 * 32 * 9 * 64
    assert PLAIN.numbers == 32 * 64 + 32 * 32 * 9 + 32 * 64
    assert replace(PLAIN, groups=32).flops == 2 * 32 * 9 * 64
    assert roofline.intensity(PLAIN, "float64") == PLAIN.flops / PLAIN.numbers / 8
    machine = {"peak_gflops": 100.0, "bandwidth_gbs": 10.0}
    assert [roofline.bound(machine, intensity) for intensity in (2, 10, 50)] == [20, 100, 100]


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def row(name: str, seconds: tuple[float, ...], **changes: Any) -> summary.Row:
    """Seconds of fastconv's four, torch's two, and another's."""
    names = (*summary.OURS, summary.BASE, summary.BASE_NHWC, "another")
    layer = replace(PLAIN, name=name, **changes)
    return {"shape": asdict(layer), "seconds": dict(zip(names, seconds, strict=True)), "flops": layer.flops}


ROWS = [
    row("a", (2.0, 1.0, 4.0, 8.0, 4.0, 8.0, 2.0)),
    row("b", (1.0, 1.0, 0.5, 0.25, 1.0, 2.0, 3.0), batch=8, table="other", stride=2),
]


def test_the_best_peer_is_none_of_ours():
    assert [summary.best_peer(one) for one in ROWS] == [("another", 2.0), (summary.BASE, 1.0)]


def test_ratios_are_theirs_over_ours():
    found = [[summary.ratio(one, name) for name in summary.RATIOS] for one in ROWS]
    assert list(summary.RATIOS)[-1] == "any/best"
    assert found == [[2, 4, 1, 2, 4, 2, 1, 2], [1, 1, 1, 1, 2, 4, 8, 4]]


def test_geometric_means_of_selections():
    means = summary.means(ROWS)
    assert {name: values["rows"] for name, values in means.items()} == {
        "all layers": 2,
        "3x3, stride 1, >= 32 channels": 1,
        "all others": 1,
        "batch 1": 1,
        "batch 8": 1,
        "table": 1,
        "other": 1,
    }
    assert means["all layers"]["raw/torch"] == pytest.approx(math.sqrt(2))
    assert means["all layers"]["nhwc/cl"] == pytest.approx(math.sqrt(8))
    assert means["batch 8"]["any/best"] == pytest.approx(4)
    assert geometric_mean([0.5, 2, 8]) == pytest.approx(2)


def test_the_worst_come_first():
    assert [one["shape"]["name"] for one in summary.worst(ROWS, "prep/best")] == ["b", "a"]
    assert [one["shape"]["name"] for one in summary.worst(ROWS, "nhwc/cl", 1)] == ["a"]


def test_scatter_is_the_median_of_what_rounds_differ_by():
    assert summary.scatter({"a": 1.0, "b": 3.0, "c": 2.0, "lost": 9.0}, {"a": 1.5, "b": 1.0, "c": 2.0}) == 0.5
    assert summary.scatter({"a": 1.0}, {}) == 0


def test_what_is_plain_3x3():
    changes = ({}, {"stride": 2}, {"channels": 31}, {"groups": 32}, {"dilation": 2}, {"kernel_h": 1})
    rows = [row("c", (1.0,) * 7, **change) for change in changes]
    assert [summary.is_plain_3x3(one) for one in rows] == [True] + [False] * 5


def test_a_contest_may_end_early():
    calls = []
    interleaved({"one": lambda: calls.append(1)}, rounds=1000, seconds=0)
    once = len(calls)
    assert once > 0
    assert interleaved({"one": lambda: None}, rounds=1)["one"] < 1


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_a_wrong_result_is_found():
    exact = np.ones((2, 32, 8, 8))
    layer = replace(PLAIN, batch=3)
    assert compare.error(np.ones((3, 32, 8, 8)), exact, layer) == 0
    assert compare.error(np.ones((3, 32, 8, 7)), exact, layer) == math.inf
    assert compare.error(np.full((3, 32, 8, 8), 1.5), exact, layer) == pytest.approx(0.5)


class Liar(peers.Peer):
    """Answers right, a little wrong, and NaN."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def contestants(self, problem: peers.Problem) -> dict[str, peers.Contestant]:
        y = fastconv.corr2d(problem.x, problem.w, **problem.layer.options)
        factors = {"right": 1.0, "wrong": 1.001, "NaN": np.nan}
        return {name: peers.Contestant(lambda f=f: np.float32(f) * y, lambda y: y) for name, f in factors.items()}


class Refuser(Liar):
    """Has no such layer."""

    def contestants(self, problem: peers.Problem) -> dict[str, peers.Contestant]:
        raise NotImplementedError("no such layer\nand so on")


def test_a_wrong_peer_is_not_timed():
    base = [("fastconv", Fastconv(fastconv.get_num_threads())), ("torch", Torch(torch.get_num_threads()))]
    row = compare.measure(PLAIN, [*base, ("liar", Liar(1)), ("refuser", Refuser(1))], "float32", 1, 1)
    assert "right" in row["seconds"]
    assert {"wrong", "NaN"}.isdisjoint(row["seconds"])
    assert set(row["left_out"]) == {"wrong", "NaN", "refuser"}
    assert "1.0e-03" in row["left_out"]["wrong"]
    assert row["left_out"]["refuser"] == "NotImplementedError: no such layer"
    with pytest.raises(RuntimeError, match="fastconv NCHW is wrong"):
        compare.measure(PLAIN, [("fastconv", Impostor(1))], "float32", 1, 1)


class Impostor(Liar):
    """Is wrong in fastconv's name."""

    def contestants(self, problem: peers.Problem) -> dict[str, peers.Contestant]:
        return {"fastconv NCHW": super().contestants(problem)["wrong"]}


def test_a_run_writes_its_result_and_draws_it(tmp_path: Path):
    head = (SHAPES / "lenet.csv").read_text().splitlines()[0]
    table = tmp_path / "tiny.csv"
    table.write_text(f"{head}\nplain,1,32,6,6,32,3,3,1,1,1,1\nwide,1,2,9,9,2,1,7,1,0x3,1,1\n")
    result, picture = tmp_path / "result.json", tmp_path / "chart.png"
    command = [sys.executable, str(BENCHMARKS / "compare.py"), "--shapes", str(table), "--peers", "torch"]
    options = ["--batch", "1", "2", "--rounds", "1", "--threads", "1", "--json", str(result), "--chart", str(picture)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "geometric means of" in run.stdout
    data = json.loads(result.read_text())
    assert [(one["shape"]["name"], one["shape"]["batch"]) for one in data["rows"]] == [
        ("plain", 1),
        ("plain", 2),
        ("wide", 1),
        ("wide", 2),
    ]
    for one in data["rows"]:
        assert {*summary.OURS, summary.BASE, summary.BASE_NHWC} <= set(one["seconds"])
        assert max(one["errors"].values()) < 1e-5
        assert not one["left_out"]
    assert data["conditions"]["threads"] == 1
    assert set(data["conditions"]["peers"]) == {"torch"}
    assert data["means"]["all layers"]["rows"] == 4
    assert picture.read_bytes().startswith(b"\x89PNG")
