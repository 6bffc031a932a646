"""Recordings that are cut off or damaged are refused, and those that only look so are read."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.contract.engines.cases.audio import RATE, noise
from tests.support.engine_harness import Results, join, split
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.flac", ""),
        ("a.aiff", ""),
        ("a.w64", ""),
        ("a.mp3", ""),
        ("vorbis.ogg", "-c:a libvorbis"),
        ("opus.ogg", "-c:a libopus"),
        ("a.m4a", ""),
        ("fast.m4a", "-movflags +faststart"),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_audio_that_was_cut_off_is_refused(
    settings: Settings, tmp_path: Path, name: str, options: str, share: float
) -> None:
    path = tmp_path / name
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=5:r=48000:c=pink:a=0.3", *options.split()]
    subprocess.run([*command, str(path)], check=True)
    if share == 0.5:
        assert split(settings, "audio_time", [path], {})
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share))
    for engine in ("audio_time", "audio_silence"):
        with pytest.raises(SourceError, match=f"{name}: cannot be read as audio"):
            split(settings, engine, [path], {})
    with pytest.raises(EngineError, match=f"chunk 0, '{name}': cannot be read as audio"):
        join(settings, "audio_concat", [Results({name: path.read_bytes()})])


@needs_ffmpeg
@pytest.mark.parametrize(("codec", "atol"), [("libvorbis", 1e-6), ("libopus", 0.02)])
def test_an_ogg_that_begins_in_the_middle_of_its_stream(
    settings: Settings, tmp_path: Path, codec: str, atol: float
) -> None:
    whole, path = tmp_path / "whole.ogg", tmp_path / "late.ogg"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=9:r=48000:c=pink:a=0.1:seed=1"]
    subprocess.run([*command, "-c:a", codec, str(whole)], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "7", "-i", str(whole), "-c", "copy", str(path)], check=True)
    (piece,) = split(settings, "audio_time", [path], {"segment_s": 100})
    found, truth = soundfile.read(io.BytesIO(piece.data))[0], soundfile.read(whole)[0]
    assert len(found) == 2 * 48_000
    # A decoder needs some packets before it is right.
    np.testing.assert_allclose(found[5000:], truth[7 * 48_000 + 5000 :], atol=atol)


@needs_ffmpeg
@pytest.mark.parametrize("seconds", [0.01, 0.3, 1, 1.5])
@pytest.mark.parametrize("codec", ["libvorbis", "libopus"])
def test_a_short_ogg_has_all_its_frames(settings: Settings, tmp_path: Path, codec: str, seconds: float) -> None:
    """Up to a second of it is one page."""
    path, tone = tmp_path / "a.ogg", f"sine=d={seconds}:r=48000"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", tone, "-c:a", codec, str(path)], check=True)
    (piece,) = split(settings, "audio_time", [path], {})
    found = soundfile.read(io.BytesIO(piece.data))[0]
    assert len(found) == seconds * 48_000
    if seconds > 0.1:
        truth = np.sin(2 * np.pi * 440 * np.arange(len(found)) / 48_000) / 8
        np.testing.assert_allclose(found[2000:-2000], truth[2000:-2000], atol=0.02)


def test_ogg_recordings_one_behind_the_other_are_refused(settings: Settings, tmp_path: Path) -> None:
    """libsndfile would read the first and leave the others out."""
    parts = []
    for channels in (1, 2):
        soundfile.write(tmp_path / "part", noise(1, channels), RATE, "VORBIS", format="OGG")
        parts.append((tmp_path / "part").read_bytes())
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(parts))
    with pytest.raises(SourceError, match=r"a\.ogg: .*several recordings"):
        split(settings, "audio_time", [path], {})


@pytest.mark.parametrize(("seconds", "says"), [(1, "several recordings"), (60, "two in one")])
def test_an_ogg_behind_itself_is_refused(settings: Settings, tmp_path: Path, seconds: int, says: str) -> None:
    """Its pages have the same serial number."""
    path = tmp_path / "a.ogg"
    soundfile.write(path, noise(seconds), RATE, "VORBIS", format="OGG")
    assert split(settings, "audio_time", [path], {})
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(SourceError, match=rf"a\.ogg: .*{says}"):
        split(settings, "audio_time", [path], {})


@pytest.mark.parametrize("behind", [1, 300])
def test_an_ogg_whose_last_page_is_damaged_is_refused(settings: Settings, tmp_path: Path, behind: int) -> None:
    path = tmp_path / "a.ogg"
    soundfile.write(path, noise(5), RATE, "VORBIS", format="OGG")
    data = bytearray(path.read_bytes())
    data[-behind] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"a\.ogg: .*last page, at byte {data.rfind(b'OggS')}, is damaged"):
        split(settings, "audio_time", [path], {})


@needs_ffmpeg
@pytest.mark.parametrize("options", ["", "-frag_duration 500000"])
def test_an_m4a_without_its_last_bytes_is_refused(settings: Settings, tmp_path: Path, options: str) -> None:
    path = tmp_path / "a.m4a"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=5:r=48000:a=0.1", "-movflags"]
    flags = "+frag_keyframe+empty_moov" if options else "+faststart"
    subprocess.run([*command, flags, *options.split(), str(path)], check=True)
    assert split(settings, "audio_time", [path], {})
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 500)
    with pytest.raises(SourceError, match=r"a\.m4a: .* bytes that its header tells of are missing"):
        split(settings, "audio_time", [path], {})


@needs_ffmpeg
@pytest.mark.parametrize("counts", ["12", "21"])
def test_audio_whose_channels_change_is_refused(settings: Settings, tmp_path: Path, counts: str) -> None:
    parts = []
    for channels in counts:
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=2:r=48000:a=0.1", "-ac", channels]
        parts.append(subprocess.run([*command, "-f", "adts", "-"], capture_output=True, check=True).stdout)
    path = tmp_path / "a.aac"
    path.write_bytes(b"".join(parts))
    with pytest.raises(SourceError, match=r"a\.aac: .*channels or sample type change behind frame \d+"):
        split(settings, "audio_time", [path], {})


def test_a_flac_that_was_cut_off_tells_where(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(60), RATE, "PCM_16")
    with path.open("r+b") as file:
        size = file.truncate(path.stat().st_size // 2)
    with pytest.raises(SourceError, match=rf"behind frame \d+ of {60 * RATE}, before byte {size}"):
        split(settings, "audio_time", [path], {"segment_s": 10})


def test_a_flac_with_damage_in_its_middle_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(60), RATE, "PCM_16")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(bytes(3000))
    with pytest.raises(SourceError, match=r"a\.flac: cannot be read as audio"):
        split(settings, "audio_time", [path], {"segment_s": 10})


@needs_ffmpeg
def test_an_mp3_without_a_count_is_read_to_its_end(settings: Settings, tmp_path: Path) -> None:
    path, sound = tmp_path / "a.mp3", "aevalsrc='if(lt(t,5),0,random(0)-0.5)':d=20:s=44100"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", sound, "-q:a", "0", "-write_xing", "0"]
    subprocess.run([*command, str(path)], check=True)
    pieces = split(settings, "audio_time", [path], {"segment_s": 7})
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-"]
    truth = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    found = np.concatenate([soundfile.read(io.BytesIO(piece.data), dtype="float32")[0] for piece in pieces])
    assert len(found) == sum(piece.metadata["frames"] for piece in pieces) == len(truth)
    np.testing.assert_allclose(found, truth, atol=1e-4)
