"""Files compared byte by byte, and by their lines in any order."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

from triptych.local.testing.difference import Difference, excerpts

_NO_LINE = "(nothing: the file has ended)"


def compare_bytes(name: str, got: Path, expected: Path) -> Difference | None:
    """Of text the first line that differs, of anything else the first byte. Both are held in memory."""
    made, wanted = got.read_bytes(), expected.read_bytes()
    if made == wanted:
        return None
    texts = [_text(data) for data in (wanted, made)]
    if texts[0] is not None and texts[1] is not None:
        return compare_lines(name, texts[1].split("\n"), texts[0].split("\n"))
    at = next((at for at, pair in enumerate(zip(made, wanted, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(made), len(wanted)) if at is None else at
    place = f"byte {at:,}"
    return Difference(name, place, _bytes(wanted, at), _bytes(made, at))


def compare_lines(name: str, got: list[str], expected: list[str]) -> Difference | None:
    """The first line that differs, from 1, and how many more do up to where both end alike.

    ["a", "b", "c"] and ["a", "x", "b", "c"] differ at line 2, and in no other.
    """
    if got == expected:
        return None
    pairs = zip(got, expected, strict=False)
    first = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(got), len(expected)))
    rest = (got[first:], expected[first:])
    shorter = min(map(len, rest))
    backwards = zip(reversed(rest[0]), reversed(rest[1]), strict=False)
    alike = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], itertools.islice(backwards, shorter)))
    made, wanted = ([*each[: len(each) - alike]] for each in rest)
    differing = (
        sum(one != other for one, other in zip(made, wanted, strict=True))
        if len(made) == len(wanted)
        else max(len(made), len(wanted))
    )
    shown = (rest[1][0] if rest[1] else None, rest[0][0] if rest[0] else None)
    return Difference(name, f"line {first + 1:,}", *_shown(*shown), more=differing - 1)


def compare_unordered_lines(name: str, got: Path, expected: Path) -> Difference | None:
    """Whether both hold the same lines, each as often; a newline at the end counts for nothing."""
    made, wanted = (Counter(path.read_text("utf-8", "surrogateescape").splitlines()) for path in (got, expected))
    lacking, surplus = list((wanted - made).elements()), list((made - wanted).elements())
    if not lacking and not surplus:
        return None
    one, other = excerpts((lacking or surplus)[0], (surplus or lacking)[0])
    shown = (one if lacking else "(no other line)", other if surplus else "(no such line)")
    return Difference(name, "", *shown, more=max(len(lacking), len(surplus)) - 1)


def _shown(expected: str | None, got: str | None) -> tuple[str, str]:
    one, other = excerpts(_either(expected, got), _either(got, expected))
    return (_NO_LINE if expected is None else one, _NO_LINE if got is None else other)


def _either(line: str | None, other: str | None) -> str:
    """The other one where there is none: then it alone says whether it can be seen."""
    return (other or "") if line is None else line


def _text(data: bytes) -> str | None:
    """None where it is none: no UTF-8, or with a NUL in it."""
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _bytes(data: bytes, at: int) -> str:
    part = data[at : at + 16]
    return f"{part.hex(' ') or '(nothing)'} ({len(data):,} bytes in all)"
