"""Chapters of a video: cut with it, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from triptych.engines.video.tracks import Spot

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.container.core import Chapter as FFmpegChapter

MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True)
class Chapter:
    """From `begin` to `end`, in seconds."""

    begin: Fraction
    end: Fraction
    title: str

    def to_ffmpeg(self, number: int) -> FFmpegChapter:
        """As a container takes it, in milliseconds."""
        start, end = (round(each / MILLISECOND) for each in (self.begin, self.end))
        title = {"title": self.title} if self.title else {}
        return {"id": number, "start": start, "end": end, "time_base": MILLISECOND, "metadata": title}


def chapters_of(source: InputContainer) -> list[Chapter]:
    """Those that the file has."""
    found = []
    for each in source.chapters():
        unit = each["time_base"] or MILLISECOND
        title = each["metadata"].get("title", "")
        found.append(Chapter(each["start"] * unit, each["end"] * unit, title))
    return found


def shifted(source: InputContainer, spot: Spot) -> list[Chapter]:
    """Those of an open part, where it lies in the whole."""
    return [replace(c, begin=c.begin + spot.shift, end=c.end + spot.shift) for c in chapters_of(source)]


def between(chapters: Iterable[Chapter], begin: Fraction, end: Fraction | None) -> list[Chapter]:
    """What of them lies there, from `begin` on: (0, 4) from 3 to 6 is (0, 1)."""
    cut = (
        replace(c, begin=max(c.begin, begin) - begin, end=(c.end if end is None else min(c.end, end)) - begin)
        for c in chapters
    )
    return [chapter for chapter in cut if chapter.end - chapter.begin >= MILLISECOND]


def put_together(chapters: Sequence[Chapter]) -> list[Chapter]:
    """Those of parts put together where one goes on in the next: (0, 3) and (3, 4) of one title are (0, 4)."""
    whole: list[Chapter] = []
    for chapter in chapters:
        last = whole[-1] if whole else None
        if last and last.title == chapter.title and abs(chapter.begin - last.end) <= 2 * MILLISECOND:
            whole[-1] = replace(last, end=chapter.end)
        else:
            whole.append(chapter)
    return whole
