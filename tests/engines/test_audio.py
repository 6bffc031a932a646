"""Audio cut and joined, sample by sample, with FFmpeg and espeak-ng as other opinions."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engines.cases.audio import RATE, SAMPLES, as_wav, noise, of_wav, speech
from engines.harness import Results, join, split, untouched
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings

ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg: apt-get install ffmpeg")


def _md5(path: Path) -> str:
    """Of the decoded samples, by FFmpeg."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "md5", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@ffmpeg
@pytest.mark.parametrize("params", [{"seconds": 0.7}, {"seconds": 0.7, "overlap_ms": 150}, {"seconds": 100}], ids=str)
@pytest.mark.parametrize(("extension", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_24"), ("wav", "FLOAT")])
def test_cut_and_joined_is_the_source(
    settings: Settings, tmp_path: Path, params: dict[str, float], extension: str, subtype: str
) -> None:
    path = tmp_path / f"ein Ton 音.{extension}"
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, (RATE * 3 + 17, 2))
    soundfile.write(path, samples, RATE, subtype=subtype)
    pieces = split(settings, "audio_time", [path], params)
    found = join(settings, "audio_concat", untouched(pieces))
    again = tmp_path / f"again.{extension}"
    again.write_bytes(found[path.name])
    assert soundfile.info(again).subtype == subtype
    assert _md5(again) == _md5(path)


@ffmpeg
@pytest.mark.parametrize("extension", ["mp3", "ogg", "m4a"])
def test_lossy_audio_is_decoded_once(settings: Settings, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:duration=3:sample_rate=44100",
        str(path),
    ]
    subprocess.run(command, check=True)
    pieces = split(settings, "audio_time", [path], {"seconds": 1})
    assert all(piece.name.endswith((".flac", ".wav")) for piece in pieces)
    (joined,) = join(settings, "audio_concat", untouched(pieces)).values()
    found, _ = soundfile.read(io.BytesIO(joined))
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"], capture_output=True, check=True
    ).stdout
    truth = np.frombuffer(raw, np.float32)
    # Decoders differ in how much of the padding at either end they leave out.
    assert abs(len(found) - len(truth)) < 2500
    apart = (np.abs(found[8000 + shift : 10_000 + shift] - truth[8000:10_000]).max() for shift in range(-2500, 2500))
    assert min(apart) < 1e-2


@ffmpeg
def test_loud_lossy_audio_is_neither_clipped_nor_wrapped(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "loud.ogg"
    square = "aevalsrc='if(gt(sin(2*PI*300*t),0),1,-1)':d=1:s=44100"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", square, "-c:a", "libvorbis", str(path)]
    subprocess.run(command, check=True)
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"], capture_output=True, check=True
    ).stdout
    truth = np.frombuffer(raw, np.float32)
    assert np.abs(truth).max() > 1
    pieces = split(settings, "audio_time", [path], {"seconds": 0.4})
    found = np.concatenate([soundfile.read(io.BytesIO(piece.data), dtype="float32")[0] for piece in pieces])
    np.testing.assert_allclose(found, truth, atol=1e-3)


@ffmpeg
def test_flac_from_a_pipe_does_not_tell_its_length(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=2:r=8000:seed=1"]
    command += ["-sample_fmt", "s16", "-f", "flac", "-"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    pieces = split(settings, "audio_time", [path], {"seconds": 0.7})
    found = np.concatenate([soundfile.read(io.BytesIO(piece.data))[0] for piece in pieces]) * 2**15
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-"], capture_output=True, check=True
    ).stdout
    np.testing.assert_array_equal(found, np.frombuffer(raw, np.int16))


@pytest.mark.parametrize(("subtype", "form"), [("FLOAT", "WAV"), ("DOUBLE", "WAV"), ("VORBIS", "OGG")])
def test_pieces_of_floats_and_integers_are_equally_loud(settings: Settings, subtype: str, form: str) -> None:
    tone, data = np.sin(np.arange(RATE) * 0.3) * 0.5, io.BytesIO()
    soundfile.write(data, tone, RATE, subtype=subtype, format=form)
    results = [Results({"a.wav": as_wav(np.int16(tone[:, None] * 32767))}), Results({"b": data.getvalue()})]
    found = of_wav(join(settings, "audio_concat", results)["audio.wav"])[:, 0] / 32768
    assert len(found) == 2 * RATE
    assert abs(np.std(found[RATE:]) - np.std(tone)) < 0.01


def test_floats_are_as_loud_in_flac(settings: Settings) -> None:
    tone, data = np.sin(np.arange(RATE) * 0.3) * 0.5, io.BytesIO()
    soundfile.write(data, tone, RATE, subtype="FLOAT", format="WAV")
    joined = join(settings, "audio_concat", [Results({"a.wav": data.getvalue()})], {"format": "flac"})
    found, _ = soundfile.read(io.BytesIO(joined["audio.flac"]))
    np.testing.assert_allclose(found, tone, atol=1e-6)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng: apt-get install espeak-ng")
def test_spoken_sentences_are_cut_between_words(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    text = 'This is the first sentence. <break time="900ms"/> And here is the second.'
    subprocess.run(["espeak-ng", "-m", "-w", str(path), text], check=True)
    pieces = split(settings, "audio_silence", [path], {"gap_ms": 600})
    assert len(pieces) == 2
    joined = np.concatenate([of_wav(piece.data) for piece in pieces])
    np.testing.assert_array_equal(joined, of_wav(path.read_bytes()))


def test_a_piece_without_a_gap_is_cut_at_its_longest(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(as_wav(speech(2.5)))
    pieces = split(settings, "audio_silence", [path], {"max_seconds": 1})
    assert [piece.metadata["frames"] for piece in pieces] == [RATE, RATE, RATE // 2]


def test_overlaps_that_differ_are_faded(settings: Settings) -> None:
    first, second = np.full((800, 1), 1000, np.int16), np.full((800, 1), 3000, np.int16)
    about = [{"source": "a.wav", "sample_rate": RATE, "overlap_frames": overlap} for overlap in (0, 4)]
    results = [
        Results({"o.wav": as_wav(part)}, metadata=each) for part, each in zip((first, second), about, strict=True)
    ]
    found = of_wav(join(settings, "audio_concat", results)["a.wav"])[:, 0]
    assert found[795:801].tolist() == [1000, 1250, 1750, 2250, 2750, 3000]
    assert len(found) == 1596


def test_rates_and_channels_are_made_equal(settings: Settings) -> None:
    results = [Results({"a.wav": as_wav(noise(1))}), Results({"b.wav": as_wav(noise(1, 2), rate=RATE * 2)})]
    found = of_wav(join(settings, "audio_concat", results, {"sample_rate": 16000, "channels": 2})["audio.wav"])
    assert found.shape[1] == 2
    assert abs(len(found) - 1.5 * 16000) < 64


def test_channels_that_cannot_be_mixed_are_named(settings: Settings) -> None:
    results = [Results({"a.wav": as_wav(noise(1, 2))}), Results({"b.wav": as_wav(noise(1, 4))})]
    with pytest.raises(EngineError, match=r"chunk 1, 'b.wav': has 4 channels"):
        join(settings, "audio_concat", results)


def test_an_overlap_as_long_as_a_piece_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(as_wav(noise(1)))
    with pytest.raises(JobSpecError, match="overlap_ms"):
        split(settings, "audio_time", [path], {"seconds": 0.1, "overlap_ms": 100})


def test_audio_without_speech_is_one_chunk_that_says_so(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes((SAMPLES / "tone.wav").read_bytes())
    (piece,) = split(settings, "audio_language", [path], {})
    assert (piece.metadata["language"], piece.metadata["speech_s"]) == ("zxx", 0)
    np.testing.assert_array_equal(of_wav(piece.data), of_wav(path.read_bytes()))
