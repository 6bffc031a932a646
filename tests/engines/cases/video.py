"""video_frames and video_concat; the clips are FFmpeg's test pictures."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from engines.cases import Join, Split
from engines.harness import SAMPLES, Piece, Results


def clip(path: Path, seconds: float = 4, options: str = "-c:v libx264 -preset ultrafast -g 25", rate: int = 25) -> Path:
    """Numbered test pictures, 96 x 64, with a tone."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt-get install ffmpeg")
    inputs = f"-f lavfi -i testsrc2=size=96x64:rate={rate} -f lavfi -i sine=frequency=440:sample_rate=48000"
    command = ["ffmpeg", "-v", "error", "-y", *inputs.split(), "-t", str(seconds), *options.split(), str(path)]
    subprocess.run(command, check=True)
    return path


def frame_count(path: Path) -> int:
    """By ffprobe, which decodes all."""
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        "v",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
    ]
    return int(
        subprocess.run([*command, str(path)], capture_output=True, text=True, check=True).stdout.strip().strip(",")
    )


def _clips(folder: Path) -> list[Path]:
    return [clip(folder / "one.mp4"), clip(folder / "two.mkv", 2)]


def _all_frames(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    folder = sources[0].parent / "check"
    folder.mkdir(exist_ok=True)
    for path in sources:
        mine = [piece for piece in pieces if piece.metadata["source"] == path.name]
        counts = []
        for number, piece in enumerate(mine):
            cut = folder / f"{number}{path.suffix}"
            cut.write_bytes(piece.data)
            counts.append(frame_count(cut))
        assert counts == [piece.items for piece in mine]
        assert sum(counts) == frame_count(path)


def _broken(folder: Path) -> Path:
    path = folder / "broken.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    return path


def _long(folder: Path, factor: int) -> Path:
    return clip(folder / f"long{factor}.mp4", 60 * factor)


def _pieces() -> list[Results]:
    data = (SAMPLES / "clip.mp4").read_bytes()
    return [Results({"o.mp4": data}, metadata={"source": "film.mp4"}) for _ in range(3)]


def _joined(found: Mapping[str, bytes]) -> None:
    assert set(found) == {"film.mp4"}
    assert found["film.mp4"].count(b"ftyp") == 1


def _long_pieces(factor: int) -> list[Results]:
    return [result for _ in range(8 * factor) for result in _pieces()]


CASES = [
    Split(
        "video_frames",
        {"frames": 30, "crf": 20},
        _clips,
        _all_frames,
        bad={"frames": 0},
        corrupt=_broken,
        says="cannot be read as video",
        empty="refused",
    ),
    Split(
        "video_frames",
        {"seconds": 1.5, "cut": "keyframes"},
        _clips,
        _all_frames,
        bad={"cut": "anywhere"},
        grow=_long,
        empty="refused",
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
]
