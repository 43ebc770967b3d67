# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of training: its networks, its arithmetic, its judges, one run of it. Speed is not tested."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import peers
import pytest
from layers import SHAPES, Layer
from timing import medians
from training import data, gradients, keras_networks, keras_steps, memory, steps, summary, torch_networks, torch_steps

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PLAIN = Layer("vgg16", "plain", 2, 8, 6, 6, 16, 3, 3, 1, (1, 1), 1, 1)
PARAMETERS = {"lenet": 16 * 26 + 32 * 145 + 84 * 129 + 10 * 85, "resnet18": 11_173_962, "mobilenetv2": 2_351_972}

# ---- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", data.NAMES)
def test_both_frameworks_train_the_same_network(network: str):
    ours = sum(p.numel() for p in torch_networks.NETWORKS[network]().parameters())
    model = keras_networks.NETWORKS[network]()
    theirs = sum(math.prod(w.shape) for w in model.trainable_weights)
    assert theirs == ours == PARAMETERS.get(network, ours)
    assert model.input_shape[1:] == data.SHAPES[network][1:]


@pytest.mark.parametrize("network", data.NAMES)
def test_labels_are_of_the_classes(network: str):
    images, labels = data.batch(network)
    assert (images.shape, images.dtype) == (data.SHAPES[network], np.float32)
    assert labels.shape == (images.shape[:3] if network == "unet" else images.shape[:1])
    assert 0 <= labels.min() <= labels.max() < data.CLASSES[network]


# ---- arithmetic ------------------------------------------------------------------------------------------------------


def test_what_a_layer_asks_for():
    assert gradients.asked("gradients", PLAIN) == (True, True, True)
    assert gradients.asked("gradients", replace(PLAIN, table="resnet50")) == (True, True, False)
    assert gradients.asked("gradients", replace(PLAIN, channels=3)) == (False, True, True)
    assert gradients.asked("input_gradient", PLAIN) == (True, False, False)
    assert gradients.asked("weight_gradient", PLAIN) == (False, True, True)
    assert gradients.flops(PLAIN, gradients.asked("gradients", PLAIN)) == 2 * PLAIN.flops
    assert gradients.flops(PLAIN, gradients.asked("input_gradient", PLAIN)) == PLAIN.flops


def test_dense_layers_are_no_depthwise_ones():
    assert {layer.kernel_h for layer in gradients.dense_layers("mobilenetv2", False)} == {1, 3}
    assert all(layer.groups == 1 for table in gradients.TABLES for layer in gradients.dense_layers(table, False))


def test_errors_are_the_worst_of_the_gradients():
    exact = [np.array([3.0, 4.0]), np.array([[1.0]])]
    assert gradients.error([np.array([3.0, 4.5]), np.array([[1.05]])], exact) == pytest.approx(0.1)
    assert gradients.error([np.array([3.0, 4.0]), np.array([[1.2]])], exact) == pytest.approx(0.2)
    assert gradients.error([np.array([3.0, 4.0]), np.array([1.0])], exact) == math.inf
    assert gradients.error(exact[:1], exact) == math.inf


def test_means_are_of_theirs_over_ours():
    def layer_row(table: str, *seconds: float) -> dict[str, Any]:
        names = (*summary.OURS, *summary.TORCHS)
        shape = {"table": table, "name": "a", "batch": 1}
        return {"operation": "gradients", "shape": shape, "seconds": dict(zip(names, seconds, strict=True))}

    means = summary.gradient_means([layer_row("a", 1.0, 2.0, 2.0, 8.0), layer_row("b", 1.0, 1.0, 8.0, 1.0)])
    assert set(means) == {"gradients", "gradients batch 1", "gradients a", "gradients b"}
    assert means["gradients"] == {
        "rows": 2,
        "nchw/torch nchw": 4,
        "nchw/torch cl": pytest.approx(8**0.5),
        "nhwc/torch cl": 2,
    }
    row = {"framework": "keras", "seconds": {summary.KERAS: 3.0, summary.OURS_IN_KERAS: 2.0}}
    assert summary.step_means([row]) == {"keras": {"rows": 1, "ours/keras": pytest.approx(1.5)}}


def test_a_median_call_is_not_the_fastest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("timing._rest", lambda: None)
    monkeypatch.setattr("timing._turn", lambda call: next(turns))
    turns = iter([[1.0, 5.0], [2.0], [9.0], [2.0, 2.0]])
    middle, apart = medians({"a": lambda: None, "b": lambda: None}, 2)
    assert middle == {"a": 5.0, "b": 2.0}
    assert apart == pytest.approx((0.0 + 4.0 / 5.0) / 2)


# ---- judges ----------------------------------------------------------------------------------------------------------


def test_a_wrong_gradient_is_not_timed(monkeypatch: pytest.MonkeyPatch):
    ours = gradients._ours

    def wrong(problem: peers.Problem, which: gradients.Asked) -> dict[str, peers.Contestant]:
        offered = ours(problem, which)
        found = offered["fastconv NHWC"].call()
        found[-1] = found[-1] * np.float32(1.001)
        return {**offered, "fastconv NHWC": offered["fastconv NHWC"]._replace(call=lambda: found)}

    row = gradients.measure("gradients", PLAIN, "float64", 1, 1)
    assert set(row["seconds"]) == {*summary.OURS, *summary.TORCHS}
    assert max(row["errors"].values()) < 1e-14
    monkeypatch.setattr(gradients, "_ours", wrong)
    with pytest.raises(RuntimeError, match="fastconv NHWC is wrong on gradients"):
        gradients.measure("gradients", PLAIN, "float32", 1, 1)


def test_losses_must_agree():
    steps.judge({"one": [2.0, 1.0], "other": [2.0001, 1.0009]}, "net")
    with pytest.raises(RuntimeError, match=r"net: step 0 has the loss 2\.01 by other"):
        steps.judge({"one": [2.0, 1.0], "other": [2.01, 1.0]}, "net")
    with pytest.raises(RuntimeError, match="step 1"):
        steps.judge({"one": [2.0, 1.0], "other": [2.0, 1.01]}, "net")
    with pytest.raises(RuntimeError, match="nan"):
        steps.judge({"one": [2.0, 1.0], "other": [2.0, math.nan]}, "net")


@pytest.mark.parametrize("framework", [torch_steps, keras_steps])
def test_contestants_learn_alike(framework: Any):
    losses = {}
    for name in framework.CONTESTANTS:
        call = framework.step("lenet", name)
        losses[name] = [call() for _ in range(3)]
        if name != summary.KERAS_XLA:
            assert 0 < framework.outside(call, 1) < 1
    steps.judge(losses, "lenet")
    first = losses[framework.CONTESTANTS[0]]
    assert first[2] < first[1] < first[0]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the system does not tell")
def test_the_peak_holds_the_gradients_and_the_momenta():
    measured = memory.peak_bytes("torch", "mobilenetv2", "fastconv NCHW", 1)
    assert measured is not None
    assert 2 * 4 * PARAMETERS["mobilenetv2"] < measured < 1 << 30


# ---- a run -----------------------------------------------------------------------------------------------------------


def test_a_run_writes_its_result(tmp_path: Path):
    table, result = tmp_path / "tiny.csv", tmp_path / "result.json"
    head = (SHAPES / "lenet.csv").read_text().splitlines()[0]
    table.write_text(f"{head}\nplain,1,8,6,6,8,3,3,1,1,1,1\ndepthwise,1,8,6,6,8,3,3,1,1,1,8\n")
    command = [sys.executable, str(BENCHMARKS / "bench_training.py"), "--shapes", str(table), "--networks", "lenet"]
    options = ["--batch", "1", "2", "--rounds", "1", "--threads", "1", "--json", str(result)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=240)
    assert run.returncode == 0, run.stderr
    assert "geometric means of" in run.stdout
    told = json.loads(result.read_text())
    assert [(row["shape"]["name"], row["shape"]["batch"]) for row in told["gradients"]] == [("plain", 1), ("plain", 2)]
    assert [(row["framework"], row["network"]) for row in told["steps"]] == [("torch", "lenet"), ("keras", "lenet")]
    for row in told["steps"]:
        assert set(row["peak_bytes"]) == set(row["losses"]) == set(row["seconds"])
        assert row["ceiling"] > 1
    assert set(told["means"]["steps"]) == {"torch", "keras"}
    assert set(told["conditions"]["peers"]) == {"torch", "keras", "tensorflow"}
