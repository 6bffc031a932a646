"""What is said, from when to when: cues of SRT, WebVTT and JSON transcripts, and the doubles of two that overlap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

Markup = Literal["srt", "vtt", "json"]
"""How a text is marked up: SRT's and WebVTT's tags, or none, as in JSON."""
SAME_TEXT_S = 0.5
"""So far apart two chunks may place the beginning of one sentence."""


@dataclass(frozen=True)
class Cue:
    """Times in seconds; `settings` are WebVTT's, of where it is shown; `location` is where it stands in its file."""

    start_s: float
    end_s: float
    text: str
    markup: Markup
    location: str
    speaker: str = ""
    settings: str = ""

    def shifted(self, seconds: float) -> Self:
        """So much later."""
        return replace(self, start_s=self.start_s + seconds, end_s=self.end_s + seconds)

    @property
    def middle_s(self) -> float:
        """Half way between its times."""
        return (self.start_s + self.end_s) / 2

    @property
    def words(self) -> str:
        """Its letters and digits, to be compared: two chunks may differ in capitals and in points."""
        return "".join(re.findall(r"\w", re.sub(r"<[^>]*>", "", self.text).casefold()))


def without_doubles(
    before: Sequence[Cue], behind: Sequence[Cue], low_s: float, high_s: float
) -> tuple[list[Cue], list[Cue]]:
    """Of a chunk and of the next one, which both have the time from `low_s` to `high_s`.

    Each owns its half of that time, as a chunk hears badly at its edge. Of two cues of one text the owner's stays;
    any other in the other's half goes only where the other's cues fill at least half of it: nothing said is lost.
    """
    middle = (low_s + high_s) / 2
    doubles = _same(before, behind, low_s, high_s)
    lost_before = {one for one, _ in doubles if before[one].middle_s >= middle}
    lost_behind = {other for one, other in doubles if one not in lost_before}
    rest_behind = [cue for number, cue in enumerate(behind) if number not in lost_behind]
    kept_before = [
        cue
        for number, cue in enumerate(before)
        if number not in lost_before and not (cue.middle_s >= middle and _is_filled(cue, rest_behind))
    ]
    kept_behind = [cue for cue in rest_behind if not (cue.middle_s < middle and _is_filled(cue, kept_before))]
    return kept_before, kept_behind


def _same(before: Sequence[Cue], behind: Sequence[Cue], low_s: float, high_s: float) -> list[tuple[int, int]]:
    """Pairs of indices of cues of one text at one time, each index once: said twice, it is twice in both."""
    found: list[tuple[int, int]] = []
    free = [number for number, cue in enumerate(behind) if cue.start_s < high_s]
    for number, cue in enumerate(before):
        if cue.end_s < low_s:
            continue
        other = next((each for each in free if behind[each].words == cue.words and _meet(cue, behind[each])), None)
        if other is not None:
            free.remove(other)
            found.append((number, other))
    return found


def _meet(one: Cue, other: Cue) -> bool:
    shared = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return shared > 0 or abs(one.start_s - other.start_s) <= SAME_TEXT_S


def _is_filled(cue: Cue, others: Sequence[Cue]) -> bool:
    shared = sum(max(0.0, min(cue.end_s, each.end_s) - max(cue.start_s, each.start_s)) for each in others)
    return shared > 0 and shared >= (cue.end_s - cue.start_s) / 2
