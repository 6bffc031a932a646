"""WAV by its bytes: what is cut and joined is read by libsndfile, FFmpeg and the standard library."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.contract.engines.cases.audio import RATE, as_wav, noise, of_wav
from tests.support.engine_harness import Results, join, split, untouched
from tests.support.inputs import FileInput
from tests.support.programs import needs_ffmpeg
from triptych.engines.audio.riff import plain_fmt_chunk, read_wave_header, wave_header
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

HEADER_BYTES = 44
PIECE = 1333  # Frames; odd, so that pieces of odd widths are.
KINDS = [
    ("WAV", "PCM_U8", 1),
    ("WAV", "PCM_16", 2),
    ("WAV", "PCM_24", 1),
    ("WAV", "PCM_32", 3),
    ("WAV", "FLOAT", 1),
    ("WAV", "DOUBLE", 2),
    ("WAVEX", "PCM_24", 5),
    ("RF64", "PCM_16", 1),
]


def _decoded(data: bytes, channels: int) -> np.ndarray:
    """By FFmpeg."""
    command = ["ffmpeg", "-v", "error", "-i", "-", "-f", "f64le", "-"]
    raw = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    return np.frombuffer(raw).reshape(-1, channels)


def _frames(data: bytes) -> bytes:
    """By the standard library."""
    with wave.open(io.BytesIO(data)) as audio:
        return bytes(audio.readframes(audio.getnframes()))


@needs_ffmpeg
@pytest.mark.parametrize(("form", "subtype", "channels"), KINDS)
def test_pieces_are_ranges_that_every_reader_knows(
    settings: Settings, tmp_path: Path, form: str, subtype: str, channels: int
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(1).uniform(-1, 1, (RATE, channels)), RATE, subtype, format=form)
    whole = soundfile.read(path, always_2d=True)[0]
    pieces = split(settings, "audio_time", [path], {"segment_s": PIECE / RATE})
    assert len(pieces) == -(-RATE // PIECE)
    for number, piece in enumerate(pieces):
        truth = whole[number * PIECE : (number + 1) * PIECE]
        assert not piece.copied
        assert len(piece.data) < truth.size * 8 + 82
        np.testing.assert_array_equal(soundfile.read(io.BytesIO(piece.data), always_2d=True)[0], truth)
        np.testing.assert_array_equal(_decoded(piece.data, channels), truth)
    assert soundfile.info(io.BytesIO(pieces[0].data)).subtype == subtype


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_the_standard_library_reads_pieces_of_odd_lengths(settings: Settings, tmp_path: Path, width: int) -> None:
    path, data = tmp_path / "a.wav", bytes(range(1, 250)) * 12
    with wave.open(str(path), "wb") as out:
        out.setparams((1, width, RATE, 0, "NONE", ""))
        out.writeframes(data)
    pieces = split(settings, "audio_time", [path], {"segment_s": PIECE / RATE})
    assert b"".join(_frames(piece.data) for piece in pieces) == data
    # RIFF: every chunk is padded with zero to an even length, which the size in front counts.
    for piece in pieces:
        assert len(piece.data) == 8 + int.from_bytes(piece.data[4:8], "little")
        assert len(piece.data) % 2 == 0
        assert PIECE * width % 2 == 0 or piece is pieces[-1] or piece.data[-1] == 0
    (joined,) = join(settings, "audio_concat", untouched(pieces)).values()
    assert joined == path.read_bytes()


@needs_ffmpeg
def test_pieces_keep_the_places_of_the_speakers(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=1:r=8000", "-af", "pan=3.1|c0=c0", str(path)]
    subprocess.run(command, check=True)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    (joined,) = join(settings, "audio_concat", untouched(pieces)).values()
    for data in (path.read_bytes(), pieces[0].data, joined):
        command = ["ffprobe", "-v", "error", "-show_entries", "stream=channel_layout", "-of", "csv=p=0", "-"]
        told = subprocess.run(command, input=data, capture_output=True, check=True).stdout
        assert told.strip() == b"3.1"


def _with_sizes(data: bytes, riff: int, samples: int) -> bytes:
    return data[:4] + struct.pack("<I", riff) + data[8:40] + struct.pack("<I", samples) + data[HEADER_BYTES:]


@pytest.mark.parametrize(
    ("riff", "samples"),
    [
        pytest.param(0xFFFFFFFF, 0xFFFFFFFF, id="FFmpeg"),
        pytest.param(0x7FFFF024, 0x7FFFF000, id="SoX"),
        pytest.param(0x7FFFFF24, 0x7FFFFF00, id="arecord"),
        pytest.param(0, 0, id="never closed"),
        pytest.param(36, 0, id="closed before the first sample"),
    ],
)
def test_a_stream_without_a_length_goes_to_its_end(settings: Settings, tmp_path: Path, riff: int, samples: int) -> None:
    path, sound = tmp_path / "a.wav", noise(2.2)
    path.write_bytes(_with_sizes(as_wav(sound), riff, samples) + b"\x01")  # Cut within a sample.
    pieces = split(settings, "audio_time", [path], {"segment_s": 1})
    np.testing.assert_array_equal(np.concatenate([of_wav(piece.data) for piece in pieces]), sound)


@needs_ffmpeg
@pytest.mark.parametrize("options", [[], ["-rf64", "always"]], ids=["wav", "rf64"])
def test_what_ffmpeg_writes_into_a_pipe(settings: Settings, tmp_path: Path, options: list[str]) -> None:
    path, source = tmp_path / "a.wav", tmp_path / "source.wav"
    source.write_bytes(as_wav(noise(2.2)))
    command = ["ffmpeg", "-v", "error", "-i", str(source), *options, "-f", "wav", "-"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    pieces = split(settings, "audio_time", [path], {"segment_s": 1})
    np.testing.assert_array_equal(np.concatenate([of_wav(piece.data) for piece in pieces]), noise(2.2))


def test_chunks_around_the_samples_are_no_samples(settings: Settings, tmp_path: Path) -> None:
    path, data = tmp_path / "a.wav", as_wav(noise(1))
    before, behind = b"LIST" + struct.pack("<I", 3) + b"abc\0", b"id3 " + struct.pack("<I", 400) + bytes(range(200)) * 2
    path.write_bytes(data[:4] + struct.pack("<I", len(data) + 412) + data[8:36] + before + data[36:] + behind)
    assert len(path.read_bytes()) == len(data) + 420
    (piece,) = split(settings, "audio_time", [path], {"segment_s": 9})
    np.testing.assert_array_equal(of_wav(piece.data), noise(1))


def test_a_broadcast_wave_of_64_bits(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1), RATE, "PCM_16", format="RF64")
    path.write_bytes(b"BW64" + path.read_bytes()[4:])
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    read = [soundfile.read(io.BytesIO(piece.data), dtype="int16", always_2d=True)[0] for piece in pieces]
    np.testing.assert_array_equal(np.concatenate(read), noise(1))


@needs_ffmpeg
@pytest.mark.parametrize("length", [2**32 - 38, 2**32 - 37, 5 * 2**30 + 3])
def test_a_header_for_more_than_4_gib(tmp_path: Path, length: int) -> None:
    path, fmt_chunk = tmp_path / "a.wav", plain_fmt_chunk("PCM_U8", 44_100, 1)
    with path.open("wb") as out:  # Sparse: takes no room.
        head = wave_header(fmt_chunk, length)
        out.write(head)
        out.truncate(len(head) + length + length % 2)
    assert soundfile.info(path).frames == length
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0", str(path)]
    assert int(subprocess.run(command, capture_output=True, check=True).stdout) == length
    with path.open("rb") as file:
        found = read_wave_header(file, FileInput(path))
    assert found
    assert (found.offset, found.length) == (len(head), length)


@pytest.mark.parametrize("engine", ["audio_time", "audio_silence", "audio_language"])
@pytest.mark.parametrize("subtype", ["PCM_16", "MS_ADPCM"])
def test_a_wav_that_was_cut_off_tells_how_much_is_missing(
    settings: Settings, tmp_path: Path, engine: str, subtype: str
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1), RATE, subtype)
    whole = path.read_bytes()
    path.write_bytes(whole[:3001])
    missing = whole.index(b"data") + 8 + int.from_bytes(whole[whole.index(b"data") + 4 :][:4], "little") - 3001
    with pytest.raises(SourceError, match=rf"a\.wav: .* ends at byte 3001; {missing} bytes .* Make it again"):
        split(settings, engine, [path], {})


def test_a_result_that_was_cut_off_is_named(settings: Settings) -> None:
    results = [Results({"o.wav": as_wav(noise(1))}), Results({"o.wav": as_wav(noise(1))[:-10]})]
    with pytest.raises(EngineError, match=re.escape("chunk 1, 'o.wav': ") + ".*; 10 bytes"):
        join(settings, "audio_concat", results)


def test_pieces_of_one_kind_are_joined_as_they_are(settings: Settings) -> None:
    parts = [noise(each, 2, seed) for seed, each in enumerate((1, 0.3, 2))]
    joined = join(settings, "audio_concat", [Results({"a.wav": as_wav(part)}) for part in parts])
    assert joined == {"audio.wav": as_wav(np.concatenate(parts))}


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("AIFF", "FLOAT"), ("AIFF", "DOUBLE")])
def test_pieces_of_floats_do_not_hold_the_time_of_writing(
    settings: Settings, tmp_path: Path, form: str, subtype: str
) -> None:
    path = tmp_path / "a"
    soundfile.write(path, noise(1), RATE, subtype, format=form)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    assert not any(b"PEAK" in piece.data for piece in pieces)  # libsndfile's chunk with a time stamp.
    read = [soundfile.read(io.BytesIO(piece.data))[0] for piece in pieces]
    np.testing.assert_allclose(np.concatenate(read), soundfile.read(path)[0], atol=1e-6)
