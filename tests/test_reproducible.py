# SPDX-License-Identifier: BSD-3-Clause
"""The same bits whatever the threads, the batch, the strides and the repetition."""

import subprocess
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import reference as ref
from cases import each_algorithm
from numerics import SEED, assert_close, assert_same_bits
from operators import GEOMETRIES, LAYOUTS, OPERATORS, PER_IMAGE, Geometry, arrays, call, expected, part
from variants import VARIANTS

import fastconv

OPERATORS_AND_GEOMETRIES = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)


@OPERATORS_AND_GEOMETRIES
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
def test_number_of_threads(isa: str, op: str, layout: str, geometry: Geometry):
    a = arrays(geometry, layout)
    fastconv.set_num_threads(1)
    alone = each_algorithm(op, lambda name: call(op, geometry, layout, a, name))
    reference = expected(op, geometry, layout)
    for name, one in alone.items():
        assert_close(one, reference, f"{isa} {op} {name}")
    for threads in (2, 3, 16):
        fastconv.set_num_threads(threads)
        assert fastconv.get_num_threads() == threads
        for name, one in alone.items():
            assert_same_bits(call(op, geometry, layout, a, name), one, f"{isa} {op} {name} with {threads} threads")


@OPERATORS_AND_GEOMETRIES
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", PER_IMAGE)
def test_an_image_alone_or_in_a_batch(isa: str, op: str, layout: str, geometry: Geometry):
    a = arrays(geometry, layout)
    batch = each_algorithm(op, lambda name: call(op, geometry, layout, a, name))
    batch.pop("auto")
    for number in range(geometry.n):
        alone = each_algorithm(op, lambda name: call(op, geometry, layout, part(a, number, number + 1), name))  # noqa: B023
        assert set(batch) & set(alone) - {"direct"} or set(batch) == {"direct"}
        for name in set(batch) & set(alone):
            assert_same_bits(alone[name][0], batch[name][number], f"{isa} {op} {name}, image {number}")


@pytest.mark.parametrize("size", [1, 5, 7, 12])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_infinite_weight_does_not_tell_where_an_image_lies(isa: str, layout: str, size: int):
    """Its product with padding is not a number, where an algorithm multiplies padding. So many channels make a sum
    of several parts, one of which may read nothing but padding."""
    rng = np.random.default_rng(SEED)
    x = ref.images(rng.standard_normal((3, 160, size, size), dtype=np.float32), layout)
    w = ref.weights(rng.standard_normal((160, 160, 3, 3), dtype=np.float32), layout)
    ref.filters(w, layout)[3, 5, 2, 1] = np.inf
    for op in (fastconv.corr2d, fastconv.corr2d_input_grad):

        def call(images: np.ndarray, name: str, op: Callable[..., np.ndarray] = op) -> np.ndarray:
            shape = (images.shape,) if op is fastconv.corr2d_input_grad else ()
            return op(images, w, *shape, padding=1, layout=layout, algorithm=name)

        batch = each_algorithm(op.__name__, lambda name: call(x, name))
        for name, together in batch.items():
            for number in range(3) if name != "auto" else ():
                alone = call(x[number : number + 1], name)[0]
                assert_same_bits(alone, together[number], f"{isa} {op.__name__} {name}, image {number}")


@OPERATORS_AND_GEOMETRIES
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", PER_IMAGE)
def test_batch_invariant_mode_makes_auto_ignore_the_batch(op: str, layout: str, geometry: Geometry):
    fastconv.set_batch_invariant(True)
    assert fastconv.get_batch_invariant() is True
    a = arrays(geometry, layout)
    batch = call(op, geometry, layout, a)
    for first, last in ((0, 1), (1, 3), (geometry.n - 1, geometry.n)):
        some = call(op, geometry, layout, part(a, first, last))
        assert_same_bits(some, batch[first:last], f"{op}, images {first} to {last}")


@OPERATORS_AND_GEOMETRIES
@pytest.mark.parametrize("layout", LAYOUTS)
def test_batch_invariant_mode_of_prepared_weights(layout: str, geometry: Geometry):
    fastconv.set_batch_invariant(True)
    a = arrays(geometry, layout)
    prepared = fastconv.prepare(a["w"], a["bias"], **geometry.corr, layout=layout)
    batch = prepared(a["x"])
    for number in range(geometry.n):
        assert_same_bits(prepared(a["x"][number : number + 1])[0], batch[number], f"image {number}")


@OPERATORS_AND_GEOMETRIES
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
def test_repetition(op: str, layout: str, geometry: Geometry):
    a = arrays(geometry, layout)
    fastconv.set_num_threads(4)
    for name, one in each_algorithm(op, lambda name: call(op, geometry, layout, a, name)).items():
        for _ in range(4):
            assert_same_bits(call(op, geometry, layout, a, name), one, f"{op} {name}")


@pytest.mark.parametrize("variant", ["steps", "reversed", "fortran", "axes-moved", "row-padding", "misaligned"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPERATORS)
def test_strides_and_alignment(isa: str, op: str, layout: str, variant: str):
    geometry = GEOMETRIES[0]
    a = part(arrays(geometry, layout), 0, 2)
    changed = {name: VARIANTS[variant](value) for name, value in a.items()}
    for name, one in each_algorithm(op, lambda name: call(op, geometry, layout, a, name)).items():
        assert_same_bits(call(op, geometry, layout, changed, name), one, f"{isa} {op} {name} {variant}")


SCRIPT = """
import sys, zlib
sys.path.insert(0, sys.argv[1])
from operators import GEOMETRIES, LAYOUTS, OPERATORS, arrays, call
crc = 0
for geometry in GEOMETRIES:
    for layout in LAYOUTS:
        for op in OPERATORS:
            crc = zlib.crc32(call(op, geometry, layout, arrays(geometry, layout)).tobytes(), crc)
print(crc)
"""


@pytest.mark.parametrize("environment", [{"FASTCONV_NUM_THREADS": "1"}, {"FASTCONV_NUM_THREADS": "3"}], ids=str)
def test_another_process(environment: dict[str, str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    parts = [
        call(op, geometry, layout, arrays(geometry, layout)).tobytes()
        for geometry in GEOMETRIES
        for layout in LAYOUTS
        for op in OPERATORS
    ]
    for name, value in {**environment, "FASTCONV_TEST_SEED": str(SEED)}.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-c", SCRIPT, str(request.path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert int(done.stdout) == zlib.crc32(b"".join(parts)), f"other bits in another process, seed {SEED}"


def test_the_comparison_can_fail():
    a = np.array([0.0, 1.0])
    with pytest.raises(AssertionError, match="1 of 2 elements differ"):
        assert_same_bits(a, np.array([-0.0, 1.0]), "signs of zero")
