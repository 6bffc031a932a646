"""What MP4 and MOV tell of their frames in tables, without the frames: ISO/IEC 14496-12, 4.2 and 8.6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

DelayRuns = npt.NDArray[Any]
"""A structured array: how many `samples`, each shown by `delay` units of the track's clock later than decoded."""


@dataclass(frozen=True)
class Box:
    """Bytes from `start` to `end` of the file, without the header."""

    type: bytes
    start: int
    end: int


def composition_delays(data: BinaryIO) -> dict[int, DelayRuns]:
    """By how much the samples of each track are shown later than decoded, by number of track.

    No runs where all are shown as they are decoded. Empty for other kinds of files, and for films in fragments, whose
    tables are all over the file.
    """
    whole = Box(b"", 0, data.seek(0, 2))
    movies = [box for box in boxes_of(data, whole) if box.type == b"moov"]
    parts = [part for movie in movies for part in boxes_of(data, movie)]
    if any(part.type == b"mvex" for part in parts):
        return {}
    tracks = [part for part in parts if part.type == b"trak"]
    return {number: _runs(data, track) for track in tracks for number in _numbers(data, track)}


def _numbers(data: BinaryIO, track: Box) -> list[int]:
    """Its number, if it has a header."""
    heads = [read_box(data, box) for box in boxes_inside(data, track, b"tkhd")]
    # Two times come first, as long as the version says.
    return [int.from_bytes(head[20:24] if head[:1] == b"\1" else head[12:16], "big") for head in heads]


def _runs(data: BinaryIO, track: Box) -> DelayRuns:
    tables = boxes_inside(data, track, b"mdia", b"minf", b"stbl", b"ctts")
    entries = b"".join(read_box(data, table)[8:] for table in tables)
    return np.frombuffer(entries[: len(entries) // 8 * 8], [("samples", ">u4"), ("delay", ">i4")])


def boxes_inside(data: BinaryIO, around: Box, *types: bytes) -> list[Box]:
    """Those of the last type, in those of the types before."""
    boxes = [around]
    for box_type in types:
        boxes = [part for box in boxes for part in boxes_of(data, box) if part.type == box_type]
    return boxes


def boxes_of(data: BinaryIO, around: Box) -> Iterator[Box]:
    offset = around.start
    while offset + 8 <= around.end:
        box_type, start, length = read_box_header(data, offset)
        end = offset + length if length else around.end
        if not start <= end <= around.end:
            return
        yield Box(box_type, start, end)
        offset = end


def read_box_header(data: BinaryIO, offset: int) -> tuple[bytes, int, int]:
    """Type, where the content starts, and length in bytes with the header, which is 0 when what holds it ends it."""
    data.seek(offset)
    head = data.read(16)
    length, box_type = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 1:
        return box_type, offset + 16, int.from_bytes(head[8:], "big")
    return box_type, offset + 8, length


def read_box(data: BinaryIO, box: Box) -> bytes:
    data.seek(box.start)
    return data.read(box.end - box.start)
