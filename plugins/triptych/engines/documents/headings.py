"""What a heading is, and the lines and titles that all formats look at."""

from __future__ import annotations

import re
import unicodedata
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass

from triptych.engines.api import Input

MAX_LINE_BYTES = 4096
"""Of a line that may be a heading; what is behind it is not looked at."""
MAX_TITLE_CHARACTERS = 200
_ADORNMENT = re.compile(rb"([!-/:-@\[-`{-~])\1*\s*")


@dataclass(frozen=True)
class Heading:
    """A heading that begins at byte `offset`; `level` from 1; `title` is plain text."""

    offset: int
    level: int
    title: str


def lines(item: Input) -> Iterator[tuple[int, bytes]]:
    """(offset, line) with at most MAX_LINE_BYTES of each, without its newline or a byte-order mark."""
    offset, start, kept = 0, 0, b""
    for block in item.stream():
        begin = 0
        while (end := block.find(b"\n", begin)) >= 0:
            line = kept + block[begin : min(end, begin + MAX_LINE_BYTES)]
            yield start, line if start else line.removeprefix(BOM_UTF8)
            begin, kept = end + 1, b""
            start = offset + begin
        kept = (kept + block[begin : begin + MAX_LINE_BYTES])[:MAX_LINE_BYTES]
        offset += len(block)
    if kept:
        yield start, kept if start else kept.removeprefix(BOM_UTF8)


def is_adornment(line: bytes) -> bool:
    """Whether it repeats one ASCII sign of punctuation: `----`, `=`."""
    return _ADORNMENT.fullmatch(line) is not None


def is_title(line: bytes, adornment: bytes) -> bool:
    """Whether the adornment below it is as long as the line, or 4 signs, makes it a title; wide letters count twice."""
    if not line.strip() or is_adornment(line):
        return False
    width = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in decoded_title(line))
    return len(adornment.rstrip()) >= min(4, width)


def as_title(text: str) -> str:
    """On one line, with single spaces, at most MAX_TITLE_CHARACTERS."""
    return " ".join(text.split())[:MAX_TITLE_CHARACTERS]


def decoded_title(line: bytes) -> str:
    """`as_title` of UTF-8, with U+FFFD for what is none."""
    return as_title(line.decode("utf-8", "replace"))
