"""Parts that are not as long as their spans, or lack sound, are told; FFmpeg and SoX make them shorter."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine_harness import Results, join, split
from tests.support.films import clip
from tests.support.programs import needs_ffmpeg
from triptych.settings import Settings


def _joined(
    settings: Settings, folder: Path, engines: tuple[str, str], source: Path, changed: Callable[[Path, Path], None]
) -> list[str]:
    """The output's names, where chunk 1 is changed from one file to the other."""
    results = []
    for number, piece in enumerate(split(settings, engines[0], [source], {"segment_s": 1})):
        own, other = (folder / f"{name}{source.suffix}" for name in ("own", "other"))
        own.write_bytes(piece.data)
        if number == 1:
            changed(own, other)
        data = (other if number == 1 else own).read_bytes()
        results.append(Results({f"r{source.suffix}": data}, piece.name, piece.metadata))
    return list(join(settings, engines[1], results))


def _by_ffmpeg(*words: str) -> Callable[[Path, Path], None]:
    def run(own: Path, other: Path) -> None:
        subprocess.run(["ffmpeg", "-v", "error", "-i", own, *words, other], check=True, stdin=subprocess.DEVNULL)

    return run


@needs_ffmpeg
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["-t", "0.4"],
            "a.mkv: 1 of 3 parts end before their spans do: chunk 1, 'r.mkv', the first, after 0.400 s of 1.000 s. "
            "Their last picture stays until the next part.",
        ),
        (
            ["-an", "-c", "copy"],
            "a.mkv: 1 of 3 parts have fewer sound tracks than others, chunk 1, 'r.mkv' the first; "
            "the whole is silent there.",
        ),
    ],
)
def test_a_film_of_which_a_part_lacks_something_is_told(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, words: list[str], says: str
) -> None:
    source = clip(tmp_path / "a.mkv", 3, "-c:v libx264 -preset ultrafast -g 25 -c:a flac")
    with caplog.at_level(logging.WARNING):
        assert _joined(settings, tmp_path, ("video_frames", "video_concat"), source, _by_ffmpeg(*words)) == ["a.mkv"]
    assert says in caplog.text


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_sound_of_which_a_part_is_shorter_is_told(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    source = clip(tmp_path / f"a{suffix}", 3, "-vn")
    with caplog.at_level(logging.WARNING):
        _joined(settings, tmp_path, ("audio_time", "audio_concat"), source, _by_ffmpeg("-t", "0.4"))
    assert (
        f"a{suffix}: 1 of 3 parts are not as long as their spans: chunk 1, 'r{suffix}', the first, has 0.400 s "
        "for 1.000 s. What follows them comes earlier or later."
    ) in caplog.text


@needs_ffmpeg
@pytest.mark.parametrize("codec", ["huffyuv", "rawvideo"])
def test_pictures_that_no_segment_can_hold_are_encoded_and_told(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture, codec: str
) -> None:
    path = clip(tmp_path / "a.avi", 1, f"-c:v {codec} -an")
    with caplog.at_level(logging.WARNING):
        pieces = split(settings, "video_frames", [path], {"segment_s": 0.4, "crf": 20})
    assert [piece.metadata["copied"] for piece in pieces] == [False] * 3
    assert "do not go into matroska as they are: from segment 0 on it is encoded anew (crf 20)." in caplog.text
