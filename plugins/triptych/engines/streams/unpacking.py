"""The one way in which engines unpack what others packed: in pieces, and never to more than the settings allow.

gzip, bzip2, xz and zstd, told by their first bytes. What comes out is counted per source (`Expansion`), and over all
that a stage unpacks; of a zip's files, whose directory states their sizes, these are counted. Errors are the source's.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from triptych.engines.api import Input
from triptych.engines.runtime.loading import naming_missing_library
from triptych.engines.runtime.resources import MIB, resources
from triptych.errors import StorageError

PIECE_BYTES = MIB
FLOOR_BYTES = 64 * MIB
"""Up to here the ratio does not count: a few kB of zeros are packed by any factor, and harm nobody."""
DENSE_TIMES = 4
"""How often the ratio counts for bzip2, xz and zstd: a log of heartbeats packs 27:1 by gzip, and 680:1 by xz."""
WINDOW_BYTES = 128 * MIB
"""What a format may keep of what it has unpacked: as much as `zstd --long` does, and twice what `xz -9` does."""
_READ_BYTES = 64 * 1024
_ZSTD_READ_BYTES = 1024
"""What is read is unpacked at once, to 32 MiB at the worst: a block of 128 KiB may lie in 4 bytes."""


class Packing(StrEnum):
    """How a file is packed, as messages call it."""

    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"


_MAGIC = {
    b"\x1f\x8b": Packing.GZIP,
    b"BZh": Packing.BZIP2,
    b"\xfd7zXZ\0": Packing.XZ,
    b"\x28\xb5\x2f\xfd": Packing.ZSTD,
}
_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
"""Text may begin with BZh: behind the size of blocks there is the mark of a block, or, in an empty one, of the end."""
HEAD_BYTES = 10


def packing_of(head: bytes) -> Packing | None:
    """By the first HEAD_BYTES of a file; None where they are of none that is known."""
    packing = next((packing for magic, packing in _MAGIC.items() if head.startswith(magic)), None)
    return None if packing is Packing.BZIP2 and not _BZIP2.match(head) else packing


ROOM_BYTES = 16 << 20
"""Whether the disk has room is asked after so many bytes."""


class Expansion:
    """What one reading of a source has been unpacked to; `add` refuses more than the settings allow."""

    def __init__(self, item: Input, times: int = 1, packed_bytes: int | None = None) -> None:
        """The ratio counts `times` times; it is that to `packed_bytes` where only a part of the item is read."""
        self._item, self._bytes, self._times = item, 0, times
        self._packed = item.size if packed_bytes is None else packed_bytes
        self._setting = resources().settings.max_expansion_ratio
        self._ratio = self._setting * times
        self._most = max(FLOOR_BYTES, self._ratio * self._packed)

    def add(self, size: int, member: str = "") -> None:
        """So many bytes more, of this file in the source; raises its error beyond the ratio, or the stage's total."""
        self._bytes += size
        if self._bytes // ROOM_BYTES != (self._bytes - size) // ROOM_BYTES:
            resources().check_room(self._item)
        before = f"{member!r} in it: " if member else ""
        if self._bytes > self._most:
            text = (
                f"{before}unpacks to more than {self._ratio} times the {self._packed} bytes that it is packed in, "
                f"which real data hardly does. Where yours does, raise [triptych] max_expansion_ratio = {self._setting}"
                f"{f' (which counts {self._times} times here)' if self._times > 1 else ''}."
            )
            raise self._item.error(text)
        most = resources().settings.max_expanded_bytes
        if resources().unpacked.add(size) > most:
            text = (
                f"{before}this stage has unpacked more than {most >> 30} GiB, the most that it may. "
                f"Give it fewer sources, or raise [triptych] max_expanded_gib = {most >> 30}."
            )
            raise self._item.error(text)


@dataclass(frozen=True)
class Gunzip:
    """What unpacks gzip: a file over a packed one, and what it raises for a damaged one."""

    open: Callable[[BinaryIO], gzip.GzipFile]
    errors: tuple[type[Exception], ...]


STANDARD_GUNZIP = Gunzip(lambda data: gzip.GzipFile(fileobj=data), (zlib.error,))


def unpacked(
    item: Input, data: BinaryIO, packing: Packing, *, gunzip: Gunzip = STANDARD_GUNZIP, member: str = ""
) -> Iterator[bytes]:
    """The item's bytes unpacked, in order, in pieces of about 1 MiB; packed files that follow each other are one.

    `data` gives the item from its first byte on; `member` is what lies in it, for messages. Raises the item's error
    for what is damaged or cut off, and for what comes to more than an `Expansion` allows.
    """
    expansion, size = Expansion(item, 1 if packing is Packing.GZIP else DENSE_TIMES), 0
    try:
        for piece in pieces(data, packing, gunzip):
            size += len(piece)
            expansion.add(len(piece), member)
            yield piece
    except DamagedError as error:
        text = f"the {packing} file cannot be unpacked after {size} bytes: {error}. Pack it again."
        raise item.error(text) from error


def unpack_into(path: Path, blocks: Iterator[bytes]) -> Path:
    """`path`, with these bytes; an error leaves no file."""
    try:
        with path.open("wb") as out:
            out.writelines(blocks)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


class DamagedError(Exception):
    """What a library says of packed bytes that are none of its own."""


@contextmanager
def _damaged(*errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except StorageError:  # An OSError, and no fault of the file.
        raise
    except errors as error:
        raise DamagedError(str(error)) from error


def pieces(data: BinaryIO, packing: Packing, gunzip: Gunzip = STANDARD_GUNZIP) -> Iterator[bytes]:
    """The same for no source in particular, and without a limit; raises DamagedError."""
    if packing is Packing.GZIP:
        return _gunzipped(data, gunzip)
    if packing is Packing.BZIP2:
        return _frames(data, bz2.BZ2Decompressor, OSError, ValueError)
    if packing is Packing.XZ:
        return _frames(data, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, WINDOW_BYTES), lzma.LZMAError)
    return _zstd_frames(data)


def _gunzipped(data: BinaryIO, gunzip: Gunzip) -> Iterator[bytes]:
    with gunzip.open(data) as file:
        while True:
            with _damaged(EOFError, gzip.BadGzipFile, *gunzip.errors):
                piece = file.read(PIECE_BYTES)
            if not piece:
                return
            yield piece


class _Decompressor(Protocol):
    """What `bz2` and `lzma` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /, max_length: int = ...) -> bytes: ...


def _frames(data: BinaryIO, new: Callable[[], _Decompressor], *errors: type[Exception]) -> Iterator[bytes]:
    """One packed file after the other; zeros between and behind them are padding (xz, 2.2)."""
    given = data.read(_READ_BYTES)
    while given:
        frame = new()
        while not frame.eof:
            with _damaged(*errors):
                piece = frame.decompress(given, PIECE_BYTES)
            if piece:
                yield piece
            given = _following(data, _READ_BYTES) if frame.needs_input and not frame.eof else b""
        given = _behind(frame.unused_data, data, _READ_BYTES)


def _zstd_frames(data: BinaryIO) -> Iterator[bytes]:
    with naming_missing_library("zstd"):
        from zstandard import ZstdDecompressor, ZstdError
    unpacker, given = ZstdDecompressor(max_window_size=WINDOW_BYTES), data.read(_ZSTD_READ_BYTES)
    while given:
        frame = unpacker.decompressobj()
        while True:
            with _damaged(ZstdError):
                piece = frame.decompress(given)
            if piece:
                yield piece
            if frame.eof:
                break
            given = _following(data, _ZSTD_READ_BYTES)
        given = _behind(frame.unused_data, data, _ZSTD_READ_BYTES)


def _following(data: BinaryIO, size: int) -> bytes:
    if given := data.read(size):
        return given
    msg = "it ends before its data do"
    raise DamagedError(msg)


def _behind(rest: bytes, data: BinaryIO, size: int) -> bytes:
    """What follows a packed file, without padding; nothing at the end."""
    rest = rest.lstrip(b"\0")
    while not rest and (given := data.read(size)):
        rest = given.lstrip(b"\0")
    return rest
