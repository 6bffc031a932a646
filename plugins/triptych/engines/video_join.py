"""What the video assemblers share: pieces one after the other as one file, with their sound in step."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from triptych.engines.api import Result
from triptych.engines.resources import need
from triptych.engines.video import BIT_EXACT, container_format, count_frames, packets, video_encoder
from triptych.errors import EngineError


def by_source(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The pieces of each source, in order of chunk."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(str(result.metadata.get("source", "video.mkv")), []).append(result)
    return groups


def join_pieces(source: str, pieces: Sequence[Result], path: Path, crf: int, titles: Sequence[str] = ()) -> None:
    """Write `path`, with a chapter per piece where there are titles; EngineError when a frame is lost."""
    joiner = Joiner(path, container_format(source), crf)
    joiner.join(pieces, titles, copying=len({_kind(piece) for piece in pieces}) == 1)
    if (found := count_frames(path)) != joiner.frames:
        counts = f"the pieces have {joiner.frames} frames, and the whole {found}"
        msg = f"{source}: {counts}. Let the app write one format."
        raise EngineError(msg)


def _kind(piece: Result) -> tuple[Any, ...]:
    """What must be equal for packets to be copied into one file."""
    try:
        with piece.open() as data, need("av", "media").open(data) as container:
            video = container.streams.video[0]
            kind: list[Any] = [video.codec_context.name, video.width, video.height, video.pix_fmt, video.time_base]
            kind.append(video.codec_context.extradata)
            for audio in container.streams.audio[:1]:
                context = audio.codec_context
                kind += [context.name, audio.rate, audio.layout.name, context.extradata]
            return tuple(kind)
    except (need("av", "media").FFmpegError, IndexError) as error:
        raise _unreadable(piece, error) from error


def _unreadable(piece: Result, error: Exception) -> EngineError:
    return EngineError(f"chunk {piece.chunk}, {piece.name!r}: cannot be read as video: {error}.")


class Joiner:
    """Writes one file; `frames` counts what the pieces had, `chapters` says when each begins and ends, in seconds."""

    def __init__(self, path: Path, form: str, crf: int) -> None:
        self.frames = 0
        self.chapters: list[tuple[Fraction, Fraction]] = []
        self._path, self._form, self._crf = path, form, crf
        self._streams: dict[str, Any] = {}
        self._last: dict[str, int] = {}
        self._offset = Fraction(0)

    def join(self, pieces: Sequence[Result], titles: Sequence[str], *, copying: bool) -> None:
        av = need("av", "media")
        with av.open(str(self._path), "w", format=self._form, options=BIT_EXACT) as out:
            for piece in pieces:
                try:
                    with piece.open() as data, av.open(data) as source:
                        self._add(out, source, copying=copying)
                except (av.FFmpegError, IndexError) as error:
                    raise _unreadable(piece, error) from error
            if not copying:
                for stream in self._streams.values():
                    out.mux(stream.encode(None))
            if titles:
                # Written with the end of the file.
                out.set_chapters([_chapter(*each) for each in enumerate(zip(titles, self.chapters, strict=True))])

    def _add(self, out: Any, source: Any, *, copying: bool) -> None:
        video, audio = source.streams.video[0], source.streams.audio[:1]
        if not self._streams:
            self._begin(out, video, audio, copying=copying)
        end = Fraction(0)
        carried = [video, *(audio if "audio" in self._streams else ())]
        for packet in packets(source, carried):
            kind = packet.stream.type
            if kind == "video":
                self.frames += 1
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if copying:
                self._copy(out, packet, kind)
            else:
                self._encode(out, packet.decode(), packet.stream)
        if not copying:
            for stream in carried:
                self._encode(out, stream.decode(None), stream)
        self.chapters.append((self._offset, self._offset + end))
        self._offset += end

    def _begin(self, out: Any, video: Any, audio: Sequence[Any], *, copying: bool) -> None:
        if copying:
            self._streams["video"] = out.add_stream_from_template(video)
            if audio:
                self._streams["audio"] = out.add_stream_from_template(audio[0])
            return
        self._streams["video"] = video_encoder(out, video, self._form, self._crf)
        if audio:
            codec = "libopus" if self._form == "webm" else "aac"
            self._streams["audio"] = out.add_stream(codec, rate=48_000, layout=audio[0].layout)

    def _copy(self, out: Any, packet: Any, kind: str) -> None:
        """The packet later by what came before, and never before the one that was written last."""
        shift = round(self._offset / packet.time_base)
        late = max(0, self._last.get(kind, packet.dts + shift - 1) + 1 - packet.dts - shift)
        packet.pts, packet.dts = packet.pts + shift + late, packet.dts + shift + late
        self._last[kind] = packet.dts
        packet.stream = self._streams[kind]
        out.mux(packet)

    def _encode(self, out: Any, frames: Sequence[Any], stream: Any) -> None:
        target = self._streams[stream.type]
        for frame in frames:
            seconds = frame.pts * stream.time_base + self._offset
            shown = frame
            if stream.type == "video":
                # Resized, where the first piece has another size.
                shown = frame.reformat(target.width, target.height, target.pix_fmt)
                shown.pict_type = need("av", "media").video.frame.PictureType.NONE
            shown.time_base = target.codec_context.time_base if stream.type == "video" else stream.time_base
            shown.pts = round(seconds / shown.time_base)
            out.mux(target.encode(shown))


def _chapter(number: int, about: tuple[str, tuple[Fraction, Fraction]]) -> dict[str, Any]:
    title, (start, end) = about
    times = {"start": round(start * 1000), "end": round(end * 1000), "time_base": Fraction(1, 1000)}
    return {"id": number + 1, **times, "metadata": {"title": title}}
