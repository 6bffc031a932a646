"""audio_time, audio_silence, audio_language, audio_concat."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece, Results
from triptych.engines.audio.span import AudioSpan

RATE = 8000
SAMPLES = Path(__file__).parents[4] / "include" / "engines" / "samples"


def noise(seconds: float, channels: int = 1, seed: int = 0) -> np.ndarray:
    shape = (round(seconds * RATE), channels)
    return np.random.default_rng(seed).integers(-20000, 20000, shape, np.int16)


def as_wav(samples: np.ndarray, rate: int = RATE) -> bytes:
    """Written by the standard library."""
    data = io.BytesIO()
    with wave.open(data, "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return data.getvalue()


def of_wav(data: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(data)) as audio:
        return np.frombuffer(audio.readframes(audio.getnframes()), np.int16).reshape(-1, audio.getnchannels())


def _waves(folder: Path) -> list[Path]:
    paths = [folder / "one.wav", folder / "two.wav"]
    paths[0].write_bytes(as_wav(noise(2.3)))
    paths[1].write_bytes(as_wav(noise(1, 2, 1)))
    return paths


def _one_wave(folder: Path) -> list[Path]:
    path = folder / "short.wav"
    path.write_bytes(as_wav(noise(0.4, 2)))
    return [path]


def _samples(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    for path in sources:
        mine = [piece for piece in pieces if piece.metadata["source"] == path.name]
        found = np.concatenate([of_wav(piece.data) for piece in mine])
        np.testing.assert_array_equal(found, of_wav(path.read_bytes()))
        assert [piece.metadata["first_frame"] for piece in mine] == [n * RATE // 2 for n in range(len(mine))]


def speech(*seconds: float) -> np.ndarray:
    """Noise and silence in turn."""
    parts = [
        noise(each, seed=n) if n % 2 == 0 else np.zeros((round(each * RATE), 1), np.int16)
        for n, each in enumerate(seconds)
    ]
    return np.concatenate(parts)


def _speech(folder: Path) -> list[Path]:
    path = folder / "speech.flac"
    soundfile.write(path, speech(1, 0.6, 0.5, 0.1, 0.5, 1, 2), RATE, subtype="PCM_16")
    return [path]


def _one_phrase(folder: Path) -> list[Path]:
    """A gap at either end is none between two pieces."""
    path = folder / "phrase.flac"
    soundfile.write(path, speech(0, 0.4, 0.5, 0.1), RATE, subtype="PCM_16")
    return [path]


def _whole_of(source: Path, pieces: Sequence[Piece]) -> float:
    """Checks that the pieces are the source; its seconds."""
    read = [soundfile.read(io.BytesIO(piece.data), dtype="int16")[0] for piece in pieces]
    whole, rate = soundfile.read(source, dtype="int16")
    np.testing.assert_array_equal(np.concatenate(read), whole)
    return len(whole) / int(rate)


def _in_gaps(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    seconds = _whole_of(sources[0], pieces)
    # In the middle of the gaps at 1.0 to 1.6 and 2.7 to 3.7 s; the one of 0.1 s is too short.
    starts = [start for start in (0, 1.3, 3.2) if start < seconds]
    assert [round(piece.metadata["start_s"], 1) for piece in pieces] == starts


def _two_languages(folder: Path) -> list[Path]:
    path = folder / "two languages.flac"
    path.write_bytes((SAMPLES / "speech.flac").read_bytes())
    return [path]


def _one_language(folder: Path) -> list[Path]:
    path = folder / "English.flac"
    samples, rate = soundfile.read(SAMPLES / "speech.flac", frames=9 * 16_000, dtype="int16")
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return [path]


def _by_language(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    seconds = _whole_of(sources[0], pieces)
    # The English ends at 9 s; Spanish begins a second later.
    assert [piece.metadata["language"] for piece in pieces] == (["en", "es"] if seconds > 10 else ["en"])
    assert all(8.5 < piece.metadata["start_s"] < 10.5 for piece in pieces[1:])


def _no_audio(folder: Path) -> Path:
    path = folder / "wrong.wav"
    path.write_bytes(b"RIFF" + bytes(100))
    return path


def _cut_off_wav(folder: Path) -> Path:
    path = folder / "cut_off.wav"
    path.write_bytes(as_wav(noise(2))[:-2000])
    return path


def _cut_off_flac(folder: Path) -> Path:
    path = _speech(folder)[0]
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def _long(folder: Path, factor: int) -> Path:
    path = folder / f"long{factor}.wav"
    with soundfile.SoundFile(path, "w", 48_000, 1, "PCM_16") as out:
        for second in range(90 * factor):
            out.write(np.full(48_000, second % 100, np.int16))
    return path


def placed(*parts: bytes, overlaps: Sequence[int] = (), source: str = "s.wav") -> list[Results]:
    """A result of each part of one source, as if a partitioner of audio and the stage `partition` had cut it."""
    shared = [*overlaps, *[0] * (len(parts) - len(overlaps))]
    spans = [AudioSpan(source_index=0, source=source, sample_rate=RATE, overlap_frames=each) for each in shared]
    return [
        Results({"o.wav": data}, metadata={**span.to_metadata(), "part": part, "parts": len(parts)})
        for part, (data, span) in enumerate(zip(parts, spans, strict=True))
    ]


def _thirds() -> list[bytes]:
    whole = noise(3)
    return [as_wav(whole[start : start + RATE]) for start in (0, RATE, 2 * RATE)]


def _pieces() -> list[Results]:
    return placed(*_thirds())


def _whole(found: Mapping[str, bytes]) -> None:
    assert set(found) == {"s.wav"}
    np.testing.assert_array_equal(of_wav(found["s.wav"]), noise(3))


def _wrong_pieces() -> list[Results]:
    return placed(*_thirds(), b"no audio")


def _long_pieces(factor: int) -> list[Results]:
    return placed(*[as_wav(noise(60, 8))] * factor)


CASES = [
    Split(
        "audio_time",
        {"segment_s": 0.5},
        _waves,
        _samples,
        bad={"segment_s": 0},
        corrupt=_no_audio,
        says="cannot be read as audio",
        grow=_long,
        empty="refused",
        one=_one_wave,
    ),
    Split(
        "audio_silence",
        {"min_silence_ms": 300},
        _speech,
        _in_gaps,
        bad={"min_silence_ms": 1},
        corrupt=_cut_off_wav,
        says="ends at byte 30044; 2000 bytes",
        grow=_long,
        empty="refused",
        one=_one_phrase,
    ),
    Split(
        "audio_language",
        {},
        _two_languages,
        _by_language,
        bad={"min_confidence": 2},
        corrupt=_cut_off_flac,
        says="behind frame",
        grow=_long,
        empty="refused",
        one=_one_language,
    ),
    Join(
        "audio_concat",
        {},
        _pieces,
        _whole,
        bad={"format": "mp2"},
        corrupt=_wrong_pieces,
        says="chunk 3, 'o.wav': cannot be read as audio",
        grow=_long_pieces,
    ),
]
