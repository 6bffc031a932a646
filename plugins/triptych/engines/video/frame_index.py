"""Which frames there are in a video, by its tables or packets where these are frames, else by decoding them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from triptych.engines.video.clean_keys import CleanKeys, begins_decoding, reads_decoding
from triptych.engines.video.containers.mp4_boxes import DelayRuns, composition_delays
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
    from av.packet import Packet
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
    what is stored before is shown before, and a decoder can begin there. The file is open while they are asked for.
    """

    times: Sequence[int]
    clean_keys: CleanKeys
    time_base: Fraction
    audio_packets: Mapping[int, int] = field(default_factory=dict)
    """How many there are of each stream of audio, by its index."""
    last_duration: int = 0
    """For how long the last frame is shown."""
    lead: Fraction = Fraction(0)
    """For how many seconds there is sound before the first frame."""
    is_counted: bool = False
    """Whether the file tells no times of showing: frame n is shown at the time n."""

    def second(self, frame: int) -> float:
        """When a frame is shown, by its number, in seconds from the first; behind the last: when that one ends."""
        if frame == len(self.times):
            return float((self.times[-1] + self.last_duration - self.times[0]) * self.time_base)
        return float((self.times[frame] - self.times[0]) * self.time_base)


@dataclass
class PacketScan:
    """The video packets of a file as they are stored, and the times of the first frames that a decoder gives."""

    time_base: Fraction
    is_plain: bool
    """Whether no packet says of itself that it is not one frame."""
    times: array[int] = field(default_factory=lambda: array("q"))
    key_flags: bytearray = field(default_factory=bytearray)
    places: array[int] = field(default_factory=lambda: array("q"))
    """Where each packet begins, and how many bytes it has; empty where packets were read, and `key_flags` tell all."""
    codec: str = ""
    configuration: bytes = b""
    """The codec's extradata."""
    lead: list[int] = field(default_factory=list)
    audio_packets: dict[int, int] = field(default_factory=dict)
    audio_start: Fraction | None = None
    """When the first audio is heard, in seconds; None without any."""
    end: int | None = None
    """When the last frame ends, where the file says so."""
    is_counted: bool = False

    def is_by_frame(self) -> bool:
        """Whether each packet is a frame, shown at a time of its own, and the first are as the packets promise."""
        times = self.shown()
        is_each_alone = all(before < after for before, after in pairwise(times))
        return self.is_plain and is_each_alone and self.lead == list(times[: max(1, len(self.lead))])

    def begins_with(self, packet: Packet[Any]) -> bool:
        """Whether a decoder can begin with this keyframe."""
        return bool(begins_decoding(self.codec, self.configuration, bytes(packet)))

    def shown(self) -> array[int]:
        """The times in the order of showing, not of storing."""
        return array("q", sorted(self.times))

    def clean_keys(self, data: BinaryIO) -> CleanKeys:
        """See `FrameIndex`. In an open group of pictures a frame is stored behind its keyframe but shown before it.

        Times as stored [0, 3, 1, 2, 6, 4, 5], with keyframes at 0, 3 and 6: 0 alone is clean, for 1 is stored behind
        3 and shown before it, and 4 behind 6. The first is whenever it is a keyframe: nothing is cut there.
        """
        times = np.frombuffer(self.times, np.int64)
        if not len(times):
            return CleanKeys([])
        earliest_from_here = np.minimum.accumulate(times[::-1])[::-1]
        clean = np.frombuffer(self.key_flags, np.bool_) & (earliest_from_here == times)
        clean[1:] &= np.maximum.accumulate(times)[:-1] < times[1:]
        shown: list[int] = times[clean].tolist()
        if not self.places:
            return CleanKeys(shown)
        places = np.frombuffer(self.places, np.int64).reshape(-1, 2)[clean]

        def is_clean(number: int) -> bool:
            offset, size = places[number].tolist()
            is_first = shown[number] == self.times[0]
            return is_first or reads_decoding(data, self.codec, self.configuration, offset, size)

        return CleanKeys(shown, is_clean)


def read_frame_index(data: BinaryIO) -> FrameIndex:
    """From the tables or packets where these are frames, else by decoding; a few bytes of memory per frame.

    Raises av.FFmpegError, and DamagedVideoError.
    """
    scanned = scan(data)
    if scanned.is_by_frame():
        return _index(scanned, scanned.shown(), scanned.clean_keys(data))
    with open_video(data) as container:
        if scanned.is_counted:
            return _index(scanned, range(sum(1 for _ in decoded_frames(container))), CleanKeys([]))
        times = array("q", sorted(frame.pts for frame in decoded_frames(container) if frame.pts is not None))
    scanned.end = None  # It may be that of frames that are hidden.
    return _index(scanned, times, scanned.clean_keys(data).among(set(times)))


def _index(scanned: PacketScan, times: Sequence[int], clean_keys: CleanKeys) -> FrameIndex:
    """Where the file does not say when the last frame ends, it is shown as long as the one before."""
    duration, lead = 0, Fraction(0)
    if times:
        before = times[-1] - times[-2] if len(times) > 1 else 0
        duration = scanned.end - times[-1] if scanned.end and times[-1] < scanned.end else before
        if scanned.audio_start is not None:
            # Before 0 there is only what a decoder warms up with.
            lead = max(Fraction(0), times[0] * scanned.time_base - max(Fraction(0), scanned.audio_start))
    return FrameIndex(
        times, clean_keys, scanned.time_base, scanned.audio_packets, duration, lead, is_counted=scanned.is_counted
    )


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
        codec = video.codec_context.codec.canonical_name
        scanned = PacketScan(time_base(video), codec in FRAME_PER_PACKET, codec=codec)
        scanned.configuration = video.codec_context.extradata or b""
        # AVI holds no times, and what FFmpeg guesses is wrong where frames are stored in another order.
        scanned.is_counted = container.format.name == "avi" and video.codec_context.has_b_frames
        scanned.is_plain = scanned.is_plain and not scanned.is_counted
        scanned.audio_packets = {sound.index: 0 for sound in streams.sounds}
        starts = [sound.start_time * time_base(sound) for sound in streams.sounds if sound.start_time is not None]
        scanned.audio_start = min(starts, default=None)
        if video.duration and video.start_time is not None:
            scanned.end = video.start_time + video.duration
        if video.id in delays and _is_listed(streams, delays[video.id]):
            _scan_tables(container, streams, delays[video.id], size, scanned)
        else:
            _scan_packets(container, streams, scanned)
    return scanned


def _is_listed(streams: MappedStreams, runs: DelayRuns) -> bool:
    """Whether the index of each stream has all of its packets, and `runs` tell of all of the video."""
    video = streams.video
    count = len(video.index_entries)
    is_known = all(sound.codec_context.name in PACKET_PER_ENTRY for sound in streams.sounds)
    return is_known and 0 < count == video.frames and (not len(runs) or bool(runs["samples"].sum() == count))


def _scan_tables(
    container: InputContainer, streams: MappedStreams, runs: DelayRuns, size: int, scanned: PacketScan
) -> None:
    """`runs` make times of showing of the index's times of decoding: [0, 1, 2] and 3 samples later by 2 are [2, 3, 4].

    The first packet tells from where times are counted.
    """
    video = streams.video
    first, missing = None, 0
    for packet in container.demux(video):
        first = packet.pts if first is None else first
        scanned.lead += [frame.pts for frame in decode_packet(packet)]
        if len(scanned.lead) >= LEAD_FRAMES:
            break
    for entry in video.index_entries:
        scanned.times.append(entry.timestamp)
        scanned.key_flags.append(entry.is_keyframe)
        scanned.places.extend((entry.pos, entry.size))
        scanned.is_plain = scanned.is_plain and not entry.is_discard
        missing += entry.pos + entry.size > size
    _require_all(len(scanned.times) - missing, video)
    times = np.frombuffer(scanned.times, np.int64)
    if len(runs):
        times += np.repeat(runs["delay"], runs["samples"])
    if first is not None:
        times += first - times[0]
    scanned.audio_packets = {sound.index: len(sound.index_entries) for sound in streams.sounds}


def _scan_packets(container: InputContainer, streams: MappedStreams, scanned: PacketScan) -> None:
    video = streams.video
    index, count, last = video.index, 0, 0
    for packet in container.demux(streams.all):
        if packet.stream_index != index:
            scanned.audio_packets[packet.stream_index] += packet.size > 0
            continue
        if len(scanned.lead) < LEAD_FRAMES:
            scanned.lead += [frame.pts for frame in decode_packet(packet)]
        pts = packet.pts
        if pts is not None:
            count += 1
            last = max(last, pts + (packet.duration or 0))
            scanned.times.append(pts)
            scanned.key_flags.append(packet.is_keyframe and (count == 1 or scanned.begins_with(packet)))
            scanned.is_plain = scanned.is_plain and not packet.is_discard
        elif packet.size:
            count += 1
            scanned.is_plain = False
    scanned.end = scanned.end or last
    _require_all(count, video)


def _require_all(count: int, video: VideoStream) -> None:
    if count < len(video.index_entries):
        msg = f"has {count} of the {len(video.index_entries)} video packets in its index"
        raise DamagedVideoError(msg)
