"""What MP4 and MOV tell of their frames in tables, without the frames: ISO/IEC 14496-12, 4.2 and 8.6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO


@dataclass(frozen=True)
class Box:
    """Bytes from `start` to `end` of the file, without the header."""

    kind: bytes
    start: int
    end: int


def delays(data: BinaryIO) -> dict[int, Any]:
    """By how much the samples of each track are shown later than decoded, by number of track.

    Runs, an array of how many `samples` and their `delay` in units of the track's clock: none where all are shown as
    they are decoded. Empty for other kinds of files, and for films in fragments, whose tables are all over the file.
    """
    whole = Box(b"", 0, data.seek(0, 2))
    films = [film for film in _boxes(data, whole) if film.kind == b"moov"]
    parts = [part for film in films for part in _boxes(data, film)]
    if any(part.kind == b"mvex" for part in parts):
        return {}
    tracks = [part for part in parts if part.kind == b"trak"]
    return {number: _runs(data, track) for track in tracks for number in _numbers(data, track)}


def _numbers(data: BinaryIO, track: Box) -> list[int]:
    """Its number, if it has a header."""
    heads = [_read(data, box) for box in _inside(data, track, b"tkhd")]
    # Two times come first, as long as the version says.
    return [int.from_bytes(head[20:24] if head[:1] == b"\1" else head[12:16], "big") for head in heads]


def _runs(data: BinaryIO, track: Box) -> Any:
    import numpy as np

    tables = _inside(data, track, b"mdia", b"minf", b"stbl", b"ctts")
    entries = b"".join(_read(data, table)[8:] for table in tables)
    return np.frombuffer(entries[: len(entries) // 8 * 8], [("samples", ">u4"), ("delay", ">i4")])


def _inside(data: BinaryIO, around: Box, *kinds: bytes) -> list[Box]:
    """Those of the last kind, in those of the kinds before."""
    boxes = [around]
    for kind in kinds:
        boxes = [part for box in boxes for part in _boxes(data, box) if part.kind == kind]
    return boxes


def _boxes(data: BinaryIO, around: Box) -> Iterator[Box]:
    at = around.start
    while at + 8 <= around.end:
        kind, start, length = box_at(data, at)
        end = at + length if length else around.end
        if not start <= end <= around.end:
            return
        yield Box(kind, start, end)
        at = end


def box_at(data: BinaryIO, at: int) -> tuple[bytes, int, int]:
    """Its kind, where its content starts, and its length in bytes with the header; 0 when what holds it ends it."""
    data.seek(at)
    head = data.read(16)
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 1:
        return kind, at + 16, int.from_bytes(head[8:], "big")
    return kind, at + 8, length


def _read(data: BinaryIO, box: Box) -> bytes:
    data.seek(box.start)
    return data.read(box.end - box.start)
