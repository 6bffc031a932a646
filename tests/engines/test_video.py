"""Video cut and joined, frame by frame, as FFmpeg decodes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engines.cases.video import clip, frame_count
from engines.harness import Results, join, split, untouched
from triptych.settings import Settings

H264 = "-c:v libx264 -preset ultrafast -g 25"
B_FRAMES = "-c:v libx264 -preset medium -bf 3 -g 20 -x264-params open-gop=1"
TEN_BITS = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20 -c:a libopus"


def _pictures(path: Path) -> list[str]:
    """A digest of each decoded frame."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split(",")[-1].strip() for line in shown.splitlines() if not line.startswith("#")]


def _sound_s(path: Path) -> float:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "a",
        "-show_entries",
        "packet=duration_time",
        "-of",
        "csv=p=0",
    ]
    shown = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True).stdout
    return sum(float(line.strip(",")) for line in shown.split())


@pytest.mark.parametrize(
    ("name", "options", "params"),
    [
        ("a film 画.mp4", H264, {"frames": 25}),
        ("a.mp4", H264, {"frames": 33, "crf": 0}),
        ("a.mov", H264, {"seconds": 1.3, "crf": 0}),
        ("a.mkv", B_FRAMES, {"frames": 20, "crf": 0}),
        ("a.mkv", B_FRAMES, {"seconds": 1, "cut": "keyframes", "crf": 0}),
        ("a.mkv", TEN_BITS, {"frames": 33, "crf": 0}),
        ("a.webm", VP9, {"seconds": 1, "cut": "keyframes"}),
        ("a.webm", VP9, {"frames": 33, "crf": 0}),
        ("a.mp4", H264, {"frames": 1000}),
    ],
)
def test_cut_and_joined_has_every_frame(
    settings: Settings, tmp_path: Path, name: str, options: str, params: dict[str, object]
) -> None:
    path = clip(tmp_path / name, 4, options)
    pieces = split(settings, "video_frames", [path], params)
    found = join(settings, "video_concat", untouched(pieces), {"crf": 0})
    again = tmp_path / f"again{path.suffix}"
    again.write_bytes(found[name])
    assert frame_count(again) == 100
    assert _pictures(again) == _pictures(path)
    assert abs(_sound_s(again) - _sound_s(path)) < 0.1


def test_cuts_at_keyframes_are_copies(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    pieces = split(settings, "video_frames", [path], {"seconds": 1})
    assert [piece.metadata["copied"] for piece in pieces] == [True] * 4
    assert [piece.metadata["first_frame"] for piece in pieces] == [0, 25, 50, 75]
    exact = split(settings, "video_frames", [path], {"frames": 40})
    assert [piece.metadata["copied"] for piece in exact] == [False] * 3
    assert exact[1].metadata["span"] == {"start_s": 1.6, "end_s": 3.2}


def test_pieces_of_several_kinds_are_encoded_anew(settings: Settings, tmp_path: Path) -> None:
    paths = [clip(tmp_path / "a.mp4", 1), clip(tmp_path / "b.mp4", 1, "-c:v mpeg4 -s 48x32")]
    results = [Results({"o": path.read_bytes()}, metadata={"source": "film.mp4"}) for path in paths]
    again = tmp_path / "film.mp4"
    again.write_bytes(join(settings, "video_concat", results)["film.mp4"])
    assert frame_count(again) == 50
    assert abs(_sound_s(again) - 2) < 0.2


def test_a_video_without_sound(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 2, f"{H264} -an")
    pieces = split(settings, "video_frames", [path], {"frames": 10, "crf": 0})
    again = tmp_path / "again.mp4"
    again.write_bytes(join(settings, "video_concat", untouched(pieces), {"crf": 0})["a.mp4"])
    assert _pictures(again) == _pictures(path)


def test_a_ladder_above_the_source_keeps_its_height(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 1)
    (piece,) = split(settings, "video_renditions", [path], {})
    assert piece.metadata["rendition"] == {"width": 96, "height": 64, "bitrate_kbps": 400, "audio": True}


def test_scenes_cut_and_joined_are_chapters(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", 4)
    pieces = split(settings, "video_frames", [path], {"seconds": 1})
    again = tmp_path / "again.mkv"
    again.write_bytes(join(settings, "video_scenes", untouched(pieces), {"scenes": [1, 3]})["a_scenes.mkv"])
    command = [
        "ffprobe",
        "-v",
        "error",
        "-show_entries",
        "chapter=start_time,end_time:chapter_tags=title",
        "-of",
        "csv=p=0",
    ]
    shown = subprocess.run([*command, str(again)], capture_output=True, text=True, check=True).stdout.split()
    assert shown == ["0.000000,1.000000,Scene", "2", "1.000000,2.000000,Scene", "4"]
    assert _pictures(again) == _pictures(path)[25:50] + _pictures(path)[75:]
