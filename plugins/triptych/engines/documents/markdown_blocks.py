"""What surely is HTML, or inside a list, on the top level of Markdown; by CommonMark, as markdown-it reads it."""

from __future__ import annotations

import re

from triptych.engines.runtime.resources import need

MAX_LINES = 1000
"""That are looked at above a line before it is given up."""
_ITEM = re.compile(rb"(?:[-+*]|\d{1,9}[.)]) (?=[^ \t\r\n])")
_RULE = re.compile(rb"([-*])[ \t]*(?:\1[ \t]*){2,}\r?\n")


def html_end(data: bytes, at: int, *, starts_block: bool) -> int | None:
    """Behind the HTML that begins, without indent, in the line `at`; `at` when none does; None when it has no end here.

    HTML that cannot end a paragraph needs a line that surely `starts_block`; else None.
    """
    sequences = need("markdown_it.rules_block.html_block", "documents").HTML_SEQUENCES
    line_end = data.index(b"\n", at) + 1
    text = _text(data[at:line_end])
    found = next(((close, ends) for begin, close, ends in sequences if begin.search(text)), None)
    if found is None:
        return at
    close, ends_paragraph = found
    if not ends_paragraph and not starts_block:
        return None
    begin = at
    while not close.search(text):
        begin, line_end = line_end, data.find(b"\n", line_end) + 1
        if not line_end:
            return None
        text = _text(data[begin:line_end])
    return line_end if text else begin


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").lstrip(b" \t").decode()


def list_width(data: bytes, at: int, top: int, inside: tuple[int, int] | None) -> int:
    """The widest marker of the list on the top level that surely holds the indented line `at`; 0 when none surely does.

    Back to an item behind an empty line (or on `top`, where a block begins), there are but items without indent, and
    lines indented as far as the widest marker: whatever an item holds, each of them is in one. `inside` is such a line
    from before, with its width.
    """
    widest, least, line = 0, MAX_LINES, at
    for _ in range(MAX_LINES):
        text = data[line : data.index(b"\n", line) + 1]
        above = data.rfind(b"\n", 0, max(line - 1, 0)) + 1
        anchored = line == top or (line > top and not data[above:line].strip(b" \t\r\n"))
        if inside and line == inside[0]:
            widest = max(widest, inside[1])
            return widest if least >= widest else 0
        if text[:1] in (b" ", b"\t"):
            indented = text.expandtabs(4)
            blank = not indented.strip()
            least = least if blank else min(least, len(indented) - len(indented.lstrip(b" ")))
        elif (item := _ITEM.match(text)) and not _RULE.match(text):
            widest = max(widest, item.end())
            if anchored:
                return widest if least >= widest else 0
        elif text.strip():
            return 0
        if line <= top or not line:
            return 0
        line = above
    return 0
