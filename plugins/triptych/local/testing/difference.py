"""How a file differs from what was expected, as a person wants to be told: first place, both texts, how many more."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = 120
_BEFORE = 40


@dataclass(frozen=True)
class Difference:
    """The first difference of one file, or a sentence on the whole of it; `file` is empty where it concerns all."""

    file: str
    place: str = ""
    """`line 3`, `byte 1,024` or a JSON path."""
    expected: str = ""
    got: str = ""
    more: int = 0
    """How many further ones the file has."""
    message: str = ""
    """Says what is wrong, where there are no two texts to show."""

    def __str__(self) -> str:
        """Of several lines where there is something to show."""
        head = ", ".join(part for part in (self.file, self.place) if part)
        if self.message:
            return f"{head}: {self.message}" if head else self.message
        more = f"\n  and {self.more:,} more difference(s) in this file" if self.more else ""
        return f"{head}:\n  expected: {self.expected}\n  got:      {self.got}{more}"


def excerpts(expected: str, got: str) -> tuple[str, str]:
    """Both texts around the first character that differs; escaped where one holds what cannot be seen."""
    first = next((at for at, pair in enumerate(zip(expected, got, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(expected), len(got)) if first is None else first
    begin = max(0, at - _BEFORE) if max(len(expected), len(got)) > _SHOWN else 0
    parts = [text[begin : begin + _SHOWN] for text in (expected, got)]
    shown = parts if all(_is_seen(text) for text in (expected, got)) else [repr(part) for part in parts]
    ends = [begin + _SHOWN < len(text) for text in (expected, got)]
    one, other = (
        f"{'...' if begin else ''}{part}{'...' if cut else ''}" for part, cut in zip(shown, ends, strict=True)
    )
    return one, other


def _is_seen(text: str) -> bool:
    return text.isprintable() and text == text.strip() and "\u00a0" not in text and text != ""
