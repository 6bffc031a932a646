"""Plain text: UTF-8 as a stream, and which lines look like headings."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain

from triptych.engines.api import Input
from triptych.engines.documents.headings import Heading, decoded_title, is_adornment, is_title, lines
from triptych.errors import TriptychError

MAX_HEADING_CHARACTERS = 100
_NUMBERED = re.compile(rb"(\d{1,3}(?:\.\d{1,3})*)\.?\s+\S")
_NAMED = re.compile(rb"(?:chapter|part|book|appendix|section)\s+[\divxlc]+\b", re.IGNORECASE)


def decoded(item: Input) -> Iterator[str]:
    """UTF-8 as text, block by block; a byte-order mark stays, as U+FEFF. Raises `not_utf8`."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = start = 0
    try:
        for block in item.stream():
            start = offset - len(decoder.getstate()[0])
            yield decoder.decode(block)
            offset += len(block)
        start = offset - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise not_utf8(item, start, error) from error


def not_utf8(item: Input, start: int, error: UnicodeDecodeError) -> TriptychError:
    """The item's error with the offset of the first byte that is none; what was decoded begins at byte `start`."""
    return item.error(
        f"byte {start + error.start} is not UTF-8 ({error.reason}). "
        "Convert the file first, e.g. iconv -f WINDOWS-1252 -t UTF-8."
    )


def text_headings(item: Input) -> Iterator[Heading]:
    """Lines of plain text that stand alone and look like headings.

    "Chapter 1", capitals only, or underlined with = : level 1; underlined with - or ~ : 2; "1.2 Title": as many levels
    as numbers. A sentence (a full stop at its end) is none.
    """
    above, offset, line = b"", 0, b""
    for next_offset, below in chain(lines(item), [(0, b"")]):
        if line.strip() and not above.strip() and (level := _level(line.strip(), below.strip())):
            yield Heading(offset, level, decoded_title(line))
        above, offset, line = line, next_offset, below


def _level(line: bytes, below: bytes) -> int:
    """0 for no heading."""
    if below:
        underlined = is_adornment(below) and below[:1] in b"=-~" and is_title(line, below)
        return (1 if below[:1] == b"=" else 2) if underlined else 0
    text = decoded_title(line)
    if len(text) > MAX_HEADING_CHARACTERS or text.endswith((".", ",", ";", ":")):
        return 0
    if numbered := _NUMBERED.match(line):
        return numbered[1].count(b".") + 1
    return int(bool(_NAMED.match(line)) or (text.isupper() and sum(map(str.isalpha, text)) > 2))
