"""Audio as frames (samples of all channels at one time) that are read by place, and written as they are.

Whole-number samples are taken as 32-bit integers, which holds 8 to 32 bits exactly; others as 64-bit floats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.engines.api import Result, Source
from triptych.engines.resources import need, resources
from triptych.errors import EngineError, SourceError

BLOCK_FRAMES = 1 << 16
UNKNOWN_FRAMES = 1 << 62
"""What libsndfile says, or more, of a FLAC stream whose header does not tell its length, as a pipe leaves it."""
LOSSLESS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "W64": "w64", "FLAC": "flac", "AIFF": "aiff"}
"""libsndfile's names of formats that keep every sample, when the samples are PCM or floating point, and extensions."""
FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True)
class Kind:
    """How audio is written: libsndfile's format and sample type, and the extension."""

    format: str
    subtype: str
    extension: str

    @property
    def dtype(self) -> str:
        return "float64" if self.subtype in FLOATS else "int32"


@contextmanager
def open_audio(file: Source | Result) -> Iterator[Any]:
    """A soundfile.SoundFile; what libsndfile does not know is decoded to scratch first. Raises `audio_errors`."""
    soundfile = need("soundfile", "media")
    with file.open() as data:
        try:
            audio = soundfile.SoundFile(data)
        except soundfile.LibsndfileError:
            audio = soundfile.SoundFile(_decoded(file))
        if audio.frames >= UNKNOWN_FRAMES:
            audio.close()
            audio = soundfile.SoundFile(_decoded(file))
        with audio:
            yield audio


def source_fault(source: Source, error: Exception) -> SourceError:
    return SourceError(f"{source.uri}: cannot be read as audio: {_reason(error)} Correct the file or leave it out.")


def result_fault(result: Result, error: Exception) -> EngineError:
    return EngineError(f"chunk {result.chunk}, {result.name!r}: cannot be read as audio: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def audio_errors() -> tuple[type[Exception], ...]:
    """What reading audio raises."""
    return (need("soundfile", "media").LibsndfileError, need("av", "media").FFmpegError, IndexError)


def kind_of(audio: Any) -> Kind:
    """The same again where that keeps every sample; else WAV with floats, so that lossy audio is not coded twice.

    Floats, because what a lossy format decodes to may go beyond full scale.
    """
    is_exact = audio.subtype.startswith("PCM_") or audio.subtype in FLOATS
    if audio.format in LOSSLESS and is_exact:
        return Kind(audio.format, audio.subtype, LOSSLESS[audio.format])
    return Kind("WAV", "FLOAT", "wav")


def write_audio(path: Path, kind: Kind, rate: int, channels: int, blocks: Iterator[Any]) -> int:
    """Arrays (frames, channels) as one file; returns the number of frames."""
    count = 0
    with need("soundfile", "media").SoundFile(path, "w", rate, channels, kind.subtype, format=kind.format) as out:
        for block in blocks:
            out.write(block)
            count += len(block)
    return count


def frames(audio: Any, start: int, count: int, dtype: str) -> Iterator[Any]:
    """`count` frames from `start`, in arrays (frames, channels); fewer at the end."""
    audio.seek(start)
    while count > 0 and len(block := _read(audio, min(BLOCK_FRAMES, count), dtype)):
        count -= len(block)
        yield block


def _read(audio: Any, count: int, dtype: str) -> Any:
    """Floats as integers are scaled and clipped here: libsndfile does not scale them, or wraps what is too loud."""
    if dtype != "int32" or audio.subtype.startswith("PCM_"):
        return audio.read(count, dtype, always_2d=True)
    import numpy as np

    block = audio.read(count, "float64", always_2d=True)
    return np.clip(np.rint(block * 2.0**31), -(2**31), 2**31 - 1).astype(np.int32)


def _decoded(file: Source | Result) -> str:
    """A scratch WAV of 32-bit floats, which is what lossy formats decode to."""
    av, soundfile = need("av", "media"), need("soundfile", "media")
    path = resources().new_folder() / "decoded.wav"
    with file.open() as data, av.open(data) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout=stream.layout, rate=stream.rate)
        channels = stream.layout.nb_channels
        with soundfile.SoundFile(path, "w", stream.rate, channels, "FLOAT", format="RF64") as out:
            for frame in container.decode(stream):
                for piece in resampler.resample(frame):
                    out.write(piece.to_ndarray().reshape(-1, channels))
            for piece in resampler.resample(None):
                out.write(piece.to_ndarray().reshape(-1, channels))
    return str(path)
