"""How the parts of a recording follow each other: behind what they overlap, or behind silence for what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.audio.span import AudioSpan
from triptych.engines.contracts import PARTS, Part, SourceParts


@dataclass(frozen=True)
class Joint:
    """`silent` frames, then a part, whose first `shared` are also the last of the one before; None ends the whole."""

    part: Part[AudioSpan] | None
    shared: int = 0
    silent: int = 0


def joints(group: SourceParts[AudioSpan], rate: int, *, fills: bool) -> list[Joint]:
    """The parts of a source in order, at `rate` frames a second; with `fills`, what is missing is silent.

    A part overlaps none but its neighbour. Silence is as long as what is missing was in the source: from the end of
    the part before to the begin of the next, whatever length the app gave those. Raises a result's error where nobody
    tells that.
    """
    made: list[Joint] = []
    number, end = 0, 0
    for part in group.parts:
        if part.number == number:
            made.append(Joint(part, shared=_overlap(part, rate) if number else 0))
        else:
            made.append(Joint(part, silent=_silent(part, end, _told(part, "first_frame"), rate) if fills else 0))
        number = part.number + 1
        end = _told(part, "first_frame") + _told(part, "frames") if fills and part.place else 0
    last = group.parts[-1]
    if fills and last.place and number < int(last.result.metadata[PARTS]):
        made.append(Joint(None, silent=_silent(last, end, _told(last, "source_frames"), rate)))
    return made


def _overlap(part: Part[AudioSpan], rate: int) -> int:
    return part.place.overlap_at(rate) if part.place else 0


def _silent(part: Part[AudioSpan], begin: int, end: int, rate: int) -> int:
    """Frames at `rate` between two frames of the part's source."""
    own = _told(part, "sample_rate")
    return round(end * rate / own) - round(begin * rate / own)


def _told(part: Part[AudioSpan], field: str) -> int:
    """A number of the part's span; raises the result's error where the partitioner does not tell it."""
    value: int | None = getattr(part.place, field)
    if value is None:
        text = f"how long the missing parts are nobody tells, as its span has no {field!r}. Set on_missing to skip."
        raise part.result.error(text)
    return value
