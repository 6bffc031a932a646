"""Where the headings of HTML, reStructuredText and plain text are, in bytes; read as a stream."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

MAX_LINE_BYTES = 4096
"""Of a line that may be a heading; what is behind it is not looked at."""
LOOKAHEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Heading:
    """A heading that begins at byte `offset`; `level` from 1; `title` is plain text."""

    offset: int
    level: int
    title: str


_TAG = re.compile(rb"<!--|<([A-Za-z][^\s/>]*)(?:[^>\"']++|\"[^\"]*\"|'[^']*')*+>")
_RAW_TEXT = {b"script", b"style", b"textarea", b"title", b"xmp"}


def html_headings(blocks: Iterable[bytes], uri: str) -> Iterator[Heading]:
    """h1 to h6, but not in comments, scripts or attributes; for encodings that hold ASCII."""
    rest = iter(blocks)
    data, base, position, more, until = b"", 0, 0, True, None
    while True:
        if until is not None:
            found = until.search(data, position)
            at = found.start() if found else max(position, len(data) - 16)
            until = None if found else until
        else:
            at = data.find(b"<", position)
            at = len(data) if at < 0 else at
        if more and (until or len(data) - at < LOOKAHEAD_BYTES):
            block = next(rest, None)
            more = block is not None
            base, data, position = base + at, data[at:] + (block or b""), 0
            continue
        if until or at == len(data):
            return
        tag = _TAG.match(data, at)
        position = tag.end() if tag else at + 1
        name = (tag[1] or b"").lower() if tag else b""
        if tag and not name:
            until = re.compile(rb"-->")
        elif name in _RAW_TEXT:
            until = re.compile(rb"</" + name, re.IGNORECASE)
        elif re.fullmatch(rb"h[1-6]", name):
            yield Heading(base + at, name[1] - 48, _inner_text(data[position : position + MAX_LINE_BYTES]))


def _inner_text(data: bytes) -> str:
    inner = re.split(rb"</h[1-6]", data, maxsplit=1, flags=re.IGNORECASE)[0]
    return plain(html.unescape(re.sub(r"<[^>]*>", "", inner.decode("utf-8", "replace"))))


_ADORNMENT = re.compile(rb"([!-/:-@\[-`{-~])\1*\s*")


def rst_headings(blocks: Iterable[bytes], uri: str) -> Iterator[Heading]:
    """Section titles of reStructuredText; levels by the order in which the styles appear.

    A title has a line of one sign below it, as long as itself or at least 4 long, and may have the same above it.
    """
    styles: list[tuple[bytes, bool]] = []
    above: tuple[int, bytes] = (0, b"")
    title: tuple[int, bytes] = (0, b"")
    for offset, line in lines(blocks):
        if _ADORNMENT.fullmatch(line) and _is_title(title[1], line):
            over = above[1].rstrip() == line.rstrip()
            if over or ((not above[1].strip() or above[1].startswith(b"..")) and not title[1][:1].isspace()):
                style = (line[:1], over)
                styles += [style] * (style not in styles)
                yield Heading((above if over else title)[0], styles.index(style) + 1, _text(title[1]))
                above, title = (offset, b""), (offset, b"")
                continue
        above, title = title, (offset, line)


def _is_title(line: bytes, adornment: bytes) -> bool:
    if not line.strip() or _ADORNMENT.fullmatch(line):
        return False
    width = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in _text(line))
    return len(adornment.rstrip()) >= min(4, width)


_NUMBERED = re.compile(rb"(\d{1,3}(?:\.\d{1,3})*)\.?\s+\S")
_NAMED = re.compile(rb"(?:chapter|part|book|appendix|section)\s+[\divxlc]+\b", re.IGNORECASE)


def text_headings(blocks: Iterable[bytes], uri: str) -> Iterator[Heading]:
    """Lines of plain text that stand alone and look like headings.

    "Chapter 1", capitals only, or underlined with = : level 1; underlined with - or ~ : 2; "1.2 Title": as many levels
    as numbers. A sentence (a full stop at its end) is none.
    """
    above, line_at, line = b"", 0, b""
    for offset, below in chain(lines(blocks), [(0, b"")]):
        if line.strip() and not above.strip() and (level := _level(line.strip(), below.strip())):
            yield Heading(line_at, level, _text(line))
        above, line_at, line = line, offset, below


def _level(line: bytes, below: bytes) -> int:
    """0 for no heading."""
    if below:
        underlined = _ADORNMENT.fullmatch(below) and below[:1] in b"=-~" and _is_title(line, below)
        return (1 if below[:1] == b"=" else 2) if underlined else 0
    text = _text(line)
    if len(text) > 100 or text.endswith((".", ",", ";", ":")):
        return 0
    if numbered := _NUMBERED.match(line):
        return numbered[1].count(b".") + 1
    return int(bool(_NAMED.match(line)) or (text.isupper() and sum(map(str.isalpha, text)) > 2))


def lines(blocks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """(offset, line) with at most MAX_LINE_BYTES of each, without a byte-order mark."""
    offset, start, kept = 0, 0, b""
    for block in blocks:
        begin = 0
        while (end := block.find(b"\n", begin)) >= 0:
            line = kept + block[begin : min(end, begin + MAX_LINE_BYTES)]
            yield start, line if start else line.removeprefix(b"\xef\xbb\xbf")
            begin, kept = end + 1, b""
            start = offset + begin
        kept = (kept + block[begin : begin + MAX_LINE_BYTES])[:MAX_LINE_BYTES]
        offset += len(block)
    if kept:
        yield start, kept if start else kept.removeprefix(b"\xef\xbb\xbf")


def _text(line: bytes) -> str:
    return plain(line.decode("utf-8", "replace"))


def plain(text: str) -> str:
    """On one line, with single spaces, at most 200 characters."""
    return " ".join(text.split())[:200]
