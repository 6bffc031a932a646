"""Recordings as people have them: tags and channels, judged by ffprobe and by FFmpeg's own mix."""

from __future__ import annotations

import io
import logging
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.engine_harness import Results, join, split, untouched
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError
from triptych.settings import Settings

pytestmark = needs_ffmpeg
TALK = ["-metadata", "title=Talk", "-metadata", "artist=Somebody", "-metadata", "date=2024"]


def _ffmpeg(*words: str | Path) -> bytes:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def _tags(path: Path) -> dict[str, str]:
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags", "-of", "default=nw=1:nk=0", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    named = dict(line.removeprefix("TAG:").split("=", 1) for line in lines)
    return {key.lower(): value for key, value in named.items()}


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a", "a.opus"])
def test_tags_of_the_source_are_in_the_whole(settings: Settings, tmp_path: Path, name: str) -> None:
    path, again = tmp_path / name, tmp_path / "again.flac"
    _ffmpeg("-f", "lavfi", "-i", "sine=r=44100:d=1", *TALK, path)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    (data,) = join(settings, "audio_concat", untouched(pieces), {"format": "flac"}).values()
    again.write_bytes(data)
    found = _tags(again)
    assert [found.get(key) for key in ("title", "artist", "date")] == ["Talk", "Somebody", "2024"]


def test_tags_that_a_wav_has_not_are_told(settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.wav"
    _ffmpeg("-f", "lavfi", "-i", "sine=r=44100:d=1", *TALK, path)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    with caplog.at_level(logging.WARNING):
        join(settings, "audio_concat", untouched(pieces))
    assert "a.wav: its tags (artist, date, title) are not in a WAV; format flac keeps them." in caplog.text


@pytest.mark.parametrize("channels", [3, 4, 6, 8])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_channels_are_mixed_when_asked(settings: Settings, tmp_path: Path, name: str, channels: int) -> None:
    layout = {3: "2.1", 4: "quad", 6: "5.1", 8: "7.1"}[channels]
    path, stereo = tmp_path / name, tmp_path / "stereo.wav"
    sums = "|".join(f"0.{n + 1}*sin({300 * (n + 1)}*t)" for n in range(channels))
    _ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{sums}':c={layout}:s=48000:d=1", path)
    _ffmpeg("-i", path, "-ac", "2", stereo)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.4})
    (data,) = join(settings, "audio_concat", untouched(pieces), {"channels": 2}).values()
    found, truth = soundfile.read(io.BytesIO(data))[0], soundfile.read(stereo)[0]
    assert found.shape == truth.shape
    np.testing.assert_allclose(found, truth, atol=1e-3)


def test_parts_of_several_channels_name_the_parameter(settings: Settings) -> None:
    results = []
    for channels in (2, 6):
        data = io.BytesIO()
        soundfile.write(data, np.zeros((100, channels)), 8000, format="WAV")
        results.append(Results({"a.wav": data.getvalue()}))
    says = r"chunk 1, 'a\.wav': has 6 channels, and the whole 2\. Set the parameter channels"
    with pytest.raises(EngineError, match=says):
        join(settings, "audio_concat", results)
    assert join(settings, "audio_concat", results, {"channels": 2})


@pytest.mark.parametrize(("codec", "rate"), [("libmp3lame", 44_100), ("libmp3lame", 16_000), ("mp2", 48_000)])
def test_mpeg_within_wav_is_read_as_ffmpeg_does(settings: Settings, tmp_path: Path, codec: str, rate: int) -> None:
    """As recorders and telephone systems write; libsndfile only estimates its length, and calls it cut off."""
    path = tmp_path / "a.wav"
    _ffmpeg("-f", "lavfi", "-i", f"sine=r={rate}:d=2", "-c:a", codec, "-b:a", "64k", path)
    pieces = split(settings, "audio_time", [path], {"segment_s": 0.7})
    (data,) = join(settings, "audio_concat", untouched(pieces)).values()
    found, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    wanted = np.frombuffer(_ffmpeg("-i", path, "-f", "f32le", "-"), np.float32)
    assert len(found) == len(wanted)
    assert np.abs(found - wanted).max() < 1e-4
