"""Whether an audio file ends before its own headers say: what libsndfile takes silently for a shorter file.

AIFF: Apple's "Audio Interchange File Format 1.3". W64: Sony's "Wave64", sizes with their header, in steps of 8 bytes.
Ogg: RFC 3533. MP3: an ID3v2 tag, then the first frame, which holds the count of all where the encoder wrote one.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

LONGEST_OGG_PAGE = 27 + 255 + 255 * 255
OGG_FIRST = 2
"""Of a page's flags: it begins its stream."""
FIRST_OGG_PAGE = re.compile(rb"OggS\0[\2\3\6\7]")
TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
OPEN_SIZE = 0x7F000000
"""From here a 32-bit size is what a program writes that cannot go back to correct it, as into a pipe; so is 0."""


class DamagedAudioError(Exception):
    """An audio file that ends too early or cannot be decoded to its end; the message says at which byte."""


def ends_early(size: int, missing: int) -> DamagedAudioError:
    """Of a file of `size` bytes whose header tells of `missing` more."""
    return DamagedAudioError(f"the file ends at byte {size}; {missing} bytes that its header tells of are missing.")


def check_end(file: BinaryIO, size: int) -> None:
    """DamagedAudioError for an AIFF, W64 or Ogg file that was cut off; any other is let through."""
    file.seek(0)
    head = file.read(12)
    if head[:4] == b"FORM":
        _check_chunk(_aiff_chunks(file), b"SSND", size)
    elif head[:4] == b"riff":
        _check_chunk(_w64_chunks(file), b"data", size)
    elif head[:4] == b"OggS":
        _check_pages(file, size)


def is_counted_mp3(file: BinaryIO) -> bool:
    """Whether an MP3 file tells how many frames it has; what libsndfile tells of others is an estimate."""
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:
        # Four bytes of seven bits each.
        file.seek(10 + sum((byte & 127) << 7 * (3 - at) for at, byte in enumerate(head[6:])))
        head = b""
    first = head + file.read(200)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def _check_chunk(chunks: Iterator[tuple[bytes, int, int]], wanted: bytes, size: int) -> None:
    for name, place, length in chunks:
        if name == wanted:
            if place + length > size:
                raise ends_early(size, place + length - size)
            return


def _aiff_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The name, the place and the length of what each chunk holds; an open length is 0."""
    place = 12
    while file.seek(place) == place and len(head := file.read(8)) == 8:
        name, length = struct.unpack(">4sI", head)
        place += 8
        yield name, place, length if length < OPEN_SIZE else 0
        place += length + length % 2


def _w64_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    place = 40
    while file.seek(place) == place and len(head := file.read(24)) == 24:
        name, length = struct.unpack("<4s12xQ", head)
        yield name, place + 24, length - 24 if length < 2**62 else 0
        place += max(24, length + -length % 8)


def _check_pages(file: BinaryIO, size: int) -> None:
    """The last page must be whole, and of a stream that begins with the file.

    That it is the last of its stream is not asked: FFmpeg leaves the mark out of the segments that it cuts.
    """
    start = max(0, size - LONGEST_OGG_PAGE)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return  # Something else stands behind the pages.
    head, length = _page(io.BytesIO(tail[at:]))
    if at + length > len(tail):
        raise ends_early(size, at + length - len(tail))
    if head[22:26] != _checksum(head[:22] + bytes(4) + tail[at + 26 : at + length]):
        msg = f"its last page, at byte {start + at}, is damaged."
        raise DamagedAudioError(msg)
    streams, end = _streams(file)
    if head[14:18] not in streams or FIRST_OGG_PAGE.search(tail, max(0, end - start)):
        msg = f"several recordings stand one behind the other, to byte {size}; write each as a file of its own."
        raise DamagedAudioError(msg)


def _checksum(page: bytes) -> bytes:
    """CRC-32 with the highest bit first, from 0: zlib's is the same with the bits of all bytes turned round."""
    crc = ~zlib.crc32(page.translate(TURNED), 0xFFFFFFFF) & 0xFFFFFFFF
    return crc.to_bytes(4, "big").translate(TURNED)


def _page(file: BinaryIO) -> tuple[bytes, int]:
    """The header of the page that begins here, of 27 bytes, and the length of the page; `file` is behind its table."""
    head = file.read(27).ljust(27, b"\0")
    return head, 27 + head[26] + sum(file.read(head[26]))


def _streams(file: BinaryIO) -> tuple[set[bytes], int]:
    """The serial numbers of the streams that begin with the file, and the end of the pages that begin them."""
    found, place = set(), 0
    while file.seek(place) == place:
        head, length = _page(file)
        if not head[5] & OGG_FIRST:
            break
        found.add(head[14:18])
        place += length
    return found, place
