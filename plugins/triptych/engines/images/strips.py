"""An image's rows as arrays, a strip at a time: read from the top down, and written as they are made."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Any

from triptych.engines.api import Source
from triptych.engines.images.vips import NUMBERS, Look, reason, source_fault, vips
from triptych.engines.runtime.resources import resources
from triptych.errors import EngineError

ROWS_AT_ONCE = 64


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
    with tempfile.TemporaryFile(dir=resources().scratch) as data:
        return np.memmap(data, kind, "w+", shape=shape)


def save_rows(rows: Iterable[Any], size: tuple[int, int], look: Look, path: Path, options: Mapping[str, Any]) -> None:
    """Write arrays (rows, width, bands) as one image of `size` (width, height); EngineError when its format cannot.

    The arrays are asked for, one after the other, by libvips's threads while earlier ones are being packed.
    """
    library, (width, height) = vips(), size
    header = _tiff_header(width * look.pixel_bytes, height)
    data = _Handed(header, rows, len(header) + width * look.pixel_bytes * height)
    source = library.SourceCustom()
    source.on_read(data.read)
    source.on_seek(data.seek)
    try:
        packed = library.Image.tiffload_source(source, access="sequential", fail_on="warning")
        image = packed.bandfold(factor=look.pixel_bytes).copy(bands=look.bands, format=look.format)
        look.on(image, library).write_to_file(str(path), **options)
    except library.Error as error:
        if data.error is None:
            msg = f"{path.name}: {width} x {height} pixels cannot be written in this format: {reason(error)}."
            raise EngineError(msg) from error
    if data.error is not None:
        raise data.error


class _Handed:
    """A header, which may be read again, and rows behind it, which are read once, in order.

    libvips takes an exception for the end of its data: `error` keeps it.
    """

    def __init__(self, header: bytes, rows: Iterable[Any], size: int) -> None:
        self._header, self._rows, self._size = header, iter(rows), size
        self._place, self._rest = 0, memoryview(b"")
        # Read in a thread of libvips, which has none of ours.
        self._context = copy_context()
        self.error: Exception | None = None

    def read(self, size: int) -> bytes | memoryview:
        data = self._header[self._place : self._place + size] or self._of_rows(size)
        self._place += len(data)
        return data

    def _of_rows(self, size: int) -> memoryview:
        try:
            self._rest = self._rest or memoryview(self._context.run(next, self._rows, b"")).cast("B")
        except Exception as error:
            self.error = error
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def seek(self, offset: int, whence: int) -> int:
        self._place = offset + (0, self._place, self._size)[whence]
        return self._place


def _tiff_header(width: int, height: int) -> bytes:
    """What makes a TIFF (BigTIFF, one band of bytes, in strips) of the bytes behind it.

    A raw file would do, but libvips maps that into memory as a whole.
    """
    strips = -(-height // ROWS_AT_ONCE)
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: ROWS_AT_ONCE, 279: 0}
    lists = 16 + 8 + 20 * len(tags) + 8
    first = lists + 16 * strips
    offsets = [first + number * ROWS_AT_ONCE * width for number in range(strips)]
    counts = [*[ROWS_AT_ONCE * width] * (strips - 1), (height - ROWS_AT_ONCE * (strips - 1)) * width]
    # A list of one lies in its tag, longer ones lie behind the tags.
    tags |= {273: lists, 279: lists + 8 * strips} if strips > 1 else {273: offsets[0], 279: counts[0]}
    header = struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(tags))
    for tag, value in tags.items():
        header += struct.pack("<HHQQ", tag, 16, strips if tag in (273, 279) else 1, value)
    return header + struct.pack(f"<Q{2 * strips}Q", 0, *offsets, *counts)
