"""Films whose pixels are not square, which FFmpeg writes in the container alone for these codecs: FFprobe's reading."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.engine_harness import join, split, untouched
from tests.support.films import clip, pictures, probed
from tests.support.programs import needs_ffmpeg
from triptych.settings import Settings

FAST = "-deadline realtime -cpu-used 8"
SHAPED = [
    ("a.mov", "-vf setsar=2 -c:v prores_ks -an"),
    ("a.mov", "-vf setsar=16/11 -c:v qtrle -g 5 -an"),
    ("a.mkv", "-vf setsar=2 -c:v ffv1 -c:a flac"),
    ("a.nut", "-vf setsar=2 -c:v ffv1 -an"),
    ("a.webm", f"-vf setsar=2 -c:v libvpx-vp9 {FAST} -g 5 -an"),
    ("a.webm", f"-vf setsar=2 -c:v libvpx {FAST} -g 25 -c:a libopus"),
    ("a.mp4", "-vf setsar=2 -c:v libx264 -g 25"),
]


def _shape(path: Path) -> str:
    return probed(path, "-select_streams v -show_entries stream=sample_aspect_ratio -of csv=p=0").strip()


@needs_ffmpeg
@pytest.mark.parametrize(("name", "options"), SHAPED, ids=[options.split("-c:v ")[1][:9] for _, options in SHAPED])
def test_pixels_keep_their_shape(settings: Settings, tmp_path: Path, name: str, options: str) -> None:
    source = clip(tmp_path / name, 1, options)
    pieces = split(settings, "video_frames", [source], {"items_per_chunk": 10})
    (joined,) = join(settings, "video_concat", untouched(pieces)).items()
    files = [tmp_path / f"{number}{Path(joined[0]).suffix}" for number in range(len(pieces) + 1)]
    for file, data in zip(files, [joined[1], *(piece.data for piece in pieces)], strict=True):
        file.write_bytes(data)
    assert {_shape(file) for file in files} == {_shape(source)}
    assert len(pictures(files[0])) == len(pictures(source)) == 25
    if files[0].suffix in (".mkv", ".webm") and shutil.which("mkvmerge"):
        # It refuses sizes and places that do not fit.
        assert subprocess.run(["mkvmerge", "-q", "-o", tmp_path / "again.mkv", files[0]], check=False).returncode == 0
