"""Packages of HTTP Live Streaming, as FFmpeg's own commands read them: every frame, in step, and what playlists say."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from tests.support.engine_harness import Results, join, split, untouched
from tests.support.films import clip, pictures, probed, sounds
from tests.support.ladders import FLASHES, LADDER, encoded
from triptych.errors import EngineError
from triptych.settings import Settings

FOLDERS = ["180p_300k", "90p_100k"]
PACKETS = "-show_entries packet=pts_time,dts_time,flags,data_hash -show_data_hash md5 -of csv=p=0"


@pytest.fixture
def results(settings: Settings) -> list[Results]:
    """Two renditions of three segments."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt-get install ffmpeg")
    return encoded(split(settings, "video_renditions", [FLASHES], {"ladder": LADDER, "segment_s": 2}))


@pytest.fixture
def flashes(settings: Settings, tmp_path: Path, results: list[Results]) -> Path:
    """The package of them."""
    return _package(tmp_path / "made", join(settings, "hls_package", results, {"segment_s": 2})) / "flashes"


def _package(folder: Path, found: Mapping[str, bytes]) -> Path:
    for name, data in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _whole(folder: Path) -> Path:
    """A track as one file, which the format allows."""
    path = folder / "whole.mp4"
    path.write_bytes(b"".join(each.read_bytes() for each in [folder / "init.mp4", *sorted(folder.glob("*.m4s"))]))
    return path


def _packets(path: Path, kind: str) -> list[list[str]]:
    """Times of showing and decoding, flags and digest of each."""
    return [line.split(",") for line in probed(path, f"-select_streams {kind}:0 {PACKETS}").split()]


def _lengths(playlist: Path) -> list[Fraction]:
    return [Fraction(each) for each in re.findall(r"#EXTINF:([0-9.]+),", playlist.read_text())]


def _master(folder: Path) -> list[dict[str, str]]:
    """The attributes of each line that has some."""
    lines = (folder / "master.m3u8").read_text().splitlines()
    told = [line.partition(":")[2] for line in lines if line.startswith(("#EXT-X-STREAM-INF:", "#EXT-X-MEDIA:"))]
    return [{key: value.strip('"') for key, value in re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', line)} for line in told]


def test_a_player_gets_the_packets_that_the_app_has_made(flashes: Path, tmp_path: Path, results: list[Results]) -> None:
    for first, name in enumerate(FOLDERS):
        made: list[tuple[Fraction, str, str]] = []
        for number, result in enumerate(results[first::2]):
            (tmp_path / f"{number}.mp4").write_bytes(result.files["segment.mp4"])
            made += _shown(tmp_path / f"{number}.mp4", Fraction(2 * number))
        found = _shown(flashes / name / "playlist.m3u8", Fraction(0))
        assert found == made
        assert sorted(time for time, *_ in found) == [Fraction(number, 25) for number in range(150)]


def _shown(path: Path, begin: Fraction) -> list[tuple[Fraction, str, str]]:
    """When each packet is shown, the first at `begin`, whether it is a keyframe, and its digest, as they are stored."""
    told = _packets(path, "v")
    return [(Fraction(pts) - Fraction(told[0][0]) + begin, flags[0], digest) for pts, _, flags, digest in told]


def test_each_segment_is_as_long_as_its_playlist_says_and_begins_with_a_keyframe(flashes: Path) -> None:
    begins = []
    for name in FOLDERS:
        assert _lengths(flashes / name / "playlist.m3u8") == [2, 2, 2]
        for number in range(3):
            alone = flashes / f"{name}_{number}.mp4"
            init, segment = flashes / name / "init.mp4", flashes / name / f"{number:05d}.m4s"
            alone.write_bytes(init.read_bytes() + segment.read_bytes())
            (pts, _, flags, _), *others = _packets(alone, "v")
            assert flags.startswith("K")
            assert len(others) == 49
            begins.append(Fraction(pts))
    # Each can be decoded by itself.
    assert len(pictures(*flashes.glob("*.mp4"))) == 300
    assert begins == [begins[0] + 2 * number for number in (0, 1, 2)] * 2
    assert float(sum(_lengths(flashes / "audio_1" / "playlist.m3u8"))) == pytest.approx(6, abs=0.05)


def test_samples_are_marked_as_what_they_are(flashes: Path) -> None:
    """By the bytes of each run: FFmpeg looks into the packets and believes no mark."""
    for name in FOLDERS:
        told = [flags[0] == "K" for _, _, flags, _ in _packets(flashes / name / "playlist.m3u8", "v")]
        marked = [mark for path in sorted((flashes / name).glob("*.m4s")) for mark in _sync_marks(path.read_bytes())]
        assert marked == told
        assert 3 <= sum(marked) < 150


def _sync_marks(segment: bytes) -> list[bool]:
    """Of each sample of its one run, whether it is a sync sample (ISO/IEC 14496-12, 8.8.3.1 and 8.8.8)."""
    at = segment.index(b"trun") + 4
    version_and_flags, count = struct.unpack_from(">II", segment, at)
    assert version_and_flags & 0xFFFFFF == 0xF01
    samples = struct.iter_unpack(">IIII", segment[at + 12 : at + 12 + 16 * count])
    return [not flags & 0x10000 for _, _, flags, _ in samples]


def test_what_is_seen_and_what_is_heard_are_in_step(flashes: Path) -> None:
    seen = _packets(flashes / "90p_100k" / "playlist.m3u8", "v")
    heard, source = sounds(flashes / "audio_1" / "playlist.m3u8"), sounds(FLASHES)
    assert [digest for _, digest in heard] == [digest for _, digest in source]
    first = min(Fraction(pts) for pts, *_ in seen)
    late = [Fraction(one) - first - Fraction(other) for (one, _), (other, _) in zip(heard, source, strict=True)]
    assert max(abs(each) for each in late) < Fraction(1, 1000)


def test_bandwidths_hold_for_what_a_player_loads(flashes: Path) -> None:
    sound, *variants = _master(flashes)
    assert sound["URI"] == "audio_1/playlist.m3u8"
    for told, name in zip(variants, FOLDERS, strict=True):
        most, average = 0.0, 0.0
        for each in (name, "audio_1"):
            lengths = [float(length) for length in _lengths(flashes / each / "playlist.m3u8")]
            bits = [8 * path.stat().st_size for path in sorted((flashes / each).glob("*.m4s"))]
            most += max(size / length for size, length in zip(bits, lengths, strict=True))
            average += sum(bits) / sum(lengths)
        assert int(told["BANDWIDTH"]) == pytest.approx(most, rel=1e-4)
        assert int(told["AVERAGE-BANDWIDTH"]) == pytest.approx(average, rel=1e-4)
        assert (told["FRAME-RATE"], told["VIDEO-RANGE"]) == ("25.000", "SDR")
    assert [told["RESOLUTION"] for told in variants] == ["320x180", "160x90"]


H265 = "-c:v libx265 -preset ultrafast -g 25 -x265-params log-level=error"
CODECS = {
    "-c:v libx264 -profile:v high -level 3.1 -g 25 -c:a aac": "avc1.64001f,mp4a.40.2",
    "-c:v libx264 -profile:v baseline -level 1.3 -g 25 -c:a libmp3lame": "avc1.42c00d,mp4a.40.34",
    f"{H265} -c:a ac3": "hvc1.1.6.L30.90,ac-3",
    f"{H265} -pix_fmt yuv420p10le -c:a flac -strict -2": "hvc1.2.4.L30.90,fLaC",
    "-c:v libaom-av1 -cpu-used 8 -g 25 -c:a libopus": "av01.0.00M.08,Opus",
}
"""Profile and level are those that were asked for; the shortest forms of RFC 6381 and of the codecs' own mappings."""


@pytest.mark.parametrize("options", CODECS)
def test_codecs_are_called_what_players_call_them(settings: Settings, tmp_path: Path, options: str) -> None:
    path = clip(tmp_path / "film.mp4", 2, options)
    made = join(settings, "hls_package", untouched(split(settings, "passthrough", [path], {})))
    folder = _package(tmp_path / "made", made) / "film"
    assert _master(folder)[1]["CODECS"] == CODECS[options]
    assert pictures(_whole(folder / "64p")) == pictures(path)


def test_segments_are_as_near_to_the_wanted_length_as_keyframes_allow(settings: Settings, tmp_path: Path) -> None:
    rate = "30000/1001"
    path = clip(
        tmp_path / "film.mp4", 20, f"-r {rate} -c:v libx264 -preset ultrafast -x264-params keyint=75:scenecut=0"
    )
    made = join(settings, "hls_package", untouched(split(settings, "passthrough", [path], {})))
    folder = _package(tmp_path / "made", made) / "film"
    playlist = folder / "64p" / "playlist.m3u8"
    # Keyframes are 2.5025 s apart: two of these are nearer to 6 s than three.
    lengths = [round(length / Fraction(1001, 30000)) for length in _lengths(playlist)]
    assert lengths[:-1] == [150] * (len(lengths) - 1)
    assert sum(lengths) == len(pictures(_whole(playlist.parent))) == len(pictures(path))
    assert "#EXT-X-TARGETDURATION:5\n" in playlist.read_text()
    assert _master(folder)[1]["FRAME-RATE"] == "29.970"


def test_each_track_of_sound_can_be_chosen_and_a_silent_film_has_none(settings: Settings, tmp_path: Path) -> None:
    two, silent = tmp_path / "two.mp4", tmp_path / "silent.mp4"
    clip(tmp_path / "one.mp4", 2)
    tracks = "-map 0:v -map 0:a -map 0:a -metadata:s:a:0 language=deu -metadata:s:a:1 language=fra -c copy"
    for options, path in ((tracks, two), ("-an -c copy", silent)):
        subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "one.mp4", *options.split(), path], check=True)
    made = join(settings, "hls_package", untouched(split(settings, "video_frames", [two, silent], {"segment_s": 1})))
    folder = _package(tmp_path / "made", made)
    first, second, variant = _master(folder / "two")
    assert [(each["LANGUAGE"], each["DEFAULT"]) for each in (first, second)] == [("deu", "YES"), ("fra", "NO")]
    assert variant["AUDIO"] == first["GROUP-ID"] == second["GROUP-ID"]
    assert first["NAME"] != second["NAME"]
    (alone,) = _master(folder / "silent")
    assert "AUDIO" not in alone
    assert "mp4a" not in alone["CODECS"]
    assert pictures(_whole(folder / "silent" / "64p")) == pictures(silent)


def test_sound_comes_of_the_one_rendition_that_is_to_carry_it(settings: Settings, tmp_path: Path) -> None:
    params = {"ladder": LADDER, "audio": "once"}
    made = join(settings, "hls_package", encoded(split(settings, "video_renditions", [FLASHES], params)))
    folder = _package(tmp_path, made) / "flashes"
    assert [told.get("CODECS", "") for told in _master(folder)] == [
        "",
        "avc1.64000c,mp4a.40.2",
        "avc1.64000b,mp4a.40.2",
    ]
    heard = sounds(folder / "audio_1" / "playlist.m3u8")
    assert [digest for _, digest in heard] == [digest for _, digest in sounds(FLASHES)]


def test_renditions_without_common_keyframes_are_refused(settings: Settings, tmp_path: Path) -> None:
    pieces = split(settings, "video_renditions", [FLASHES], {"ladder": LADDER})
    (high, low) = encoded(pieces)
    late = tmp_path / "late.mp4"
    (tmp_path / "low.mp4").write_bytes(low.files["segment.mp4"])
    shifted = ["-itsoffset", "0.5", "-i", str(tmp_path / "low.mp4"), "-c", "copy"]
    subprocess.run(["ffmpeg", "-v", "error", *shifted, late], check=True)
    other = Results({"segment.mp4": late.read_bytes()}, low.name, low.metadata)
    with pytest.raises(EngineError, match=r"flashes\.mp4: its renditions do not begin with a keyframe at one time\."):
        join(settings, "hls_package", [high, other])


def test_a_segment_of_more_than_a_minute_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "still.mp4", 70, "-c:v libx264 -preset ultrafast -x264-params keyint=infinite:scenecut=0")
    results = untouched(split(settings, "passthrough", [path], {}))
    with pytest.raises(EngineError, match=r"still\.mp4: its renditions have between 0\.000 and 70\.\d+ s no keyframe"):
        join(settings, "hls_package", results)


def test_codecs_that_players_do_not_know_are_refused(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "film.webm", 1, "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime")
    results = untouched(split(settings, "passthrough", [path], {}))
    with pytest.raises(EngineError, match=r"holds vp9, which players of HLS do not know\. Let the app write H\.264"):
        join(settings, "hls_package", results)


@pytest.mark.parametrize(("late_s", "is_taken"), [("0.3", True), ("3", False)])
def test_sound_with_a_hole_is_refused(settings: Settings, tmp_path: Path, late_s: str, is_taken: bool) -> None:
    """Players wait for sound where a playlist has some, and go on behind the hole."""
    film, late = clip(tmp_path / "film.mp4", 8, "-c:v libx264 -preset ultrafast -g 25 -c:a aac"), tmp_path / "late.mp4"
    options = f"-itsoffset {late_s} -i {film} -map 0:v -map 1:a -c copy".split()
    subprocess.run(["ffmpeg", "-v", "error", "-i", film, *options, late], check=True, stdin=subprocess.DEVNULL)
    results = untouched(split(settings, "passthrough", [late], {}))
    if is_taken:
        assert "late/master.m3u8" in join(settings, "hls_package", results)
        return
    with pytest.raises(EngineError, match=r"its sound has a hole from 0\.0\d\d to [23]\.\d+ s, over which players"):
        join(settings, "hls_package", results)
