# SPDX-License-Identifier: BSD-3-Clause
"""Pooling layers from the tables benchmarks/shapes/pool_*.csv."""

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from layers import read_padding, table_path

TEXTS = ("table", "name", "mode", "padding", "count_include_pad")


@dataclass(frozen=True, slots=True)
class Pool:
    """One row: a pooling's sizes. The padding is a pair, vertical and horizontal; `mode` is max or avg."""

    table: str
    name: str
    mode: str
    batch: int
    channels: int
    height: int
    width: int
    kernel_h: int
    kernel_w: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    count_include_pad: bool

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the window, in taps."""
        return self.kernel_h, self.kernel_w

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        """NCHW."""
        return self.batch, self.channels, self.height, self.width

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        """NCHW."""
        sizes = zip(self.x_shape[2:], self.kernel, self.padding, strict=True)
        height, width = ((size + 2 * pad - (k - 1) * self.dilation - 1) // self.stride + 1 for size, k, pad in sizes)
        return self.batch, self.channels, height, width

    @property
    def whole(self) -> bool:
        """One window holds the whole image and nothing else: global pooling."""
        return self.kernel == (self.height, self.width) and self.padding == (0, 0) and self.dilation == 1

    @property
    def same(self) -> bool:
        """Stride one, and the window's middle over every pixel: what image libraries call a filter."""
        odd = all(k % 2 == 1 and 2 * pad == k - 1 for k, pad in zip(self.kernel, self.padding, strict=True))
        return odd and (self.stride, self.dilation) == (1, 1)

    @property
    def options(self) -> dict[str, Any]:
        """The keywords that fastconv's two poolings share."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}

    @property
    def avg_options(self) -> dict[str, Any]:
        """The keywords of avg_pool2d, which fastconv and torch share; torch has no dilation."""
        return {"stride": self.stride, "padding": self.padding, "count_include_pad": self.count_include_pad}

    def numbers(self) -> tuple[int, int]:
        """Of x, and of y."""
        return math.prod(self.x_shape), math.prod(self.y_shape)


def read_pools(name: str) -> list[Pool]:
    """Rows of benchmarks/shapes/<name>.csv; or of a CSV file, by its path."""
    path = table_path(name)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [field.name for field in fields(Pool) if field.name not in TEXTS]
    return [
        Pool(
            table=path.stem,
            name=row["name"],
            mode=row["mode"],
            padding=read_padding(row["padding"]),
            count_include_pad=bool(int(row["count_include_pad"])),
            **{number: int(row[number]) for number in numbers},
        )
        for row in rows
    ]


def is_pool_table(path: Path) -> bool:
    """By its columns."""
    with path.open(newline="") as file:
        return "mode" in next(csv.reader(file), ())


def representative_pools(pools: Iterable[Pool]) -> list[Pool]:
    """One row of each mode of each table: that of the median size."""
    kinds: dict[tuple[str, str], list[Pool]] = {}
    for pool in pools:
        kinds.setdefault((pool.table, pool.mode), []).append(pool)
    return [sorted(same, key=lambda pool: math.prod(pool.x_shape))[len(same) // 2] for same in kinds.values()]
