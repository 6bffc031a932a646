"""Video by frames: where they are, pieces of it copied or encoded anew, and pieces joined; audio goes along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from triptych.engines.resources import need

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
BIT_EXACT = {"fflags": "+bitexact"}
"""For muxers: no random numbers and no time of day in the file."""
ENCODERS = {"webm": "libvpx-vp9"}


@dataclass(frozen=True)
class Frames:
    """The times at which all frames are shown, ascending, in units of `time_base` seconds.

    `keys` are those of keyframes at which a cut is clean: no frame before one refers to it.
    """

    times: list[int]
    keys: frozenset[int]
    time_base: Fraction

    def second(self, index: int) -> float:
        """When frame `index` is shown, counted from the first."""
        return float((self.times[index] - self.times[0]) * self.time_base)

    def end(self) -> int:
        """Behind the last frame, which is taken to last as long as the one before it."""
        last = self.times[-1] - self.times[-2] if len(self.times) > 1 else round(1 / self.time_base / 25)
        return self.times[-1] + last


def container_format(name: str) -> str:
    """How pieces of a file of this name are written."""
    return FORMATS.get(PurePosixPath(name).suffix.lower(), "matroska")


def read_frames(data: BinaryIO) -> Frames:
    """From the packets, nothing is decoded; a few bytes of memory per frame. Raises av.FFmpegError."""
    data.seek(0)
    with need("av", "media").open(data) as container:
        stream = container.streams.video[0]
        times: list[int] = []
        keys: set[int] = set()
        key = None
        for packet in container.demux(stream):
            if packet.pts is None:
                continue
            times.append(packet.pts)
            if packet.is_keyframe:
                key = packet.pts
                keys.add(key)
            elif key is not None and packet.pts < key:
                # Shown before the keyframe but stored behind it: it needs both sides of the cut.
                keys.discard(key)
        return Frames(sorted(times), frozenset(keys), stream.time_base)


def write_piece(data: BinaryIO, frames: Frames, first: int, end: int, path: Path, form: str, crf: int) -> bool:
    """Frames first..end-1 as a file; True when they could be copied, False when they were encoded anew.

    Copies are decoded to count their frames: a cut at a keyframe need not be clean.
    """
    limit = frames.times[end] if end < len(frames.times) else frames.end()
    clean = frames.times[first] in frames.keys and (end == len(frames.times) or limit in frames.keys)
    if clean and _try_copy(data, frames.times[first], limit, path, form) and count_frames(path) == end - first:
        return True
    _encode(data, frames.times[first], limit, path, form, crf)
    return False


def count_frames(path: Path) -> int:
    """By decoding all."""
    with need("av", "media").open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        return sum(1 for _ in container.decode(stream))


def _try_copy(data: BinaryIO, start: int, end: int, path: Path, form: str) -> bool:
    av = need("av", "media")
    try:
        data.seek(0)
        with av.open(data) as source, av.open(str(path), "w", format=form, options=BIT_EXACT) as out:
            streams = {stream.index: out.add_stream_from_template(stream) for stream in _carried(source)}
            for packet in _packets(source, start, end):
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    except (av.FFmpegError, ValueError):
        return False
    return True


def _encode(data: BinaryIO, start: int, end: int, path: Path, form: str, crf: int) -> None:
    av = need("av", "media")
    data.seek(0)
    with av.open(data) as source, av.open(str(path), "w", format=form, options=BIT_EXACT) as out:
        video = source.streams.video[0]
        target = video_encoder(out, video, form, crf)
        audio = {stream.index: out.add_stream_from_template(stream) for stream in source.streams.audio[:1]}
        shift = start
        for packet in _packets(source, start, end, whole_groups=True):
            if packet.stream.type == "audio":
                packet.stream = audio[packet.stream.index]
                out.mux(packet)
                continue
            for frame in packet.decode():
                if start <= frame.pts < end:
                    frame.pts -= shift
                    _encode_frame(out, target, frame)
        for frame in video.decode(None):
            if start <= frame.pts < end:
                frame.pts -= shift
                _encode_frame(out, target, frame)
        out.mux(target.encode(None))


def packets(source: Any, streams: Sequence[Any]) -> Iterator[Any]:
    """What the file holds of these streams, each with a time to decode it.

    Matroska does not store that time, and FFmpeg cannot tell it of the first frames: they come one by one before the
    first that has one.
    """
    held: list[Any] = []
    for packet in source.demux(streams):
        if packet.pts is None:
            continue  # What ends a stream.
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


def video_encoder(out: Any, like: Any, form: str, crf: int) -> Any:
    """A stream of `out` with the size, rate and pixels of `like`."""
    is_vpx = form in ENCODERS
    options = {"b:v": "0"} if is_vpx else {"preset": "ultrafast"}
    # A CRF of 0 is without loss in H.264 of 8 bits only.
    options |= {"crf": str(crf)} if crf else {"lossless": "1"} if is_vpx else {"qp": "0"}
    target = out.add_stream(ENCODERS.get(form, "libx264"), rate=like.average_rate or 25, options=options)
    target.width, target.height, target.pix_fmt = like.width, like.height, like.pix_fmt
    target.time_base = target.codec_context.time_base = like.time_base
    return target


def _encode_frame(out: Any, target: Any, frame: Any) -> None:
    frame.pict_type = need("av", "media").video.frame.PictureType.NONE
    out.mux(target.encode(frame))


def _carried(source: Any) -> list[Any]:
    return [source.streams.video[0], *source.streams.audio[:1]]


def _packets(source: Any, start: int, end: int, *, whole_groups: bool = False) -> Iterator[Any]:
    """Video and audio packets of the time from `start` to `end` (in the video's units), shifted to begin at 0.

    With `whole_groups` video begins at the keyframe before, not shifted: what decodes it needs that.
    """
    streams = _carried(source)
    video, base = streams[0], streams[0].time_base
    source.seek(start, stream=video, backward=True)
    open_streams = {stream.index for stream in streams}
    for packet in packets(source, streams):
        is_video = packet.stream.index == video.index
        unit = base if is_video else packet.stream.time_base
        if packet.dts * unit >= end * base:
            open_streams.discard(packet.stream.index)
            if not open_streams:
                return
        if is_video and whole_groups:
            if packet.dts < end or packet.pts < end:
                yield packet
        elif start * base <= packet.pts * unit < end * base:
            shift = round(start * base / unit)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            yield packet
