"""Whether a video file is all there: FFmpeg reads what is left of one that was cut off, and says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

EBML_MAGIC = b"\x1a\x45\xdf\xa3"
BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"pnot", b"sidx")
"""With what MP4 and MOV files begin."""
Part = tuple[str, int]
"""Its name, and its length in bytes: of the header only, where the file leaves the rest open."""


class DamagedError(ValueError):
    """Something is missing or broken in a file; the message goes on from its name, and tells the byte."""


def require_whole(data: BinaryIO, size: int) -> None:
    """DamagedError when a file of `size` bytes says that it is longer, which MP4, MOV, Matroska and WebM do.

    A recording that was not finished leaves sizes open: what is in it must be whole, and may end anywhere.
    """
    data.seek(0)
    head = data.read(8)
    if head.startswith(EBML_MAGIC):
        _walk(data, size, _element)
    elif head[4:8] in BOXES:
        _walk(data, size, _box)


def _walk(data: BinaryIO, size: int, part_at: Callable[[bytes], Part | None]) -> None:
    at = 0
    while at < size:
        data.seek(at)
        part = part_at(data.read(16))
        if part is None:
            return
        name, length = part
        if at + length > size:
            missing = at + length - size
            msg = f"ends at byte {size}, but {name}, begun at byte {at}, lacks {missing} bytes"
            raise DamagedError(msg)
        at += length


def _box(head: bytes) -> Part | None:
    """ISO/IEC 14496-12, 4.2; None for padding, and for a box that goes to the end of the file."""
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    if length < 8 or not kind.isascii():
        return None
    return f"the box {kind.decode('ascii')!r}", length


def _element(head: bytes) -> Part | None:
    """RFC 8794, 4 to 6: number and size, each as long as the zeros it begins with say; a size of ones is open."""
    first = _width(head[0])
    second = _width(head[first]) if first < len(head) else 1
    size = int.from_bytes(head[first : first + second], "big") & ((1 << 7 * second) - 1)
    name = f"the Matroska element {head[:first].hex().upper()}"
    if first > 4 or second > 8:
        return None
    is_open = size == (1 << 7 * second) - 1
    return name, first + second + (0 if is_open else size)


def _width(byte: int) -> int:
    return 9 - byte.bit_length()
