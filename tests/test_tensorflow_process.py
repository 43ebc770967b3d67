# SPDX-License-Identifier: BSD-3-Clause
"""The TensorFlow front end in processes of its own: saved models, replicas, two frameworks, one core."""

import sys
from pathlib import Path

import pytest
from frameworks import run_script

SAVED = """
import sys
import tensorflow as tf
import fastconv.tensorflow as fct

class Model(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.random.stateless_normal((3, 3, 2, 2), (1, 2)))

    @tf.function(input_signature=[tf.TensorSpec([None, 6, 6, 2])])
    def __call__(self, x):
        y = fct.corr2d(x, self.w, 1, "SAME", bias=tf.ones(2))
        return fct.avg_pool2d(fct.max_pool2d(y, 2, 2, "VALID"), 2, 1, "SAME")

def step(model, x):
    with tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(model(x) ** 2)
        grad = tape.gradient(y, model.w)
        squared = tf.reduce_sum(grad ** 2)
    second = outer.gradient(squared, model.w)
    model.w.assign_sub(0.01 * grad)
    return [t.numpy().tobytes().hex() for t in (y, grad, second, model.w)]
"""


def test_a_saved_model_trains_on_in_a_new_process(tmp_path: Path):
    x = "x = tf.random.stateless_normal((2, 6, 6, 2), (3, 4))\n"
    written = run_script(
        f"{SAVED}\n{x}model = Model()\ntf.saved_model.save(model, sys.argv[1])\nprint(step(model, x))",
        tmp_path / "saved",
    )
    read = run_script(
        f"{SAVED}\n{x}model = tf.saved_model.load(sys.argv[1])\n"
        "shape = model.__call__.concrete_functions[0].output_shapes\nassert shape.as_list() == [None, 3, 3, 2], shape\n"
        "print(step(model, x))",
        tmp_path / "saved",
    )
    assert read == written
    assert "[" in read


def test_the_library_is_found_in_every_folder_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import fastconv.tensorflow as fct
    from fastconv.tensorflow import _library

    (built,) = (folder for folder in fct.__path__ if list(Path(folder).glob("libfastconv_tensorflow.*")))
    monkeypatch.setattr(fct, "__path__", [str(tmp_path), built])
    assert _library._load().fastconv_corr2d
    monkeypatch.setattr(fct, "__path__", [str(tmp_path)])
    with pytest.raises(ImportError, match="was built without libfastconv_tensorflow"):
        _library._load()


def test_windows_is_told_that_there_is_no_library(monkeypatch: pytest.MonkeyPatch):
    from fastconv.tensorflow import _library

    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ImportError, match="no operations for TensorFlow on Windows"):
        _library._load()


def test_a_saved_model_asks_for_its_operations(tmp_path: Path):
    run_script(f"{SAVED}\ntf.saved_model.save(Model(), sys.argv[1])", tmp_path / "saved")
    told = run_script(
        "import sys\nimport tensorflow as tf\ntry:\n    tf.saved_model.load(sys.argv[1])\n"
        "except Exception as error:\n    print(error)",
        tmp_path / "saved",
    )
    assert "FastconvCorr2d" in told


def test_replicas_on_two_devices():
    run_script("""
        import numpy as np
        import tensorflow as tf
        import fastconv.tensorflow as fct

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        start = np.random.default_rng(0).standard_normal((3, 3, 2, 4)).astype(np.float32)
        with strategy.scope():
            w = tf.Variable(start)

        def loss(x, w):
            return tf.reduce_sum(fct.max_pool2d(fct.corr2d(x, w, 1, "SAME"), 2, 2, "VALID") ** 2)

        @tf.function
        def step(x):
            def replica(x):
                with tf.GradientTape() as tape:
                    y = loss(x, w)
                grad = tape.gradient(y, w)
                total = tf.distribute.get_replica_context().all_reduce("SUM", grad)
                w.assign_sub(0.01 * total)
                return y
            return strategy.reduce("SUM", strategy.run(replica, args=(x,)), axis=None)

        images = np.random.default_rng(1).standard_normal((8, 6, 6, 2)).astype(np.float32)
        data = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(images).batch(8))
        (batch,) = list(data)
        assert [len(part) for part in strategy.experimental_local_results(batch)] == [4, 4]
        y = step(batch)
        one = tf.Variable(start)
        with tf.GradientTape() as tape:
            expected = loss(images, one)
        one.assign_sub(0.01 * tape.gradient(expected, one))
        np.testing.assert_allclose(y, expected, rtol=1e-5)
        for copy in strategy.experimental_local_results(w):
            np.testing.assert_allclose(copy, one, rtol=1e-4, atol=1e-6)
    """)


@pytest.mark.parametrize("order", [("torch", "tensorflow"), ("tensorflow", "torch")])
def test_two_frameworks_in_one_process(order: tuple[str, str]):
    run_script(f"""
        import {order[0]}
        import {order[1]}
        import numpy as np
        import fastconv
        import fastconv.tensorflow as fct
        import tensorflow as tf
        import torch

        x = np.random.default_rng(0).standard_normal((4, 16, 33, 33)).astype(np.float32)
        w = np.random.default_rng(1).standard_normal((24, 16, 3, 3)).astype(np.float32)
        expected = fastconv.corr2d(x, w)
        for _ in range(3):
            other = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(w))
            assert fastconv.corr2d(tf.constant(x), tf.constant(w)).numpy().tobytes() == expected.tobytes()
            np.testing.assert_allclose(other.numpy(), expected, atol=1e-3)
    """)


def test_one_core_in_the_process():
    """The settings of fastconv are those of the operations: threads that a call may use, and the instruction set."""
    run_script("""
        from pathlib import Path
        import tensorflow as tf
        import fastconv
        import fastconv.tensorflow as fct

        fct.corr2d(tf.ones((1, 4, 4, 1)), tf.ones((3, 3, 1, 1)), 1, "VALID")
        lines = Path("/proc/self/maps").read_text().splitlines()
        mapped = {line.split()[-1] for line in lines if "libfastconv" in line}
        assert sorted(Path(name).name for name in mapped) == ["libfastconv.so", "libfastconv_tensorflow.so"], mapped
        fastconv.set_isa("scalar")
        rng = tf.random.stateless_normal
        x, w = rng((1, 30, 30, 40), (1, 2)), rng((3, 3, 40, 50), (3, 4))
        scalar = fct.corr2d(x, w, 1, "VALID").numpy()
        assert scalar.tobytes() == fastconv.corr2d(x.numpy(), w.numpy(), layout="NHWC").tobytes()
    """)


def test_a_tensorflow_that_comes_too_late_is_told():
    """The library registers when it is loaded: without TensorFlow it can only say so."""
    told = run_script("""
        import ctypes
        from pathlib import Path
        import fastconv

        places = (Path(folder, "tensorflow").glob("libfastconv_tensorflow.*") for folder in fastconv.__path__)
        (path,) = [path for place in places for path in place]
        early = ctypes.CDLL(str(path))
        early.fastconv_tensorflow_problem.restype = ctypes.c_char_p
        print(early.fastconv_tensorflow_problem().decode())
        try:
            import fastconv.tensorflow
        except ImportError as error:
            print(error)
    """)
    first, second = told.splitlines()[:2]
    assert first == "no loaded TensorFlow has the function TF_NewStatus"
    assert "fastconv's ops" in second
