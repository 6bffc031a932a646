"""Opening an audio file, whatever its format, and what is said of one that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from triptych.engines.api import Result, Source
from triptych.engines.audio.ffmpeg_reader import DecodedAudio
from triptych.engines.audio.riff import read_wave_header
from triptych.engines.audio.soundfile_reader import CodedAudio, open_coded
from triptych.engines.audio.truncation import DamagedAudioError, check_end
from triptych.engines.audio.wav_reader import WaveAudio
from triptych.engines.runtime.resources import need
from triptych.errors import EngineError, SourceError


@contextmanager
def open_audio(file: Source | Result) -> Iterator[WaveAudio | CodedAudio | DecodedAudio]:
    """A WaveAudio, which needs no closing, where the file's bytes are its samples. Raises `audio_errors`."""
    with file.open() as data:
        header = read_wave_header(data, file.size)
        if header and header.subtype:
            yield WaveAudio(file, header)
            return
        check_end(data, file.size)
        with open_coded(data, file.size) as audio:
            yield audio


@contextmanager
def open_to_cut(file: Source | Result) -> Iterator[WaveAudio | CodedAudio]:
    """Like `open_audio`, and any frame can be gone to."""
    with open_audio(file) as audio:
        if not isinstance(audio, DecodedAudio):
            yield audio
            return
        with audio.kept() as kept:
            yield CodedAudio(*kept)


def audio_errors() -> tuple[type[Exception], ...]:
    """What reading audio raises."""
    return (need("soundfile", "media").LibsndfileError, need("av", "media").FFmpegError, IndexError, DamagedAudioError)


def source_fault(source: Source, error: Exception) -> SourceError:
    return SourceError(
        f"{source.uri}: cannot be read as audio: {_reason(error)} Copy it again, correct it, or leave it out."
    )


def result_fault(result: Result, error: Exception) -> EngineError:
    return EngineError(f"chunk {result.chunk}, {result.name!r}: cannot be read as audio: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
