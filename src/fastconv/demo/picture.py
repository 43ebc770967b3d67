# SPDX-License-Identifier: BSD-3-Clause
"""The photograph of the demo: any picture that Pillow opens, as planes of float32."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

__all__ = ["Picture", "PictureError", "load"]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue look, by ITU-R BT.601."""

SMALLEST_SIDE = 16
LARGEST_SIDE = 640
"""Larger pictures are shrunk to this, or the Python loops would take minutes."""


class PictureError(ValueError):
    """The picture cannot be used; the text says why."""


@dataclass(frozen=True)
class Picture:
    """A photograph with values from 0 to 1.

    Attributes
    ----------
    name : str
        What to call it.
    rgb : ndarray of float32, shape (3, H, W)
    grey : ndarray of float32, shape (H, W)
    """

    name: str
    rgb: NDArray[np.float32]
    grey: NDArray[np.float32]


def load(path: Path | None = None) -> Picture:
    """Read a picture, scikit-learn's china.jpg by default.

    Raises
    ------
    PictureError
        It is missing, unreadable or too small.
    """
    if path is None:
        from sklearn.datasets import load_sample_image

        name, pixels = "china.jpg", load_sample_image("china.jpg")
    else:
        name, pixels = path.name, _read(path)
    rgb = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32) / np.float32(255)
    grey = np.tensordot(LUMA, rgb, 1)
    return Picture(name, rgb, np.ascontiguousarray(grey))


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; what matters raises
            with Image.open(path) as image:
                pixels = _to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # Pillow's readers raise many kinds on a damaged file
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise PictureError(f"cannot read the picture '{path}': {reason}") from error
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        raise PictureError(
            f"the picture '{path}' is {pixels.shape[0]} x {pixels.shape[1]} pixels;"
            f" the demo needs at least {SMALLEST_SIDE} x {SMALLEST_SIDE}"
        )
    return pixels


def _to_rgb(image: Any) -> NDArray[np.uint8]:
    """Eight bits of red, green and blue; what is transparent becomes white."""
    if image.mode[0] in "IF":  # greyscale of 16 or 32 bits, in a range of its own
        image = _stretch(image)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _stretch(image: Any) -> Any:
    values = np.asarray(image).astype(np.float64)
    low, high = values.min(), values.max()
    return Image.fromarray((255 * (values - low) / max(high - low, 1e-300)).astype(np.uint8))
