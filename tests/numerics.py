# SPDX-License-Identifier: BSD-3-Clause
"""Fresh random numbers from a printed seed, and the measure by which results are compared."""

import os
import secrets
import zlib

import ml_dtypes
import numpy as np

SEED = int(os.environ.get("FASTCONV_TEST_SEED") or secrets.randbits(32))
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

TOLERANCE = {"float32": 2e-6, "float64": 4e-15, "float16": 4e-4, "bfloat16": 3e-3}


def fresh_rng(*key: object) -> np.random.Generator:
    """Make a generator that depends on the seed of this run and on the key alone, not on what ran before."""
    return np.random.default_rng([SEED, zlib.crc32(repr(key).encode())])


def random_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: object) -> np.ndarray:
    """Draw normally distributed floats, or integers over the whole range of the dtype."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind.kind in "iu":
        info = np.iinfo(kind)
        return rng.integers(info.min, info.max, shape, kind, endpoint=True)
    return rng.standard_normal(shape).astype(kind)


def result_dtype(x: np.ndarray, w: np.ndarray) -> np.dtype:
    """Give the dtype of a correlation of the two."""
    if x.dtype.kind in "biu" and w.dtype.kind in "biu":
        return np.dtype(np.int32 if x.itemsize == w.itemsize == 1 else np.int64)
    return np.result_type(x, w)


def relative_error(y: np.ndarray, reference: np.ndarray, scale: np.ndarray | None = None) -> float:
    """Measure and print the norm of the error over the norm of `scale`, or of the reference, in float64."""
    wide = np.asarray(y).astype(np.float64)
    error, size = float(np.linalg.norm(wide - reference)), float(np.linalg.norm(reference if scale is None else scale))
    ratio = error / size if size else (0.0 if error == 0 else np.inf)
    print(f"relative error {ratio:.3g} of {y.dtype} {y.shape}, seed {SEED}")
    return ratio


def assert_close(y: np.ndarray, reference: np.ndarray, what: object = "", scale: np.ndarray | None = None) -> None:
    """Assert the oracle's shape, and its values: exactly for integers, else within the dtype's tolerance.

    A long sum may cancel to almost nothing: `scale` is then what its error is relative to, the sum of the sizes.
    """
    assert y.shape == reference.shape, f"{what}: shape {y.shape} instead of {reference.shape}"
    if y.dtype.kind in "biu":
        np.testing.assert_array_equal(y, reference.astype(y.dtype), err_msg=f"{what}, seed {SEED}")
        return
    limit, error = TOLERANCE[str(y.dtype)], relative_error(y, reference, scale)
    assert error <= limit, f"{what}: relative error {error:.3g} > {limit:.3g} for {y.dtype}, seed {SEED}"


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Tell whether two arrays hold the same bits, NaN and the sign of zero included."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def assert_same_bits(a: np.ndarray, b: np.ndarray, what: object = "") -> None:
    """Assert bitwise equality, and count the differing elements otherwise."""
    assert a.shape == b.shape, f"{what}: shapes {a.shape} and {b.shape}"
    assert a.dtype == b.dtype, f"{what}: dtypes {a.dtype} and {b.dtype}"
    if not same_bits(a, b):
        one, two = (np.ascontiguousarray(v).view(np.uint8).reshape(-1, v.itemsize) for v in (a, b))
        raise AssertionError(f"{what}: {(one != two).any(1).sum()} of {a.size} elements differ in bits, seed {SEED}")
