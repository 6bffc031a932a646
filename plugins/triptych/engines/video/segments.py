"""A source cut into pieces in one pass over it: packets as they are where both cuts are clean, else encoded anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from triptych.engines.runtime.resources import need
from triptych.engines.streams.prefetch import prefetch
from triptych.engines.video.encoding import EncodedPiece, PieceWriter
from triptych.engines.video.packets import Frames, carried, decode, open_video, packets


@dataclass(frozen=True)
class Piece:
    """Frames `first` to `end` - 1; `frames` is how many there are in the file, which is the user's to remove."""

    first: int
    end: int
    path: Path
    frames: int
    copied: bool


def write_pieces(data: BinaryIO, frames: Frames, cuts: Sequence[int], form: Path, crf: int) -> Iterator[Piece]:
    """Pieces from each of `cuts` to the next, in files named as `form` is but for a number.

    Each frame goes into one piece, and each packet of audio, by its time; what comes before the first frame or after
    the last goes with it. Frames are counted. Where some are missing, the cut was not as clean as it looks: from there
    on all is encoded, by decoding from an earlier one.
    """
    done, encode_from = 0, len(cuts)
    while done < len(cuts) - 1:
        with open_video(data) as source:
            work = _Pass(source, frames, _plan(frames, cuts, done, encode_from), form, crf)
            try:
                # Pieces are counted, and used, while the next are written.
                with closing(prefetch(work.pieces())) as writers:
                    for writer in writers:
                        first, end = cuts[done : done + 2]
                        found = writer.frames()
                        if found != end - first and encode_from != done:
                            break
                        yield Piece(first, end, writer.path, found, writer.is_copy)
                        done += 1
            except UnfitError:
                pass
            finally:
                work.drop()
        encode_from = done


class UnfitError(ValueError):
    """Packets of the source that do not go into a file of that kind."""


@dataclass(frozen=True)
class _Plan:
    """How each piece is made, in one pass that writes those from number `done` on."""

    done: int
    starts: list[int]
    """When the first frame of each is shown."""
    copied: list[bool]
    clean_at: dict[int, int]
    """The number of each piece whose first frame can be decoded without what is before, by that frame's time."""
    decode_from: int
    """The piece with which decoding begins, to have the first that is wanted."""


def _plan(frames: Frames, cuts: Sequence[int], done: int, encode_from: int) -> _Plan:
    """Pieces from number `encode_from` on are not copied, and that one's beginning is not taken for clean."""
    starts = [frames.times[cut] for cut in cuts[:-1]]
    clean = [start in frames.keys and number != encode_from for number, start in enumerate(starts)] + [True]
    return _Plan(
        done=done,
        starts=starts,
        copied=[clean[number] and clean[number + 1] and number < encode_from for number in range(len(starts))],
        clean_at={start: number for number, start in enumerate(starts) if clean[number]},
        decode_from=max((number for number in range(done + 1) if clean[number]), default=0),
    )


class _Pass:
    """One reading of the source from its first packet."""

    def __init__(self, source: Any, frames: Frames, plan: _Plan, form: Path, crf: int) -> None:
        self._source, self._sounds, self._plan, self._form, self._crf = source, frames.sounds, plan, form, crf
        self._video, *self._audio = carried(source)
        self._video.thread_type = "AUTO"
        unit = self._audio[0].time_base if self._audio else Fraction(1)
        self._audio_starts = [ceil(start * self._video.time_base / unit) for start in plan.starts]
        self._errors = (need("av", "media").FFmpegError, ValueError)
        self._writers: dict[int, PieceWriter] = {}
        self._done = plan.done
        self._stored = 0
        """The piece to which the last packet belongs, as far as clean cuts tell."""
        self._seen = 0
        """Pieces before this have all their frames."""
        self._heard = 0 if frames.sounds else len(plan.starts)
        """Pieces before this have all their audio."""

    def pieces(self) -> Iterator[PieceWriter]:
        """In order, each closed. Raises UnfitError for one that cannot be copied, and what FFmpeg says of the rest."""
        video = self._video.index
        for packet in packets(self._source, [self._video, *self._audio]):
            if packet.stream_index == video:
                self._add_video(packet)
            else:
                self._add_audio(packet)
            if self._done < self._seen and self._done < self._heard:
                yield from self._finished()
        self._drain()
        self._seen = self._heard = len(self._plan.starts)
        yield from self._finished()

    def drop(self) -> None:
        """Give up what is not finished."""
        for writer in self._writers.values():
            with suppress(*self._errors):
                writer.close()
            writer.path.unlink(missing_ok=True)

    def _add_audio(self, packet: Any) -> None:
        number = max(0, bisect_right(self._audio_starts, packet.pts) - 1)
        self._sounds -= 1
        if not self._sounds:
            self._heard = len(self._plan.starts)
        elif number > self._heard:
            self._heard = number
        self._write(number, packet)

    def _add_video(self, packet: Any) -> None:
        plan = self._plan
        if packet.is_keyframe and packet.pts in plan.clean_at:
            self._enter(plan.clean_at[packet.pts])
        if plan.copied[self._stored]:
            self._write(self._stored, packet)
        elif self._stored >= plan.decode_from:
            self._add_frames(decode(packet))

    def _enter(self, number: int) -> None:
        """Packets of piece `number` begin. A decoder goes on over several pieces, for it holds frames back."""
        if self._plan.copied[self._stored] or self._plan.copied[number]:
            self._drain()
            self._seen = number
        self._stored = number

    def _drain(self) -> None:
        if not self._plan.copied[self._stored]:
            self._add_frames(self._video.decode(None))
            self._video.codec_context.flush_buffers()

    def _add_frames(self, frames: Sequence[Any]) -> None:
        for frame in (each for each in frames if each.pts is not None):
            number = max(0, bisect_right(self._plan.starts, frame.pts) - 1)
            self._seen = max(self._seen, number)
            if number >= self._done:
                self._writer(number).frame(frame)

    def _write(self, number: int, packet: Any) -> None:
        if number >= self._done:
            try:
                self._writer(number).packet(packet)
            except self._errors as error:
                self._misfit(number, error)

    def _misfit(self, number: int, error: Exception) -> NoReturn:
        if self._plan.copied[number]:
            raise UnfitError from error
        raise error

    def _writer(self, number: int) -> PieceWriter:
        if number in self._writers:
            return self._writers[number]
        path, start = self._form.with_stem(f"{self._form.stem}{number}"), self._plan.starts[number]
        if self._plan.copied[number]:
            self._writers[number] = PieceWriter(path, self._source, start)
        else:
            self._writers[number] = EncodedPiece(path, self._source, start, self._crf)
        return self._writers[number]

    def _finished(self) -> Iterator[PieceWriter]:
        while self._done < min(self._seen, self._heard):
            writer = self._writer(self._done)
            try:
                writer.close()
            except self._errors as error:
                self._misfit(self._done, error)
            del self._writers[self._done]
            self._done += 1
            yield writer
