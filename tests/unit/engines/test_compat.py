"""The private parts of libraries that engines touch: each test fails when the library is not as we take it to be."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from triptych.engines.compat import (
    forget_members,
    is_end_of_archive,
    read_in_order,
    scored_by,
)


def _flac(frames: int) -> io.BytesIO:
    data = io.BytesIO()
    soundfile.write(data, np.sin(np.arange(frames) * 0.3), 8000, "PCM_16", format="FLAC")
    data.seek(0)
    return data


def _seeks(audio: soundfile.SoundFile, count: int) -> list[int]:
    """The frames that reads of a second each go to; asking for the position is none."""
    frames: list[int] = []
    seek = audio.seek

    def spied(frame: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET:
            frames.append(frame)
        position: int = seek(frame, whence)
        return position

    audio.seek = spied
    for _ in range(count):
        audio.read(8000)
    return frames


def test_soundfile_reads_on_without_seeking() -> None:
    with soundfile.SoundFile(_flac(40_000)) as plain:
        assert _seeks(plain, 3) == [8000, 16_000, 24_000], "reading on its own does not seek: read_in_order can go"
    with soundfile.SoundFile(_flac(40_000)) as audio:
        read_in_order(audio)
        assert _seeks(audio, 3) == []
        audio.seek(100)
        assert audio.tell() == 100
        np.testing.assert_array_equal(audio.read(50), soundfile.read(_flac(40_000))[0][100:150])


@pytest.mark.parametrize("plain", [ContentDetector, AdaptiveDetector])
def test_pyscenedetect_asks_our_score_of_each_picture_once(plain: type[ContentDetector]) -> None:
    asked: list[tuple[object, object]] = []

    def score(before: Sequence[npt.NDArray[np.uint8]] | None, after: Sequence[npt.NDArray[np.uint8]]) -> float:
        asked.append((before, after))
        return 0.0

    pictures = np.arange(3 * 12 * 16 * 3, dtype=np.uint8).reshape(3, 12, 16, 3)
    sought = scored_by(plain, score, lambda picture: [picture[:, :, 0]])(min_scene_len=1)
    for number, picture in enumerate(pictures):
        sought.process_frame(FrameTimecode(number, fps=25.0), picture)
    assert asked[0][0] is None
    assert [before for before, _ in asked[1:]] == [after for _, after in asked[:-1]]
    assert len(asked) == len(pictures)


def _tar(count: int) -> io.BytesIO:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number in range(count):
            archive.addfile(tarfile.TarInfo(str(number)))
    data.seek(0)
    return data


@pytest.mark.parametrize("mode", ["r|", "r:"])
def test_tarfile_goes_on_without_the_members_that_it_passed(mode: str) -> None:
    names = []
    with tarfile.open(fileobj=_tar(50), mode=mode) as archive:  # type: ignore[call-overload]  # any mode
        while (entry := archive.next()) is not None:
            names.append(entry.name)
            assert len(archive.members) == 1, "tarfile keeps what it passed no more: forget_members can go"
            forget_members(archive)
    assert names == [str(number) for number in range(50)]


@pytest.mark.parametrize(("block", "is_end"), [(bytes(512), True), (b"x" * 512, False), (b"x" * 100, False)])
def test_tarfile_tells_the_end_from_a_broken_header(block: bytes, is_end: bool) -> None:
    with pytest.raises(tarfile.HeaderError) as caught:
        tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    assert is_end_of_archive(caught.value) is is_end
