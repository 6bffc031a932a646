"""Recordings in formats that people listen to, as long as they were: counted by FFmpeg's own commands."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.contract.engines.cases.audio import RATE, as_wav, noise, of_wav, placed
from tests.support.engine_harness import Results, join, split, untouched
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError
from triptych.settings import Settings

pytestmark = needs_ffmpeg
EXTENSIONS = {"mp3": ".mp3", "opus": ".opus", "aac": ".m4a", "alac": ".m4a"}


def _decoded(path: Path, channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Frames by channels, as FFmpeg's command decodes them."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-f", "f32le", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.float32).reshape(-1, channels)


def _probed(path: Path, entries: str) -> str:
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "default=nw=1", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _chord(frames: int, rate: int, channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Three tones that grow louder, so that no shift of it is like it."""
    time = np.arange(frames) / rate
    tone = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 331, 557)) * (0.05 + 0.2 * time * rate / frames)
    return np.repeat(np.asarray(tone)[:, None], channels, axis=1)


@pytest.mark.parametrize(
    ("form", "rate", "channels", "frames"),
    [
        ("mp3", 44_100, 2, 47),
        ("mp3", 44_100, 2, 44_117),
        ("mp3", 16_000, 1, 16_001),
        ("aac", 44_100, 2, 3),
        ("aac", 44_100, 2, 44_117),
        ("aac", 48_000, 6, 48_001),
        ("opus", 48_000, 1, 1),
        ("opus", 48_000, 2, 48_001),
        ("alac", 96_000, 2, 96_001),
        ("alac", 44_100, 6, 44_117),
    ],
)
def test_an_encoded_whole_has_as_many_frames_as_the_source(
    settings: Settings, tmp_path: Path, form: str, rate: int, channels: int, frames: int
) -> None:
    path, again = tmp_path / "a.wav", tmp_path / f"again{EXTENSIONS[form]}"
    samples = _chord(frames, rate, channels)
    soundfile.write(path, samples, rate, "PCM_24")
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.3})
    ((name, data),) = join(settings, "audio_concat", untouched(pieces), {"format": form}).items()
    assert name == f"a{EXTENSIONS[form]}"
    again.write_bytes(data)
    found = _decoded(again, channels)
    if form == "aac":  # FFmpeg's decoder does not cut the last packet.
        assert f"time_base=1/{rate}\nduration_ts={frames}\n" in _probed(again, "stream=time_base,duration_ts")
        assert frames <= len(found) < frames + 1024
    else:
        assert len(found) == frames
    error = found[:frames, 0] - samples[:, 0]
    if form == "alac":
        assert np.abs(error).max() < 2**-22
    elif frames > 1000:
        assert np.mean(error**2) < np.mean(samples**2) / 50


def test_opus_has_one_rate(settings: Settings, tmp_path: Path) -> None:
    path, again = tmp_path / "a.wav", tmp_path / "again.opus"
    soundfile.write(path, _chord(44_100, 44_100, 1), 44_100, "PCM_16")
    pieces = split(settings, "audio_time", [path], {})
    again.write_bytes(join(settings, "audio_concat", untouched(pieces), {"format": "opus"})["a.opus"])
    assert len(_decoded(again, 1)) == 48_000


@pytest.mark.parametrize(
    ("form", "rate", "channels", "says"),
    [
        ("mp3", 44_100, 6, "MP3 cannot hold 6 channels at 44100 Hz"),
        ("mp3", 96_000, 2, "MP3 has no rate of 96000 Hz, but 8000, 11025, .*48000"),
        ("aac", 192_000, 2, "AAC has no rate of 192000 Hz, but 7350, 8000, .*96000"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    settings: Settings, form: str, rate: int, channels: int, says: str
) -> None:
    data = io.BytesIO()
    soundfile.write(data, np.zeros((100, channels)), rate, format="WAV")
    asks = "Set the parameters sample_rate and channels to what it has, or another format"
    with pytest.raises(EngineError, match=rf"^chunk 0, 'a\.wav': {says}\. {asks}\.$"):
        join(settings, "audio_concat", [Results({"a.wav": data.getvalue()})], {"format": form})


@pytest.mark.parametrize("form", EXTENSIONS)
def test_tags_and_bit_rate_are_in_the_whole(settings: Settings, tmp_path: Path, form: str) -> None:
    path, again = tmp_path / "a.flac", tmp_path / f"again{EXTENSIONS[form]}"
    words = ["-metadata", "title=Talk", "-metadata", "artist=Somebody", "-metadata", "track=7"]
    tone = ["-f", "lavfi", "-i", "anoisesrc=r=48000:d=1:a=0.3"]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *tone, *words, str(path)], check=True)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.6})
    (data,) = join(settings, "audio_concat", untouched(pieces), {"format": form, "bitrate_kbps": 40}).values()
    again.write_bytes(data)
    shown = _probed(again, "format_tags:stream_tags").lower()
    assert {"tag:title=talk", "tag:artist=somebody", "tag:track=7"} <= set(shown.splitlines())
    assert (len(data) < 10_000) is (form != "alac")


@pytest.mark.parametrize("overlap_ms", [0, 100])
@pytest.mark.parametrize("form", ["WAV", "FLAC"])
@pytest.mark.parametrize("missing", [(0,), (1,), (3,), (0, 2, 3)], ids=str)
def test_a_missing_part_is_silent_by_choice(
    settings: Settings, tmp_path: Path, missing: tuple[int, ...], form: str, overlap_ms: int
) -> None:
    path, whole = tmp_path / f"a.{form.lower()}", noise(2)
    soundfile.write(path, whole, RATE, "PCM_16", format=form)
    step = 500 - overlap_ms
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.5, "overlap_ms": overlap_ms})
    results = [each for number, each in enumerate(untouched(pieces)) if number not in missing]
    with pytest.raises(EngineError, match=r"left no file"):
        join(settings, "audio_concat", results)
    ((_, data),) = join(settings, "audio_concat", results, {"on_missing": "silence"}).items()
    found = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)[0]
    heard = np.zeros(len(whole), bool)
    for number in range(len(pieces)):
        if number not in missing:
            heard[number * step * RATE // 1000 : (number * step + 500) * RATE // 1000] = True
    np.testing.assert_array_equal(found, np.where(heard[:, None], whole, 0))


def test_silence_is_counted_in_the_rate_of_the_whole(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(as_wav(noise(1.5)))
    results = untouched(split(settings, "audio_time", [path], {"segment_s": 0.5}))
    params = {"on_missing": "silence", "sample_rate": 2 * RATE}
    found = of_wav(join(settings, "audio_concat", [results[0], results[2]], params)["a.wav"])
    assert len(found) == 3 * RATE
    assert not found[RATE + 200 : 2 * RATE - 200].any()


def test_silence_of_a_length_that_nobody_tells_is_refused(settings: Settings) -> None:
    results = placed(*(as_wav(noise(0.5)) for _ in range(3)))
    with pytest.raises(EngineError, match=r"chunk 0, 'o\.wav': how long the missing parts are nobody tells"):
        join(settings, "audio_concat", [results[0], results[2]], {"on_missing": "silence"})


def test_a_part_is_not_faded_into_what_was_no_neighbour(settings: Settings, tmp_path: Path) -> None:
    path, whole = tmp_path / "a.wav", noise(1.3)
    path.write_bytes(as_wav(whole))
    results = untouched(split(settings, "audio_time", [path], {"segment_s": 0.5, "overlap_ms": 100}))
    found = of_wav(join(settings, "audio_concat", [results[0], results[2]], {"on_missing": "skip"})["a.wav"])
    cut = RATE // 2
    np.testing.assert_array_equal(found, np.concatenate([whole[:cut], whole[8 * RATE // 10 :]]))
