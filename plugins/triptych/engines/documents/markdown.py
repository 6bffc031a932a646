"""Where the headings of Markdown are: a scan of the beginnings of lines, and a parser for what that cannot decide.

By CommonMark, and so by markdown-it, which makes the scan right:

- A border, a line that begins with a letter behind a blank one, begins a paragraph on the top level, unless a fence or
  HTML is open on that level: it is in no list (whose items indent) and no quote, and goes on with no block before.
- A heading with # and a fence, when not indented, are on the top level too: either ends a paragraph that a list or a
  quote would go on with, and so these.
- Lines that begin with letters, from a border on, are one paragraph; = or - below them makes it a heading.

What else may begin a heading, a fence or HTML is parsed, from the last place that is surely on the top level up to the
next border, which the parser must find to be one. Where nothing of the kind is, nothing is parsed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from triptych.engines.documents.headings import Heading, plain
from triptych.engines.documents.markdown_blocks import html_end, list_width
from triptych.engines.runtime.resources import need, resources
from triptych.errors import SourceError

WINDOW_BYTES = 512 * 1024
MEMORY_SHARE = 16
NEAR_BYTES, FAR_BYTES = 1024, 64 * 1024
"""To call the parser takes as long as to parse 1 KiB: what is nearer is parsed in one go, up to the larger size."""
_LETTER, _BLANK, _END, _DASH, _MARKER = range(1, 6)
_NO_LETTERS = bytes(range(32)) + b"\x7f 0123456789#*+-_><`~=["
"""What may begin more than a paragraph, and control characters; any other counts as a letter."""
_ATX = re.compile(rb"(#{1,6})(?=[ \t\r\n])(.*)")
_FENCE = re.compile(rb"(`{3,})[^`\n]*\n|(~{3,})")
_UNDERLINE = re.compile(rb" {0,3}(?:(=+)|-+)[ \t]*\r?\n")
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?=\w)(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)")


def markdown_headings(blocks: Iterable[bytes], uri: str) -> Iterator[Heading]:
    """Top-level headings by CommonMark, behind a YAML front matter.

    Raises SourceError for bytes that are not UTF-8, and when one block that must be parsed is larger than 1/16 of the
    memory.
    """
    scan = _Scan(uri)
    for lines in _whole_lines(blocks, uri):
        yield from scan.over(lines)
    yield from scan.end()


def text_start(head: bytes) -> int:
    """Where the text begins, behind a byte-order mark and a YAML front matter."""
    text = head.decode("utf-8", "replace")
    mark = text.startswith("\ufeff")
    found = _FRONT_MATTER.match(text, int(mark))
    return len(text[: found.end() if found else int(mark)].encode())


def _whole_lines(blocks: Iterable[bytes], uri: str) -> Iterator[bytes]:
    """About WINDOW_BYTES at once; a carriage return alone, which ends a line too, becomes a newline."""
    held, at = b"", 0
    for block in blocks:
        held += block
        if len(held) >= WINDOW_BYTES and (end := _lines_end(held)):
            yield _one_newline(held[:end])
            held, at = held[end:], at + end
        if len(held) > _most():
            raise _too_long(uri, at)
    if held:
        yield _one_newline(held if held.endswith((b"\n", b"\r")) else held + b"\n")


def _most() -> int:
    return resources().memory_bytes // MEMORY_SHARE


def _too_long(uri: str, at: int) -> SourceError:
    return SourceError(f"{uri}: one block of Markdown from byte {at} is longer than {_most() >> 20} MiB. Use rows.")


def _lines_end(data: bytes) -> int:
    """Behind the last line end; a carriage return at the very end may belong to a newline that is still to come."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1


def _one_newline(data: bytes) -> bytes:
    return re.sub(rb"\r(?!\n)", b"\n", data) if data.count(b"\r") != data.count(b"\r\n") else data


class _Scan:
    """`data` is what may be looked at again, from byte `base` of the source; other places count from its beginning.

    On `top` a block begins on the top level (None: too far back); up to `done` all is decided; `borders` are such if no
    fence and no HTML is open there; `odd` are lines that may need the parser; `fence` is what ends the open one;
    `undecided` is a line that needs more text than there is, up to `tried` in vain; `listed` one in a list, with the
    width of its widest marker.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._data, self._base, self._done, self._tried = b"", 0, 0, 0
        self._top: int | None = None
        self._borders: list[int] = []
        self._odd: list[int] = []
        self._fence: tuple[bytes, re.Pattern[bytes]] | None = None
        self._undecided: int | None = None
        self._listed: tuple[int, int] | None = None

    def over(self, lines: bytes) -> Iterator[Heading]:
        """Takes whole lines; yields the headings that are certain by then."""
        old = len(self._data)
        self._check_text(lines, old)
        if not self._base and not old:
            self._top = self._done = text_start(lines)
        self._data += lines
        marked, borders = _beginnings(lines, old)
        self._borders += borders
        self._odd += [place for place in marked if self._data[place] in b"< "]
        if self._undecided is not None:
            yield from self._window(self._undecided)
        elif self._fence:
            self._end_fence()
        place = 0
        while self._undecided is None and (place := bisect_left(marked, self._done, place)) < len(marked):
            self._done = marked[place] + 1
            yield from self._line(marked[place])
        self._forget()

    def end(self) -> Iterator[Heading]:
        if self._undecided is not None:
            yield from self._parsed(self._window_start(self._undecided), None) or ()

    def _check_text(self, lines: bytes, old: int) -> None:
        try:
            lines.decode()
        except UnicodeDecodeError as error:
            at = self._base + old + error.start
            msg = f"{self._uri}: byte {at} is not UTF-8 ({error.reason}). Convert the file first."
            raise SourceError(msg) from error

    def _line(self, at: int) -> Iterable[Heading]:
        """The headings that this line decides."""
        sign = self._data[at : at + 1]
        if sign == b"#":
            return self._atx(at)
        if sign in b"`~":
            self._begin_fence(at)
            return ()
        if sign == b"<":
            return self._html(at)
        if sign == b" " and (width := list_width(self._data, at, -1 if self._top is None else self._top, self._listed)):
            self._listed = at, width
            return ()
        if underline := _UNDERLINE.match(self._data, at):
            start = self._paragraph(at)
            if start == at:
                return ()
            if start is not None:
                return self._setext(start, at, underline)
        elif sign in b"=-" or self._data[at : at + 4].lstrip(b" ")[:1] in (b"=", b"-"):
            return ()
        return self._window(at)

    def _html(self, at: int) -> Iterable[Heading]:
        end = html_end(self._data, at, starts_block=self._paragraph(at) == at)
        if end is None:
            return self._window(at)
        if end > at:
            self._top = self._done = end
        return ()

    def _atx(self, at: int) -> Iterator[Heading]:
        if found := _ATX.match(self._data, at):
            text = found[2].decode().rstrip(" \t\r")
            without = text.rstrip("#")
            yield self._heading(at, len(found[1]), without if without[-1:] in (" ", "\t") else text)
            self._top = self._done = found.end() + 1

    def _setext(self, start: int, at: int, underline: re.Match[bytes]) -> Iterator[Heading]:
        yield self._heading(start, 1 if underline[1] else 2, self._data[start:at].decode())
        self._top = self._done = underline.end()

    def _heading(self, at: int, level: int, text: str) -> Heading:
        title = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
        return Heading(self._base + at, level, plain(re.sub(r"<[^>]*>|`|\*\*", "", title)))

    def _paragraph(self, at: int) -> int | None:
        """Where that above a line begins: the line itself when there is none, None when that is not plain to see."""
        start = at
        while start != self._top:
            above = self._data.rfind(b"\n", 0, max(start - 1, 0)) + 1
            line = self._data[above:start]
            if line and not line.strip(b" \t\r\n"):
                return start
            if not line or line[0] in _NO_LETTERS:
                return None
            start = above
        return start

    def _begin_fence(self, at: int) -> None:
        if found := _FENCE.match(self._data, at):
            marks = found[1] or found[2]
            self._fence = marks, re.compile(rb" {0,3}%b{%d,}[ \t]*\r?\n" % (marks[:1], len(marks)))
            self._done = self._data.index(b"\n", at) + 1
            self._end_fence()

    def _end_fence(self) -> None:
        """Goes on behind the open fence, or to the end of the data."""
        assert self._fence
        marks, closing = self._fence
        at = self._done
        while (at := self._data.find(marks, at)) >= 0:
            begin, end = self._data.rfind(b"\n", 0, at) + 1, self._data.index(b"\n", at) + 1
            if closing.fullmatch(self._data, begin, end):
                self._top = self._done = end
                self._fence = None
                return
            at = end
        self._top = self._done = len(self._data)

    def _window(self, at: int) -> Iterable[Heading]:
        """Those up to the next border that the parser finds to be one; nothing yet when there is none."""
        start = self._window_start(at)
        for border in self._candidates(at, start):
            found = self._parsed(start, border)
            if found is not None:
                self._top = self._done = border
                self._undecided, self._tried = None, 0
                return found
        self._undecided = at
        return ()

    def _candidates(self, at: int, start: int) -> Iterator[int]:
        """Borders behind the line `at`: one that spares the next calls, then those near by, at growing distance."""
        place = bisect_left(self._borders, max(self._data.index(b"\n", at), 2 * self._tried - start))
        further = self._further(place, start)
        if further > place:
            yield self._borders[further]
        while place < len(self._borders):
            self._tried = self._borders[place]
            yield self._tried
            place = bisect_left(self._borders, max(self._tried + 1, 2 * self._tried - start))

    def _further(self, place: int, start: int) -> int:
        """A border, by its place, behind which no line is near that needs the parser."""
        further = place
        while further < len(self._borders) and self._borders[further] - start < FAR_BYTES:
            place, border = further, self._borders[further]
            odd = bisect_left(self._odd, border)
            if odd == len(self._odd) or self._odd[odd] - border > NEAR_BYTES:
                break
            further = bisect_left(self._borders, self._data.index(b"\n", self._odd[odd]))
        return place

    def _window_start(self, at: int) -> int:
        """The last place up to `at` that is on the top level."""
        place = bisect_right(self._borders, at) - 1
        if place >= 0 and self._borders[place] > (self._top or 0):
            return self._borders[place]
        if self._top is None:
            raise _too_long(self._uri, self._base)
        return self._top

    def _parsed(self, start: int, border: int | None) -> list[Heading] | None:
        """The headings from `start` to the border, or to the end; None when a fence or HTML is open at the border."""
        end = len(self._data) if border is None else self._data.index(b"\n", border) + 1
        data = self._data[start:end]
        tokens = _parser().parse(data.decode())
        starts = [0, *(found.end() for found in re.finditer(rb"\n", data))]
        tops = [token for token in tokens if token.level == 0 and token.map]
        last = len(starts) if border is None else bisect_left(starts, border - start)
        if border is not None and not any(top.type == "paragraph_open" and top.map[0] == last for top in tops):
            return None
        return [
            self._heading(start + starts[token.map[0]], int(token.tag[1]), inline.content)
            for token, inline in pairwise(tokens)
            if token.type == "heading_open" and token.level == 0 and token.map[0] < last
        ]

    def _forget(self) -> None:
        """Keeps what a window or a paragraph above may still begin with."""
        keep = 0
        if self._top is not None or self._borders:
            keep = self._window_start(len(self._data) if self._undecided is None else self._undecided)
            self._top = 0
        if len(self._data) - keep > _most():
            if self._undecided is not None:
                raise _too_long(self._uri, self._base + keep)
            keep, self._top = len(self._data), None
        self._data, self._base, self._done = self._data[keep:], self._base + keep, max(self._done - keep, 0)
        self._borders = [place - keep for place in self._borders[bisect_left(self._borders, keep) :]]
        self._odd = [place - keep for place in self._odd[bisect_left(self._odd, keep) :]]
        self._tried = max(self._tried - keep, 0)
        if self._listed:
            self._listed = (self._listed[0] - keep, self._listed[1]) if self._listed[0] >= keep else None
        if self._undecided is not None:
            self._undecided -= keep


@cache
def _parser() -> Any:
    parser = need("markdown_it", "documents").MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _beginnings(lines: bytes, offset: int) -> tuple[list[int], list[int]]:
    """Of whole lines: which begin, but for three spaces, with a marker; which with a letter behind an empty line."""
    import numpy as np

    data, kinds = np.frombuffer(lines + bytes(8), np.uint8), _kinds()
    starts = np.concatenate(([0], np.flatnonzero(data == ord("\n")) + 1))[:-1]
    first = starts.copy()
    for _ in range(3):
        first += data[first] == ord(" ")
    one, two, three = (kinds[data[first + ahead]] for ahead in range(3))
    ended = (two == _END) | ((two == _BLANK) & ((three == _BLANK) | (three == _END)))
    marked = (one == _MARKER) | ((one == _DASH) & ((two == _DASH) | ended))
    gaps = np.diff(starts)
    behind_empty = np.zeros(len(starts), bool)
    behind_empty[1:] = (gaps == 1) | ((gaps == 2) & (data[starts[1:] - 2] == ord("\r")))
    borders = behind_empty & (kinds[data[starts]] == _LETTER)
    return (starts[marked] + offset).tolist(), (starts[borders] + offset).tolist()


@cache
def _kinds() -> Any:
    """Of each byte, one of the five."""
    import numpy as np

    kinds = np.full(256, _LETTER, np.uint8)
    kinds[list(_NO_LETTERS)] = 0
    for kind, signs in ((_BLANK, b" \t"), (_END, b"\0\r\n"), (_MARKER, b"#`~<="), (_DASH, b"-")):
        kinds[list(signs)] = kind
    return kinds
