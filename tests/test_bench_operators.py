# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of poolings and grouped correlations: its tables, its arithmetic, its judges, one run of it."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import bench_operators
import numpy as np
import operations
import operator_summary as summary
import peers
import pieces
import pytest
import tensorflow as tf
from layers import Layer, network_tables, operator_tables, table_path
from operations import OPERATIONS
from peers.fastconv import Fastconv
from peers.torch import Torch
from pools import Pool, is_pool_table, read_pools, representative_pools

import fastconv

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
POOL_TABLES = [name for name in operator_tables() if is_pool_table(table_path(name))]
MAX = Pool("table", "max", "max", 2, 3, 8, 9, 3, 3, 2, (1, 1), 1, True)
AVG = replace(MAX, name="avg", mode="avg", stride=1, count_include_pad=False)
WHOLE = replace(AVG, name="whole", kernel_h=8, kernel_w=9, stride=9, padding=(0, 0))
DEPTHWISE = Layer("table", "dw", 1, 32, 8, 8, 32, 3, 3, 1, (1, 1), 1, 32)

# ---- tables ----------------------------------------------------------------------------------------------------------


def test_the_tables_of_operators_are_not_those_of_networks():
    assert set(POOL_TABLES) == {
        f"pool_{name}" for name in ("global", "inceptionv3", "lenet", "resnet50", "unet", "vgg16", "windows")
    }
    assert not set(operator_tables()) & set(network_tables())


@pytest.mark.parametrize("table", POOL_TABLES)
def test_rows_are_distinct_problems(table: str):
    pools = read_pools(table)
    assert len({pool.name for pool in pools}) == len(pools)
    assert len({replace(pool, name="") for pool in pools}) == len(pools)
    for pool in pools:
        assert pool.mode in ("max", "avg")
        options = pool.options if pool.mode == "max" else pool.avg_options
        x = np.zeros((1, 1, *pool.x_shape[2:]), np.float32)
        y = getattr(fastconv, f"{pool.mode}_pool2d")(x, pool.kernel, **options)
        assert y.shape[2:] == pool.y_shape[2:]


def test_what_is_whole_and_what_is_a_filter():
    assert [pool.whole for pool in (MAX, AVG, WHOLE)] == [False, False, True]
    assert [pool.same for pool in (MAX, AVG, WHOLE, replace(AVG, padding=(1, 0)))] == [False, True, False, False]


def test_a_representative_is_the_median_of_its_mode():
    sizes = [replace(MAX, name=f"{size}", height=size) for size in (20, 9, 12)]
    assert [pool.name for pool in representative_pools([*sizes, AVG])] == ["12", "avg"]


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def test_bytes_are_those_of_all_operands_and_the_result():
    x, y = 2 * 3 * 8 * 9, 2 * 3 * 4 * 5
    assert OPERATIONS["pool"].moved(MAX, 4) == 4 * (x + y)
    assert OPERATIONS["pool_gradient"].moved(MAX, 4) == 4 * (x + y) + 8 * y
    assert OPERATIONS["pool_gradient"].moved(AVG, 8) == 8 * 2 * x
    assert OPERATIONS["weight_gradient"].moved(DEPTHWISE, 4) == 4 * (2 * 32 * 64 + 32 * 9)


def row(name: str, **seconds: float) -> summary.Row:
    return {
        "operation": "pool",
        "shape": asdict(replace(MAX, name=name)),
        "seconds": {key.replace("_", " ", 1): value for key, value in seconds.items()},
        "bytes": 4_000_000_000,
    }


ROWS = [
    row("a", fastconv_NCHW=2.0, fastconv_NHWC=1.0, torch_NCHW=8.0, torch_channels_last=3.0, TensorFlow=6.0),
    row("b", fastconv_NCHW=1.0, fastconv_NHWC=4.0, torch_NCHW=2.0, torch_channels_last=0.5),
]


def test_ratios_are_theirs_over_ours():
    assert [summary.ratio(ROWS[0], name) for name in summary.RATIOS] == [4, 3, 3, 6, 1.5, 3, 3]
    assert [summary.ratio(ROWS[1], name) for name in summary.RATIOS] == [2, 0.125, 0.5, None, 0.5, 0.125, 0.5]
    assert summary.fastest(ROWS[1], "") == ("torch channels_last", 0.5)


def test_means_leave_out_who_does_not_take_part():
    means = summary.means(ROWS)
    assert set(means) == {"pool", "pool max", "pool table"}
    assert means["pool"]["rows"] == 2
    assert means["pool"]["any/tensorflow"] == pytest.approx(6)
    assert means["pool"]["any/best"] == pytest.approx((3 * 0.5) ** 0.5)


def test_shares_are_of_the_bandwidth():
    assert summary.shares(ROWS[0], 8.0)["fastconv NCHW"] == pytest.approx(0.25)


def test_a_result_grows_in_pieces(tmp_path: Path):
    path, about = tmp_path / "result.json", dict.fromkeys(pieces.SAME, "same") | {"peers": {"torch": "2"}}
    assert pieces.earlier(path, about, ROWS) == ([], {})
    before = {**about, "peers": {"torch": "2", "TensorFlow": "1"}}
    path.write_text(json.dumps({"conditions": before, "machine": {"bandwidth_gbs": 7.0}, "rows": ROWS}))
    rows, machine = pieces.earlier(path, about, [ROWS[1] | {"seconds": {}}])
    assert [row["shape"]["name"] for row in rows] == ["a"]
    assert machine == {"bandwidth_gbs": 7.0}
    assert about["peers"] == {"torch": "2", "TensorFlow": "1"}
    with pytest.raises(ValueError, match="with threads 'same', this is 3"):
        pieces.earlier(path, {**about, "threads": 3}, ROWS)
    with pytest.raises(ValueError, match="with torch 2, this is 1"):
        pieces.earlier(path, {**about, "peers": {"torch": "1"}}, ROWS)


# ---- contestants -----------------------------------------------------------------------------------------------------


def test_errors_are_relative_and_none_of_what_is_equal():
    exact = np.array([3.0, 4.0])
    assert operations.error(np.array([3.0, 4.0], np.float32), exact) == 0
    assert operations.error(np.array([3.0, 4.5]), exact) == pytest.approx(0.1)
    assert operations.error(np.array([[3.0, 4.0]]), exact) == float("inf")


@pytest.fixture
def threads_of_tensorflow_stay(monkeypatch: pytest.MonkeyPatch):
    """TensorFlow takes numbers of threads before its first operation alone, and other tests ran some."""
    for name in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        monkeypatch.setattr(tf.config.threading, name, lambda threads: None)


@pytest.mark.usefixtures("threads_of_tensorflow_stay")
@pytest.mark.parametrize("library", [*peers.installed(), *peers.installed(peers.FILTERS)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_contestant_is_right(library: str, name: str):
    operation, peer = OPERATIONS[name], peers.load(library, 2)
    rows = (DEPTHWISE, replace(DEPTHWISE, groups=8)) if operation.row is Layer else (MAX, AVG, WHOLE)
    for layer in rows:
        problem = operation.problem(layer, "float32")
        exact = operation.reference(problem)
        try:
            offered = operation.offer(peer, problem)
            found = {who: operations.error(one.read(one.call()), exact) for who, one in offered.items()}
        except Exception as refusal:
            if library == "torch":
                raise
            print(f"{library} refuses {layer.name}: {refusal}")
            continue
        assert all(distance <= operation.tolerance(layer, "float32") for distance in found.values()), found


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
def test_fastconv_and_torch_take_part_in_everything(dtype: str):
    ours, theirs = Fastconv(1), Torch(1)
    for operation in OPERATIONS.values():
        for layer in (MAX, AVG, WHOLE, DEPTHWISE):
            if not operation.takes(layer, dtype):
                assert dtype == "int8" or not isinstance(layer, operation.row)
                continue
            problem = operation.problem(layer, dtype)
            assert set(summary.OURS) <= set(operation.offer(ours, problem))
            assert set(summary.KEPT) - set(summary.OURS) <= set(operation.offer(theirs, problem))


class Liar(Fastconv):
    """Is a little wrong in fastconv's name."""

    def pools(self, problem: peers.PoolProblem) -> dict[str, peers.Contestant]:
        y = np.nextafter(super().pools(problem)["fastconv NCHW"].call(), np.float32(9))
        return {"fastconv NCHW": peers.Contestant(lambda: y, lambda y: y)}


def test_a_maximum_must_be_equal():
    operation = OPERATIONS["pool"]
    with pytest.raises(RuntimeError, match="fastconv NCHW is wrong on pool"):
        bench_operators.measure(operation, MAX, [("fastconv", Liar(1))], "float32", 1, 1)
    measured = bench_operators.measure(operation, MAX, [("fastconv", Fastconv(1))], "float32", 1, 1)
    assert set(measured["seconds"]) == set(summary.OURS)
    assert set(measured["errors"].values()) == {0.0}


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_a_run_writes_its_result(tmp_path: Path):
    pools, layers, result = tmp_path / "pools.csv", tmp_path / "layers.csv", tmp_path / "result.json"
    head = table_path("pool_lenet").read_text().splitlines()[0]
    pools.write_text(f"{head}\nmax,max,1,3,8,8,2,2,2,0,1,1\navg,avg,1,3,8,8,3,3,1,1,1,0\n")
    head = table_path("lenet").read_text().splitlines()[0]
    layers.write_text(f"{head}\ndw,1,8,6,6,8,3,3,1,1,1,8\n")
    command = [sys.executable, str(BENCHMARKS / "bench_operators.py"), "--shapes", str(pools), str(layers)]
    options = ["--peers", "torch", "--rounds", "1", "--threads", "1", "--json", str(result)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "geometric means of" in run.stdout
    data: dict[str, Any] = json.loads(result.read_text())
    assert [(one["operation"], one["shape"]["name"]) for one in data["rows"]] == [
        ("pool", "max"),
        ("pool_gradient", "max"),
        ("pool", "avg"),
        ("pool_gradient", "avg"),
        ("corr2d", "dw"),
        ("input_gradient", "dw"),
        ("weight_gradient", "dw"),
    ]
    for one in data["rows"]:
        assert set(summary.KEPT) <= set(one["seconds"])
        assert set(one["share"]) == set(one["seconds"])
        assert max(one["errors"].values()) < 1e-5
    assert data["means"]["pool"]["rows"] == 2
    assert data["machine"]["bandwidth_gbs"] > 0
