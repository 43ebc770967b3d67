# SPDX-License-Identifier: BSD-3-Clause
"""Layers from the tables in benchmarks/shapes."""

import csv
from dataclasses import dataclass, fields
from pathlib import Path

SHAPES = Path(__file__).parent / "shapes"


@dataclass(frozen=True, slots=True)
class Layer:
    """One row: a convolution's sizes. All but the name are integers."""

    name: str
    batch: int
    channels: int
    height: int
    width: int
    out_channels: int
    kernel_h: int
    kernel_w: int
    stride: int
    padding: int
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
    def options(self) -> dict[str, int]:
        """The keywords that fastconv and torch share."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }


def read_layers(name: str) -> list[Layer]:
    """Rows of benchmarks/shapes/<name>.csv."""
    with (SHAPES / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = [field.name for field in fields(Layer) if field.name != "name"]
    return [Layer(name=row["name"], **{number: int(row[number]) for number in numbers}) for row in rows]
