# SPDX-License-Identifier: BSD-3-Clause
"""Files in memory as arguments and results, and images in blocks: exact at the seams."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import dask.array as da
import numpy as np
import pytest
from numerics import assert_same_bits, fresh_rng, random_array
from operators import GEOMETRIES, LAYOUTS, arrays, call

import fastconv

EXAMPLE = Path(__file__).parents[2] / "examples" / "gigapixel.py"


def mapped(folder: Path, name: str, a: np.ndarray, mode: str = "r") -> np.memmap:
    """The array in a file, that begins after a few bytes of something else."""
    file = folder / name
    file.write_bytes(b"head" + bytes(4) + a.tobytes())
    return np.memmap(file, a.dtype, mode, 8, a.shape)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_in_and_out(tmp_path: Path, layout: str):
    """What is written to the mapping is in the file."""
    g = GEOMETRIES[0]
    a = arrays(g, layout)
    files = {name: mapped(tmp_path, name, value) for name, value in a.items()}
    keys = {"layout": layout}
    calls = {
        "corr2d": lambda b, out: fastconv.corr2d(b["x"], b["w"], b["bias"], **g.corr, **keys, out=out),
        "corr2d_input_grad": lambda b, out: fastconv.corr2d_input_grad(
            b["grad_y"], b["w"], b["x"].shape, **g.corr, **keys, out=out
        ),
        "corr2d_weight_grad": lambda b, out: fastconv.corr2d_weight_grad(
            b["grad_y"], b["x"], b["w"].shape, **g.corr, **keys, out=out
        ),
        "max_pool2d": lambda b, out: fastconv.max_pool2d(b["x"], 3, stride=2, padding=1, **keys, out=out),
        "avg_pool2d": lambda b, out: fastconv.avg_pool2d(b["x"], 3, stride=2, padding=1, **keys, out=out),
        "max_pool2d_grad": lambda b, out: fastconv.max_pool2d_grad(
            b["grad_pooled"], b["indices"], b["x"].shape, **keys, out=out
        ),
        "avg_pool2d_grad": lambda b, out: fastconv.avg_pool2d_grad(
            b["grad_pooled"], 3, b["x"].shape, stride=2, padding=1, **keys, out=out
        ),
    }
    for op, function in calls.items():
        plain = call(op, g, layout, a)
        out = mapped(tmp_path, f"{op}.out", np.zeros_like(plain), "r+")
        assert function(files, out) is out
        out.flush()
        written = np.frombuffer((tmp_path / f"{op}.out").read_bytes()[8:], plain.dtype).reshape(plain.shape)
        assert_same_bits(written, plain, op)


def test_a_file_that_may_not_be_written(tmp_path: Path):
    x = random_array(fresh_rng("mapped"), (1, 2, 9, 9), "float32")
    out = mapped(tmp_path, "out", np.zeros((1, 2, 4, 4), np.float32), "r")
    with pytest.raises(ValueError, match="out is read-only"):
        fastconv.max_pool2d(x, 2, out=out)
    both = mapped(tmp_path, "both", x, "r+")
    with pytest.raises(ValueError, match="share memory"):
        fastconv.max_pool2d(both, 1, out=both)


@pytest.fixture(scope="module")
def gigapixel() -> ModuleType:
    """The example."""
    spec = importlib.util.spec_from_file_location("gigapixel", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("blocks", [(50, 50), (64, 33), (17, 100), (200, 200)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_no_seam_shows(gigapixel: ModuleType, dtype: str, blocks: tuple[int, int]):
    rng = fresh_rng("gigapixel", dtype, blocks)
    image = random_array(rng, (170, 133), dtype)
    kernel = random_array(rng, (5, 7), "int8" if dtype == "uint8" else dtype)
    options = {} if dtype == "uint8" else {"algorithm": "implicit_gemm_nchw"}
    whole = fastconv.corr2d(image, kernel, padding="same", **options)
    parts = gigapixel.filtered(da.from_array(image, blocks), kernel, **options)
    assert parts.numblocks == tuple(-(-size // block) for size, block in zip(image.shape, blocks, strict=True))
    assert_same_bits(parts.compute(), whole, f"blocks of {blocks}")


def test_blocks_are_shrunk_like_the_whole(gigapixel: ModuleType):
    image = random_array(fresh_rng("shrunk"), (96, 64), "int32")
    assert_same_bits(
        gigapixel.shrunk(da.from_array(image, 32), 8).compute(), fastconv.max_pool2d(image, 8), "blocks of 32"
    )


def test_the_example_runs():
    command = [sys.executable, str(EXAMPLE), "--side", "256", "--block", "64"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "million pixels" in done.stdout
