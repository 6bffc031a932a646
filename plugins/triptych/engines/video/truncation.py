"""Whether a video file is all there: FFmpeg reads what is left of one that was cut off, and says nothing."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from triptych.engines.video.mp4_boxes import box_at

EBML_MAGIC = b"\x1a\x45\xdf\xa3"
MASTERS = (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75")
"""The elements of Matroska in which frames are: the segment and its clusters (RFC 9559, 5.1)."""
BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"pnot", b"sidx")
"""With what MP4 and MOV files begin."""


class DamagedError(ValueError):
    """Something is missing or broken in a file; the message goes on from its name, and tells the byte."""


def require_whole(data: BinaryIO, size: int) -> None:
    """DamagedError when a file of `size` bytes says that it is longer, which MP4, MOV, Matroska and WebM do.

    In Matroska and WebM, also when sizes inside do not add up: FFmpeg leaves out what it then cannot find.
    A recording that was not finished leaves sizes open: what is in it must be whole, and may end anywhere.
    """
    data.seek(0)
    head = data.read(8)
    if head.startswith(EBML_MAGIC):
        _walk_elements(data, size)
    elif head[4:8] in BOXES:
        _walk_boxes(data, size)


def _walk_boxes(data: BinaryIO, size: int) -> None:
    """Up to padding, or to a box that goes to the end of the file."""
    at = 0
    while at < size:
        kind, _, length = box_at(data, at)
        if length < 8 or not kind.isascii():
            return
        _require_end(at + length, size, f"the box {kind.decode('ascii')!r}, begun at byte {at}")
        at += length


def _walk_elements(data: BinaryIO, size: int) -> None:
    at, ends = 0, [size]
    while at < size:
        found = _element(data, at)
        if found is None and len(ends) == 1:
            return
        if found is None or (len(ends) > 1 and found.end > ends[-1]):
            msg = f"is damaged at byte {at} or before: no Matroska element that fits begins there"
            raise DamagedError(msg)
        if found.end > size:
            _require_end(found.end, size, f"the Matroska element {found.number.hex().upper()}, begun at byte {at}")
        if found.number in MASTERS:
            ends += [found.end] if found.end > found.start else []
            at = found.start
        else:
            at = found.end
        while len(ends) > 1 and at == ends[-1]:
            ends.pop()


class _Element(NamedTuple):
    """Its content is from `start` to `end`, which are the same where its size is open."""

    number: bytes
    start: int
    end: int


def _element(data: BinaryIO, at: int) -> _Element | None:
    """RFC 8794, 4 to 6: number and size, each as long as the zeros it begins with say; a size of ones is open."""
    data.seek(at)
    head = data.read(12)
    first = _width(head[0])
    second = _width(head[first]) if first < len(head) else 1
    if first > 4 or second > 8:
        return None
    size = int.from_bytes(head[first : first + second], "big") & ((1 << 7 * second) - 1)
    is_open, start = size == (1 << 7 * second) - 1, at + first + second
    return _Element(head[:first], start, start if is_open else start + size)


def _require_end(end: int, size: int, name: str) -> None:
    if end > size:
        msg = f"ends at byte {size}, but {name}, lacks {end - size} bytes"
        raise DamagedError(msg)


def _width(byte: int) -> int:
    return 9 - byte.bit_length()
