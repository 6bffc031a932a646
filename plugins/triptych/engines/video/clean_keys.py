"""The keyframes at which a cut is clean: times tell which may be, and the bits of H.264 and HEVC which are.

H.264 with open groups of pictures has keyframes that refer to nothing before and are no IDR all the same, and so have
broadcasts. FFmpeg marks them as it marks others, and FFmpeg 5.1 drops the first frame of a film that begins with one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import BinaryIO, NamedTuple

HEADS = (4096, 1 << 18)
"""Bytes of a frame to look at: what stands before its picture is short, but for captions and a maker's own data."""


class _Kinds(NamedTuple):
    """How a codec's units tell what they are: ITU-T H.264, table 7-1, and H.265, table 7-1."""

    kind: Callable[[int], int]
    """By the first byte."""
    pictures: range
    starts: Set[int]
    """Of pictures with which decoding may begin, whatever was decoded before."""
    length_at: int
    """Where the decoder's configuration has the size of a unit's length: ISO/IEC 14496-15."""


CODECS: Mapping[str, _Kinds] = {
    "h264": _Kinds(lambda byte: byte & 31, range(1, 6), {5}, 4),
    # Not the clean random access picture (21): it counts on from the pictures before it. Joined behind others than its
    # own, its place comes out wrong, and FFmpeg drops the last picture before it.
    "hevc": _Kinds(lambda byte: byte >> 1 & 63, range(32), frozenset(range(16, 21)), 21),
}


class CleanKeys:
    """Times of showing, ascending, of which each is asked for alone: that takes a look into the file."""

    def __init__(self, times: Sequence[int], is_clean: Callable[[int], bool] = lambda number: True) -> None:
        """`is_clean` is given the number of a time."""
        self._times, self._is_clean = times, is_clean

    def __contains__(self, time: int) -> bool:
        number = bisect_left(self._times, time)
        return number < len(self._times) and self._times[number] == time and self._is_clean(number)

    def first_from(self, time: int) -> int | None:
        """The first that is not before `time`; None where none comes."""
        numbers = range(bisect_left(self._times, time), len(self._times))
        return next((self._times[number] for number in numbers if self._is_clean(number)), None)

    def among(self, times: Set[int]) -> CleanKeys:
        """Those that are among these, too."""
        kept = [number for number, time in enumerate(self._times) if time in times]
        return CleanKeys([self._times[number] for number in kept], lambda place: self._is_clean(kept[place]))


def begins_decoding(codec: str, configuration: bytes, frame: bytes) -> bool | None:
    """Whether a decoder can begin with this keyframe, of which the first bytes do; None where these do not tell.

    `codec` and `configuration`, its extradata, are as FFmpeg has them. Of other codecs every keyframe can.
    """
    kinds = CODECS.get(codec)
    if kinds is None:
        return True
    # With 1 it begins in MP4 and Matroska, where lengths stand before units; elsewhere there are start codes.
    width = (configuration[kinds.length_at] & 3) + 1 if configuration[:1] == b"\1" else 0
    for first in _lengths(frame, width) if width else _start_codes(frame):
        if kinds.kind(first) in kinds.pictures:
            return kinds.kind(first) in kinds.starts
    return None


def reads_decoding(data: BinaryIO, codec: str, configuration: bytes, offset: int, size: int) -> bool:
    """The same of a keyframe in a file; False where it does not tell."""
    for head in HEADS:
        data.seek(offset)
        told = begins_decoding(codec, configuration, data.read(min(head, size)))
        if told is not None or size <= head:
            break
    return bool(told)


def _lengths(frame: bytes, width: int) -> Iterator[int]:
    """The first byte of each unit that has its length before it."""
    offset = 0
    while offset + width < len(frame):
        yield frame[offset + width]
        offset += width + int.from_bytes(frame[offset : offset + width], "big")


def _start_codes(frame: bytes) -> Iterator[int]:
    """The first byte of each unit that begins with 00 00 01."""
    return (match[1][0] for match in re.finditer(rb"\x00\x00\x01(.)", frame, re.DOTALL))
