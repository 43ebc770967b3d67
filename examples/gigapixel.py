# SPDX-License-Identifier: BSD-3-Clause
"""Filter and shrink an image that is larger than memory: dask cuts it into blocks, fastconv computes them.

``python examples/gigapixel.py --side 4096`` takes seconds and 80 MB of disk; ``--side 32768`` is a gigapixel: 1 GB of
8-bit pixels in a file, 4 GB of filtered ones in another, and a few hundred MB of memory. Needs ``dask[array]``.

Every block gets as many pixels of its neighbours as half a kernel, so that no seam shows: the result is that of one
call. Sums of integers are exact. For floats name an algorithm (``algorithm="implicit_gemm_nchw"``): "auto" may take
another one for the smaller blocks at the rim, which rounds otherwise.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

import fastconv

EDGES = np.array(
    [[1, 4, 6, 4, 1], [2, 8, 12, 8, 2], [0, 0, 0, 0, 0], [-2, -8, -12, -8, -2], [-1, -4, -6, -4, -1]], np.int8
)


def filtered(image: Any, kernel: Any, **options: Any) -> Any:
    """Correlate a dask image with a kernel of odd sizes, zeros around it; block by block.

    Parameters
    ----------
    image : dask.array.Array
        (H, W), in blocks no smaller than half the kernel.
    kernel : ndarray
        (kh, kw), both odd.
    **options
        Other keywords of `fastconv.corr2d`, such as `algorithm`.

    Returns
    -------
    dask.array.Array
        (H, W), in the same blocks: bit for bit ``fastconv.corr2d(image, kernel, padding="same")``.
    """
    half = tuple(size // 2 for size in kernel.shape)
    dtype = fastconv.corr2d(np.ones(kernel.shape, image.dtype), kernel, **options).dtype
    return da.map_overlap(
        lambda block: fastconv.corr2d(block, kernel, **options),
        image,
        depth=half,
        boundary=0,
        trim=False,  # a correlation without padding has trimmed already
        chunks=image.chunks,
        dtype=dtype,
        meta=np.empty((0, 0), dtype),
    )


def shrunk(image: Any, size: int) -> Any:
    """The largest pixel of every `size` x `size` square; blocks must be multiples of it."""
    chunks = tuple(tuple(rows // size for rows in axis) for axis in image.chunks)
    return image.map_blocks(lambda block: fastconv.max_pool2d(block, size), chunks=chunks, dtype=image.dtype)


def main() -> None:
    """Make an image in a file, filter it into another, and shrink the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=4096, help="pixels; a multiple of --block")
    parser.add_argument("--block", type=int, default=2048)
    parser.add_argument("--folder", type=Path, help="where the files go (a temporary folder)")
    options = parser.parse_args()
    fastconv.set_num_threads(1)  # dask works on several blocks at once
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        shape = (options.side, options.side)
        pixels = np.memmap(Path(folder, "image.raw"), np.uint8, "w+", shape=shape)
        for first in range(0, options.side, options.block):
            rows = np.arange(first, min(first + options.block, options.side))[:, None]
            pixels[first : first + options.block] = rows // 7 * (np.arange(options.side) // 5) % 251
        result = np.memmap(Path(folder, "edges.raw"), np.int32, "w+", shape=shape)
        start = time.perf_counter()
        edges = filtered(da.from_array(pixels, options.block), EDGES)
        da.store(edges, result, lock=False)
        small = shrunk(da.from_array(result, options.block), 16).compute()
        print(
            f"{pixels.size / 1e6:.0f} million pixels in {time.perf_counter() - start:.1f} s; edges up to {small.max()}"
        )


if __name__ == "__main__":
    main()
