"""The private parts of other libraries that engines touch, each in one function.

A test of each (`tests/unit/engines/test_compat.py`) fails when the library changes what the function leans on; the
versions are held in `pyproject.toml`. Functions get the library's object or class from their callers, who import it:
who reads archives must not need a library of video.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import soundfile
    from scenedetect.detectors import ContentDetector

Planes = Sequence[npt.NDArray[np.uint8]]
"""A picture as arrays (height, width), one for each of hue, saturation and brightness."""
D = TypeVar("D", bound="ContentDetector")


def read_in_order(audio: soundfile.SoundFile) -> None:
    """Make a SoundFile that is read for the most part in order read on without a seek (soundfile 0.13 and 0.14).

    `SoundFile.read` asks `seekable()`, and where it says so seeks after each read to where it is already, upon which
    libsndfile decodes the last frame of a FLAC again. `seek` does not ask, and goes on working.
    """
    audio.seekable = lambda: False


def scored_by(
    detector: type[D], score: Callable[[Planes | None, Planes], float], planes: Callable[..., Planes]
) -> type[D]:
    """A kind of PySceneDetect's `ContentDetector` whose scores are `score(planes of the last, planes of this picture)`.

    Its own `_calculate_frame_score(time, picture)` keeps the last picture in `_last_frame`, which is None before the
    first (0.7.2), and which nothing else reads; `planes(picture)` takes an array (height, width, BGR) apart.
    """

    def calculate(self: Any, _: Any, picture: npt.NDArray[np.uint8]) -> float:
        before, self._last_frame = self._last_frame, planes(picture)
        return score(before, self._last_frame)

    return type(detector.__name__, (detector,), {"_calculate_frame_score": calculate})


def forget_members(archive: tarfile.TarFile) -> None:
    """Let go of the headers that an archive open for reading as a stream has passed.

    `TarFile.members` is a list that only grows, by about 1 KiB for each file, though `next()` needs the last alone.
    """
    archive.members.clear()  # type: ignore[attr-defined]  # no public name


def is_end_of_archive(error: tarfile.HeaderError) -> bool:
    """Whether there is a block of zeros, which ends an archive, where a header could be.

    That is `tarfile.EOFHeaderError`, which the documentation does not name.
    """
    return isinstance(error, tarfile.EOFHeaderError)  # type: ignore[attr-defined]  # no public name
