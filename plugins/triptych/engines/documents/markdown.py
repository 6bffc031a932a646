"""Where the headings of Markdown are, by markdown-it, a window of the text at a time.

A window begins where a block begins on the top level, and so does the next: at the last such line of the window
before. What the parser says of what lies before that line does not depend on what is behind it, so a window may end
anywhere between two lines; memory holds one window, or the longest block where that is more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from triptych.engines.api import Input
from triptych.engines.documents.headings import Heading, as_title
from triptych.engines.documents.text import not_utf8
from triptych.engines.runtime.resources import resources

if TYPE_CHECKING:
    from markdown_it.token import Token

WINDOW_BYTES = 64 * 1024
"""The parser takes ten times that for prose, 300 times for lists of one word an item."""
BLOCK_SHARE = 1 / 64
"""Of the memory, for the text of one block; see WINDOW_BYTES."""
_YAML_BEGINS = r"""(?=\w|(?:[ \t]*(?:#.*)?\n)*["'\w].*:|(?:[ \t]*#.*\n)+(?:---|\.\.\.)[ \t\r]*(?:\n|\Z))"""
_FRONT_MATTER = re.compile(
    rf"---[ \t]*\r?\n{_YAML_BEGINS}(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)"
    r"|\+\+\+[ \t]*\r?\n(?:.*\n)*?\+\+\+[ \t]*(?:\r?\n|\Z)"
)
"""YAML between `---`, which may begin with comments, as Jekyll, Hugo and pandoc have it; TOML between `+++` (Hugo)."""
_PARSER = MarkdownIt("commonmark")
_PARSER.core.ruler.enableOnly(["normalize", "block"])


def markdown_headings(item: Input, window_bytes: int = WINDOW_BYTES) -> Iterator[Heading]:
    """Top-level headings by CommonMark, behind a front matter of YAML or TOML.

    Raises the item's error for bytes that are not UTF-8, and when one block (a list, a fence, a paragraph) is longer
    than BLOCK_SHARE of the memory.
    """
    blocks = item.stream()
    data = _filled(b"", blocks, window_bytes)
    offset = text_start(data)
    data, wanted, is_last = data[offset:], window_bytes, False
    while not is_last:
        data = _filled(data, blocks, wanted + 1)
        is_last = len(data) <= wanted
        window = data if is_last else data[: _lines_end(data, wanted)]
        headings, end = _parsed(item, window, offset, is_last=is_last)
        yield from headings
        if end or is_last:
            offset, data, wanted = offset + end, data[end:], window_bytes
        else:
            block = resources().share(BLOCK_SHARE, f"the block of Markdown from byte {offset}")
            if wanted >= block.bytes:
                raise block.exceeded(item, "Cut with text_size.")
            wanted = min(2 * wanted, block.bytes)


def text_start(head: bytes) -> int:
    """Where the text begins, behind a byte-order mark and a front matter of YAML or TOML, in a file that begins so."""
    text = head.decode("utf-8", "replace")
    mark = text.startswith("\ufeff")
    found = _FRONT_MATTER.match(text, int(mark))
    return len(text[: found.end() if found else int(mark)].encode())


def _filled(data: bytes, blocks: Iterator[bytes], wanted: int) -> bytes:
    """With more blocks, at least as long as wanted, but for the end."""
    while len(data) < wanted and (block := next(blocks, None)) is not None:
        data += block
    return data


def _lines_end(data: bytes, most: int) -> int:
    """Behind the last line end in data[:most]; 0 without one. A carriage return there may belong to a newline."""
    return max(data.rfind(b"\n", 0, most), data.rfind(b"\r", 0, most - 1)) + 1


def _parsed(item: Input, window: bytes, offset: int, *, is_last: bool) -> tuple[list[Heading], int]:
    """The headings of the whole lines at byte `offset` that are certain, and where, in the window, the next begins.

    That is at its end when it is the last; 0 when it holds but one block.
    """
    try:
        tokens = _PARSER.parse(window.decode())
    except UnicodeDecodeError as error:
        raise not_utf8(item, offset, error) from error
    lines = window.splitlines(keepends=True)
    starts = [0, *accumulate(map(len, lines))]
    end = len(lines) if is_last else _last_block(tokens, lines)
    headings = [
        Heading(offset + starts[token.map[0]], int(token.tag[1]), _title(inline.content))
        for token, inline in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map and token.map[0] < end
    ]
    return headings, starts[end]


def _last_block(tokens: Sequence[Token], lines: Sequence[bytes]) -> int:
    """The last line, not the first, on which surely a block begins on the top level; 0 when there is none.

    It does behind an empty line, and at and behind a heading with #, which ends what is before and itself. Else a
    link's definition may go on in the line: `[a]: /url` and `"title`, whose end is yet to come.
    """
    tops = [token for token in tokens if token.level == 0 and token.map and token.nesting >= 0]
    headings = {top.map[0] for top in tops if top.map and top.type == "heading_open" and top.markup.startswith("#")}
    for top in reversed(tops):
        line = top.map[0] if top.map else 0
        if line and (line in headings or line - 1 in headings or not lines[line - 1].strip(b" \t\r\n")):
            return line
    return 0


def _title(text: str) -> str:
    """Without the signs of links, images, code and strong text: `[a](b) **c**` -> `a c`."""
    text = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", text)
    return as_title(re.sub(r"<[^>]*>|`|\*\*", "", text))
