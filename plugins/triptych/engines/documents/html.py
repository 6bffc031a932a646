"""Where the headings of HTML are, in bytes; read as a stream."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from triptych.engines.api import Input
from triptych.engines.documents.headings import MAX_LINE_BYTES, Heading, as_title

LOOKAHEAD_BYTES = 64 * 1024
"""In which a tag must end to be one."""
CLOSING_BYTES = 16
"""No shorter than what ends a comment or raw text: `</textarea`."""
_TAG = re.compile(rb"<!--|<([A-Za-z][^\s/>]*)(?:[^>\"']++|\"[^\"]*\"|'[^']*')*+>")
_RAW_TEXT = {b"script", b"style", b"textarea", b"title", b"xmp"}


def html_headings(item: Input) -> Iterator[Heading]:
    """h1 to h6, but not in comments, scripts or attributes; for encodings that hold ASCII.

    Offsets are those of the tags' `<`. An end tag is not looked for: a heading that is never closed is one.
    """
    blocks = item.stream()
    data, base, position, more = b"", 0, 0, True
    closing: re.Pattern[bytes] | None = None  # What ends the comment or raw text at `position`.
    while True:
        if closing is not None:
            found = closing.search(data, position)
            begin = found.start() if found else max(position, len(data) - CLOSING_BYTES)
            closing = None if found else closing
        else:
            begin = data.find(b"<", position)
            begin = len(data) if begin < 0 else begin
        if more and (closing or len(data) - begin < LOOKAHEAD_BYTES):
            block = next(blocks, None)
            more = block is not None
            base, data, position = base + begin, data[begin:] + (block or b""), 0
            continue
        if closing or begin == len(data):
            return
        tag = _TAG.match(data, begin)
        position = tag.end() if tag else begin + 1
        name = (tag[1] or b"").lower() if tag else b""
        if tag and not name:
            closing = re.compile(rb"-->")
        elif name in _RAW_TEXT:
            closing = re.compile(rb"</" + name, re.IGNORECASE)
        elif re.fullmatch(rb"h[1-6]", name):
            yield Heading(base + begin, int(name[1:]), _inner_text(data[position : position + MAX_LINE_BYTES]))


def _inner_text(data: bytes) -> str:
    inner = re.split(rb"</h[1-6]", data, maxsplit=1, flags=re.IGNORECASE)[0]
    return as_title(html.unescape(re.sub(r"<[^>]*>", "", inner.decode("utf-8", "replace"))))
