"""A film made of pieces: by copying their packets, or by encoding their frames anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from triptych.engines.runtime.resources import need
from triptych.engines.video.encoding import UnwritableError, VideoEncoder, add_copy, new_file
from triptych.engines.video.packets import carried, container_format, count_frames, decode, packets

VIDEO = 0
"""The place of video among the streams that are carried."""


class UnlikeError(ValueError):
    """A piece whose packets cannot follow those of the piece before."""


class Film(ABC):
    """Writes one file; `frames` counts those of the pieces, by their packets."""

    def __init__(self, path: Path) -> None:
        self.frames = 0
        self.path, self.form = path, container_format(path.name)
        self.out: Any = None
        self.offset = Fraction(0)
        """Where the next piece begins, in seconds."""
        self._spans: list[tuple[Fraction, Fraction]] = []

    @contextmanager
    def writing(self, titles: Sequence[str]) -> Iterator[None]:
        """While this lasts, pieces may be added, one for each title if there are titles: these name chapters."""
        with new_file(self.path, self.form) as self.out:
            yield
            self.end()
            if titles:
                # Written with the end of the file.
                chapters = enumerate(zip(titles, self._spans, strict=True), 1)
                self.out.set_chapters([_chapter(number, title, span) for number, (title, span) in chapters])

    def add(self, source: Any) -> None:
        """All of an open piece. Raises UnlikeError, and what FFmpeg says of it."""
        streams = self.begin(source)
        video = streams[VIDEO]
        last = before = duration = 0
        for packet in packets(source, streams):
            if packet.stream_index == video.index and not packet.is_discard:
                self.frames += 1
                if packet.pts > last:
                    last, before, duration = packet.pts, last, packet.duration
                else:
                    before = max(before, packet.pts)
            self.put(packet)
        self.end_piece(streams)
        # Matroska need not say how long a frame lasts.
        end = (last + (duration or last - before)) * video.time_base
        start, self.offset = self.offset, self.offset + end
        self._spans.append((start, self.offset))

    @abstractmethod
    def begin(self, source: Any) -> list[Any]:
        """The streams of a piece that are carried, video first."""

    @abstractmethod
    def put(self, packet: Any) -> None: ...

    @abstractmethod
    def end_piece(self, streams: Sequence[Any]) -> None:
        """After the last packet of a piece."""

    @abstractmethod
    def end(self) -> None:
        """After the last piece."""


class CopiedFilm(Film):
    """Of pieces that all have the same kind of video and audio."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._kind: tuple[Any, ...] = ()
        self._streams: list[Any] = []
        self._last: dict[int, int] = {}
        self._to: dict[int, tuple[int, int]] = {}

    def begin(self, source: Any) -> list[Any]:
        carry = carried(source)
        kind = tuple(_kind(stream) for stream in carry)
        if not self._streams:
            self._kind = kind
            try:
                self._streams = [add_copy(self.out, stream) for stream in carry]
            except UnwritableError as error:
                raise UnlikeError from error
        if kind != self._kind:
            raise UnlikeError
        self._to = {each.index: (n, round(self.offset / each.time_base)) for n, each in enumerate(carry)}
        self._is_first = True
        return carry

    def put(self, packet: Any) -> None:
        """The packet later by what came before, and never before the one that was written last."""
        number, shift = self._to[packet.stream_index]
        if number == VIDEO and self._is_first:
            if not packet.is_keyframe:
                # It would be decoded from what the piece before ends with.
                raise UnlikeError
            self._is_first = False
        dts = packet.dts + shift
        late = max(0, self._last.get(number, dts - 1) + 1 - dts)
        packet.pts += shift + late
        packet.dts = self._last[number] = dts + late
        packet.stream = self._streams[number]
        try:
            self.out.mux_one(packet)
        except (need("av", "media").FFmpegError, ValueError) as error:
            raise UnlikeError from error

    def end_piece(self, streams: Sequence[Any]) -> None:
        """Nothing is held back."""

    def end(self) -> None:
        """Nothing is held back."""


def _kind(stream: Any) -> tuple[Any, ...]:
    """What must be equal for packets to be copied into one stream."""
    context = stream.codec_context
    own = (stream.width, stream.height, stream.pix_fmt) if stream.type == "video" else (stream.rate, stream.layout.name)
    return (context.name, stream.time_base, context.extradata, *own)


class EncodedFilm(Film):
    """Of pieces of several kinds: the first has the size and the rate."""

    def __init__(self, path: Path, crf: int) -> None:
        super().__init__(path)
        self._crf = crf
        self._video: Any = None
        self._audio: Any = None
        self._silent_from = Fraction(0)
        """Up to then there is sound, in seconds."""
        self._scaler = need("av.video.reformatter", "media").VideoReformatter()

    def written(self) -> int:
        """How many frames the whole has."""
        found = self._video.frames()
        return count_frames(self.path) if found is None else int(found)

    def begin(self, source: Any) -> list[Any]:
        video, *audio = carried(source)
        video.thread_type = "AUTO"
        if self._video is None:
            self._video = VideoEncoder(self.out, video, self.form, self._crf)
            if audio:
                codec = "libopus" if self.form == "webm" else "aac"
                self._audio = self.out.add_stream(codec, rate=48_000, layout=audio[0].layout)
        return [video, *(audio if self._audio else ())]

    def put(self, packet: Any) -> None:
        self._put_frames(decode(packet), packet.stream)

    def end_piece(self, streams: Sequence[Any]) -> None:
        for stream in streams:
            self._put_frames(stream.decode(None), stream)

    def end(self) -> None:
        if self._video:
            self._video.end()
        if self._audio:
            self.out.mux(self._audio.encode(None))

    def _put_frames(self, frames: Sequence[Any], stream: Any) -> None:
        for frame in frames:
            seconds = frame.pts * stream.time_base + self.offset
            if stream.type == "video":
                self._put_picture(frame, seconds)
            else:
                self._put_sound(frame, seconds)

    def _put_sound(self, frame: Any, seconds: Fraction) -> None:
        """Left out when the piece before still sounds for most of it: the sound of a piece may outlast its frames."""
        length = Fraction(frame.samples, frame.sample_rate)
        if self._silent_from > seconds + length / 2:
            return
        start = max(seconds, self._silent_from)
        self._silent_from = start + length
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(start * frame.sample_rate)
        self.out.mux(self._audio.encode(frame))

    def _put_picture(self, frame: Any, seconds: Fraction) -> None:
        """Resized, where the first piece has another size."""
        context = self._video.context
        shown = self._scaler.reformat(frame, context.width, context.height, context.pix_fmt)
        shown.time_base = context.time_base
        shown.pts = round(seconds / context.time_base)
        self._video.add(shown)


def _chapter(number: int, title: str, span: tuple[Fraction, Fraction]) -> dict[str, Any]:
    start, end = (round(each * 1000) for each in span)
    return {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
