"""A video made of parts: by copying their packets, or by encoding their frames anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.video.reformatter import VideoReformatter

from triptych.engines.video.encoding import UnwritableError, VideoEncoder, add_copy, new_file
from triptych.engines.video.frame_index import count_frames
from triptych.engines.video.packets import (
    MappedStreams,
    container_format,
    decode_packet,
    mapped_streams,
    packets,
    time_base,
)

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.container.core import Chapter
    from av.packet import Packet
    from av.video.stream import VideoStream

VIDEO = 0
"""The index of video among the streams that are written."""


class UnlikeError(ValueError):
    """A part whose packets cannot follow those of the part before."""


class Muxer(ABC):
    """Writes one file; `frames` counts those of the parts, by their packets."""

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self.path, self.format_name = path, container_format(path.name)
        self.offset = Fraction(0)
        """Where the next part begins, in seconds."""
        self._spans: list[tuple[Fraction, Fraction]] = []

    @contextmanager
    def writing(self, titles: Sequence[str]) -> Iterator[None]:
        """While this lasts, parts may be added, one for each title if there are titles: these name chapters."""
        with new_file(self.path, self.format_name) as self.out:
            yield
            self.end()
            if titles:
                # Written with the end of the file.
                chapters = enumerate(zip(titles, self._spans, strict=True), 1)
                self.out.set_chapters([_chapter(number, title, span) for number, (title, span) in chapters])

    def add(self, source: InputContainer) -> None:
        """All of an open part. Raises UnlikeError, and what FFmpeg says of it."""
        streams = self.begin(source)
        video = streams.video
        last = before = duration = 0
        for packet in packets(source, streams.all):
            if packet.stream_index == video.index and not packet.is_discard:
                self.frames += 1
                shown = packet.pts or 0
                if shown > last:
                    last, before, duration = shown, last, packet.duration or 0
                else:
                    before = max(before, shown)
            self.put(packet)
        self.end_part(streams)
        # Matroska need not say how long a frame lasts.
        end = (last + (duration or last - before)) * time_base(video)
        start, self.offset = self.offset, self.offset + end
        self._spans.append((start, self.offset))

    @abstractmethod
    def begin(self, source: InputContainer) -> MappedStreams:
        """The streams of a part that are written."""

    @abstractmethod
    def put(self, packet: Packet[Any]) -> None:
        """Write the next packet of a part, whose times count from the part's beginning."""

    @abstractmethod
    def end_part(self, streams: MappedStreams) -> None:
        """After the last packet of a part."""

    @abstractmethod
    def end(self) -> None:
        """After the last part."""


class CopyingMuxer(Muxer):
    """Of parts that all have the same kind of video and audio."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._codecs: list[tuple[Any, ...]] = []
        self._streams: list[VideoStream | AudioStream] = []
        self._last: dict[int, int] = {}
        self._targets: dict[int, tuple[int, int]] = {}
        """By index of the part's stream: our stream, and by how much the part is later."""

    def begin(self, source: InputContainer) -> MappedStreams:
        """Raises UnlikeError when the streams differ from those of the first part, or cannot be in such a file."""
        streams = mapped_streams(source)
        codecs = [_codec(stream) for stream in streams.all]
        if not self._streams:
            self._codecs = codecs
            try:
                self._streams = [add_copy(self.out, stream) for stream in streams.all]
            except UnwritableError as error:
                raise UnlikeError from error
        if codecs != self._codecs:
            raise UnlikeError
        self._targets = {
            each.index: (number, round(self.offset / time_base(each))) for number, each in enumerate(streams.all)
        }
        self._is_first = True
        return streams

    def put(self, packet: Packet[Any]) -> None:
        """The packet later by what came before, and never before the one that was written last."""
        number, shift = self._targets[packet.stream_index]
        if number == VIDEO and self._is_first:
            if not packet.is_keyframe:
                # It would be decoded from what the part before ends with.
                raise UnlikeError
            self._is_first = False
        dts = (packet.dts or 0) + shift
        late = max(0, self._last.get(number, dts - 1) + 1 - dts)
        packet.pts = (packet.pts or 0) + shift + late
        packet.dts = self._last[number] = dts + late
        packet.stream = self._streams[number]
        try:
            self.out.mux_one(packet)
        except (av.FFmpegError, ValueError) as error:
            raise UnlikeError from error

    def end_part(self, streams: MappedStreams) -> None:
        """Nothing is held back between parts."""

    def end(self) -> None:
        """Nothing is held back for the end."""


def _codec(stream: VideoStream | AudioStream) -> tuple[Any, ...]:
    """What must be equal for packets to be copied into one stream."""
    context = stream.codec_context
    if stream.type == "video":
        own: tuple[Any, ...] = (stream.width, stream.height, stream.pix_fmt)
    else:
        own = (stream.rate, stream.layout.name)
    return (context.name, stream.time_base, context.extradata, *own)


class EncodingMuxer(Muxer):
    """Of parts of several kinds: the first has the size and the rate."""

    def __init__(self, path: Path, crf: int) -> None:
        super().__init__(path)
        self._crf = crf
        self._video: VideoEncoder | None = None
        self._audio: AudioStream | None = None
        self._silent_from = Fraction(0)
        """Up to then there is sound, in seconds."""
        self._scaler = VideoReformatter()

    def written(self) -> int:
        """How many frames the whole has."""
        written = self._video.frames() if self._video else 0
        return count_frames(self.path) if written is None else written

    def begin(self, source: InputContainer) -> MappedStreams:
        """The first part decides whether there is audio."""
        streams = mapped_streams(source)
        streams.video.thread_type = "AUTO"
        if self._video is None:
            self._video = VideoEncoder(self.out, streams.video, self.format_name, self._crf)
            if streams.audio:
                layout = streams.audio.layout
                if self.format_name == "webm":
                    self._audio = self.out.add_stream("libopus", rate=48_000, layout=layout)
                else:
                    self._audio = self.out.add_stream("aac", rate=48_000, layout=layout)
        return streams if self._audio else MappedStreams(streams.video, None)

    def put(self, packet: Packet[Any]) -> None:
        """Decode it, and encode what comes out."""
        self._put_frames(decode_packet(packet), packet.stream)

    def end_part(self, streams: MappedStreams) -> None:
        """What the decoders still hold back."""
        for stream in streams.all:
            self._put_frames(stream.decode(None), stream)

    def end(self) -> None:
        """What the encoders still hold back."""
        if self._video:
            self._video.end()
        if self._audio:
            self.out.mux(self._audio.encode(None))

    def _put_frames(self, frames: Sequence[av.VideoFrame | av.AudioFrame], stream: VideoStream | AudioStream) -> None:
        for frame in frames:
            seconds = (frame.pts or 0) * time_base(stream) + self.offset
            if isinstance(frame, av.VideoFrame):
                self._put_picture(frame, seconds)
            else:
                self._put_sound(frame, seconds)

    def _put_sound(self, frame: av.AudioFrame, seconds: Fraction) -> None:
        """Left out when the part before still sounds for most of it: the sound of a part may outlast its frames."""
        length = Fraction(frame.samples, frame.sample_rate)
        if self._audio is None or self._silent_from > seconds + length / 2:
            return
        start = max(seconds, self._silent_from)
        self._silent_from = start + length
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(start * frame.sample_rate)
        self.out.mux(self._audio.encode(frame))

    def _put_picture(self, frame: av.VideoFrame, seconds: Fraction) -> None:
        """Resized, where the first part has another size."""
        if self._video is None:
            return
        context = self._video.context
        shown = self._scaler.reformat(frame, context.width, context.height, context.pix_fmt)
        shown.time_base = context.time_base
        shown.pts = round(seconds / context.time_base)
        self._video.add(shown)


def _chapter(number: int, title: str, span: tuple[Fraction, Fraction]) -> Chapter:
    start, end = (round(each * 1000) for each in span)
    return {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
