"""Films that are cut off, damaged or of no known codec are refused with the place."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.contract.engines.cases.video import placed
from tests.support.engine_harness import join, left_behind, split, untouched
from tests.support.films import H264, clip, frame_count, probed
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20 -c:a libopus"
FRAGMENTS = "-movflags frag_keyframe+empty_moov"
LIVE = ("live.mkv", "-live 1")
"""Matroska that leaves its sizes open."""


@pytest.mark.parametrize(
    ("name", "more"),
    [("a.mkv", ""), ("a.webm", ""), ("a.mp4", "-movflags +faststart"), ("a.mov", ""), ("a.mp4", FRAGMENTS), LIVE],
)
@pytest.mark.parametrize("engine", ["video_frames", "video_scenes", "video_renditions"])
def test_a_file_that_is_cut_off_is_refused(
    settings: Settings, tmp_path: Path, name: str, more: str, engine: str
) -> None:
    path = clip(tmp_path / name, 4, f"{VP9 if name.endswith('webm') else H264} {more}")
    assert split(settings, engine, [path], {})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.raises(SourceError, match=rf"{name}: ends at byte {path.stat().st_size}, but .* lacks \d+ bytes"):
        split(settings, engine, [path], {})
    assert left_behind(settings) == []


def test_an_open_end_that_lacks_what_the_index_lists_is_refused(settings: Settings, tmp_path: Path) -> None:
    """The data of MP4 may go on to the end of the file, wherever that is."""
    path = clip(tmp_path / "a.mp4", 4, f"{H264} -an -movflags +faststart")
    data = bytearray(path.read_bytes())
    size = data.index(b"mdat") - 4
    data[size : size + 4] = bytes(4)
    path.write_bytes(data)
    assert split(settings, "video_frames", [path], {})[0].items == 100
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(SourceError, match=r"a\.mp4: has \d+ of the 100 video packets in its index"):
        split(settings, "video_frames", [path], {})


def test_a_packet_that_cannot_be_decoded_is_refused_with_its_place(settings: Settings, tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 4, f"{H264} -an")
    places = [int(line.strip(",")) for line in probed(path, "-show_entries packet=pos -of csv=p=0").split()]
    data = bytearray(path.read_bytes())
    data[places[60] : places[60] + 40] = b"\xff" * 40
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.mp4: cannot be decoded at byte (\d+) or a little before") as caught:
        split(settings, "video_frames", [path], {"items_per_chunk": 33})
    found = int(re.findall(r"byte (\d+)", str(caught.value))[0])
    # As many packets later as there are threads.
    assert found in places[60 : 61 + (os.cpu_count() or 1)]


@pytest.mark.parametrize("codec", [b"avc1", b"ac-3"])
@pytest.mark.parametrize("engine", ["video_frames", "video_scenes", "video_renditions"])
def test_a_codec_that_nobody_knows_is_refused(settings: Settings, tmp_path: Path, codec: bytes, engine: str) -> None:
    path = clip(tmp_path / "a.mp4", 1, f"{H264} -c:a ac3")
    head, data = path.read_bytes().split(b"moov")
    path.write_bytes(head + b"moov" + data.replace(codec, b"zzzz"))
    with pytest.raises(SourceError, match=r"a\.mp4: holds (video|audio) in a codec that FFmpeg cannot decode"):
        split(settings, engine, [path], {})


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_names_in_another_encoding_do_no_harm(settings: Settings, tmp_path: Path, name: str) -> None:
    path = clip(tmp_path / name, 1, f"{H264} -metadata title=Cafe")
    path.write_bytes(path.read_bytes().replace(b"Cafe", b"Caf\xe9"))
    pieces = split(settings, "video_frames", [path], {"items_per_chunk": 10})
    assert sum(piece.items or 0 for piece in pieces) == 25
    assert join(settings, "video_concat", untouched(pieces))


@pytest.mark.parametrize(("name", "options"), [("a.mkv", H264), ("a.webm", VP9)])
def test_damage_that_hides_frames_is_refused_with_its_place(
    settings: Settings, tmp_path: Path, name: str, options: str
) -> None:
    """FFmpeg goes on with the next cluster, and says nothing of the frames between."""
    path = clip(tmp_path / name, 8, options)
    data = bytearray(path.read_bytes())
    middle, length = len(data) // 2, len(data) // 8
    data[middle : middle + length] = b"\xaa" * length
    path.write_bytes(data)
    assert frame_count(path) < 200
    with pytest.raises(SourceError, match=rf"{name}: is damaged at byte (\d+) or before") as caught:
        split(settings, "video_frames", [path], {})
    assert middle < int(re.findall(r"byte (\d+) or", str(caught.value))[0]) < middle + length * 2


def test_a_result_that_is_cut_off_is_refused(settings: Settings, tmp_path: Path) -> None:
    data = clip(tmp_path / "a.mkv", 1).read_bytes()
    results = placed(data, data[:-1000], source="a.mkv", name="o.mkv")
    with pytest.raises(EngineError, match=r"chunk 1, 'o\.mkv': ends at byte .* lacks 1000 bytes"):
        join(settings, "video_concat", results)
