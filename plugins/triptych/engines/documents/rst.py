"""Where the titles of reStructuredText are, in bytes; read as a stream."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.engines.api import Input
from triptych.engines.documents.headings import Heading, decoded_title, is_adornment, is_title, lines


def rst_headings(item: Input) -> Iterator[Heading]:
    """Section titles of reStructuredText; levels by the order in which the styles appear.

    A title has a line of one sign below it, as long as itself or at least 4 long, and may have the same above it.
    It goes by lines alone, not by docutils' tree: a title right below another paragraph's line is none, what is
    indented is none, and what looks like a title inside a directive's text without indent is one.
    """
    styles: list[tuple[bytes, bool]] = []
    above: tuple[int, bytes] = (0, b"")
    title: tuple[int, bytes] = (0, b"")
    for offset, line in lines(item):
        if is_adornment(line) and is_title(title[1], line):
            over = above[1].rstrip() == line.rstrip()
            if over or ((not above[1].strip() or above[1].startswith(b"..")) and not title[1][:1].isspace()):
                style = (line[:1], over)
                styles += [style] * (style not in styles)
                yield Heading((above if over else title)[0], styles.index(style) + 1, decoded_title(title[1]))
                above, title = (offset, b""), (offset, b"")
                continue
        above, title = title, (offset, line)
