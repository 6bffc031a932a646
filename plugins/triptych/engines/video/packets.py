"""The streams of a video file that are worked on, and their packets, each with the times that it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import av

from triptych.engines.video.truncation import DamagedVideoError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".3gp": "3gp",
    ".3g2": "3g2",
}
"""FFmpeg's names of the formats that are written, by extension."""
OTHER = ".mkv"
"""The extension of what is cut from, or joined to, a file of another format."""
MP4_KIN = ("mp4", "mov", "3gp", "3g2")
STILLS = ("_pipe", "image2")
"""How FFmpeg's names of single pictures end."""
ATTACHED_PIC = 0x400
"""A cover, which is a stream of video to FFmpeg (AV_DISPOSITION_ATTACHED_PIC)."""


class MappedStreams(NamedTuple):
    """The first video of a file that is no cover, and its audio that can be decoded: a segment has these streams."""

    video: VideoStream
    sounds: tuple[AudioStream, ...]

    @property
    def all(self) -> list[VideoStream | AudioStream]:
        """The video first, then the audio in order."""
        return [self.video, *self.sounds]


def written_extension(name: str) -> str:
    """The extension, with its dot, that tells the truth of what is written for a file of this name.

    Its own where that is one of FORMATS: `a.MP4` -> `.MP4`; else that of Matroska: `a.avi` -> `.mkv`.
    """
    own = PurePosixPath(name).suffix
    return own if own.lower() in FORMATS else OTHER


def container_format(name: str) -> str:
    """FFmpeg's name of how a file of this name is written: Matroska where its own is none of FORMATS."""
    return FORMATS[written_extension(name).lower()]


def open_video(data: BinaryIO) -> InputContainer:
    """A container to read, from its beginning. Raises av.FFmpegError."""
    data.seek(0)
    # Cameras write names in all encodings, and none of them is used.
    return av.open(data, "r", metadata_errors="replace")


def mapped_streams(container: InputContainer) -> MappedStreams:
    """Those that are worked on; DamagedVideoError when there is no video, or FFmpeg cannot decode one of them."""
    pictures = [stream for stream in container.streams.video if not stream.disposition & ATTACHED_PIC]
    if not pictures:
        msg = "cannot be read as video: there is none in it"
        raise DamagedVideoError(msg)
    if container.format.name.endswith(STILLS):
        msg = "is a picture, and no video"
        raise DamagedVideoError(msg)
    sounds = [sound for n, sound in enumerate(container.streams.audio) if n == 0 or sound.codec_context is not None]
    streams = MappedStreams(pictures[0], tuple(sounds))
    for stream in streams.all:
        if stream.codec_context is None:
            msg = f"holds {stream.type} in a codec that FFmpeg cannot decode"
            raise DamagedVideoError(msg)
    return streams


def left_out(container: InputContainer) -> str:
    """What a file has beside the streams that are worked on: `2 subtitle tracks, 1 attachment`; empty if nothing."""
    mapped = {stream.index for stream in mapped_streams(container).all}
    others = Counter(
        "cover" if stream.disposition & ATTACHED_PIC else f"{stream.type} track"
        for stream in container.streams
        if stream.index not in mapped
    )
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in others.items())


def time_base(stream: VideoStream | AudioStream) -> Fraction:
    """Seconds in one unit of the stream's times; those of an open file always have one."""
    return stream.time_base or Fraction(1)


def decode_packet(packet: Packet[Any]) -> list[Any]:
    """The frames that come out when it goes in: `av.VideoFrame` or `av.AudioFrame`. Raises DamagedVideoError.

    None of an empty one, by which Theora says that a frame stays: to FFmpeg it would be the end, or an error.
    """
    if not packet.size and packet.pts is not None:
        return []
    try:
        return packet.decode()
    except av.FFmpegError as error:
        # Threads tell of it some packets later.
        offset = "the end" if packet.pos is None else f"byte {packet.pos} or a little before"
        msg = f"cannot be decoded at {offset}"
        raise DamagedVideoError(msg) from error


def decoded_frames(container: InputContainer) -> Iterator[av.VideoFrame]:
    """All frames of the video that have a time, in the order in which they are shown."""
    video = mapped_streams(container).video
    video.thread_type = "AUTO"
    for packet in container.demux(video):
        yield from (frame for frame in decode_packet(packet) if frame.pts is not None)


def packets(container: InputContainer, streams: Sequence[VideoStream | AudioStream]) -> Iterator[Packet[Any]]:
    """What the file holds of these streams, in its order, each packet with a time to show and a time to decode it.

    Matroska does not store that time, and FFmpeg cannot tell it of the first frames: they come one by one before the
    first that has one.
    """
    held: list[Packet[Any]] = []
    for packet in container.demux(streams):
        if packet.pts is None:
            continue  # What ends a stream.
        if packet.dts is not None and not held:
            yield packet
            continue
        held.append(packet)
        if packet.dts is None:
            continue
        untimed = [each for each in held if each.stream.index == packet.stream.index and each.dts is None]
        for index, each in enumerate(untimed):
            each.dts = packet.dts - (len(untimed) - index) * max(1, each.duration or 1)
        if all(each.dts is not None for each in held):
            yield from held
            held = []
    for each in held:
        each.dts = each.pts if each.dts is None else each.dts
        yield each
