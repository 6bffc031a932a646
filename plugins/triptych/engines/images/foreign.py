"""Formats that libvips is not built to read and write here: BMP, PPM and PGM, which hold their pixels as they are."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pyvips
from PIL import Image

from triptych.engines.api import Input
from triptych.engines.runtime.resources import resources

BITMAP = b"BM"
MAGIC = (BITMAP, b"P2", b"P3", b"P5", b"P6")
EXTENSIONS = (".bmp", ".ppm", ".pgm")
WHOLE_SHARE = 1 / 4
"""Of the memory, for the file and its pixels, which are there at once."""
HEAD_BYTES = 4096


def is_foreign(head: bytes) -> bool:
    """By the first bytes of a file."""
    return head.startswith(MAGIC)


def read_foreign(item: Input, data: bytes) -> pyvips.Image:
    """The image, decoded; raises the item's error when it is damaged, or too large to be held."""
    width, height = _size(item, data)
    share = resources().share(
        WHOLE_SHARE, f"the image of {width} x {height} pixels, which its format gives only whole,"
    )
    share.check(width * height * 6, item, "Save it as TIFF or PNG.")
    pixels = _bitmap(data) if data.startswith(BITMAP) else _netpbm(data)
    if pixels is None or pixels.shape[:2] != (height, width):
        text = "cannot be read as an image: it is damaged, or not all there. Correct or remove it."
        raise item.error(text)
    image = pyvips.Image.new_from_array(pixels)
    is_deep, is_grey = pixels.dtype == np.uint16, image.bands == 1
    names = {(False, False): "srgb", (True, False): "rgb16", (False, True): "b-w", (True, True): "grey16"}
    return image.copy(interpretation=names[is_deep, is_grey])


def write_foreign(image: pyvips.Image, extension: str) -> bytes:
    """The image as a file of that extension, one of EXTENSIONS."""
    pixels = np.frombuffer(image.write_to_memory(), np.uint16 if image.format == "ushort" else np.uint8)
    shaped = pixels.reshape(image.height, image.width, image.bands)
    return bytes(cv2.imencode(extension, _turned_round(shaped))[1])


def _size(item: Input, data: bytes) -> tuple[int, int]:
    """Width and height that the header tells; nothing is decoded for it."""
    try:
        with _opened(data) as image:
            return image.size
    except Image.DecompressionBombError as error:
        text = "has more pixels than can be read of its format, which gives them only whole. Save it as TIFF or PNG."
        raise item.error(text) from error
    except (OSError, SyntaxError, ValueError) as error:
        text = "cannot be read as an image: its header is damaged. Correct or remove it."
        raise item.error(text) from error


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """By Pillow, which warns of many pixels: how many may be held is judged here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            yield image


def _bitmap(data: bytes) -> npt.NDArray[Any] | None:
    """By Pillow: OpenCV makes 248 of the white of 5 bits, and transparency of a byte that is not used."""
    try:
        with _opened(data) as image:
            mode = {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
            return np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError, IndexError):
        return None


def _netpbm(data: bytes) -> npt.NDArray[Any] | None:
    """By OpenCV: Pillow makes 8 bits of the 16 of a PPM."""
    pixels: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return None if pixels is None else _turned_round(pixels)


def _turned_round(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Blue, green, red as red, green, blue, or back; a fourth band stays the last."""
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        pixels = pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]]
    return np.ascontiguousarray(pixels)
