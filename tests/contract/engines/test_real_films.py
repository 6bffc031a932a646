"""Films as people have them: what a camera, a phone or an editor writes comes back whole, or is refused in a sentence.

The truth is that of FFmpeg's own commands (ffmpeg, ffprobe), which none of our code calls.
"""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.engine_harness import Piece, Results, join, split, untouched
from tests.support.films import H264, clip, frame_count, pictures
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

pytestmark = needs_ffmpeg
SECOND = {"segment_s": 1}
EXACT = {"segment_s": 0.8, "crf": 0}
"""Cuts between keyframes: the first segment, or none, is a copy."""


def _run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return done.stdout


def _ffmpeg(*words: str | Path) -> None:
    _run("ffmpeg", "-nostdin", "-v", "error", "-y", *words)


def _shown(path: Path, entries: str, *more: str) -> str:
    return _run("ffprobe", "-v", "error", *more, "-show_entries", entries, "-of", "compact=p=0", path)


def _times(path: Path) -> list[float]:
    """When each frame is shown, as a decoder gives them."""
    shown = _run(
        "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path
    )
    return [float(line.strip(",")) for line in shown.split()]


def _samples(path: Path, track: int = 0) -> int:
    """Of one channel, decoded."""
    words = ["-map", f"0:a:{track}", "-f", "s16le", "-ac", "1", "-"]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), *words]
    return len(subprocess.run(command, capture_output=True, check=True).stdout) // 2


def _film(folder: Path, name: str, options: str, seconds: float = 2) -> Path:
    return clip(folder / name, seconds, options)


def _treated(pieces: Sequence[Piece], folder: Path, options: str, suffix: str) -> list[Results]:
    """What an app that calls ffmpeg leaves of each chunk."""
    results = []
    for number, piece in enumerate(pieces):
        given, made = folder / f"given{number}{Path(piece.name).suffix}", folder / f"made{number}{suffix}"
        given.write_bytes(piece.data)
        _ffmpeg("-i", given, *options.split(), made)
        results.append(Results({f"o{suffix}": made.read_bytes()}, name=piece.name, metadata=piece.metadata))
    return results


def _joined(settings: Settings, folder: Path, results: Sequence[Results], **params: object) -> Path:
    ((name, data),) = join(settings, "video_concat", results, params).items()
    path = folder / f"again{Path(name).suffix}"
    path.write_bytes(data)
    return path


def _files(pieces: Sequence[Piece], folder: Path) -> list[Path]:
    paths = [folder / f"piece{number}{Path(piece.name).suffix}" for number, piece in enumerate(pieces)]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_bytes(piece.data)
    return paths


# 1. Complete or refused.


@pytest.mark.parametrize(("name", "missing"), [("a.mp4", 0), ("a.mp4", 1), ("a.mp4", 2), ("a.mkv", 1)])
def test_a_missing_part_is_black_and_silent_by_choice(
    settings: Settings, tmp_path: Path, name: str, missing: int
) -> None:
    path = _film(tmp_path, name, f"{H264} -c:a flac -strict -2", 3)
    results = untouched(split(settings, "video_frames", [path], SECOND))
    del results[missing]
    with pytest.raises(EngineError, match=rf"of the 3 parts of {name}, 1 left no file: {missing}\."):
        join(settings, "video_concat", results)
    again = _joined(settings, tmp_path, results, on_missing="black", crf=0)
    assert frame_count(again) == 75
    assert _times(again) == pytest.approx(_times(path), abs=0.002)
    assert abs(_samples(again) - 3 * 48_000) <= 1024
    kept = [picture for n, picture in enumerate(pictures(path)) if n // 25 != missing]
    found = pictures(again)
    assert found[: 25 * missing] + found[25 * missing + 25 :] == kept
    assert len(set(found[25 * missing : 25 * missing + 25])) == 1


@pytest.mark.parametrize("name", ["o.srt", "thumb.jpg", "log.txt"])
def test_what_is_no_video_is_refused_in_a_sentence(settings: Settings, tmp_path: Path, name: str) -> None:
    path = _film(tmp_path, "a.mp4", H264, 1)
    (piece,) = split(settings, "video_frames", [path], SECOND)
    beside = b"1\n00:00:00,000 --> 00:00:01,000\nhi\n"
    if name == "thumb.jpg":
        _ffmpeg("-i", path, "-frames:v", "1", tmp_path / name)
        beside = (tmp_path / name).read_bytes()
    for files in ({name: beside}, {"o.mp4": piece.data, name: beside}):
        with pytest.raises(EngineError, match=r"^chunk 0, '[\w.]+': [^/\n]+\.$") as caught:
            join(settings, "video_concat", [Results(files, metadata=untouched([piece])[0].metadata)])
        assert "index out of range" not in str(caught.value)


# 2. Times come from the contract.


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("app", ["", "-c:v libx264 -preset ultrafast -vsync passthrough -enc_time_base -1 -c:a aac"])
def test_frames_of_a_changing_rate_keep_their_times(settings: Settings, tmp_path: Path, name: str, app: str) -> None:
    rate = "-vf select='not(mod(n\\,3))+gt(mod(n\\,40)\\,20)' -vsync vfr"
    path = _film(tmp_path, name, f"{H264} {rate} -g 20 -sc_threshold 0 -c:a aac", 3)
    pieces = split(settings, "video_frames", [path], SECOND)
    results = _treated(pieces, tmp_path, app, ".mkv") if app else untouched(pieces)
    again = _joined(settings, tmp_path, results)
    assert _times(again) == pytest.approx(_times(path), abs=0.002)
    assert abs(_samples(again) - _samples(path)) <= 1024


@pytest.mark.parametrize(
    ("name", "sound", "app", "suffix"),
    [
        ("a.mp4", "aac", "-c:a aac", ".mp4"),
        ("a.mp4", "aac", "-c:a aac", ".mkv"),
        ("a.mkv", "aac -ar 44100", "-c:a libmp3lame", ".mkv"),
        ("a.mkv", "libopus", "-c:a libopus", ".mkv"),
        ("a.mov", "pcm_s16le", "-c:a pcm_s16le", ".mov"),
    ],
)
def test_joined_sound_is_as_long_as_the_source(
    settings: Settings, tmp_path: Path, name: str, sound: str, app: str, suffix: str
) -> None:
    path = _film(tmp_path, name, f"{H264} -c:a {sound}", 3)
    pieces = split(settings, "video_frames", [path], {"segment_s": 0.6})
    results = _treated(pieces, tmp_path, f"-vf scale=48:-2 -c:v libx264 -preset ultrafast {app}", suffix)
    again = _joined(settings, tmp_path, results)
    assert abs(_samples(again) - _samples(path)) <= 1200
    start, end = _times(again)[0], _times(again)[-1]
    assert end - start == pytest.approx(2.96, abs=0.01)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_sound_before_the_first_picture_is_kept(settings: Settings, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    tone, pictures = "sine=f=440:r=48000:d=4", "testsrc2=s=96x64:r=25:d=3"
    words = ["-f", "lavfi", "-i", tone, "-itsoffset", "1", "-f", "lavfi", "-i", pictures, "-map", "1:v", "-map", "0:a"]
    _ffmpeg(*words, "-vsync", "passthrough", *H264.split(), "-c:a", "aac", path)
    again = _joined(settings, tmp_path, untouched(split(settings, "video_frames", [path], SECOND)))
    assert _times(again) == pytest.approx(_times(path), abs=0.002)
    assert _samples(again) == _samples(path)


# 3. Encoded keeps what copied keeps.


@pytest.mark.parametrize(("name", "degrees"), [("a.mp4", "90"), ("a.mp4", "180"), ("a.mp4", "270"), ("a.mov", "90")])
def test_a_film_that_is_turned_stays_so(settings: Settings, tmp_path: Path, name: str, degrees: str) -> None:
    whole, path = _film(tmp_path, "whole.mp4", f"{H264} -c:a aac"), tmp_path / name
    _ffmpeg("-i", whole, "-c", "copy", "-metadata:s:v:0", f"rotate={degrees}", path)
    pieces = split(settings, "video_frames", [path], EXACT)
    shown = pictures(path)
    assert pictures(*_files(pieces, tmp_path)) == shown
    assert shown != pictures(whole)
    app = "-c:v libx264 -preset ultrafast -qp 0 -c:a copy"
    assert pictures(_joined(settings, tmp_path, _treated(pieces, tmp_path, app, ".mp4"))) == shown


def test_parts_that_are_turned_in_several_ways_are_shown_alike(settings: Settings, tmp_path: Path) -> None:
    """An app that turned some of them, and kept the wish of others."""
    whole, path = _film(tmp_path, "whole.mp4", f"{H264} -an"), tmp_path / "a.mp4"
    _ffmpeg("-i", whole, "-c", "copy", "-metadata:s:v:0", "rotate=90", path)
    pieces = split(settings, "video_frames", [path], SECOND)
    turned = _treated(pieces, tmp_path, "-c:v libx264 -preset ultrafast -qp 0", ".mp4")
    again = _joined(settings, tmp_path, [untouched(pieces)[0], turned[1]], crf=0)
    assert pictures(again) == pictures(path)


def test_parts_of_other_proportions_are_not_squashed(settings: Settings, tmp_path: Path) -> None:
    path = _film(tmp_path, "a.mp4", f"{H264} -an")
    pieces = split(settings, "video_frames", [path], SECOND)
    turned = _treated(pieces, tmp_path, "-vf transpose=1 -c:v libx264 -preset ultrafast", ".mp4")
    with pytest.raises(EngineError, match=r"chunk 1, 'o\.mp4': is shown 64 x 96, and the first part 96 x 64\. Let"):
        join(settings, "video_concat", [untouched(pieces)[0], turned[1]])


HDR10 = (
    "hdr-opt=1:repeat-headers=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
)
X265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=25"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_hdr10_survives(settings: Settings, tmp_path: Path, name: str) -> None:
    path = _film(tmp_path, name, f"{X265}:{HDR10} -pix_fmt yuv420p10le -an")
    pieces = split(settings, "video_frames", [path], {"segment_s": 0.8})
    entries = "stream=codec_name,pix_fmt,color_transfer:frame_side_data=red_x,white_point_y,max_luminance,max_content"
    asked = ("-select_streams", "v:0", "-read_intervals", "%+#1")
    truth = _shown(path, entries, *asked)
    assert "max_content=1000" in truth
    assert [_shown(file, entries, *asked) for file in _files(pieces, tmp_path)] == [truth] * 3
    assert _shown(_joined(settings, tmp_path, untouched(pieces)), entries, *asked) == truth


@pytest.mark.parametrize(
    ("name", "options", "pixels"),
    [
        ("a.mp4", f"{X265} -pix_fmt yuv420p12le", "yuv420p12le"),
        ("a.mp4", "-c:v mpeg4 -s 97x65 -g 25", "yuv444p"),
        ("a.mkv", "-c:v libx264rgb -preset ultrafast -g 25", "gbrp"),
        ("a.mkv", "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv422p10le", "yuv422p10le"),
        ("a.mkv", "-c:v ffv1 -level 3 -g 25 -pix_fmt gray16le", "gray16le"),
    ],
)
def test_pixels_are_kept_or_have_more_room(
    settings: Settings, tmp_path: Path, name: str, options: str, pixels: str
) -> None:
    path = _film(tmp_path, name, f"{options} -an")
    pieces = split(settings, "video_frames", [path], EXACT)
    files = _files(pieces, tmp_path)
    assert len(pictures(*files)) == 50
    size = _shown(path, "stream=width,height", "-select_streams", "v").strip()
    for file in files[1:]:
        assert _shown(file, "stream=width,height,pix_fmt", "-select_streams", "v").strip() == f"{size}|pix_fmt={pixels}"


@pytest.mark.parametrize("order", ["tt", "bb"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_fields_stay_fields(settings: Settings, tmp_path: Path, name: str, order: str) -> None:
    lines = f"-vf tinterlace={'4' if order == 'tt' else '5'} -flags +ildct+ilme"
    params = "tff=1" if order == "tt" else "bff=1"
    path = _film(tmp_path, name, f"{H264} {lines} -x264-params {params} -an")
    asked = ("stream=field_order", "-select_streams", "v")
    truth = _shown(path, *asked)
    assert truth.strip() in (f"field_order={order}", f"field_order={order[0]}{'b' if order == 'tt' else 't'}")
    pieces = split(settings, "video_frames", [path], EXACT)
    assert {_shown(file, *asked) for file in _files(pieces, tmp_path)} == {truth}


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "a.webm",
            "-c:v libvpx-vp9 -cpu-used 8 -deadline realtime -g 25 -pix_fmt yuva420p",
            "has transparency, which is lost",
        ),
        (
            "a.mov",
            "-c:v qtrle -pix_fmt argb -g 25",
            "has 96 x 64 pixels of the format argb, which no encoder for mov keeps",
        ),
    ],
)
def test_what_no_encoder_keeps_is_refused_before_any_chunk(
    settings: Settings, tmp_path: Path, name: str, options: str, says: str
) -> None:
    path = _film(tmp_path, name, f"-vf format=yuva420p {options} -an")
    with pytest.raises(SourceError, match=f"{re.escape(name)}: {says}.*[Cc]ut it at keyframes, or convert it first"):
        split(settings, "video_frames", [path], {"segment_s": 0.7})
    assert len(split(settings, "video_frames", [path], {**SECOND, "cut": "keyframes"})) == 2


@pytest.mark.parametrize(
    ("options", "shown"),
    [("rotate=90", (32, 48)), ("rotate=270", (32, 48)), ("rotate=180", (72, 48))],
)
def test_a_rendition_is_as_the_film_is_shown(
    settings: Settings, tmp_path: Path, options: str, shown: tuple[int, int]
) -> None:
    whole, path = _film(tmp_path, "whole.mp4", f"{H264} -an", 1), tmp_path / "a.mp4"
    _ffmpeg("-i", whole, "-c", "copy", "-metadata:s:v:0", options, path)
    (piece,) = split(settings, "video_renditions", [path], {"ladder": [{"height": 48, "bitrate_kbps": 90}]})
    assert (piece.metadata["rendition"]["width_px"], piece.metadata["rendition"]["height_px"]) == shown


def test_a_rendition_of_pixels_that_are_not_square(settings: Settings, tmp_path: Path) -> None:
    path = _film(tmp_path, "a.mp4", f"{H264} -vf setsar=4/3 -an", 1)
    (piece,) = split(settings, "video_renditions", [path], {"ladder": [{"height": 32, "bitrate_kbps": 90}]})
    assert piece.metadata["rendition"]["width_px"] == 64


# 5. All tracks, or said.


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_tracks_languages_chapters_and_title_come_back(
    settings: Settings, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    notes, words, path = tmp_path / "c.txt", tmp_path / "s.srt", tmp_path / name
    chapters = ((0, 2000, "One"), (2000, 4000, "Two"))
    marks = [f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={a}\nEND={b}\ntitle={title}\n" for a, b, title in chapters]
    notes.write_text(";FFMETADATA1\n" + "".join(marks))
    words.write_text("1\n00:00:01,000 --> 00:00:02,500\nHello\n")
    high = ["-f", "lavfi", "-i", "sine=f=880:r=48000:d=4"]
    inputs = [*["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=4", "-f", "lavfi", "-i", "sine=f=440:r=48000:d=4"], *high]
    tags = ["-metadata", "title=Holiday", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra"]
    maps = ["-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3", "-map_chapters", "4"]
    text = "srt" if name.endswith("mkv") else "mov_text"
    _ffmpeg(*inputs, "-i", words, "-i", notes, *maps, *tags, *H264.split(), "-c:a", "aac", "-c:s", text, path)
    with caplog.at_level(logging.INFO):
        pieces = split(settings, "video_frames", [path], {"segment_s": 1.5})
    assert re.search(rf"{name}: 1 subtitle track.* not in its segments", caplog.text)
    again = _joined(settings, tmp_path, untouched(pieces))
    sounds = ("stream=codec_name:stream_tags=language", "-select_streams", "a")
    assert _shown(again, *sounds) == _shown(path, *sounds)
    assert "TAG:title=Holiday" in _shown(again, "format_tags=title").replace("tag:", "TAG:")
    marked = ("chapter=start_time,end_time:chapter_tags=title",)
    assert _shown(again, *marked).splitlines()[:2] == _shown(path, *marked).splitlines()[:2]
    assert [_samples(again, n) for n in (0, 1)] == [_samples(path, n) for n in (0, 1)]


# 6. The name tells the truth.


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.avi", "-c:v libx264 -preset veryfast -bf 2 -g 25 -c:a libmp3lame"),
        ("a.ts", f"{H264} -c:a aac"),
        ("a.flv", f"{H264} -c:a aac"),
        ("a.mpg", "-c:v mpeg2video -g 12 -c:a mp2"),
        ("a.wmv", "-c:v wmv2 -g 25 -an"),
        ("a.ogv", "-c:v libtheora -g 25 -c:a libvorbis"),
        ("a.3gp", f"{H264} -c:a aac"),
    ],
)
@pytest.mark.parametrize("segment_s", [1, 0.8])
def test_a_film_of_another_format_is_named_for_what_it_became(
    settings: Settings, tmp_path: Path, name: str, options: str, segment_s: float
) -> None:
    path = _film(tmp_path, name, options)
    pieces = split(settings, "video_frames", [path], {"segment_s": segment_s})
    suffix = ".3gp" if name == "a.3gp" else ".mkv"
    files = _files(pieces, tmp_path)
    assert {file.suffix for file in files} == {suffix}
    count = len(pictures(path))
    assert len(pictures(*files)) == count
    again = _joined(settings, tmp_path, untouched(pieces))
    assert again.suffix == suffix
    assert _shown(again, "format=format_name").startswith("format_name=" + ("mov" if suffix == ".3gp" else "matroska"))
    times = _times(again)
    assert len(times) == count
    assert times == sorted(set(times))


def test_sound_that_no_segment_can_hold_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = _film(tmp_path, "a.wmv", "-c:v wmv2 -g 25 -c:a wmav2", 1)
    says = r"a\.wmv: holds wmav2, which files of the format matroska cannot hold\. Convert it first\."
    with pytest.raises(SourceError, match=says):
        split(settings, "video_frames", [path], SECOND)


def test_two_films_that_become_one_name_keep_their_own(settings: Settings, tmp_path: Path) -> None:
    paths = [_film(tmp_path, "a.ts", f"{H264} -an", 1), _film(tmp_path, "a.flv", f"{H264} -an", 1)]
    found = join(settings, "video_concat", untouched(split(settings, "video_frames", paths, SECOND)))
    assert set(found) == {"a.ts.mkv", "a.flv.mkv"}
