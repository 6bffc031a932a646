"""Films made and judged by FFmpeg's own command; each is encoded, and each content decoded, once in a process."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

H264 = "-c:v libx264 -preset ultrafast -g 25"
_known: dict[bytes, list[str]] = {}
"""Digests of the frames of each content that was asked for."""


def clip(path: Path, seconds: float = 4, options: str = H264, rate: int = 25) -> Path:
    """Numbered test pictures, 96 x 64, with a tone."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg: apt-get install ffmpeg")
    path.write_bytes(_clip(path.suffix, seconds, options, rate))
    return path


@functools.cache
def _clip(suffix: str, seconds: float, options: str, rate: int) -> bytes:
    inputs = f"-f lavfi -i testsrc2=size=96x64:rate={rate} -f lavfi -i sine=frequency=440:sample_rate=48000"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"clip{suffix}"
        command = ["ffmpeg", "-nostdin", "-v", "error", *inputs.split(), "-t", str(seconds), *options.split()]
        subprocess.run([*command, str(path)], check=True)
        return path.read_bytes()


def pictures(path: Path, *more: Path) -> list[str]:
    """A digest of each frame as it is shown, turned where it is to be turned; those of `more` behind.

    One run decodes all: to start FFmpeg takes longer than to decode a clip.
    """
    paths = {_key(each): each for each in (path, *more)}
    new = {key: each for key, each in paths.items() if key not in _known}
    if new:
        with tempfile.TemporaryDirectory() as folder:
            inputs = [word for each in new.values() for word in ("-i", str(each))]
            outputs: list[str] = []
            for number in range(len(new)):
                outputs += ["-map", f"{number}:v", "-fps_mode", "passthrough", "-f", "framemd5", f"{folder}/{number}"]
            subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *inputs, *outputs], check=True)
            for number, key in enumerate(new):
                lines = (Path(folder) / str(number)).read_text().splitlines()
                _known[key] = [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]
    return [picture for each in (path, *more) for picture in _known[_key(each)]]


def frame_count(path: Path) -> int:
    """How many frames it shows, when all are decoded."""
    return len(pictures(path))


def probed(path: Path, what: str) -> str:
    """What FFprobe says, asked with these options."""
    command = ["ffprobe", "-v", "error", *what.split(), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sounds(path: Path) -> list[tuple[str, str]]:
    """Time and digest of each packet of audio."""
    shown = json.loads(probed(path, "-select_streams a -show_packets -show_data_hash md5 -of json"))
    return [(packet["pts_time"], packet["data_hash"]) for packet in shown["packets"]]


def _key(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
