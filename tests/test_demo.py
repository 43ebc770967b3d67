# SPDX-License-Identifier: BSD-3-Clause
"""The demo: its loops, its network, its figure and its manners on the command line."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fastconv
from fastconv import demo
from fastconv.__main__ import main
from fastconv.demo import chapter, digits, figure, loops, picture


def command(*arguments, prelude="", cwd=None):
    """Run ``python -m fastconv`` in a process of its own, after the statements of `prelude`."""
    code = f"{prelude}\nimport runpy, sys\nsys.argv[1:] = {list(map(str, arguments))!r}\n"
    code += "runpy.run_module('fastconv', run_name='__main__', alter_sys=True)"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=cwd, timeout=300
    )


def blocking(*names):
    """Statements that make the import of `names` fail as if they were not installed."""
    return f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {names!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Blocker())
"""


def one_sentence(status, errors):
    """Check that the program failed with one line on stderr, which is no traceback; the line."""
    assert status == 1, errors
    assert "Traceback" not in errors
    (line,) = errors.splitlines()
    return line


def photo(path, mode="RGB", size=(40, 28), **options):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


# The loops


def test_loops_give_numbers_worked_out_by_hand():
    x = np.arange(9.0).reshape(3, 3)
    w = np.arange(4.0).reshape(2, 2)
    np.testing.assert_array_equal(loops.corr2d(x, w), [[19, 25], [37, 43]])
    two_channels, two_kernels = np.stack([x, x + 1]), np.stack([w, w + 1])
    np.testing.assert_array_equal(loops.corr2d_multi_in(two_channels, two_kernels), [[56, 72], [104, 120]])
    np.testing.assert_array_equal(loops.pool2d(x, (2, 2)), [[4, 5], [7, 8]])
    np.testing.assert_array_equal(loops.pool2d(x, (2, 2), "avg"), [[2, 3], [5, 6]])
    with pytest.raises(ValueError, match="mode"):
        loops.pool2d(x, (2, 2), "median")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loops_agree_with_the_library(dtype):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 11, 13)).astype(dtype)
    w = rng.standard_normal((4, 3, 3, 2)).astype(dtype)
    close = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(fastconv.corr2d(x[0], w[0, 0]), loops.corr2d(x[0], w[0, 0]), **close)
    np.testing.assert_allclose(fastconv.corr2d_multi_in(x, w[0]), loops.corr2d_multi_in(x, w[0]), **close)
    np.testing.assert_allclose(fastconv.corr2d_multi_in_out(x, w), loops.corr2d_multi_in_out(x, w), **close)
    for mode in ("max", "avg"):
        np.testing.assert_allclose(fastconv.pool2d(x[1], (3, 2), mode), loops.pool2d(x[1], (3, 2), mode), **close)


# The chapter


def test_every_task_of_the_chapter_agrees_with_its_loop():
    rgb = np.random.default_rng(2).random((3, 20, 24), np.float32)
    tasks = chapter.tasks(rgb, rgb[1])
    assert [task.name for task in tasks] == [
        "corr2d",
        "corr2d_multi_in",
        "corr2d_multi_in_out",
        "pool2d, max",
        "pool2d, avg",
    ]
    for task in tasks:
        measured = chapter.measure(task)
        assert measured.relative_error < 1e-5, task.name
        assert measured.ratio == measured.loop_seconds / measured.fast_seconds > 0


def test_a_wrong_result_is_seen():
    task = chapter.Task("wrong", "", lambda: np.ones((2, 2)), lambda: np.array([[1, 1], [1, 1.5]]))
    assert chapter.measure(task).absolute_error == 0.5


def test_shapes_of_the_chapter():
    rows = chapter.shapes()
    assert [row.result for row in rows] == [(6, 6), (8, 8), (8, 8), (8, 8), (4, 4), (2, 2), (4, 4)]
    assert all(row.agrees for row in rows)


def test_convolution_is_small_local_and_equivariant():
    grey = np.random.default_rng(3).random((20, 24), np.float32)
    facts = chapter.layers(grey)
    assert facts.convolution_parameters == 3
    assert facts.dense_parameters == 20 * 24 * 20 * 23 + 20 * 23
    assert facts.convolution_reach == 2
    assert facts.shift_error < 1e-6


# The network


def test_gradients_of_the_network_against_finite_differences():
    rng = np.random.default_rng(4)
    network = digits.Network(rng, channels=(3, 4), dtype=np.float64)
    images, labels = rng.random((5, 1, 8, 8)), np.array([3, 1, 4, 1, 5])

    def loss():
        return digits.cross_entropy(network.forward(images), labels)[0]

    _, grad = digits.cross_entropy(network.forward(images), labels)
    network.backward(grad)
    step = 1e-6
    for layer in network.layers:
        for values, found in ((layer.weight, layer.weight_grad), (layer.bias, layer.bias_grad)):
            assert values.shape == found.shape
            for index in rng.permutation(values.size)[:20]:
                place = np.unravel_index(index, values.shape)
                before = values[place]
                values[place] = before + step
                higher = loss()
                values[place] = before - step
                lower = loss()
                values[place] = before
                assert found[place] == pytest.approx((higher - lower) / (2 * step), rel=1e-5, abs=1e-8)


def test_the_gradient_of_the_images_against_finite_differences():
    rng = np.random.default_rng(5)
    layer = digits.Convolution(2, 3, rng, np.float64)
    images, direction = rng.random((2, 2, 8, 8)), rng.standard_normal((2, 2, 8, 8))
    towards = rng.standard_normal(layer.forward(images).shape)
    found = np.vdot(layer.backward(towards), direction)
    step = 1e-6
    change = layer.forward(images + step * direction) - layer.forward(images - step * direction)
    assert found == pytest.approx(np.vdot(change, towards) / (2 * step), rel=1e-5)


def test_the_split_is_fixed_and_fair():
    data, again = digits.load(), digits.load()
    np.testing.assert_array_equal(data.test_images, again.test_images)
    assert len(data.train_labels) + len(data.test_labels) == 1797
    assert len(data.test_labels) == 360
    assert set(np.bincount(data.test_labels)) <= {35, 36, 37}
    assert data.train_images.dtype == np.float32


def test_two_epochs_lower_the_loss():
    data = digits.load()
    training = digits.train(data, epochs=2)
    assert training.losses[1] < training.losses[0]
    assert training.accuracy > 0.5
    assert training.accuracy == np.mean(training.predictions == data.test_labels)
    assert training.network.parameters < 25_000


# The picture


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1", "I;16", "CMYK"])
def test_pictures_of_any_mode_become_rgb(tmp_path, mode):
    path = tmp_path / ("picture.tif" if mode in ("CMYK", "I;16") else "picture.png")
    if mode == "I;16":
        Image.fromarray(np.arange(28 * 40, dtype=np.uint16).reshape(28, 40) * 7).save(path)
    else:
        photo(path, mode)
    loaded = picture.load(path)
    assert loaded.rgb.shape == (3, 28, 40)
    assert loaded.grey.shape == (28, 40)
    assert loaded.rgb.dtype == loaded.grey.dtype == np.float32
    assert 0 <= loaded.rgb.min() < loaded.rgb.max() <= 1
    np.testing.assert_allclose(loaded.grey, np.tensordot([0.299, 0.587, 0.114], loaded.rgb.astype(float), 1), atol=1e-6)


def test_transparent_becomes_white_and_large_pictures_shrink(tmp_path):
    Image.new("RGBA", (1280, 320), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    loaded = picture.load(tmp_path / "clear.png")
    assert loaded.rgb.shape == (3, 160, 640)
    assert loaded.rgb.min() == 1


def test_the_default_picture_is_china():
    loaded = picture.load()
    assert loaded.name == "china.jpg"
    assert loaded.rgb.shape == (3, 427, 640)


# The command line


def test_help_lists_the_commands():
    finished = command("--help")
    assert finished.returncode == 0
    assert "config" in finished.stdout
    assert "demo" in finished.stdout
    options = command("demo", "--help").stdout
    for option in ("--image", "--out", "--epochs", "--threads", "--seed"):
        assert option in options


def test_the_default_command_prints_the_configuration():
    bare, named = command(), command("config")
    assert bare.returncode == named.returncode == 0
    assert fastconv.__version__ in bare.stdout
    assert bare.stdout == named.stdout


def test_configuration_and_help_need_no_extra():
    prelude = blocking("sklearn", "matplotlib", "PIL", "tqdm")
    assert command(prelude=prelude).returncode == 0
    assert command("demo", "--help", prelude=prelude).returncode == 0


@pytest.mark.parametrize("name", ["sklearn", "matplotlib", "PIL", "tqdm"])
def test_a_missing_extra_is_one_sentence(name):
    finished = command("demo", prelude=blocking(name))
    line = one_sentence(finished.returncode, finished.stderr)
    assert name in line
    assert "pip install 'fastconv[demo]'" in line


def test_a_picture_that_is_not_there_is_one_sentence(tmp_path):
    finished = command("demo", "--image", "absent.png", cwd=tmp_path)
    line = one_sentence(finished.returncode, finished.stderr)
    assert "'absent.png': No such file" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["text.png", "half.png", "tiny.png", "."])
def test_a_picture_that_cannot_be_used_is_one_sentence(tmp_path, capsys, name):
    (tmp_path / "text.png").write_text("this is no picture")
    whole = photo(tmp_path / "whole.png", size=(200, 200)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    photo(tmp_path / "tiny.png", size=(5, 5))
    status = main(["demo", "--image", str(tmp_path / name), "--out", str(tmp_path / "figure.png")])
    line = one_sentence(status, capsys.readouterr().err)
    assert "picture" in line
    assert str(tmp_path / name) in line
    assert not (tmp_path / "figure.png").exists()


@pytest.mark.parametrize("name", ["absent/figure.png", "figure.docx", "folder"])
def test_a_figure_that_cannot_be_written_is_said_before_the_work(tmp_path, capsys, name):
    (tmp_path / "folder").mkdir()
    line = one_sentence(main(["demo", "--out", str(tmp_path / name)]), capsys.readouterr().err)
    assert str(tmp_path / name) in line
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_checking_the_path_keeps_an_earlier_figure(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"earlier")
    figure.check_path(path)
    assert path.read_bytes() == b"earlier"
    figure.check_path(tmp_path / "new.pdf")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_numbers_are_judged_by_the_command_line(value):
    finished = command("demo", "--epochs", value)
    assert finished.returncode == 2
    assert "--epochs" in finished.stderr


def test_a_library_that_errs_or_learns_too_little_fails_the_demo(tmp_path, capsys, monkeypatch):
    image, out = str(photo(tmp_path / "small.png")), str(tmp_path / "figure.png")
    arguments = ["demo", "--image", image, "--out", out, "--epochs", "1"]
    monkeypatch.setattr(figure, "save", lambda *arguments: None)
    assert main(arguments) == 0
    monkeypatch.setattr(demo, "DEFAULT_EPOCHS", 1)
    assert "is below 97%" in one_sentence(main(arguments), capsys.readouterr().err)
    right = loops.corr2d
    monkeypatch.setattr(loops, "corr2d", lambda x, w: right(x, w) + np.nan)
    line = one_sentence(main(arguments), capsys.readouterr().err)
    assert "disagree about corr2d, corr2d_multi_in, corr2d_multi_in_out" in line


def test_the_whole_demo_on_a_small_picture(tmp_path):
    image, out = photo(tmp_path / "small.png", size=(48, 32)), tmp_path / "figure.png"
    finished = command("demo", "--image", image, "--out", out, "--epochs", 2, "--threads", 1, "--seed", 3)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    for words in ("1 thread;", "small.png, 32 x 48", "geometric mean", "4 x 4", "are equal", "Accuracy"):
        assert words in finished.stdout, words
    assert str(out) in finished.stdout
    assert max(map(len, finished.stdout.splitlines()[:-1])) <= 100
    data = Path(out).read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert (width, height) == (2250, 1620)
    assert len(data) > 100_000
