"""Video cut and joined, frame by frame, as FFmpeg decodes it."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy
import pytest

from tests.contract.engines.cases.video import placed
from tests.support import field_pictures
from tests.support.engine_harness import Piece, Results, join, split, untouched
from tests.support.films import H264, clip, frame_count, pictures, probed, sounds
from triptych.engines.video.frame_index import read_frame_index
from triptych.engines.video.scene_scores import DETECTORS, detector
from triptych.settings import Settings

B_FRAMES = "-c:v libx264 -preset medium -bf 3 -g 20 -x264-params open-gop=1"
TEN_BITS = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p10le"
VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20 -c:a libopus"
VP9_HIDDEN = "-c:v libvpx-vp9 -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16 -g 25 -c:a libopus"
HEVC = "-c:v libx265 -x265-params log-level=none:keyint=25:open-gop="
AV1 = "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 25"
OPEN = "-c:v libx264 -bf 3 -g 12 -x264-params open-gop=1"
CRA = "-c:v libx265 -x265-params log-level=none:open-gop=1:bframes=2:b-adapt=0:keyint=13:min-keyint=13:scenecut=0"
REFRESH = "-c:v libx264 -preset ultrafast -bf 0 -x264-params intra-refresh=1:keyint=25"
"""Keyframes at which decoding may begin, but shows nothing for a second."""


def _sound_s(path: Path) -> float:
    shown = probed(path, "-select_streams a -show_entries packet=duration_time -of csv=p=0")
    return sum(float(line.strip(",")) for line in shown.split())


def _packet_times(path: Path) -> list[str]:
    return probed(path, "-select_streams v -show_entries packet=pts_time -of csv=p=0").split()


@pytest.mark.parametrize(
    ("name", "options", "params"),
    [
        ("a film 画.mp4", H264, {"items_per_chunk": 25}),
        ("a.mp4", H264, {"items_per_chunk": 33, "crf": 0}),
        ("a.mov", H264, {"segment_s": 1.3, "crf": 0}),
        ("a.mkv", B_FRAMES, {"items_per_chunk": 20, "crf": 0}),
        ("a.mkv", B_FRAMES, {"segment_s": 1, "cut": "keyframes", "crf": 0}),
        ("a.mkv", TEN_BITS, {"items_per_chunk": 33, "crf": 0}),
        ("a.webm", VP9, {"segment_s": 1, "cut": "keyframes"}),
        ("a.webm", VP9, {"items_per_chunk": 33, "crf": 0}),
        ("a.mp4", H264, {"items_per_chunk": 1000}),
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
    assert pictures(again) == pictures(path)
    assert abs(_sound_s(again) - _sound_s(path)) < 0.1


def test_cuts_at_keyframes_are_copies(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4")
    pieces = split(settings, "video_frames", [path], {"segment_s": 1})
    assert [piece.metadata["copied"] for piece in pieces] == [True] * 4
    assert [piece.metadata["first_frame"] for piece in pieces] == [0, 25, 50, 75]
    exact = split(settings, "video_frames", [path], {"items_per_chunk": 40})
    assert [piece.metadata["copied"] for piece in exact] == [False] * 3
    assert (exact[1].metadata["start_s"], exact[1].metadata["end_s"]) == (1.6, 3.2)


def test_pieces_of_several_kinds_are_encoded_anew(settings: Settings, tmp_path: Path) -> None:
    paths = [clip(tmp_path / "a.mp4", 1), clip(tmp_path / "b.mp4", 1, "-c:v mpeg4 -s 48x32")]
    results = placed(*(path.read_bytes() for path in paths))
    again = tmp_path / "film.mp4"
    again.write_bytes(join(settings, "video_concat", results)["film.mp4"])
    assert frame_count(again) == 50
    assert abs(_sound_s(again) - 2) < 0.2


def test_a_video_without_sound(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 2, f"{H264} -an")
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": 10, "crf": 0})
    again = tmp_path / "again.mp4"
    again.write_bytes(join(settings, "video_concat", untouched(pieces), {"crf": 0})["a.mp4"])
    assert pictures(again) == pictures(path)


def test_a_ladder_above_the_source_keeps_its_height(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 1)
    (piece,) = split(settings, "video_renditions", [path], {})
    assert piece.metadata["rendition"] == {"width_px": 96, "height_px": 64, "bitrate_kbps": 400, "audio": True}


def test_scenes_cut_and_joined_are_chapters(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mkv", 4)
    pieces = split(settings, "video_frames", [path], {"segment_s": 1})
    again = tmp_path / "again.mkv"
    again.write_bytes(join(settings, "video_scenes", untouched(pieces), {"scenes": [1, 3]})["a_scenes.mkv"])
    shown = probed(again, "-show_entries chapter=start_time,end_time:chapter_tags=title -of csv=p=0").split()
    assert shown == ["0.000000,1.000000,Scene", "2", "1.000000,2.000000,Scene", "4"]
    assert pictures(again) == pictures(path)[25:50] + pictures(path)[75:]


@pytest.mark.parametrize("name", ["content", "adaptive"])
def test_changes_score_as_pyscenedetect_scores_them(name: str) -> None:
    random = numpy.random.default_rng(7)
    pictures = [random.integers(0, most, (90, 160, 3), numpy.uint8) for most in (1, 2, 90, 256, 256, 17)]
    own, theirs = detector(name, 12, None), DETECTORS[name]()
    scores = [[each._calculate_frame_score(None, picture) for picture in pictures] for each in (own, theirs)]
    assert scores[0] == scores[1]
    assert len(set(scores[0])) == len(pictures)


def _written(pieces: Sequence[Piece], folder: Path, suffix: str) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}{suffix}" for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_bytes(piece.data)
    return paths


@pytest.mark.parametrize(
    ("name", "options", "copied"),
    [
        ("closed.mkv", "-c:v libx264 -bf 3 -g 25", [True] * 4),
        ("open.mp4", OPEN, [True]),
        ("interlaced.mkv", "-c:v libx264 -g 25 -flags +ildct+ilme -x264-params interlaced=1", [True] * 4),
        ("closed hevc.mp4", HEVC + "0", [True] * 4),
        ("open hevc.mkv", HEVC + "1", [True]),
        ("hidden vp9.webm", VP9_HIDDEN, [True] * 4),
        ("av1.mkv", AV1, [True] * 4),
        ("asp.mp4", "-c:v mpeg4 -bf 2 -g 25", [True]),
        ("refresh.mkv", REFRESH, [True]),
    ],
)
def test_no_cut_loses_a_frame(settings: Settings, tmp_path: Path, name: str, options: str, copied: list[bool]) -> None:
    """However a codec hides frames: where the keyframes promise less than they seem to, pieces are encoded."""
    path = clip(tmp_path / name, 4, options)
    pieces = split(settings, "video_frames", [path], {"segment_s": 1, "cut": "keyframes", "crf": 0})
    files = _written(pieces, tmp_path / "pieces", path.suffix)
    assert [piece.metadata["copied"] for piece in pieces] == copied
    assert pictures(*files) == pictures(path)
    assert [frame_count(file) for file in files] == [piece.items for piece in pieces]


@pytest.mark.parametrize(
    ("name", "options", "frames"),
    [("a.mp4", OPEN, 12), ("a.mkv", OPEN, 12), ("a.ts", OPEN, 12), ("a.mkv", REFRESH, 25), ("a.mov", CRA, 13)],
)
def test_where_no_decoder_can_begin_frames_are_encoded(
    settings: Settings, tmp_path: Path, name: str, options: str, frames: int
) -> None:
    """FFmpeg marks keyframes that are no IDR as it marks others, and drops the first frame of what begins with one."""
    path = clip(tmp_path / name, 2, options)
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": frames, "crf": 0})
    files = _written(pieces, tmp_path / "pieces", Path(pieces[0].name).suffix)
    assert not all(piece.metadata["copied"] for piece in pieces)
    ((again, data),) = join(settings, "video_concat", untouched(pieces), {"crf": 0}).items()
    joined = tmp_path / f"joined{Path(again).suffix}"
    joined.write_bytes(data)
    assert pictures(*files) == pictures(path)
    assert pictures(joined) == pictures(path)


def test_hevc_joined_with_a_gap_shows_what_is_there(settings: Settings, tmp_path: Path) -> None:
    """A clean random access picture counts on from those before it, and they are others here."""
    path = clip(tmp_path / "a.mkv", 12, f"{CRA} -an")
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": 143, "crf": 0})
    first, gap, last = untouched(pieces)
    joined = tmp_path / "joined.mkv"
    without = [first, Results({}, gap.name, gap.metadata), last]
    joined.write_bytes(join(settings, "video_concat", without, {"crf": 0, "on_missing": "skip"})["a.mkv"])
    shown = pictures(path)
    assert pictures(joined) == shown[:143] + shown[286:]


def test_a_segment_of_two_frames_is_encoded_as_hevc(settings: Settings, tmp_path: Path) -> None:
    """x265 tells no times of decoding where a film is shorter than its B-frames delay it."""
    path = clip(tmp_path / "a.mp4", 1, HEVC + "0")
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": 2, "crf": 0})
    files = _written(pieces, tmp_path / "pieces", ".mp4")
    assert pictures(*files) == pictures(path)


def test_packets_that_are_not_shown_are_no_frames(settings: Settings, tmp_path: Path) -> None:
    """VP8 keeps what it only refers to in packets of its own, if it is told twice what comes."""
    path, log = tmp_path / "a.webm", tmp_path / "log"
    rate = "-enc_time_base 1/1000 -c:v libvpx -b:v 300k -g 75 -an"
    rate += " -auto-alt-ref 1 -lag-in-frames 25 -arnr-maxframes 7 -arnr-strength 5"
    clip(tmp_path / "first.webm", 6, f"{rate} -pass 1 -passlogfile {log}")
    clip(path, 6, f"{rate} -pass 2 -passlogfile {log}")
    assert len(set(_packet_times(path))) > frame_count(path) == 150
    pieces = split(settings, "video_frames", [path], {"segment_s": 3, "cut": "keyframes"})
    files = _written(pieces, tmp_path / "pieces", ".webm")
    assert pictures(*files) == pictures(path)
    assert sum(piece.items or 0 for piece in pieces) == 150


class _Counted(io.FileIO):
    """A file that counts the bytes that are read."""

    taken = 0

    def readinto(self, into: bytearray | memoryview, /) -> int:  # type: ignore[override]  # Typed by no name that can be imported.
        count = super().readinto(into)
        self.taken += count
        return count


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", "-c:v libx264 -bf 3"),
        ("a.mp4", "-c:v libx264 -bf 3 -movflags negative_cts_offsets -c:a libopus"),
        ("a.mp4", "-c:v libx264 -bf 0 -c:a flac -strict -2"),
        ("a.mp4", "-c:v libx265 -x265-params log-level=none:open-gop=1 -c:a alac"),
        ("a.mp4", "-c:v libx264 -bf 3 -vf setpts=PTS*(1.5+0.2*sin(N)) -fps_mode vfr"),
        ("a.mov", "-c:v libx264 -bf 3 -output_ts_offset 0.7 -c:a pcm_s16le"),
        ("a.mov", "-c:v prores -c:a pcm_s24le"),
    ],
)
def test_the_tables_of_a_film_tell_when_its_frames_are_shown(tmp_path: Path, name: str, options: str) -> None:
    path = clip(tmp_path / name, 20, f"-g 25 {options}")
    with _Counted(path) as file, io.BufferedReader(file, 1) as data:
        frames = read_frame_index(data)
    shown = json.loads(probed(path, "-show_packets -show_entries packet=codec_type,pts -of json"))["packets"]
    assert list(frames.times) == sorted(each["pts"] for each in shown if each["codec_type"] == "video")
    assert sum(frames.audio_packets.values()) == sum(each["codec_type"] == "audio" for each in shown)
    assert file.taken < path.stat().st_size / 2


@pytest.mark.parametrize("params", [{"items_per_chunk": 7}, {"segment_s": 0.2, "cut": "keyframes"}])
@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_two_fields_are_one_frame(
    settings: Settings, tmp_path: Path, name: str, is_paired: bool, params: dict[str, object]
) -> None:
    """Whether they come in one packet or in two."""
    path = field_pictures.write(tmp_path / name, 20, is_paired)
    pieces = split(settings, "video_frames", [path], {**params, "crf": 0})
    files = _written(pieces, tmp_path / "pieces", path.suffix)
    assert len(pictures(*files)) == sum(piece.items or 0 for piece in pieces) == 20
    assert pictures(*files) == pictures(path)
    assert len(set(pictures(path))) == 20
    assert len(pieces) > 2


def _late(folder: Path) -> Path:
    """Half a second is there to decode what follows, and not shown."""
    whole, path = clip(folder / "whole.mp4", 4), folder / "late.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "0.5", "-i", str(whole), "-c", "copy", str(path)], check=True)
    return path


def _early(folder: Path) -> Path:
    """The edit list (ISO/IEC 14496-12, 8.6.6) ends after 2100 of 4000 ms."""
    path = clip(folder / "early.mp4", 4, "-c:v libx264 -g 25 -an")
    data = bytearray(path.read_bytes())
    duration = data.index(b"elst") + 12
    data[duration : duration + 4] = (2100).to_bytes(4, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("edited", [_late, _early])
def test_frames_that_an_edit_list_hides_stay_hidden(
    settings: Settings, tmp_path: Path, edited: Callable[[Path], Path]
) -> None:
    path = edited(tmp_path)
    assert frame_count(path) < len(_packet_times(path))
    pieces = split(settings, "video_frames", [path], {"segment_s": 1, "cut": "keyframes", "crf": 0})
    files = _written(pieces, tmp_path / "pieces", ".mp4")
    assert pictures(*files) == pictures(path)
    again = tmp_path / "again.mp4"
    twice = placed(*[path.read_bytes()] * 2, source="a.mp4")
    again.write_bytes(join(settings, "video_concat", twice, {"crf": 0})["a.mp4"])
    assert pictures(again) == pictures(path) * 2


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.webm", "ntsc.mp4", "mp3.mp4"])
def test_every_packet_of_audio_comes_back_in_its_place(settings: Settings, tmp_path: Path, name: str) -> None:
    """Also those before the first frame, with which a decoder warms up."""
    more = {"ntsc.mp4": " -r 30000/1001 -ar 44100", "mp3.mp4": " -c:a libmp3lame"}.get(name, "")
    path = clip(tmp_path / name, 4, (VP9 if name.endswith("webm") else f"{H264} -c:a aac") + more)
    pieces = split(settings, "video_frames", [path], {"segment_s": 1, "cut": "keyframes"})
    assert len(pieces) > 2
    assert all(piece.metadata["copied"] for piece in pieces)
    again = tmp_path / f"again{path.suffix}"
    again.write_bytes(join(settings, "video_concat", untouched(pieces))[name])
    assert sounds(again) == sounds(path)
    assert _packet_times(again) == _packet_times(path)


def test_encoded_pieces_look_like_the_source(settings: Settings, tmp_path: Path) -> None:
    """Pixels that are not square, and colours of another standard."""
    looks = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range pc -vf setsar=4/3"
    path = clip(tmp_path / "a.mp4", 2, f"{H264} {looks}")
    shown = "color_range,color_space,color_transfer,color_primaries,sample_aspect_ratio,pix_fmt"
    asked = f"-select_streams v -show_entries stream={shown} -of csv=p=0"
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": 33})
    assert [probed(file, asked) for file in _written(pieces, tmp_path / "pieces", ".mp4")] == [probed(path, asked)] * 2
    assert "4:3" in probed(path, asked)


def test_the_machine_does_not_change_the_bytes(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 4)
    cores = os.sched_getaffinity(0)
    several = split(settings, "video_frames", [path], {"items_per_chunk": 33})
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert split(settings, "video_frames", [path], {"items_per_chunk": 33}) == several
    finally:
        os.sched_setaffinity(0, cores)
