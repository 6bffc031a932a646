"""Images through libvips, in memory that does not grow with them, and what the image engines share."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from triptych.engines.api import Result, Source
from triptych.engines.resources import need, resources
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
PROFILE = "icc-profile-data"
ROWS_AT_ONCE = 64
In = TypeVar("In")
Out = TypeVar("Out")


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


def strips(image: Any, spans: Sequence[tuple[int, int]], source: Source) -> Iterator[Any]:
    """The rows (start, count) of each span, as an array (rows, width, bands) that the next one overwrites.

    Spans follow each other or overlap; the image is read once, from the top down. SourceError says in which rows it
    cannot be read.
    """
    import numpy as np

    # A pipeline per strip would keep memory for each; one region does not.
    region, kind = vips().Region.new(image), NUMBERS[image.format]
    held = room((max(count for _, count in spans), image.width, image.bands), kind)
    begun = done = 0
    for start, count in spans:
        held[: done - start] = held[start - begun : done - begun]
        begun = start
        while done < start + count:
            rows = min(ROWS_AT_ONCE, start + count - done)
            try:
                data = region.fetch(0, done, image.width, rows)
            except vips().Error as error:
                raise source_fault(source, error, f" in rows {done} to {done + rows - 1} of {image.height}") from error
            held[done - start : done - start + rows] = np.frombuffer(data, kind).reshape(rows, *held.shape[1:])
            done += rows
        yield held[:count]


def room(shape: tuple[int, ...], kind: str) -> Any:
    """An array of zeros: in memory, or in a scratch file where that would be more than a quarter of what is allowed."""
    import numpy as np

    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    if size <= resources().memory_bytes // 4:
        return np.zeros(shape, kind)
    return np.memmap(resources().new_folder() / "pixels", kind, "w+", shape=shape)


def side_by_side(work: Callable[[In], Out], items: Iterable[In], item_bytes: int) -> Iterator[Out]:
    """`work` of each item, in order, on every processor; what is begun is bounded by what engines may use.

    `work` runs in threads: it must not ask for `resources()`.
    """
    threads = len(os.sched_getaffinity(0))
    most = max(threads, min(8 * threads, resources().memory_bytes // 4 // max(1, item_bytes)))
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def source_fault(source: Source, error: Exception, where: str = "") -> SourceError:
    msg = f"{source.uri}: cannot be read as an image{where}: {_reason(error)}. Correct or remove the file."
    return SourceError(msg)


def result_fault(result: Result, error: Exception) -> EngineError:
    return EngineError(f"chunk {result.chunk}, {result.name!r}: cannot be read as an image: {_reason(error)}.")


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
