"""Opening images, how their numbers are to be read, and the one error for those that cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyvips

from triptych.engines.api import Input
from triptych.engines.runtime.resources import resources

EXTENSIONS = {
    *(".png", ".apng", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm"),
    *(".avif", ".heic", ".heif"),
}
DTYPES = {
    "uchar": "uint8",
    "char": "int8",
    "ushort": "uint16",
    "short": "int16",
    "uint": "uint32",
    "int": "int32",
    "float": "float32",
    "double": "float64",
}
"""libvips's formats as NumPy names them; complex ones are in no image file."""
Pixels = npt.NDArray[Any]
"""(rows, width, bands), of one of DTYPES."""
FAIL_ON = "error"
"""At `truncated`, libvips gives the rows that a TIFF has not as grey."""
PROFILE = "icc-profile-data"
WHOLE_LOADERS = ("webpload", "gifload")
LOADER, JPEG_LOADER = "vips-loader", "jpegload"
JPEG_PIXELS_PER_BYTE = 256
"""At most: 64 in a block, whose two codes, of a bit each, are the least that Huffman's method has (ITU T.81, F.1.2)."""
INTERLACED = "interlaced"
"""What libvips notes of such a PNG, and of a progressive JPEG."""
WHOLE_SHARE = 1 / 2
CACHE_SHARE = 1 / 4
CACHED_FILES = 64

IN_WORDS = {
    "bad labq format": "its colours are CIE L*a*b*, which no engine here reads; save it as RGB",
    "not in a known format": "it is of no known format",
    "unable to call": "it is damaged",
    "libpng read error": "it is damaged, or not all there",
    "is not configured": "it is compressed in a way that no engine here reads; save it with another compression",
    "separate planes not supported": "its bands are in tiles of their own; save it with its bands together",
    "not been built in": "it is compressed in a way that no engine here reads; save it as PNG, TIFF or JPEG",
}
"""What libvips and the libraries below it say, as a user would."""
OF_LIBRARY = re.compile(r"^(?:\w*2?vips\w*|VipsJpeg|\w+load_\w+|heif|webp\w*): (?:Sorry, )?")
"""With which function or library a sentence of libvips begins."""


def limit_cache() -> None:
    """Bounds libvips's cache of operations, which is the process's own, by what this engine may use."""
    pyvips.cache_set_max_mem(resources().share(CACHE_SHARE).bytes)
    pyvips.cache_set_max_files(CACHED_FILES)


@contextmanager
def image_errors(item: Input, where: str = "") -> Iterator[None]:
    """What libvips raises inside becomes the item's error; `where` (" in rows 0 to 63") begins with a space."""
    try:
        yield
    except pyvips.Error as error:
        text = f"cannot be read as an image{where}: {reason(error)}. Correct or remove it."
        raise item.error(text) from error


def check_pixels(item: Input, image: pyvips.Image, size: int) -> None:
    """Raises the item's error for more pixels than a file of `size` bytes has, or than can be held where that needs be.

    libvips makes up those that a JPEG has not, and holds all of some formats before it has the first row.
    """
    loader, pixels = loader_of(image), image.width * image.height
    whole = loader.startswith(WHOLE_LOADERS) or INTERLACED in image.get_fields()
    if whole:
        what = f"the image of {image.width} x {image.height} pixels, which its format gives only whole,"
        share = resources().share(WHOLE_SHARE, what)
        share.check(pixels * ImageHeader.of(image).pixel_bytes, item, "Save it as TIFF, or as PNG without interlacing.")
    elif loader.startswith(JPEG_LOADER) and pixels > size * JPEG_PIXELS_PER_BYTE:
        text = (
            f"cannot be read as an image: it states {image.width} x {image.height} pixels, and its {size} bytes hold "
            f"{size * JPEG_PIXELS_PER_BYTE} at most. Correct or remove it."
        )
        raise item.error(text)


def loader_of(image: pyvips.Image) -> str:
    """What libvips calls that which has opened the image; empty where it was not libvips."""
    return str(image.get(LOADER)) if LOADER in image.get_fields() else ""


@dataclass(frozen=True)
class ImageHeader:
    """How an image's numbers are to be read, which all of its tiles share: libvips's format and interpretation.

    `profile` is the ICC profile, None without one; `dots_per_mm` is how fine it is to be printed.
    """

    bands: int
    format: str
    interpretation: str
    profile: bytes | None
    dots_per_mm: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, image: pyvips.Image) -> Self:
        """Nothing is decoded for it."""
        profile = image.get(PROFILE) if PROFILE in image.get_fields() else None
        return cls(image.bands, image.format, image.interpretation, profile, (image.xres, image.yres))

    @property
    def dtype(self) -> str:
        """NumPy's name of the format."""
        return DTYPES[self.format]

    @property
    def pixel_bytes(self) -> int:
        """Of all bands of one pixel: 6 for RGB of 16 bits."""
        return self.bands * np.dtype(self.dtype).itemsize

    def applied_to(self, image: pyvips.Image) -> pyvips.Image:
        """A copy of an image with these bands and this format that says how its numbers are to be read."""
        across, down = self.dots_per_mm
        image = image.copy(interpretation=self.interpretation, xres=across, yres=down)
        if self.profile is not None:
            image.set_type(pyvips.GValue.blob_type, PROFILE, self.profile)
        return image


def reason(error: Exception) -> str:
    """The last line of what libvips says, which names the cause; earlier ones name operations."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    last = lines[-1].strip() if lines else type(error).__name__
    return next((words for raw, words in IN_WORDS.items() if raw in last), OF_LIBRARY.sub("", last))
