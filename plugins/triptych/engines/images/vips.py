"""Images through libvips, in memory that does not grow with them, and what the image engines share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

from triptych.engines.api import Result, Source
from triptych.engines.runtime.resources import need, resources
from triptych.errors import EngineError, SourceError

EXTENSIONS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm"}
NUMBERS = {
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
FAIL_ON = "error"
"""At `truncated`, libvips gives the rows that a TIFF has not as grey."""
PROFILE = "icc-profile-data"


def vips() -> Any:
    """The library, with its own cache bounded by what engines may use."""
    library = need("pyvips", "images")
    library.cache_set_max_mem(resources().memory_bytes // 4)
    library.cache_set_max_files(64)
    return library


def open_image(data: BinaryIO, *, sequential: bool) -> Any:
    """The first page of an image that is read, by ranges, as far as it is needed; raises pyvips.Error."""
    library = vips()
    source = library.SourceCustom()
    source.on_read(data.read)
    source.on_seek(data.seek)
    return library.Image.new_from_source(source, "", access="sequential" if sequential else "random", fail_on=FAIL_ON)


@dataclass(frozen=True)
class Look:
    """How an image's numbers are to be read: what all of its tiles share."""

    bands: int
    format: str
    interpretation: str
    profile: bytes | None

    @classmethod
    def of(cls, image: Any) -> Look:
        profile = image.get(PROFILE) if PROFILE in image.get_fields() else None
        return cls(image.bands, image.format, image.interpretation, profile)

    @property
    def pixel_bytes(self) -> int:
        import numpy as np

        return self.bands * np.dtype(NUMBERS[self.format]).itemsize

    def on(self, image: Any, library: Any) -> Any:
        """The image, of these bands and this format, read so."""
        image = image.copy(interpretation=self.interpretation)
        if self.profile is not None:
            image.set_type(library.GValue.blob_type, PROFILE, self.profile)
        return image


def source_fault(source: Source, error: Exception, where: str = "") -> SourceError:
    """`where` begins with a space."""
    msg = f"{source.uri}: cannot be read as an image{where}: {reason(error)}. Correct or remove the file."
    return SourceError(msg)


def result_fault(result: Result, error: Exception) -> EngineError:
    return EngineError(f"chunk {result.chunk}, {result.name!r}: cannot be read as an image: {reason(error)}.")


def reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
