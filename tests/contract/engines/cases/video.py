"""The video engines; the clips are FFmpeg's test pictures."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests.contract.engines.cases import Join, Split
from tests.contract.engines.cases.images import as_png
from tests.support.engine_harness import SAMPLES, Piece, Results
from tests.support.films import clip, frame_count, pictures
from triptych.engines.video.segment import VideoSegment


def _probed(path: Path, what: str) -> int:
    command = ["ffprobe", "-v", "error", "-select_streams", "v", *what.split(), "-of", "csv=p=0", str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().strip(","))


def _clips(folder: Path) -> list[Path]:
    return [clip(folder / "one.mp4"), clip(folder / "two.mkv", 2)]


def _short(folder: Path) -> list[Path]:
    return [clip(folder / "short.mp4", 1)]


def _low(folder: Path) -> list[Path]:
    """No higher than the lowest rendition of the ladder."""
    return [clip(folder / "low.mp4", 1, "-c:v libx264 -preset ultrafast -g 25 -s 48x32")]


def _all_frames(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    folder = sources[0].parent / "check"
    folder.mkdir(exist_ok=True)
    for path in sources:
        mine = [piece for piece in pieces if piece.metadata["source"] == path.name]
        cuts = [folder / f"{number}{path.suffix}" for number in range(len(mine))]
        for cut, piece in zip(cuts, mine, strict=True):
            cut.write_bytes(piece.data)
        pictures(*cuts)
        counts = [frame_count(cut) for cut in cuts]
        assert counts == [piece.items for piece in mine]
        assert sum(counts) == frame_count(path)


def _broken(folder: Path) -> Path:
    path = folder / "broken.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    return path


def _long(folder: Path, factor: int) -> Path:
    return clip(folder / f"long{factor}.mp4", 60 * factor)


def placed(*parts: bytes, source: str = "film.mp4", name: str = "o.mp4") -> list[Results]:
    """A result of each segment of one source, 3 s apart, as if a partitioner and the stage `partition` had cut it."""
    segments = [
        VideoSegment(source_index=0, source=source, segment=number, start_s=number * 3.0)
        for number in range(len(parts))
    ]
    return [
        Results({name: data}, metadata={**segment.to_metadata(), "part": segment.segment, "parts": len(parts)})
        for segment, data in zip(segments, parts, strict=True)
    ]


def _pieces(count: int = 3) -> list[Results]:
    return placed(*[(SAMPLES / "clip.mp4").read_bytes()] * count)


def _joined(found: Mapping[str, bytes]) -> None:
    assert set(found) == {"film.mp4"}
    assert found["film.mp4"].count(b"ftyp") == 1


def _packaged(found: Mapping[str, bytes]) -> None:
    lists = {name for name in found if name.endswith(".m3u8")}
    assert lists == {"film/master.m3u8", "film/64p/playlist.m3u8", "film/audio_1/playlist.m3u8"}
    for name in sorted(lists - {"film/master.m3u8"}):
        lines = found[name].decode().splitlines()
        assert {f"{name.rpartition('/')[0]}/{line}" for line in lines if line.endswith(".m4s")} <= set(found)


def _long_pieces(factor: int) -> list[Results]:
    return _pieces(24 * factor)


def _scenes(folder: Path, count: int = 3) -> list[Path]:
    """So many of three still pictures of 2, 1 and 1.5 s: the cuts are known."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt-get install ffmpeg")
    colours = [("red", 2), ("blue", 1), ("white", 1.5)][:count]
    inputs = [word for name, s in colours for word in ("-f", "lavfi", "-i", f"color={name}:s=96x64:r=25:d={s}")]
    path = folder / "scenes.mp4"
    joined = ["-filter_complex", f"concat=n={count}", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *joined, str(path)], check=True)
    return [path]


def _at_changes(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    _all_frames(pieces, sources)
    cuts = [cut for cut in (0, 50, 75) if cut < frame_count(sources[0])]
    assert [piece.metadata["first_frame"] for piece in pieces] == cuts
    assert [piece.name.rpartition("_")[2] for piece in pieces] == [f"{cut / 25:010.3f}.mp4" for cut in cuts]


def _renditions(pieces: Sequence[Piece], sources: Sequence[Path]) -> list[list[Piece]]:
    """The pieces of each rendition of the ladder that fits; only the first has audio."""
    height = _probed(sources[0], "-show_entries stream=height")
    fitting = [step for step in [(96, 64, 90), (48, 32, 40)] if step[1] <= height]
    ladder = [(*step, place == 0) for place, step in enumerate(fitting)]
    found = [[p for p in pieces if tuple(p.metadata["rendition"].values()) == step] for step in ladder]
    assert sum(map(len, found)) == len(pieces)
    return found


def _whole(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    for rendition in _renditions(pieces, sources):
        assert [piece.data for piece in rendition] == [path.read_bytes() for path in sources]
    assert not any(piece.copied for piece in pieces)


def _slices(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    first, *others = _renditions(pieces, sources)
    _all_frames(first, sources)
    assert all([piece.data for piece in other] == [piece.data for piece in first] for other in others)
    spans = [(p.metadata["start_s"], p.metadata["end_s"]) for p in first if p.metadata["source"] == sources[0].name]
    # A keyframe each second.
    last = frame_count(sources[0]) / 25
    assert spans == ([(0.0, 3.0), (3.0, last)] if last > 3 else [(0.0, last)])


def _stills(count: int = 3, side: int = 64) -> list[Results]:
    return [Results({"o.png": as_png(Image.new("RGB", (side, side), (40 * n % 256, 90, 20)))}) for n in range(count)]


def _three_frames(found: Mapping[str, bytes]) -> None:
    assert set(found) == {"film.mp4"}
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        film.write_bytes(found["film.mp4"])
        assert frame_count(film) == 3


LADDER = [{"height": h, "bitrate_kbps": rate} for h, rate in ((64, 90), (32, 40), (480, 900))]


def _two_chapters(found: Mapping[str, bytes]) -> None:
    assert set(found) == {"film_scenes.mp4"}
    assert b"From 0.0" in found["film_scenes.mp4"]
    assert b"From 6.0" in found["film_scenes.mp4"]


CASES = [
    Split(
        "video_frames",
        {"items_per_chunk": 30, "crf": 20},
        _clips,
        _all_frames,
        bad={"items_per_chunk": 0},
        corrupt=_broken,
        says="cannot be read as video",
        empty="refused",
        one=_short,
    ),
    Split(
        "video_frames",
        {"segment_s": 1.5, "cut": "keyframes"},
        _clips,
        _all_frames,
        bad={"cut": "anywhere"},
        grow=_long,
        empty="refused",
        one=_short,
    ),
    Split(
        "video_scenes",
        {"min_scene_len": 5},
        _scenes,
        _at_changes,
        bad={"detector": "eyes"},
        corrupt=_broken,
        says="cannot be read as video",
        empty="refused",
        one=lambda folder: _scenes(folder, 1),
    ),
    Split(
        "video_renditions",
        {"ladder": LADDER, "audio": "once", "segment_s": 2.5},
        _clips,
        _slices,
        bad={"segment_s": 0},
        grow=_long,
        empty="refused",
        one=_low,
    ),
    Split(
        "video_renditions",
        {"ladder": LADDER, "audio": "once"},
        _clips,
        _whole,
        bad={"ladder": []},
        corrupt=_broken,
        says="cannot be read as video",
        empty="refused",
        one=_low,
    ),
    Join(
        "video_concat",
        {},
        _pieces,
        _joined,
        bad={"crf": 99},
        corrupt=lambda: [Results({"o.mp4": b"no video"})],
        says="chunk 0, 'o.mp4': cannot be read as video",
        grow=_long_pieces,
    ),
    Join(
        "hls_package",
        {"segment_s": 2},
        _pieces,
        _packaged,
        bad={"segment_s": 61},
        corrupt=lambda: [Results({"o.mp4": b"no video"})],
        says="chunk 0, 'o.mp4': cannot be read as video",
        grow=_long_pieces,
    ),
    Join(
        "video_scenes",
        {"scenes": [2, 0], "title": "From {start}"},
        _pieces,
        _two_chapters,
        bad={"scenes": []},
        corrupt=lambda: _pieces()[:1],
        says="there is no scene 2; there are 0",
    ),
    Join(
        "video_from_images",
        {"frame_rate": "25"},
        _stills,
        _three_frames,
        bad={"frame_rate": "fast"},
        corrupt=lambda: [Results({"o.png": b"no picture"})],
        says="chunk 0, 'o.png': cannot be read as an image",
        grow=lambda factor: _stills(8 * factor, 600),
    ),
]
