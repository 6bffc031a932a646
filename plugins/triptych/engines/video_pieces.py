"""A source cut into pieces in one pass over it: packets as they are where both cuts are clean, else encoded anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from triptych.engines.resources import need
from triptych.engines.video import Frames, carried, count_frames, open_video, packets
from triptych.engines.video_writing import PieceWriter


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
            work = _Pass(source, frames, cuts, done, encode_from, form, crf)
            try:
                for piece in work.pieces():
                    if piece.frames != piece.end - piece.first and encode_from != done:
                        break
                    yield piece
                    done += 1
            except UnfitError:
                pass
            finally:
                work.drop()
        encode_from = done


class UnfitError(ValueError):
    """Packets of the source that do not go into a file of that kind."""


class _Pass:
    """One reading of the source from its first packet, which writes the pieces from number `done` on.

    Pieces from number `encode_from` on are not copied, nor is anything taken for clean at its beginning.
    """

    def __init__(
        self, source: Any, frames: Frames, cuts: Sequence[int], done: int, encode_from: int, form: Path, crf: int
    ) -> None:
        self._source, self._frames, self._cuts, self._form, self._crf = source, frames, cuts, form, crf
        self._starts = [frames.times[cut] for cut in cuts[:-1]]
        clean = [start in frames.keys and n != encode_from for n, start in enumerate(self._starts)] + [True]
        self._copied = [clean[n] and clean[n + 1] and n < encode_from for n in range(len(self._starts))]
        self._clean_at = {start: n for n, start in enumerate(self._starts) if clean[n]}
        self._done = done
        # What decodes the first piece that is wanted begins at a clean cut.
        self._decode_from = max((n for n in range(done + 1) if clean[n]), default=0)
        self._video, *self._audio = carried(source)
        self._video.thread_type = "AUTO"
        unit = self._audio[0].time_base if self._audio else Fraction(1)
        self._audio_starts = [ceil(start * self._video.time_base / unit) for start in self._starts]
        self._errors = (need("av", "media").FFmpegError, ValueError)
        self._writers: dict[int, PieceWriter] = {}
        self._stored = 0
        """The piece to which the last packet belongs, as far as clean cuts tell."""
        self._seen = 0
        """Pieces before this have all their frames."""
        self._heard = 0 if frames.sounds else len(self._starts)
        """Pieces before this have all their audio."""
        self._sounds = 0

    def pieces(self) -> Iterator[Piece]:
        """Raises UnfitError for a piece that cannot be copied, and what FFmpeg says of a source or an encoder."""
        video = self._video.index
        for packet in packets(self._source, [self._video, *self._audio]):
            if packet.stream_index == video:
                self._add_video(packet)
            else:
                self._add_audio(packet)
            if self._done < self._seen and self._done < self._heard:
                yield from self._finished()
        self._drain()
        self._seen = self._heard = len(self._starts)
        yield from self._finished()

    def drop(self) -> None:
        """Give up what is not finished."""
        for writer in self._writers.values():
            with suppress(*self._errors):
                writer.close()
            writer.path.unlink(missing_ok=True)

    def _add_audio(self, packet: Any) -> None:
        number = max(0, bisect_right(self._audio_starts, packet.pts) - 1)
        self._sounds += 1
        if self._sounds == self._frames.sounds:
            self._heard = len(self._starts)
        elif number > self._heard:
            self._heard = number
        self._write(number, packet)

    def _add_video(self, packet: Any) -> None:
        if packet.is_keyframe and packet.pts in self._clean_at:
            self._enter(self._clean_at[packet.pts])
        if self._copied[self._stored]:
            self._write(self._stored, packet)
        elif self._stored >= self._decode_from:
            self._add_frames(packet.decode())

    def _enter(self, number: int) -> None:
        """Packets of piece `number` begin. A decoder goes on over several pieces, for it holds frames back."""
        if self._copied[self._stored] or self._copied[number]:
            self._drain()
            self._seen = number
        self._stored = number

    def _drain(self) -> None:
        if not self._copied[self._stored]:
            self._add_frames(self._video.decode(None))
            self._video.codec_context.flush_buffers()

    def _add_frames(self, frames: Sequence[Any]) -> None:
        for frame in frames:
            number = max(0, bisect_right(self._starts, frame.pts) - 1)
            self._seen = max(self._seen, number)
            if number >= self._done:
                (self._writers.get(number) or self._new_writer(number)).frame(frame)

    def _write(self, number: int, packet: Any) -> None:
        if number < self._done:
            return
        try:
            (self._writers.get(number) or self._new_writer(number)).packet(packet)
        except self._errors as error:
            self._misfit(number, error)

    def _misfit(self, number: int, error: Exception) -> NoReturn:
        if self._copied[number]:
            raise UnfitError from error
        raise error

    def _new_writer(self, number: int) -> PieceWriter:
        path = self._form.with_stem(f"{self._form.stem}{number}")
        crf = None if self._copied[number] else self._crf
        self._writers[number] = PieceWriter(path, self._source, self._starts[number], crf)
        return self._writers[number]

    def _finished(self) -> Iterator[Piece]:
        while self._done < min(self._seen, self._heard):
            number = self._done
            writer = self._writers[number]
            try:
                writer.close()
            except self._errors as error:
                self._misfit(number, error)
            counted = count_frames(writer.path) if self._copied[number] else _encoded_frames(writer)
            del self._writers[number]
            self._done += 1
            yield Piece(self._cuts[number], self._cuts[number + 1], writer.path, counted, self._copied[number])


def _encoded_frames(writer: PieceWriter) -> int:
    taken, given = writer.encoder.taken, writer.encoder.given
    return taken if taken == given else count_frames(writer.path)
