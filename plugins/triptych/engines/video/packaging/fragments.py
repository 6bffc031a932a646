"""One track as fragmented MP4: how it begins, and its segments (ISO/IEC 14496-12, 8.8).

FFmpeg writes the beginning, which says what the track is. Fragments are written here: FFmpeg's own begin where its
muxer thinks fit, and it shifts times that players would have to shift back by edit lists, which some pass over.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import av

from triptych.engines.video.containers.mp4_boxes import Box, boxes_inside, boxes_of, read_box
from triptych.engines.video.encoding import add_copy

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

TRACK = 1
WITHOUT_TIMES = {"fflags": "+bitexact", "movflags": "frag_custom+delay_moov+skip_trailer", "use_editlist": "0"}
FIRST_PACKETS = 8
"""Of some codecs, as of AC-3, their packets alone tell what a beginning has to say."""
BEGINNING = (b"ftyp", b"moov")
CLOCK = (b"moov", b"trak", b"mdia", b"mdhd")
IS_KEY, IS_NO_KEY = 0x0200_0000, 0x0101_0000
"""Sample flags: depends on no other; depends on others, and is no sync sample."""
OFFSET_IS_OF_MOOF = 0x02_0000
"""Of a track fragment's header: offsets count from the fragment."""
EACH_HAS = 0x0F01
"""Of a run: where its bytes begin, and of each sample the duration, size, flags and delay."""
HEADER_BYTES = 8
APPLE_HEVC = "hvc1"
"""Parameter sets in the beginning alone: Apple's players take no `hev1`."""


@dataclass(frozen=True)
class Sample:
    """A packet: when it is decoded, for how long, and by how much later it is shown, in ticks of the track's clock."""

    dts: int
    duration: int
    delay: int
    is_key: bool
    data: bytes


@dataclass(frozen=True)
class Beginning:
    """What a player reads first: the file's bytes, and how many ticks a second the track's clock has."""

    data: bytes
    ticks: int


def beginning_of(film: InputContainer, stream: VideoStream | AudioStream) -> Beginning:
    """Of a track like this one of an open film, of which some packets are read.

    Raises UnwritableError where MP4 cannot hold it.
    """
    written = io.BytesIO()
    with av.open(written, "w", format="mp4", options=WITHOUT_TIMES) as out:
        copy = add_copy(out, stream)
        if stream.codec_context.name == "hevc":
            copy.codec_context.codec_tag = APPLE_HEVC
        for packet in islice((each for each in film.demux(stream) if each.size), FIRST_PACKETS):
            packet.stream = copy
            out.mux_one(packet)
    whole = Box(b"", 0, written.tell())
    kept = [box for box in boxes_of(written, whole) if box.type in BEGINNING]
    data = b"".join(_box(box.type, read_box(written, box)) for box in kept)
    (clock,) = boxes_inside(written, whole, *CLOCK)
    told = read_box(written, clock)
    # Two times come first, as long as the version says.
    return Beginning(data, int.from_bytes(told[20:24] if told[:1] == b"\1" else told[12:16], "big"))


def fragment(number: int, samples: Sequence[Sample]) -> bytes:
    """A `moof` and its `mdat`: the segment of this number, from 0; its samples follow each other."""
    run = struct.pack(">I", len(samples)), b"".join(_of_sample(sample) for sample in samples)
    length = len(_moof(number, samples[0].dts, run, 0))
    held = b"".join(sample.data for sample in samples)
    return _moof(number, samples[0].dts, run, length + HEADER_BYTES) + _box(b"mdat", held)


def _moof(number: int, dts: int, run: tuple[bytes, bytes], held_at: int) -> bytes:
    """`held_at` is where the first sample's bytes begin, from the first byte of the `moof`."""
    count, each = run
    track = _box(
        b"traf",
        _full_box(b"tfhd", 0, OFFSET_IS_OF_MOOF, struct.pack(">I", TRACK))
        + _full_box(b"tfdt", 1, 0, struct.pack(">Q", dts))
        + _full_box(b"trun", 0, EACH_HAS, count + struct.pack(">i", held_at) + each),
    )
    return _box(b"moof", _full_box(b"mfhd", 0, 0, struct.pack(">I", number + 1)) + track)


def _of_sample(sample: Sample) -> bytes:
    flags = IS_KEY if sample.is_key else IS_NO_KEY
    return struct.pack(">IIII", sample.duration, len(sample.data), flags, sample.delay)


def _full_box(box_type: bytes, version: int, flags: int, content: bytes) -> bytes:
    return _box(box_type, struct.pack(">I", version << 24 | flags) + content)


def _box(box_type: bytes, content: bytes) -> bytes:
    return struct.pack(">I", HEADER_BYTES + len(content)) + box_type + content
