"""A video made of parts, each at its place in time: packets are copied where they follow each other, else encoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from triptych.engines.video.chapters import Chapter, put_together, shifted
from triptych.engines.video.encoders import Looks, read_looks
from triptych.engines.video.encoding import file_tags, keep_pixel_shape, new_file, pixel_shape
from triptych.engines.video.frame_index import count_frames, read_frame_index
from triptych.engines.video.packets import container_format, mapped_streams, open_video, packets
from triptych.engines.video.rotation import film_size
from triptych.engines.video.sound_tracks import CopiedSound, EncodedSound, Sound, SoundHead
from triptych.engines.video.tracks import (
    CopiedPictures,
    EncodedPictures,
    Pictures,
    Spot,
    UnlikePicturesError,
    UnlikeSoundError,
)

if TYPE_CHECKING:
    from av.container import InputContainer

LONGER_S = Fraction(1, 10)
"""So much longer than its pictures a part's sound must be to be waited for."""


@dataclass(frozen=True)
class PartHead:
    """What a part is: `first_s` is when its first frame is shown, `length_s` how long it takes from there.

    `kind` is what has to be equal for its pictures to be copied behind others'; `shown` is width and height.
    """

    first_s: Fraction
    length_s: Fraction
    kind: tuple[Any, ...]
    looks: Looks
    shown: tuple[int, int]
    sounds: tuple[SoundHead, ...]


def read_head(data: BinaryIO) -> PartHead:
    """Of an open part; raises av.FFmpegError, and DamagedVideoError also where it has no frame."""
    index = read_frame_index(data)
    with open_video(data) as source:
        streams = mapped_streams(source)
        video, context = streams.video, streams.video.codec_context
        whole = Fraction(source.duration or 0, 1_000_000)
        looks = read_looks(source)
        own = (video.width, video.height, video.pix_fmt, looks.matrix, looks.fields)
        first = (index.times[0] if index.times else 0) * index.time_base
        length = Fraction(index.second(len(index.times))).limit_denominator(1 << 32) if index.times else Fraction(0)
        return PartHead(
            first_s=first,
            length_s=whole - first if whole > first + length + LONGER_S else length,
            kind=(context.name, context.extradata, *own),
            looks=looks,
            shown=film_size(video, looks),
            sounds=tuple(SoundHead.of(sound) for sound in streams.sounds),
        )


@dataclass(frozen=True)
class Copies:
    """Whether packets are copied; what is not is encoded anew."""

    pictures: bool
    sound: bool


class Muxer:
    """Writes one file of parts whose heads are known; raises UnlikeError where copying turns out to be impossible."""

    def __init__(self, path: Path, heads: Sequence[PartHead], copies: Copies, crf: int) -> None:
        self._path, self._heads, self._copies, self._crf = path, heads, copies, crf
        self._format = container_format(path.name)
        self._pictures: Pictures | None = None
        self._sounds: list[Sound] = []
        self._chapters: list[Chapter] = []
        self._waiting: list[tuple[Fraction, Fraction, int]] = []
        self._written: int | None = None
        self._shape: Fraction | None = None

    @property
    def frames(self) -> int:
        """Of all parts, by their packets."""
        return self._pictures.frames if self._pictures else 0

    def written(self) -> int:
        """How many frames the whole has."""
        return count_frames(self._path) if self._written is None else self._written

    @contextmanager
    def writing(self, chapters: Sequence[Chapter]) -> Iterator[None]:
        """While this lasts, parts may be added; where no `chapters` are given, those of the parts are kept."""
        with new_file(self._path, self._format) as self._out:
            yield
            for sound in self._sounds:
                sound.end()
            if self._pictures:
                self._written = self._pictures.end()
            # Written with the end of the file.
            if kept := list(chapters) or put_together(self._chapters):
                self._out.set_chapters([chapter.to_ffmpeg(number) for number, chapter in enumerate(kept, 1)])
        keep_pixel_shape(self._path, self._shape)

    def add(self, source: InputContainer, spot: Spot, looks: Looks) -> None:
        """All of an open part. Raises UnlikeError, and what FFmpeg says of it."""
        streams = mapped_streams(source)
        if self._pictures is None:
            self._begin(source)
            for hole in self._waiting:
                self.fill(*hole)
        if self._pictures is None:
            return
        self._chapters += shifted(source, spot)
        self._pictures.begin(streams.video, spot, looks)
        tracks: dict[int, Pictures | Sound] = {streams.video.index: self._pictures}
        for sound, stream in zip_longest(self._sounds, streams.sounds):
            if sound is not None:
                sound.begin(stream, spot)
                tracks |= {stream.index: sound} if stream else {}
        for packet in packets(source, streams.all):
            if packet.stream_index in tracks:
                tracks[packet.stream_index].put(packet)
        self._pictures.end_part()
        for sound in self._sounds:
            sound.end_part()

    def fill(self, begin: Fraction, end: Fraction, frames: int) -> None:
        """Black and silence instead of a part; it waits for the first that is there, which says of what size."""
        if self._copies.sound or self._copies.pictures:
            raise UnlikeSoundError if self._copies.sound else UnlikePicturesError
        if self._pictures is None:
            self._waiting.append((begin, end, frames))
            return
        self._pictures.fill(begin, end, frames)
        for sound in self._sounds:
            sound.fill(end)

    def _begin(self, first: InputContainer) -> None:
        """All tracks, the pictures first: those of the part that has the most."""
        streams = mapped_streams(first)
        self._out.metadata.update(file_tags(first))
        looks = [head.looks for head in self._heads]
        if self._copies.pictures:
            self._pictures, self._shape = CopiedPictures(self._out, streams.video), pixel_shape(streams.video)
        else:
            encoded = EncodedPictures(self._out, streams.video, looks, self._format, self._crf)
            self._pictures, self._shape = encoded, encoded.shape
        most = max((head.sounds for head in self._heads), key=len)
        for head, stream in zip_longest(most, streams.sounds):
            if self._copies.sound and stream is not None:
                self._sounds.append(CopiedSound(self._out, stream))
            else:
                self._sounds.append(EncodedSound(self._out, head, stream, self._format))
