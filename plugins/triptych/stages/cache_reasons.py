"""What is said of a chunk of a cacheable app: that its result was taken, or why it was not; and how people are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

HIT = "hit"
"""Of a chunk whose result was taken. Any other word is a reason: parts of the key, with commas, or one of these."""
FIRST, BROKEN, UNREACHABLE, NO_CACHE = "nothing kept", "broken", "unreachable", "no cache"
SHOWN_CHUNKS = 20
"""So many numbers are told of each reason."""
_MEANINGS = {
    FIRST: "since nothing was kept before",
    BROKEN: "since what was kept of them is broken",
    UNREACHABLE: "since the cache could not be read",
    NO_CACHE: "since the job takes nothing from the cache (`config.noCache`)",
}


def count_hits(said: Mapping[int, str]) -> int:
    """How many of the chunks were not run."""
    return sum(1 for word in said.values() if word == HIT)


def numbers_by_reason(said: Mapping[int, str]) -> dict[str, list[int]]:
    """The chunks that were run, in order, by the reason; the most frequent one first."""
    reasons: dict[str, list[int]] = defaultdict(list)
    for number in sorted(number for number, word in said.items() if word != HIT):
        reasons[said[number]].append(number)
    return dict(sorted(reasons.items(), key=lambda item: -len(item[1])))


def misses(said: Mapping[int, str]) -> list[str]:
    """A line for each reason: `2 chunk(s) ran, which differ from what was kept before by code: 0, 1`."""
    return [_line(reason, numbers) for reason, numbers in numbers_by_reason(said).items()]


def _line(reason: str, numbers: Sequence[int]) -> str:
    why = _MEANINGS.get(reason) or f"which differ from what was kept before by {reason}"
    more = " ..." if len(numbers) > SHOWN_CHUNKS else ""
    return f"{len(numbers)} chunk(s) ran, {why}: {', '.join(map(str, numbers[:SHOWN_CHUNKS]))}{more}"
