"""Video by frames: which there are in a file, by its packets or, where these are not frames, by decoding them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from triptych.engines.runtime.resources import need
from triptych.engines.video.mp4_boxes import delays
from triptych.engines.video.truncation import DamagedError

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
FRAME_PER_PACKET = {"h264", "hevc", "av1", "vp9", "mjpeg", "prores", "dnxhd", "ffv1", "rawvideo"}
"""Codecs whose packets are frames, but for what `scan` finds: VP8's may hold one that is not shown, MPEG-4's two."""
PACKET_PER_ENTRY = {"aac", "alac", "flac", "opus", "pcm_s16le", "pcm_s24le"}
"""Audio of which FFmpeg reads one packet for each entry of the index: of MP3 it finds the frames itself."""
LEAD_FRAMES = 4
"""How many frames are decoded to see that nothing is missing after a cut, and that no two packets are one frame."""


@dataclass(frozen=True)
class Frames:
    """The times at which all frames are shown, ascending, in units of `time_base` seconds.

    `keys` are those of keyframes at which a cut is clean: what is stored from there on is shown from there on, and
    what is stored before is shown before. `sounds` counts the packets of audio.
    """

    times: Sequence[int]
    keys: frozenset[int]
    time_base: Fraction
    sounds: int

    def second(self, index: int) -> float:
        """When frame `index` is shown, counted from the first."""
        return float((self.times[index] - self.times[0]) * self.time_base)


@dataclass
class Scan:
    """The video packets of a file as they are stored, and the times of the first frames that a decoder gives."""

    time_base: Fraction
    is_plain: bool
    """Whether no packet says of itself that it is not one frame."""
    times: array[int] = field(default_factory=lambda: array("q"))
    key_flags: bytearray = field(default_factory=bytearray)
    lead: list[int] = field(default_factory=list)
    sounds: int = 0

    def is_by_frame(self) -> bool:
        """Whether each packet is a frame, shown at a time of its own, and the first are as the packets promise."""
        times = self.shown()
        is_each_alone = all(before < after for before, after in pairwise(times))
        return self.is_plain and is_each_alone and self.lead == list(times[: max(1, len(self.lead))])

    def shown(self) -> array[int]:
        """The times in order."""
        return array("q", sorted(self.times))

    def clean_keys(self) -> frozenset[int]:
        """See `Frames`. In an open group of pictures a frame is stored behind its keyframe but shown before it."""
        import numpy as np

        times = np.frombuffer(self.times, np.int64)
        if not len(times):
            return frozenset()
        after = np.minimum.accumulate(times[::-1])[::-1]
        clean = np.frombuffer(self.key_flags, np.bool_) & (after == times)
        clean[1:] &= np.maximum.accumulate(times)[:-1] < times[1:]
        return frozenset(times[clean].tolist())


def container_format(name: str) -> str:
    """How pieces of a file of this name are written."""
    return FORMATS.get(PurePosixPath(name).suffix.lower(), "matroska")


def open_video(data: BinaryIO) -> Any:
    """A container to read, from its beginning. Raises av.FFmpegError."""
    data.seek(0)
    # Cameras write names in all encodings, and none of them is used.
    return need("av", "media").open(data, metadata_errors="replace")


def carried(container: Any) -> list[Any]:
    """The streams that pieces have: the first of video, and the first of audio if there is one.

    Raises IndexError when there is no video, and DamagedError when FFmpeg cannot decode one of these.
    """
    streams = [container.streams.video[0], *container.streams.audio[:1]]
    for stream in streams:
        if stream.codec_context is None:
            msg = f"holds {stream.type} in a codec that FFmpeg cannot decode"
            raise DamagedError(msg)
    return streams


def scan(data: BinaryIO) -> Scan:
    """By the file's tables where these tell all, else by reading all packets; up to `LEAD_FRAMES` are decoded.

    Raises av.FFmpegError, IndexError when there is no video, and DamagedError when one of these frames cannot be
    decoded, and when the file's index promises more packets than there are.
    """
    size, late = data.seek(0, 2), delays(data)
    with open_video(data) as container:
        streams = carried(container)
        video = streams[0]
        # More threads would hold the first frames back.
        video.codec_context.thread_count = 1
        found = Scan(video.time_base, video.codec_context.codec.canonical_name in FRAME_PER_PACKET)
        if video.id in late and _is_listed(streams, late[video.id]):
            _scan_tables(container, streams, late[video.id], size, found)
        else:
            _scan_packets(container, streams, found)
    return found


def _is_listed(streams: Sequence[Any], runs: Any) -> bool:
    """Whether the index of each stream has all of its packets, and `runs` tell of all of the video."""
    video, *audio = streams
    count = len(video.index_entries)
    is_known = all(sound.codec_context.name in PACKET_PER_ENTRY for sound in audio)
    return is_known and 0 < count == video.frames and (not len(runs) or runs["samples"].sum() == count)


def _scan_tables(container: Any, streams: Sequence[Any], runs: Any, size: int, found: Scan) -> None:
    import numpy as np

    video, *audio = streams
    first, missing = None, 0
    for packet in container.demux(video):
        first = packet.pts if first is None else first
        found.lead += [frame.pts for frame in decode(packet)]
        if len(found.lead) >= LEAD_FRAMES:
            break
    for entry in video.index_entries:
        found.times.append(entry.timestamp)
        found.key_flags.append(entry.is_keyframe)
        found.is_plain = found.is_plain and not entry.is_discard
        missing += entry.pos + entry.size > size
    _require_all(len(found.times) - missing, video)
    times = np.frombuffer(found.times, np.int64)
    if len(runs):
        times += np.repeat(runs["delay"], runs["samples"])
    if first is not None:
        times += first - times[0]
    found.sounds = sum(len(sound.index_entries) for sound in audio)


def _scan_packets(container: Any, streams: Sequence[Any], found: Scan) -> None:
    video = streams[0]
    index, count = video.index, 0
    for packet in container.demux(streams):
        if packet.stream_index != index:
            found.sounds += packet.size > 0
            continue
        if len(found.lead) < LEAD_FRAMES:
            found.lead += [frame.pts for frame in decode(packet)]
        pts = packet.pts
        if pts is not None:
            count += 1
            found.times.append(pts)
            found.key_flags.append(packet.is_keyframe)
            found.is_plain = found.is_plain and not packet.is_discard
        elif packet.size:
            count += 1
            found.is_plain = False
    _require_all(count, video)


def _require_all(count: int, video: Any) -> None:
    if count < len(video.index_entries):
        msg = f"has {count} of the {len(video.index_entries)} video packets in its index"
        raise DamagedError(msg)


def read_frames(data: BinaryIO) -> Frames:
    """From the tables or packets where these are frames, else by decoding; a few bytes of memory per frame.

    Raises av.FFmpegError, IndexError when there is no video, and DamagedError.
    """
    found = scan(data)
    if found.is_by_frame():
        return Frames(found.shown(), found.clean_keys(), found.time_base, found.sounds)
    with open_video(data) as container:
        times = array("q", sorted(frame.pts for frame in decoded_frames(container)))
    return Frames(times, found.clean_keys() & set(times), found.time_base, found.sounds)


def count_frames(path: Path) -> int:
    """By tables or packets where these are frames that can be decoded from the first on, else by decoding all."""
    with path.open("rb") as data:
        return len(read_frames(data).times)


def decode(packet: Any) -> Any:
    """The frames that come out when it goes in. Raises DamagedError."""
    try:
        return packet.decode()
    except need("av", "media").FFmpegError as error:
        # Threads tell of it some packets later.
        place = "the end" if packet.pos is None else f"byte {packet.pos} or a little before"
        msg = f"cannot be decoded at {place}: {error.strerror}"
        raise DamagedError(msg) from error


def decoded_frames(container: Any) -> Iterator[Any]:
    """All frames of the video that have a time, in the order in which they are shown."""
    video = container.streams.video[0]
    video.thread_type = "AUTO"
    for packet in container.demux(video):
        yield from (frame for frame in decode(packet) if frame.pts is not None)


def packets(source: Any, streams: Sequence[Any]) -> Iterator[Any]:
    """What the file holds of these streams, each with a time to decode it.

    Matroska does not store that time, and FFmpeg cannot tell it of the first frames: they come one by one before the
    first that has one.
    """
    held: list[Any] = []
    for packet in source.demux(streams):
        if packet.pts is None:
            continue  # What ends a stream.
        if packet.dts is not None and not held:
            yield packet
            continue
        held.append(packet)
        if packet.dts is None:
            continue
        untimed = [each for each in held if each.stream.index == packet.stream.index and each.dts is None]
        for at, each in enumerate(untimed):
            each.dts = packet.dts - (len(untimed) - at) * max(1, each.duration or 1)
        if all(each.dts is not None for each in held):
            yield from held
            held = []
    for each in held:
        each.dts = each.pts if each.dts is None else each.dts
        yield each
