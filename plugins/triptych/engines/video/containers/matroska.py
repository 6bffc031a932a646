"""Elements of Matroska and WebM (RFC 8794, RFC 9559), and the shape of pixels, which FFmpeg leaves out of copies."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

SEGMENT, SEEK_HEAD, SEEK, SEEK_POSITION = b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\x4d\xbb", b"\x53\xac"
CLUSTER, TRACKS, TRACK, VIDEO = b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"\xae", b"\xe0"
CHECKSUM, VOID = b"\xbf", b"\xec"
PIXEL_WIDTH, PIXEL_HEIGHT = b"\xb0", b"\xba"
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = b"\x54\xb0", b"\x54\xba", b"\x54\xb2"
VOID_HEAD = 9
"""Bytes: its id, and a size of eight."""


class Element(NamedTuple):
    """Its content is from `start` to `end`, which are the same where its size is open."""

    id: bytes
    start: int
    end: int


def read_element(data: BinaryIO, offset: int) -> Element | None:
    """RFC 8794, 4 to 6: id and size, each as long as the zeros it begins with say; a size of ones is open."""
    data.seek(offset)
    head = data.read(12)
    first = _width(head[0])
    second = _width(head[first]) if first < len(head) else 1
    if first > 4 or second > 8:
        return None
    size = int.from_bytes(head[first : first + second], "big") & ((1 << 7 * second) - 1)
    is_open, start = size == (1 << 7 * second) - 1, offset + first + second
    return Element(head[:first], start, start if is_open else start + size)


def write_pixel_shape(path: Path, ratio: Fraction) -> None:
    """Say in a file of FFmpeg's that its pixels are `ratio` times as wide as high.

    The tracks grow, and the room that FFmpeg leaves behind its list of places shrinks: nothing behind them moves. A
    file that is laid out otherwise stays as it is.
    """
    with path.open("r+b") as data:
        segment = next((each for each in _elements(data, 0, path.stat().st_size) if each.id == SEGMENT), None)
        if segment is None:
            return
        heads = []
        for each in _elements(data, segment.start, segment.end):
            heads.append(each)
            if each.id in (TRACKS, CLUSTER):
                break
        if [each.id for each in heads[:2]] != [SEEK_HEAD, VOID] or heads[-1].id != TRACKS:
            return
        listed, void, *_, before, tracks = heads
        own = _content(data, tracks)
        shaped = _sealed(_shaped(own, ratio), own)
        grown = len(_written(TRACKS, shaped)) - (tracks.end - before.end)
        left = void.end - listed.end - VOID_HEAD - grown
        own = _content(data, listed)
        places = _sealed(_moved(own, void.end - segment.start, grown), own)
        if left < 0 or len(places) != listed.end - listed.start:
            return
        data.seek(void.end)
        moved = data.read(before.end - void.end)
        room = VOID + (left | 1 << 56).to_bytes(8, "big") + bytes(left)
        data.seek(listed.end)
        data.write(b"".join([room, moved, _written(TRACKS, shaped)]))
        data.seek(listed.start)
        data.write(places)


def _elements(data: BinaryIO, start: int, end: int) -> Iterator[Element]:
    offset = start
    while offset < end and (element := read_element(data, offset)) is not None:
        yield element
        offset = max(element.end, element.start)


def _content(data: BinaryIO, element: Element) -> bytes:
    data.seek(element.start)
    return data.read(element.end - element.start)


def _parts(content: bytes) -> list[tuple[bytes, bytes]]:
    """Id and content of each element in it, but for a checksum."""
    data = io.BytesIO(content)
    return [(each.id, _content(data, each)) for each in _elements(data, 0, len(content)) if each.id != CHECKSUM]


def _written(name: bytes, content: bytes) -> bytes:
    """With its size in as few bytes as it takes."""
    width = next(width for width in range(1, 9) if len(content) < (1 << 7 * width) - 1)
    return name + (len(content) | 1 << 7 * width).to_bytes(width, "big") + content


def _sealed(content: bytes, before: bytes) -> bytes:
    """With its checksum, where what was there before has one."""
    if not before.startswith(CHECKSUM):
        return content
    return _written(CHECKSUM, zlib.crc32(content).to_bytes(4, "little")) + content


def _shaped(tracks: bytes, ratio: Fraction) -> bytes:
    """The content of the tracks, where each that has pictures says how large these are shown."""
    made = []
    for name, content in _parts(tracks):
        parts = [(each, _video(inside, ratio) if each == VIDEO else inside) for each, inside in _parts(content)]
        made.append(_written(name, b"".join(_written(*part) for part in parts) if name == TRACK else content))
    return b"".join(made)


def _video(content: bytes, ratio: Fraction) -> bytes:
    parts = dict(_parts(content))
    width, height = (int.from_bytes(parts[name], "big") for name in (PIXEL_WIDTH, PIXEL_HEIGHT))
    parts.pop(DISPLAY_UNIT, None)
    parts |= {DISPLAY_WIDTH: _number(round(width * ratio)), DISPLAY_HEIGHT: _number(height)}
    return b"".join(_written(*part) for part in parts.items())


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, -(-value.bit_length() // 8)), "big")


def _moved(seek_head: bytes, first: int, grown: int) -> bytes:
    """The list of places, of which those from `first` to the tracks, which alone grow, begin earlier."""
    entries = [(name, dict(_parts(content))) for name, content in _parts(seek_head)]
    tracks = max(
        (int.from_bytes(entry[SEEK_POSITION], "big") for name, entry in entries if TRACKS in entry.values()), default=0
    )
    made = []
    for name, entry in entries:
        if name == SEEK and first <= (place := int.from_bytes(entry[SEEK_POSITION], "big")) <= tracks:
            entry[SEEK_POSITION] = (place - grown).to_bytes(len(entry[SEEK_POSITION]), "big")
        made.append(_written(name, b"".join(_written(*part) for part in entry.items())))
    return b"".join(made)


def _width(byte: int) -> int:
    """In bytes, of the number that begins with this byte: 0x80 -> 1, 0x40 -> 2, 0x01 -> 8."""
    return 9 - byte.bit_length()
