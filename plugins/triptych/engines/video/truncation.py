"""Whether a video file is all there: FFmpeg reads what is left of one that was cut off, and says nothing."""

from __future__ import annotations

from typing import BinaryIO

from triptych.engines.video.containers.matroska import CLUSTER, SEGMENT, read_element
from triptych.engines.video.containers.mp4_boxes import read_box_header

EBML_MAGIC = b"\x1a\x45\xdf\xa3"
MASTERS = (SEGMENT, CLUSTER)
"""The elements of Matroska in which frames are: the segment and its clusters (RFC 9559, 5.1)."""
BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"wide", b"free", b"skip", b"pnot", b"sidx")
"""With what MP4 and MOV files begin."""


class DamagedVideoError(ValueError):
    """Something is missing or broken in a file; the message goes on from its name, and tells the byte."""


def require_whole(data: BinaryIO, size: int) -> None:
    """DamagedVideoError when a file of `size` bytes says that it is longer, which MP4, MOV, Matroska and WebM do.

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
    offset = 0
    while offset < size:
        box_type, _, length = read_box_header(data, offset)
        if length < 8 or not box_type.isascii():
            return
        _require_end(offset + length, size, f"the box {box_type.decode('ascii')!r}, begun at byte {offset}")
        offset += length


def _walk_elements(data: BinaryIO, size: int) -> None:
    """Into segments and clusters, over all else; `ends` are those of the file and of what the offset is in."""
    offset, ends = 0, [size]
    while offset < size:
        element = read_element(data, offset)
        if element is None and len(ends) == 1:
            return
        if element is None or (len(ends) > 1 and element.end > ends[-1]):
            msg = f"is damaged at byte {offset} or before: no Matroska element that fits begins there"
            raise DamagedVideoError(msg)
        if element.end > size:
            _require_end(element.end, size, f"the Matroska element {element.id.hex().upper()}, begun at byte {offset}")
        if element.id in MASTERS:
            ends += [element.end] if element.end > element.start else []
            offset = element.start
        else:
            offset = element.end
        while len(ends) > 1 and offset == ends[-1]:
            ends.pop()


def _require_end(end: int, size: int, name: str) -> None:
    if end > size:
        msg = f"ends at byte {size}, but {name}, lacks {end - size} bytes"
        raise DamagedVideoError(msg)
