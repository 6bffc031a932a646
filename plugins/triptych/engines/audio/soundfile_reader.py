"""Audio that has to be decoded: by libsndfile, and where FFmpeg does it better, by FFmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import soundfile

from triptych.engines.api import Input
from triptych.engines.audio.ffmpeg_reader import FFmpegReader
from triptych.engines.audio.model import (
    BLOCK_FRAMES,
    FLOATS,
    WAV_OF_FLOATS,
    AudioFormat,
    Dtype,
    Samples,
    converted,
    unreadable,
)
from triptych.engines.audio.truncation import has_one_page_of_sound, is_counted_mp3
from triptych.engines.compat import read_in_order
from triptych.errors import TriptychError

UNKNOWN_FRAMES = 1 << 62
"""What libsndfile says, or more, of a FLAC stream whose header does not tell its length, as a pipe leaves it."""
LOSSLESS = {"WAV": "WAV", "WAVEX": "WAV", "RF64": "WAV", "W64": "W64", "FLAC": "FLAC", "AIFF": "AIFF"}
"""libsndfile's names of formats that keep every sample, when the samples are PCM or floating point: what we write."""


class SoundFileReader:
    """What libsndfile decodes from a file (`triptych.engines.audio.model.SeekableAudio`)."""

    def __init__(self, audio: soundfile.SoundFile, data: BinaryIO, item: Input) -> None:
        """`data` is the input's open file, whose position tells where decoding has come to."""
        read_in_order(audio)
        self._audio, self._data, self._item, self._position = audio, data, item, 0
        self._dtype: Dtype = "int32" if audio.subtype.startswith("PCM_") else FLOATS.get(audio.subtype, "float32")
        self.format = _format_of(audio)
        self.rate: int = audio.samplerate
        self.channels: int = audio.channels
        self.frames: int = audio.frames

    def blocks(self, dtype: Dtype) -> Iterator[Samples]:
        """All frames in order, in arrays (frames, channels) of `dtype`, of BLOCK_FRAMES at most."""
        return (converted(block, dtype) for block in self.run(0, self.frames) if len(block))

    def run(self, start: int, end: int) -> Iterator[Samples]:
        """The frames from `start` to before `end` for `format`, in blocks, of which there is at least one.

        Raises the input's error when there are fewer.
        """
        for position in range(start, max(end, start + 1), BLOCK_FRAMES):
            yield converted(self._read(position, min(BLOCK_FRAMES, end - position)), self.format.dtype)

    def _read(self, position: int, count: int) -> Samples:
        try:
            if self._position != position:
                self._audio.seek(position)
            block: Samples = self._audio.read(count, self._dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            raise self._damaged(position) from error
        self._position = position + len(block)
        if len(block) < count:
            raise self._damaged(self._position)
        return block

    def _damaged(self, position: int) -> TriptychError:
        passed = f"behind frame {position} of {self.frames}, before byte {self._data.tell()}"
        return unreadable(self._item, f"it ends or is damaged {passed}.")


@contextmanager
def open_coded(data: BinaryIO, item: Input) -> Iterator[SoundFileReader | FFmpegReader]:
    """What decodes the input best; `data` is its open file."""
    is_counted, is_one_page = is_counted_mp3(data), has_one_page_of_sound(data)
    data.seek(0)
    with _known(data) as audio:
        if audio is None or audio.frames >= UNKNOWN_FRAMES or _is_guessed(audio, is_counted=is_counted):
            yield FFmpegReader(data, item)
        elif audio.format == "OGG" and not is_one_page:  # FFmpeg decodes Vorbis in half the time.
            yield FFmpegReader(data, item, audio.frames)
        else:
            yield SoundFileReader(audio, data, item)


def _is_guessed(audio: soundfile.SoundFile, *, is_counted: bool) -> bool:
    """Whether libsndfile only estimates how many frames there are: of MP3 that does not count them, as within WAV."""
    return audio.subtype.startswith("MPEG_LAYER") and not (audio.format == "MP3" and is_counted)


def _known(data: BinaryIO) -> AbstractContextManager[soundfile.SoundFile | None]:
    """None of what libsndfile does not know."""
    try:
        audio: AbstractContextManager[soundfile.SoundFile] = soundfile.SoundFile(data)
    except soundfile.LibsndfileError:
        return nullcontext()
    return audio


def write_coded(
    path: Path, target: AudioFormat, rate: int, channels: int, blocks: Iterable[Samples], tags: Sequence[str] = ()
) -> None:
    """Arrays (frames, channels) of `target.dtype` as one file; `rate` is in frames a second, `tags` as `title=Talk`."""
    with soundfile.SoundFile(path, "w", rate, channels, target.subtype, format=target.format) as out:
        for name, _, value in (tag.partition("=") for tag in tags):
            setattr(out, name, value)
        for block in blocks:
            out.write(block)


def _format_of(audio: soundfile.SoundFile) -> AudioFormat:
    """The same again where that keeps every sample; else WAV with floats, so that lossy audio is not coded twice.

    Floats, because what a lossy format decodes to may go beyond full scale. In AIFF libsndfile writes the time beside
    them, and the same audio must give the same bytes: they become WAV.
    """
    is_float = audio.subtype in FLOATS
    written = LOSSLESS.get(audio.format) if is_float or audio.subtype.startswith("PCM_") else None
    if written is None:
        return WAV_OF_FLOATS
    return AudioFormat("WAV" if is_float and written == "AIFF" else written, audio.subtype)
