"""Images through libvips, in memory that does not grow with them, and what the image engines share."""

from __future__ import annotations

from typing import Any, BinaryIO

from triptych.engines.api import Result, Source
from triptych.engines.resources import need, resources
from triptych.errors import EngineError, SourceError

EXTENSIONS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm"}


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
    return library.Image.new_from_source(
        source, "", access="sequential" if sequential else "random", fail_on="truncated"
    )


def source_fault(source: Source, error: Exception) -> SourceError:
    return SourceError(f"{source.uri}: cannot be read as an image: {_reason(error)}. Correct or remove the file.")


def result_fault(result: Result, error: Exception) -> EngineError:
    return EngineError(f"chunk {result.chunk}, {result.name!r}: cannot be read as an image: {_reason(error)}.")


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
