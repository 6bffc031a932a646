"""Audio cut and joined, sample by sample, with FFmpeg and espeak-ng as other opinions."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.contract.engines.cases.audio import RATE, SAMPLES, as_wav, noise, of_wav, placed, speech
from tests.support.engine_harness import Results, join, split, untouched
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings


def _md5(path: Path) -> str:
    """Of the decoded samples, by FFmpeg."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "md5", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@needs_ffmpeg
@pytest.mark.parametrize(
    "params", [{"segment_s": 0.7}, {"segment_s": 0.7, "overlap_ms": 150}, {"segment_s": 100}], ids=str
)
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


@needs_ffmpeg
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
    pieces = split(settings, "audio_time", [path], {"segment_s": 1})
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


@needs_ffmpeg
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
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    found = np.concatenate([soundfile.read(io.BytesIO(piece.data), dtype="float32")[0] for piece in pieces])
    np.testing.assert_allclose(found, truth, atol=1e-3)


@needs_ffmpeg
def test_flac_from_a_pipe_does_not_tell_its_length(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=2:r=8000:seed=1"]
    command += ["-sample_fmt", "s16", "-f", "flac", "-"]
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.7})
    found = np.concatenate([soundfile.read(io.BytesIO(piece.data))[0] for piece in pieces]) * 2**15
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "s16le", "-"], capture_output=True, check=True
    ).stdout
    np.testing.assert_array_equal(found, np.frombuffer(raw, np.int16))


@pytest.mark.parametrize(("subtype", "form"), [("FLOAT", "WAV"), ("DOUBLE", "WAV"), ("VORBIS", "OGG")])
def test_pieces_of_floats_and_integers_are_equally_loud(settings: Settings, subtype: str, form: str) -> None:
    tone, data = np.sin(np.arange(RATE) * 0.3) * 0.5, io.BytesIO()
    soundfile.write(data, tone, RATE, subtype=subtype, format=form)
    results = [Results({"a.wav": as_wav((tone[:, None] * 32767).astype(np.int16))}), Results({"b": data.getvalue()})]
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
    pieces = split(settings, "audio_silence", [path], {"min_silence_ms": 600})
    assert len(pieces) == 2
    joined = np.concatenate([of_wav(piece.data) for piece in pieces])
    np.testing.assert_array_equal(joined, of_wav(path.read_bytes()))


@needs_ffmpeg
@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_silences_are_those_that_ffmpeg_finds(settings: Settings, tmp_path: Path, extension: str) -> None:
    path, rate = tmp_path / f"a.{extension}", 44_100
    draw = np.random.default_rng(3)
    # Longer than a block, on and off at any place; below -40 dBFS is as good as silent.
    loud = np.repeat(np.resize([0.3, 0.001], 60), draw.integers(1000, 60_000, 60))
    soundfile.write(path, draw.uniform(-1, 1, (len(loud), 2)) * loud[:, None], rate, "PCM_16")
    command = ["ffmpeg", "-i", str(path), "-af", "silencedetect=noise=-40dB:d=0.5", "-f", "null", "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    began, ended = ([float(at) for at in re.findall(rf"silence_{word}: ([\d.]+)", told)] for word in ("start", "end"))
    middles = [(a + b) / 2 for a, b in zip(began, ended, strict=True) if b < len(loud) / rate]
    pieces = split(settings, "audio_silence", [path], {"min_silence_ms": 500})
    # Ours are windows of 10 ms.
    found = [piece.metadata["start_s"] for piece in pieces[1:]]
    assert len(middles) > 10
    assert found == pytest.approx(middles, abs=0.01)


@pytest.mark.parametrize("extension", ["aiff", "wav", "ogg"])
def test_a_file_without_a_frame(settings: Settings, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    soundfile.write(path, np.zeros((0, 2)), RATE)
    assert split(settings, "audio_silence", [path], {}) == []
    for engine in ("audio_time", "audio_language"):
        (piece,) = split(settings, engine, [path], {})
        assert len(soundfile.read(io.BytesIO(piece.data))[0]) == piece.metadata["frames"] == 0


def test_a_piece_without_a_gap_is_cut_at_its_longest(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(as_wav(speech(2.5)))
    pieces = split(settings, "audio_silence", [path], {"max_segment_s": 1})
    assert [piece.metadata["frames"] for piece in pieces] == [RATE, RATE, RATE // 2]


def test_overlaps_that_differ_are_faded(settings: Settings) -> None:
    first, second = np.full((800, 1), 1000, np.int16), np.full((800, 1), 3000, np.int16)
    results = placed(as_wav(first), as_wav(second), overlaps=(0, 4), source="a.wav")
    found = of_wav(join(settings, "audio_concat", results)["a.wav"])[:, 0]
    assert found[795:801].tolist() == [1000, 1250, 1750, 2250, 2750, 3000]
    assert len(found) == 1596


@pytest.mark.parametrize(("form", "subtype"), [("OGG", "VORBIS"), ("FLAC", "PCM_16"), ("WAV", "PCM_16")])
def test_the_header_tells_the_length_without_the_overlaps(settings: Settings, form: str, subtype: str) -> None:
    """The second piece is shorter than what the third shares with it."""
    parts = []
    for frames in (70_000, 400, 70_000):
        data = io.BytesIO()
        soundfile.write(data, np.sin(np.arange(frames) * 0.3) * 0.5, RATE, subtype, format=form)
        parts.append(data.getvalue())
    results = placed(*parts, overlaps=(0, 300, 500), source="a")
    joined = join(settings, "audio_concat", results, {"format": "wav"})["a.wav"]
    assert len(joined) == 8 + int.from_bytes(joined[4:8], "little")
    assert soundfile.info(io.BytesIO(joined)).frames == 70_000 - 300 + 70_000


def _two_of_one_name(folder: Path) -> list[Path]:
    """`a/tone.wav` and `b/tone.wav`, with other sound."""
    paths = [folder / name / "tone.wav" for name in ("a", "b")]
    for seed, path in enumerate(paths):
        path.parent.mkdir()
        path.write_bytes(as_wav(noise(1.2, seed=seed)))
    return paths


@pytest.mark.parametrize(
    ("engine", "params"),
    [
        ("audio_time", {"segment_s": 0.5}),
        ("audio_time", {"segment_s": 0.5, "overlap_ms": 100}),
        ("audio_silence", {"max_segment_s": 0.5}),
    ],
)
def test_sources_of_one_name_are_outputs_of_their_own(
    settings: Settings, tmp_path: Path, engine: str, params: dict[str, float]
) -> None:
    paths = _two_of_one_name(tmp_path)
    joined = join(settings, "audio_concat", untouched(split(settings, engine, paths, params)))
    assert joined == {f"{path.parent.name}/tone.wav": path.read_bytes() for path in paths}


def test_sources_that_become_one_format_keep_their_extensions(settings: Settings, tmp_path: Path) -> None:
    for form in ("WAV", "FLAC"):
        soundfile.write(tmp_path / f"tone.{form.lower()}", noise(1), RATE, "PCM_16", format=form)
    pieces = split(settings, "audio_time", [tmp_path / "tone.wav", tmp_path / "tone.flac"], {})
    assert set(join(settings, "audio_concat", untouched(pieces))) == {"tone.wav", "tone.flac"}
    joined = join(settings, "audio_concat", untouched(pieces), {"format": "flac"})
    assert set(joined) == {"tone.wav.flac", "tone.flac.flac"}


def test_parts_are_joined_in_their_order_whatever_the_chunks(settings: Settings) -> None:
    whole = noise(1.5)
    results = placed(*(as_wav(whole[start : start + RATE // 2]) for start in (0, RATE // 2, RATE)))
    found = join(settings, "audio_concat", [results[index] for index in (2, 0, 1)])
    np.testing.assert_array_equal(of_wav(found["s.wav"]), whole)


def test_a_part_that_is_missing_is_refused_or_left_out(settings: Settings) -> None:
    parts = [noise(0.5, seed=seed) for seed in range(3)]
    results = placed(*map(as_wav, parts))
    del results[1]
    with pytest.raises(EngineError, match=r"of the 3 parts of s\.wav, 1 left no file: 1\."):
        join(settings, "audio_concat", results)
    found = join(settings, "audio_concat", results, {"on_missing": "skip"})
    np.testing.assert_array_equal(of_wav(found["s.wav"]), np.concatenate([parts[0], parts[2]]))


def test_a_part_of_two_files_is_refused(settings: Settings) -> None:
    (result,) = placed(as_wav(noise(0.5)))
    doubled = Results({"a.wav": result.files["o.wav"], "b.wav": result.files["o.wav"]}, metadata=result.metadata)
    with pytest.raises(EngineError, match=r"chunk 0, 'a\.wav': part 0 of s\.wav has 2 files"):
        join(settings, "audio_concat", [doubled])


def test_metadata_that_is_no_span_is_refused(settings: Settings) -> None:
    (result,) = placed(as_wav(noise(0.5)))
    wrong = Results(result.files, metadata={**result.metadata, "overlap_frames": "few"})
    with pytest.raises(
        EngineError, match=r"chunk 0, 'o\.wav': its metadata is no AudioSpan: 'overlap_frames' is 'few'"
    ):
        join(settings, "audio_concat", [wrong])


@pytest.mark.parametrize(
    ("engine", "old", "new"),
    [
        ("audio_time", "seconds", "segment_s"),
        ("audio_silence", "gap_ms", "min_silence_ms"),
        ("audio_language", "speech_level", "speech_threshold"),
    ],
)
def test_an_old_name_of_a_parameter_names_the_new(settings: Settings, engine: str, old: str, new: str) -> None:
    with pytest.raises(JobSpecError, match=rf"{old}: is unknown\. It is called '{new}' now"):
        split(settings, engine, [SAMPLES / "tone.wav"], {old: 1})


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
        split(settings, "audio_time", [path], {"segment_s": 0.1, "overlap_ms": 100})


@needs_ffmpeg
@pytest.mark.parametrize(
    ("extension", "options"), [("m4a", ""), ("mp3", "-write_xing 0"), ("flac", "-f flac"), ("ogg", "-c:a libvorbis")]
)
def test_coded_pieces_are_joined(settings: Settings, tmp_path: Path, extension: str, options: str) -> None:
    """The FLAC is written into a pipe, and does not tell how long it is."""
    path = tmp_path / f"a.{extension}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=2:r=48000:a=0.1:seed=1", *options.split()]
    if extension == "flac":
        path.write_bytes(subprocess.run([*command, "-"], capture_output=True, check=True).stdout)
    else:
        subprocess.run([*command, str(path)], check=True)
    (joined,) = join(settings, "audio_concat", [Results({path.name: path.read_bytes()})] * 2).values()
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"]
    truth = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    found, _ = soundfile.read(io.BytesIO(joined), dtype="float32")
    np.testing.assert_allclose(found, np.tile(truth, 2), atol=1e-4)


def test_audio_without_speech_is_one_chunk_that_says_so(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes((SAMPLES / "tone.wav").read_bytes())
    (piece,) = split(settings, "audio_language", [path], {})
    assert (piece.metadata["language"], piece.metadata["speech_s"]) == ("zxx", 0)
    np.testing.assert_array_equal(of_wav(piece.data), of_wav(path.read_bytes()))
