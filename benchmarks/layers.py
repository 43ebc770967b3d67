# SPDX-License-Identifier: BSD-3-Clause
"""Layers from the tables in benchmarks/shapes."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

SHAPES = Path(__file__).parent / "shapes"
OPERATOR_TABLES = ("pool_", "depthwise_", "grouped_")  # beginnings of names: those of bench_operators.py


@dataclass(frozen=True, slots=True)
class Layer:
    """One row: a convolution's sizes. The padding is a pair, vertical and horizontal."""

    table: str
    name: str
    batch: int
    channels: int
    height: int
    width: int
    out_channels: int
    kernel_h: int
    kernel_w: int
    stride: int
    padding: tuple[int, int]
    dilation: int
    groups: int

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        """NCHW."""
        return self.batch, self.channels, self.height, self.width

    @property
    def w_shape(self) -> tuple[int, int, int, int]:
        """OIHW."""
        return self.out_channels, self.channels // self.groups, self.kernel_h, self.kernel_w

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        """NCHW."""
        sizes = zip(self.x_shape[2:], self.w_shape[2:], self.padding, strict=True)
        height, width = ((size + 2 * pad - (k - 1) * self.dilation - 1) // self.stride + 1 for size, k, pad in sizes)
        return self.batch, self.out_channels, height, width

    @property
    def flops(self) -> int:
        """Of the definition, border included: an algorithm may need fewer."""
        n, o, h, w = self.y_shape
        _, c, kh, kw = self.w_shape
        return 2 * n * o * h * w * c * kh * kw

    @property
    def numbers(self) -> int:
        """In x, w and y, each counted once: the least that moves."""
        return sum(a * b * c * d for a, b, c, d in (self.x_shape, self.w_shape, self.y_shape))

    @property
    def depthwise(self) -> bool:
        """One group a channel."""
        return self.groups == self.channels > 1

    @property
    def options(self) -> dict[str, Any]:
        """The keywords that fastconv and torch share."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }


def network_tables() -> list[str]:
    """The tables that hold a network's convolutions, all of them."""
    return [name for name in _tables() if not name.startswith(OPERATOR_TABLES)]


def operator_tables() -> list[str]:
    """The tables of one kind of layer each."""
    return [name for name in _tables() if name.startswith(OPERATOR_TABLES)]


def _tables() -> list[str]:
    return sorted(path.stem for path in SHAPES.glob("*.csv"))


def table_path(name: str) -> Path:
    """Of a table by its name, or of a CSV file by its path."""
    return Path(name) if name.endswith(".csv") else SHAPES / f"{name}.csv"


def read_layers(name: str) -> list[Layer]:
    """Rows of benchmarks/shapes/<name>.csv; or of a CSV file, by its path."""
    path = table_path(name)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [field.name for field in fields(Layer) if field.name not in ("table", "name", "padding")]
    return [
        Layer(
            table=path.stem,
            name=row["name"],
            padding=read_padding(row["padding"]),
            **{number: int(row[number]) for number in numbers},
        )
        for row in rows
    ]


def read_padding(text: str) -> tuple[int, int]:
    """`1` on all sides, or `0x3`: none above and below, three to the left and right."""
    vertical, _, horizontal = text.partition("x")
    return int(vertical), int(horizontal or vertical)


def batched(layers: Iterable[Layer], batches: Iterable[int]) -> list[Layer]:
    """Every layer with every number of images."""
    batches = list(batches)
    return [replace(layer, batch=layer.batch * batch) for layer in layers for batch in batches]


def representative(layers: Iterable[Layer]) -> list[Layer]:
    """One layer of each kind (kernel, stride, dilation, depthwise or not) of each table: that of median arithmetic."""
    kinds: dict[tuple[Any, ...], list[Layer]] = {}
    for layer in layers:
        kernel = layer.kernel_h, layer.kernel_w
        kind = layer.table, kernel, layer.stride, layer.dilation, layer.depthwise
        kinds.setdefault(kind, []).append(layer)
    return [sorted(same, key=lambda layer: layer.flops)[len(same) // 2] for same in kinds.values()]
