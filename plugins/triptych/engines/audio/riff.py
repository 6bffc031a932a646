"""RIFF/WAVE headers, read and made: where a file's samples are, and what must stand before any run of them.

RIFF and WAVE: Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" and "Multiple Channel Audio
Data and WAVE Files" (WAVE_FORMAT_EXTENSIBLE). RF64 and BW64, for more than 4 GiB: EBU Tech 3306, ITU-R BS.2088.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from triptych.engines.api import Input
from triptych.engines.audio.truncation import ends_early

PCM, IEEE_FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
SUBTYPES = {
    (PCM, 8): "PCM_U8",
    (PCM, 16): "PCM_16",
    (PCM, 24): "PCM_24",
    (PCM, 32): "PCM_32",
    (IEEE_FLOAT, 32): "FLOAT",
    (IEEE_FLOAT, 64): "DOUBLE",
}
"""libsndfile's names, by encoding and bits."""
GUID_END = bytes.fromhex("000000001000800000aa00389b71")
"""Behind the encoding in the sub-format of WAVE_FORMAT_EXTENSIBLE, where that is a registered one."""
LARGEST = 2**32 - 1
"""What a 32-bit size can tell; in RF64 it says that the size is in the chunk `ds64`."""
OPEN_SIZES = (2**31, 2**32, 2**64)
OPEN_BELOW = 4096
"""Who writes into a pipe cannot go back to correct the sizes: they stay 0, or somewhat below one of OPEN_SIZES (FFmpeg
0xFFFFFFFF, SoX and espeak-ng 0x7FFFF000, arecord 0x7FFFFF00)."""


@dataclass(frozen=True)
class WaveHeader:
    """`fmt_chunk` is what the chunk `fmt ` holds; the samples are `length` bytes from `offset`, in whole frames.

    `subtype` is libsndfile's name of the sample type; None for what is neither PCM nor floating point, or not laid out
    as the specification says. `zero_offset` is that of a byte that is zero.
    """

    fmt_chunk: bytes
    rate: int
    channels: int
    frame_bytes: int
    subtype: str | None
    offset: int
    length: int
    zero_offset: int


def read_wave_header(file: BinaryIO, item: Input) -> WaveHeader | None:
    """That of the input, of which `file` is the open file; None for one that is no RIFF/WAVE with a format and data.

    Raises the input's error when the file ends before its data do.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        return None
    riff_length, long_data = int.from_bytes(head[4:8], "little"), LARGEST
    fmt_chunk, zero_offset, offset = b"", 0, 12
    while file.seek(offset) == offset and len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        offset += 8
        if name == b"ds64":
            riff_length, long_data = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))
        elif name == b"fmt " and 16 <= length < 2**16:
            # The highest byte of the length, as it is below 2**16.
            fmt_chunk, zero_offset = file.read(length), offset - 1
        elif name == b"data":
            length = _data_length(length if length < LARGEST else long_data, riff_length + 8, offset, item)
            return _header(fmt_chunk, offset, length, zero_offset)
        offset += length + length % 2
    return None


def _header(fmt_chunk: bytes, offset: int, length: int, zero_offset: int) -> WaveHeader | None:
    if len(fmt_chunk) < 16:
        return None
    encoding, channels, rate, _, size, bits = struct.unpack_from("<HHIIHH", fmt_chunk)
    if encoding == EXTENSIBLE and fmt_chunk[26:40] == GUID_END:
        encoding = int.from_bytes(fmt_chunk[24:26], "little")
    is_regular = len(fmt_chunk) <= 40 and channels and rate and size * 8 == channels * bits
    subtype = SUBTYPES.get((encoding, bits)) if is_regular else None
    return WaveHeader(fmt_chunk, rate, channels, size, subtype, offset, length - length % max(1, size), zero_offset)


def _data_length(stated: int, stated_size: int, offset: int, item: Input) -> int:
    """The bytes of samples from `offset`: as many as are stated, or to the end of a file that was written to a pipe."""
    is_open = stated == 0 or any(0 <= top - stated <= OPEN_BELOW for top in OPEN_SIZES)
    if is_open and abs(stated_size - item.size) > 1:  # A size that fits the file is meant.
        return item.size - offset
    if offset + stated > item.size:
        raise ends_early(item, offset + stated - item.size)
    return stated


def plain_fmt_chunk(subtype: str, rate: int, channels: int) -> bytes:
    """What the chunk `fmt ` of plain samples holds, at `rate` frames a second; `subtype` is a name of SUBTYPES."""
    encoding, bits = next(key for key, name in SUBTYPES.items() if name == subtype)
    block = channels * bits // 8
    return struct.pack("<HHIIHH", encoding, channels, rate, rate * block, block, bits)


def frame_bytes(fmt_chunk: bytes) -> int:
    """How many a frame takes: a sample of each channel."""
    return int.from_bytes(fmt_chunk[12:14], "little")


def wave_header(fmt_chunk: bytes, length: int) -> bytes:
    """All that stands before `length` bytes of samples; RF64 where a 32-bit size cannot tell it.

    An odd length is to be followed by a byte of zero.
    """
    frames = length // frame_bytes(fmt_chunk)
    is_pcm = fmt_chunk[:2] == PCM.to_bytes(2, "little")
    fact = b"" if is_pcm else struct.pack("<4sII", b"fact", 4, min(frames, LARGEST))
    middle = struct.pack("<4sI", b"fmt ", len(fmt_chunk)) + fmt_chunk + b"\0" * (len(fmt_chunk) % 2) + fact
    whole = 4 + len(middle) + 8 + length + length % 2
    if whole <= LARGEST - 1:
        return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + middle + struct.pack("<4sI", b"data", length)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, whole + 36, length, frames, 0)
    return struct.pack("<4sI4s", b"RF64", LARGEST, b"WAVE") + sizes + middle + struct.pack("<4sI", b"data", LARGEST)


def wave_file(fmt_chunk: bytes, length: int, samples: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a whole WAV of `length` bytes of samples: header, samples, and a zero behind an odd length."""
    yield wave_header(fmt_chunk, length)
    yield from samples
    if length % 2:
        yield b"\0"
