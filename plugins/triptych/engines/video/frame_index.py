"""Which frames there are in a video, by its tables or packets where these are frames, else by decoding them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from triptych.engines.video.mp4_boxes import DelayRuns, composition_delays
from triptych.engines.video.packets import (
    MappedStreams,
    decode_packet,
    decoded_frames,
    mapped_streams,
    open_video,
    time_base,
)
from triptych.engines.video.truncation import DamagedVideoError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FRAME_PER_PACKET = {"h264", "hevc", "av1", "vp9", "mjpeg", "prores", "dnxhd", "ffv1", "rawvideo"}
"""Codecs whose packets are frames, but for what a scan finds: VP8's may hold one that is not shown, MPEG-4's two."""
PACKET_PER_ENTRY = {"aac", "alac", "flac", "opus", "pcm_s16le", "pcm_s24le"}
"""Audio of which FFmpeg reads one packet for each entry of the index: of MP3 it finds the frames itself."""
LEAD_FRAMES = 4
"""How many frames are decoded to see that nothing is missing after a cut, and that no two packets are one frame."""


@dataclass(frozen=True)
class FrameIndex:
    """The times at which all frames are shown, ascending, in units of `time_base` seconds.

    `clean_keys` are those of keyframes at which a cut is clean: what is stored from there on is shown from there on,
    and what is stored before is shown before.
    """

    times: Sequence[int]
    clean_keys: frozenset[int]
    time_base: Fraction
    audio_packets: int

    def second(self, frame: int) -> float:
        """When a frame is shown, by its number, in seconds from the first."""
        return float((self.times[frame] - self.times[0]) * self.time_base)


@dataclass
class PacketScan:
    """The video packets of a file as they are stored, and the times of the first frames that a decoder gives."""

    time_base: Fraction
    is_plain: bool
    """Whether no packet says of itself that it is not one frame."""
    times: array[int] = field(default_factory=lambda: array("q"))
    key_flags: bytearray = field(default_factory=bytearray)
    lead: list[int] = field(default_factory=list)
    audio_packets: int = 0

    def is_by_frame(self) -> bool:
        """Whether each packet is a frame, shown at a time of its own, and the first are as the packets promise."""
        times = self.shown()
        is_each_alone = all(before < after for before, after in pairwise(times))
        return self.is_plain and is_each_alone and self.lead == list(times[: max(1, len(self.lead))])

    def shown(self) -> array[int]:
        """The times in the order of showing, not of storing."""
        return array("q", sorted(self.times))

    def clean_keys(self) -> frozenset[int]:
        """See `FrameIndex`. In an open group of pictures a frame is stored behind its keyframe but shown before it.

        Times as stored [0, 3, 1, 2, 6, 4, 5], with keyframes at 0, 3 and 6: 0 alone is clean, for 1 is stored behind
        3 and shown before it, and 4 behind 6.
        """
        times = np.frombuffer(self.times, np.int64)
        if not len(times):
            return frozenset()
        earliest_from_here = np.minimum.accumulate(times[::-1])[::-1]
        clean = np.frombuffer(self.key_flags, np.bool_) & (earliest_from_here == times)
        clean[1:] &= np.maximum.accumulate(times)[:-1] < times[1:]
        return frozenset(times[clean].tolist())


def read_frame_index(data: BinaryIO) -> FrameIndex:
    """From the tables or packets where these are frames, else by decoding; a few bytes of memory per frame.

    Raises av.FFmpegError, and DamagedVideoError.
    """
    scanned = scan(data)
    if scanned.is_by_frame():
        return FrameIndex(scanned.shown(), scanned.clean_keys(), scanned.time_base, scanned.audio_packets)
    with open_video(data) as container:
        times = array("q", sorted(frame.pts for frame in decoded_frames(container) if frame.pts is not None))
    return FrameIndex(times, scanned.clean_keys() & set(times), scanned.time_base, scanned.audio_packets)


def count_frames(path: Path) -> int:
    """By tables or packets where these are frames that can be decoded from the first on, else by decoding all."""
    with path.open("rb") as data:
        return len(read_frame_index(data).times)


def scan(data: BinaryIO) -> PacketScan:
    """By the file's tables where these tell all, else by reading all packets; up to `LEAD_FRAMES` are decoded.

    Raises av.FFmpegError, and DamagedVideoError when there is no video, when one of these frames cannot be decoded,
    and when the file's index promises more packets than there are.
    """
    size, delays = data.seek(0, 2), composition_delays(data)
    with open_video(data) as container:
        streams = mapped_streams(container)
        video = streams.video
        # More threads would hold the first frames back.
        video.codec_context.thread_count = 1
        scanned = PacketScan(time_base(video), video.codec_context.codec.canonical_name in FRAME_PER_PACKET)
        if video.id in delays and _is_listed(streams, delays[video.id]):
            _scan_tables(container, streams, delays[video.id], size, scanned)
        else:
            _scan_packets(container, streams, scanned)
    return scanned


def _is_listed(streams: MappedStreams, runs: DelayRuns) -> bool:
    """Whether the index of each stream has all of its packets, and `runs` tell of all of the video."""
    video, audio = streams
    count = len(video.index_entries)
    is_known = audio is None or audio.codec_context.name in PACKET_PER_ENTRY
    return is_known and 0 < count == video.frames and (not len(runs) or bool(runs["samples"].sum() == count))


def _scan_tables(
    container: InputContainer, streams: MappedStreams, runs: DelayRuns, size: int, scanned: PacketScan
) -> None:
    """`runs` make times of showing of the index's times of decoding: [0, 1, 2] and 3 samples later by 2 are [2, 3, 4].

    The first packet tells from where times are counted.
    """
    video, audio = streams
    first, missing = None, 0
    for packet in container.demux(video):
        first = packet.pts if first is None else first
        scanned.lead += [frame.pts for frame in decode_packet(packet)]
        if len(scanned.lead) >= LEAD_FRAMES:
            break
    for entry in video.index_entries:
        scanned.times.append(entry.timestamp)
        scanned.key_flags.append(entry.is_keyframe)
        scanned.is_plain = scanned.is_plain and not entry.is_discard
        missing += entry.pos + entry.size > size
    _require_all(len(scanned.times) - missing, video)
    times = np.frombuffer(scanned.times, np.int64)
    if len(runs):
        times += np.repeat(runs["delay"], runs["samples"])
    if first is not None:
        times += first - times[0]
    scanned.audio_packets = len(audio.index_entries) if audio else 0


def _scan_packets(container: InputContainer, streams: MappedStreams, scanned: PacketScan) -> None:
    video = streams.video
    index, count = video.index, 0
    for packet in container.demux(streams.all):
        if packet.stream_index != index:
            scanned.audio_packets += packet.size > 0
            continue
        if len(scanned.lead) < LEAD_FRAMES:
            scanned.lead += [frame.pts for frame in decode_packet(packet)]
        pts = packet.pts
        if pts is not None:
            count += 1
            scanned.times.append(pts)
            scanned.key_flags.append(packet.is_keyframe)
            scanned.is_plain = scanned.is_plain and not packet.is_discard
        elif packet.size:
            count += 1
            scanned.is_plain = False
    _require_all(count, video)


def _require_all(count: int, video: VideoStream) -> None:
    if count < len(video.index_entries):
        msg = f"has {count} of the {len(video.index_entries)} video packets in its index"
        raise DamagedVideoError(msg)
