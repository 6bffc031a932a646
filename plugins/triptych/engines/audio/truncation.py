"""Whether an audio file ends before its own headers say: what libsndfile takes silently for a shorter file.

AIFF: Apple's "Audio Interchange File Format 1.3". W64: Sony's "Wave64", sizes with their header, in steps of 8 bytes.
Ogg: RFC 3533. MP4: ISO/IEC 14496-12, 4.2. MP3: an ID3v2 tag, then the first frame, which holds the count of all where
the encoder wrote one.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from triptych.engines.api import Input
from triptych.engines.audio.model import unreadable
from triptych.errors import TriptychError

LONGEST_OGG_PAGE = 27 + 255 + 255 * 255
OGG_FIRST = 2
"""Of a page's flags: it begins its stream."""
FIRST_OGG_PAGE = re.compile(rb"OggS\0[\2\3\6\7]")
TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
OPEN_SIZE = 0x7F000000
"""From here a 32-bit size is what a program writes that cannot go back to correct it, as into a pipe; so is 0."""


def ends_early(item: Input, missing: int) -> TriptychError:
    """The error of an input whose header tells of `missing` bytes more than it has."""
    return unreadable(item, f"the file ends at byte {item.size}; {missing} bytes that its header tells of are missing.")


def require_end(file: BinaryIO, item: Input) -> None:
    """Raises the input's error for an AIFF, W64, MP4 or Ogg file that was cut off; any other is let through."""
    file.seek(0)
    head = file.read(12)
    if head[:4] == b"FORM":
        _require_chunk(_aiff_chunks(file), b"SSND", item)
    elif head[:4] == b"riff":
        _require_chunk(_w64_chunks(file), b"data", item)
    elif head[4:8] == b"ftyp":
        for _, offset, length in _mp4_boxes(file):
            if offset + length > item.size:
                raise ends_early(item, offset + length - item.size)
    elif head[:4] == b"OggS":
        _require_pages(file, item)


def is_counted_mp3(file: BinaryIO) -> bool:
    """Whether an MP3 file tells how many frames it has; what libsndfile tells of others is an estimate."""
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:
        # Four bytes of seven bits each.
        file.seek(10 + sum((byte & 127) << 7 * (3 - index) for index, byte in enumerate(head[6:])))
        head = b""
    first = head + file.read(200)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def has_one_page_of_sound(file: BinaryIO) -> bool:
    """Whether an Ogg file ends with the first page that has sound: of such Vorbis, FFmpeg leaves out the first frames.

    Pages of headers have the position 0.
    """
    offset = 0
    while file.seek(offset) == offset:
        head, length = _page(file)
        if head[:4] != b"OggS":
            break
        offset += length
        if any(head[6:14]):
            file.seek(offset)
            return not file.read(1)
    return False


def _require_chunk(chunks: Iterator[tuple[bytes, int, int]], wanted: bytes, item: Input) -> None:
    for name, offset, length in chunks:
        if name == wanted:
            if offset + length > item.size:
                raise ends_early(item, offset + length - item.size)
            return


def _aiff_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The name, and offset and length of what each chunk holds; an open length is 0."""
    offset = 12
    while file.seek(offset) == offset and len(head := file.read(8)) == 8:
        name, length = struct.unpack(">4sI", head)
        offset += 8
        yield name, offset, length if length < OPEN_SIZE else 0
        offset += length + length % 2


def _w64_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    offset = 40
    while file.seek(offset) == offset and len(head := file.read(24)) == 24:
        name, length = struct.unpack("<4s12xQ", head)
        yield name, offset + 24, length - 24 if length < 2**62 else 0
        offset += max(24, length + -length % 8)


def _mp4_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The outermost, up to padding or to one that goes to the end of the file: 0 says so, 1 that the size follows."""
    offset = 0
    while file.seek(offset) == offset and len(head := file.read(16)) >= 8:
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length < 8 or not name.isascii():
            return
        yield name, offset, length
        offset += length


def _require_pages(file: BinaryIO, item: Input) -> None:
    """The last page must be whole, and of a stream that begins with the file.

    That it is the last of its stream is not asked: FFmpeg leaves the mark out of the segments that it cuts.
    """
    start = max(0, item.size - LONGEST_OGG_PAGE)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0:
        return  # Something else stands behind the pages.
    head, length = _page(io.BytesIO(tail[page:]))
    if page + length > len(tail):
        raise ends_early(item, page + length - len(tail))
    if head[22:26] != _checksum(head[:22] + bytes(4) + tail[page + 26 : page + length]):
        raise unreadable(item, f"its last page, at byte {start + page}, is damaged.")
    streams, end = _streams(file)
    if head[14:18] not in streams or FIRST_OGG_PAGE.search(tail, max(0, end - start)):
        advice = f"several recordings stand one behind the other, to byte {item.size}; write each as a file of its own."
        raise unreadable(item, advice)


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
    serials, offset = set(), 0
    while file.seek(offset) == offset:
        head, length = _page(file)
        if not head[5] & OGG_FIRST:
            break
        serials.add(head[14:18])
        offset += length
    return serials, offset
