"""Video by frames: which there are in a file, by its packets or, where these are not frames, by decoding them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from triptych.engines.resources import need
from triptych.engines.video_whole import DamagedError

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
FRAME_PER_PACKET = {"h264", "hevc", "av1", "vp9", "mjpeg", "prores", "dnxhd", "ffv1", "rawvideo"}
"""Codecs whose packets are frames, but for what `scan` finds: VP8's may hold one that is not shown, MPEG-4's two."""
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

    is_plain: bool
    """Whether no packet says of itself that it is not one frame."""
    times: array[int] = field(default_factory=lambda: array("q"))
    key_flags: bytearray = field(default_factory=bytearray)
    lead: list[int] = field(default_factory=list)
    sounds: int = 0

    def is_by_frame(self) -> bool:
        """Whether each packet is a frame, shown at a time of its own, and the first are as the packets promise."""
        times = sorted(self.times)
        return self.is_plain and len(set(times)) == len(times) and self.lead == times[: max(1, len(self.lead))]

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


def open_video(data: BinaryIO | Path) -> Any:
    """A container to read, from its beginning. Raises av.FFmpegError."""
    if isinstance(data, Path):
        return need("av", "media").open(str(data))
    data.seek(0)
    return need("av", "media").open(data)


def carried(container: Any) -> list[Any]:
    """The streams that pieces have: the first of video, and the first of audio if there is one. Raises IndexError."""
    return [container.streams.video[0], *container.streams.audio[:1]]


def scan(container: Any, streams: Sequence[Any]) -> Scan:
    """Read all packets of the video, the first of `streams`, count the others, and decode up to `LEAD_FRAMES`.

    Raises DamagedError when one of these cannot be decoded, and when the file's index promises more packets.
    """
    video = streams[0]
    context, index = video.codec_context, video.index
    # More threads would hold the first frames back.
    context.thread_count = 1
    found = Scan(context.codec.canonical_name in FRAME_PER_PACKET)
    count = 0
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
    if count < len(video.index_entries):
        msg = f"has {count} of the {len(video.index_entries)} video packets in its index"
        raise DamagedError(msg)
    return found


def read_frames(data: BinaryIO) -> Frames:
    """From the packets where they are frames, else by decoding; a few bytes of memory per frame.

    Raises av.FFmpegError, IndexError when there is no video, and DamagedError.
    """
    with open_video(data) as container:
        found = scan(container, carried(container))
        base = container.streams.video[0].time_base
    keys = found.clean_keys()
    if found.is_by_frame():
        return Frames(array("q", sorted(found.times)), keys, base, found.sounds)
    with open_video(data) as container:
        times = sorted(frame.pts for frame in decoded_frames(container))
    return Frames(array("q", times), keys & set(times), base, found.sounds)


def count_frames(path: Path) -> int:
    """By packets where these are frames that can be decoded from the first on, else by decoding all."""
    with open_video(path) as container:
        found = scan(container, container.streams.video[:1])
    if found.is_by_frame():
        return len(found.times)
    with open_video(path) as container:
        return sum(1 for _ in decoded_frames(container))


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
