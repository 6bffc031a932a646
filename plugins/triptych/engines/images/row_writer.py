"""Writing an image whose rows come as arrays, one after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from contextvars import copy_context
from pathlib import Path

import pyvips

from triptych.engines.images.strips import ROWS_AT_ONCE
from triptych.engines.images.vips import ImageHeader, Pixels, reason
from triptych.errors import EngineError

SaveOptions = Mapping[str, str | int | bool]
"""Of libvips's saver for the path's extension."""


def save_rows(
    rows: Iterable[Pixels], size: tuple[int, int], header: ImageHeader, path: Path, options: SaveOptions
) -> None:
    """Write arrays (rows, width, bands) as one image of `size` (width, height); EngineError when its format cannot.

    The arrays are asked for, one after the other, by libvips's threads while earlier ones are being packed: each may
    be written over once the next is asked for. An error of `rows` is raised as it is.
    """
    width, height = size
    head = _tiff_header(width * header.pixel_bytes, height)
    stream = _RowStream(head, rows, len(head) + width * header.pixel_bytes * height)
    source = pyvips.SourceCustom()
    source.on_read(stream.read)
    source.on_seek(stream.seek)
    try:
        packed = pyvips.Image.tiffload_source(source, access="sequential", fail_on="warning")
        image = packed.bandfold(factor=header.pixel_bytes).copy(bands=header.bands, format=header.format)
        header.applied_to(image).write_to_file(str(path), **options)
    except pyvips.Error as error:
        if stream.error is None:
            msg = (
                f"{path.name}: {width} x {height} pixels cannot be written in this format: {reason(error)}. "
                "Set another format."
            )
            raise EngineError(msg) from error
    if stream.error is not None:
        raise stream.error


class _RowStream:
    """A header, which may be read again, and rows behind it, which are read once, in order.

    libvips takes an exception for the end of its data: `error` keeps it.
    """

    def __init__(self, head: bytes, rows: Iterable[Pixels], size: int) -> None:
        self._head, self._rows, self._size = head, iter(rows), size
        self._offset, self._rest = 0, memoryview(b"")
        # Read in a thread of libvips, which has none of ours.
        self._context = copy_context()
        self.error: Exception | None = None

    def read(self, size: int) -> bytes | memoryview:
        """At most `size` bytes; none at the end, or behind an error."""
        data = self._head[self._offset : self._offset + size] or self._of_rows(size)
        self._offset += len(data)
        return data

    def _of_rows(self, size: int) -> memoryview:
        try:
            if not self._rest and (rows := self._context.run(next, self._rows, None)) is not None:
                self._rest = rows.data.cast("B")
        except Exception as error:
            self.error = error
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def seek(self, offset: int, whence: int) -> int:
        """As a file's; only the header can be read again."""
        self._offset = offset + (0, self._offset, self._size)[whence]
        return self._offset


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
