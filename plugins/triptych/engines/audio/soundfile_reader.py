"""Audio that has to be decoded: by libsndfile, and where FFmpeg does it better, by FFmpeg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from triptych.engines.audio.ffmpeg_reader import DecodedAudio
from triptych.engines.audio.model import BLOCK_FRAMES, FLOATS, Kind, converted
from triptych.engines.audio.truncation import DamagedAudioError, is_counted_mp3
from triptych.engines.runtime.resources import need

UNKNOWN_FRAMES = 1 << 62
"""What libsndfile says, or more, of a FLAC stream whose header does not tell its length, as a pipe leaves it."""
LOSSLESS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "W64": "w64", "FLAC": "flac", "AIFF": "aiff"}
"""libsndfile's names of formats that keep every sample, when the samples are PCM or floating point, and extensions."""


class CodedAudio:
    """What libsndfile decodes from a file (`triptych.engines.audio_kinds.Audio`)."""

    def __init__(self, audio: Any, data: BinaryIO) -> None:
        # Else soundfile seeks after each read to where it is, and libsndfile decodes a frame of FLAC again.
        audio.seekable = lambda: False
        self._audio, self._data, self._place = audio, data, 0
        self._dtype = "int32" if audio.subtype.startswith("PCM_") else FLOATS.get(audio.subtype, "float32")
        self.kind = _kind_of(audio)
        self.rate, self.channels, self.frames = audio.samplerate, audio.channels, audio.frames

    def blocks(self, dtype: str) -> Iterator[Any]:
        return (converted(block, dtype) for block in self.run(0, self.frames) if len(block))

    def run(self, start: int, end: int) -> Iterator[Any]:
        """The frames from `start` to before `end` for `kind`, in blocks, of which there is at least one.

        Raises DamagedAudioError when there are fewer.
        """
        for place in range(start, max(end, start + 1), BLOCK_FRAMES):
            yield converted(self._read(place, min(BLOCK_FRAMES, end - place)), self.kind.dtype)

    def _read(self, place: int, count: int) -> Any:
        try:
            if self._place != place:
                self._audio.seek(place)
            block = self._audio.read(count, self._dtype, always_2d=True)
        except need("soundfile", "media").LibsndfileError as error:
            raise self._damaged(place) from error
        self._place = place + len(block)
        if len(block) < count:
            raise self._damaged(self._place)
        return block

    def _damaged(self, place: int) -> DamagedAudioError:
        msg = f"it ends or is damaged behind frame {place} of {self.frames}, before byte {self._data.tell()}."
        return DamagedAudioError(msg)


@contextmanager
def open_coded(data: BinaryIO, size: int) -> Iterator[CodedAudio | DecodedAudio]:
    """`data` is the open file, of `size` bytes."""
    is_counted = is_counted_mp3(data)
    data.seek(0)
    with _known(data) as audio:
        if audio is None or audio.frames >= UNKNOWN_FRAMES or (audio.format == "MP3" and not is_counted):
            yield DecodedAudio(data, size)
        elif audio.format == "OGG":  # FFmpeg decodes Vorbis in half the time.
            yield DecodedAudio(data, size, audio.frames)
        else:
            yield CodedAudio(audio, data)


def _known(data: BinaryIO) -> AbstractContextManager[Any]:
    """A SoundFile, or None of what libsndfile does not know."""
    soundfile = need("soundfile", "media")
    try:
        audio: AbstractContextManager[Any] = soundfile.SoundFile(data)
    except soundfile.LibsndfileError:
        return nullcontext()
    return audio


def write_coded(path: Path, kind: Kind, rate: int, channels: int, blocks: Iterable[Any]) -> None:
    """Arrays (frames, channels) of `kind.dtype` as one file."""
    with need("soundfile", "media").SoundFile(path, "w", rate, channels, kind.subtype, format=kind.format) as out:
        for block in blocks:
            out.write(block)


def _kind_of(audio: Any) -> Kind:
    """The same again where that keeps every sample; else WAV with floats, so that lossy audio is not coded twice.

    Floats, because what a lossy format decodes to may go beyond full scale. In AIFF libsndfile writes the time beside
    them, and the same audio must give the same bytes: they become WAV.
    """
    is_float = audio.subtype in FLOATS
    extension = LOSSLESS.get(audio.format) if is_float or audio.subtype.startswith("PCM_") else None
    if extension is None:
        return Kind("WAV", "FLOAT", "wav")
    if extension == "wav" or (is_float and audio.format == "AIFF"):
        return Kind("WAV", audio.subtype, "wav")
    return Kind(audio.format, audio.subtype, extension)
