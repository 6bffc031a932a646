"""Headings of Markdown are those that markdown-it finds in the whole text, however the text is put together."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.support.inputs import MemoryInput
from triptych.engines.documents.markdown import markdown_headings
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import SourceError

LINES = [
    "",
    "",
    "",
    "",
    "   ",
    "\t",
    "text",
    "Two words",
    "Über",
    "報告です",
    "\xa0space",
    "2024 was",
    "(aside)",
    "a | b",
    "--- | ---",
    "\\# no",
    "&amp;",
    "# One",
    "## Two ##",
    "### Three #x",
    "#",
    "# #",
    "#\tTab",
    "####### seven",
    "#no",
    " # in 1",
    "   ## in 3 ##  ",
    "    # code",
    "\t# code",
    "  \t# code",
    "# `code` and [link](http://x) **bold** <b>",
    "===",
    "=",
    "---",
    "-",
    "--  ",
    "- ",
    "  ===",
    "   ---",
    "    ===",
    "= =",
    "---x",
    "***",
    "* * *",
    "___",
    "- - -",
    "```",
    "````",
    "```py",
    "```a`b",
    "~~~",
    "~~~~ x`y",
    "~~~x",
    " ```",
    "   ~~~",
    "    ```",
    "\t```",
    "``",
    "``` ",
    "- item",
    "* item",
    "+ item",
    "1. one",
    "2) two",
    "10. ten",
    "-",
    "*",
    "1.",
    "- # in item",
    "- ```",
    "1. ~~~",
    "-\titem",
    "  more",
    "   more",
    "    more",
    "  # in item?",
    "   # in item?",
    "  ```",
    "  - inner",
    "    - inner",
    "  > q",
    "     x",
    "> quote",
    ">",
    ">> two",
    "> # in quote",
    "> ```",
    "> - item",
    ">     code",
    " > quote",
    "> text",
    "> ===",
    "<div>",
    "</div>",
    "<div",
    "<!-- c -->",
    "<!--",
    "-->",
    "<script>",
    "</script>",
    "<?php",
    "?>",
    "<![CDATA[",
    "]]>",
    "<a>",
    "<a href='x'>t",
    "<http://x.y>",
    "<b>x</b>",
    "  <p>",
    "    <p>",
    "<!DOCTYPE x",
    ">",
    "<pre>",
    "</pre> x",
    "< x",
    "[a]: /url",
    "[a]: /url 'ti",
    "tle'",
    "[a]:",
    "/url",
    "[a]: <",
    "[not] a ref",
    "![x](y)",
    "| t |",
    "a\x00b",
    "a\x0cb",
]
CLOSE_CALLS = [
    "¦¦text¦- item¦10. ten¦2. two¦ # one¦  # two¦   # three¦  ```¦```¦  more¦    more¦- - -¦- ¦-",
    "¦¦text¦<div>¦<a>¦<a> x¦<!--¦--> x¦# one¦ # two¦<script>¦</script>¦</div>¦> <div>¦- <!--¦  <p>",
    "¦text¦```¦````¦~~~¦```a`b¦ ```¦# one¦> ```¦- ```¦  ```¦``` x¦    ```",
    "¦text¦===¦---¦- ¦  ===¦> text¦- item¦[a]: /u¦    ===¦2. two¦***¦-x",
]
ENDS = ["\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\r"]


@pytest.fixture(autouse=True)
def _memory(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, 1 << 30)):
        yield


def _truth(data: bytes) -> list[tuple[int, int, str]]:
    starts = [0, *(found.end() for found in re.finditer(rb"\r\n?|\n", data))]
    tokens = MarkdownIt("commonmark").parse(data.decode())
    found = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            found.append((starts[token.map[0]], int(token.tag[1]), " ".join(inline.content.split())[:200]))
    return found


def _found(data: bytes, block_bytes: int, window_bytes: int = 1000) -> list[tuple[int, int, str]]:
    source = MemoryInput(data, block_bytes, "a.md")
    return [(each.offset, each.level, each.title) for each in markdown_headings(source, window_bytes)]


def _bare(found: list[tuple[int, int, str]]) -> list[tuple[int, int]]:
    return [(offset, level) for offset, level, _ in found]


@pytest.mark.parametrize("lines", CLOSE_CALLS)
@pytest.mark.parametrize("seed", range(30))
def test_lines_that_depend_on_each_other(seed: int, lines: str) -> None:
    draw = random.Random(seed)
    for _ in range(20):
        data = "".join(f"{draw.choice(lines.split('¦'))}\n" for _ in range(draw.randrange(2, 20))).encode()
        if not data.startswith(b"---"):
            assert _bare(_found(data, 50, draw.choice([1, 40, 1000]))) == _bare(_truth(data)), data


@pytest.mark.parametrize("window_bytes", [1, 40, 1000, 1 << 20])
@pytest.mark.parametrize("seed", range(60))
def test_lines_in_any_order(seed: int, window_bytes: int) -> None:
    draw = random.Random(seed)
    for _ in range(12):
        some = draw.sample(LINES, draw.randrange(3, 40))
        ends = draw.choice([["\n"], ["\r\n"], ["\r"], ENDS])
        text = "".join(draw.choice(some) + draw.choice(ends) for _ in range(draw.randrange(1, 60)))
        data = (text + draw.choice(["", "end", "# end"])).encode()
        if data.startswith(b"---"):
            continue
        assert _bare(_found(data, draw.choice([1, 7, 50, 10_000]), window_bytes)) == _bare(_truth(data)), data


@pytest.mark.parametrize("window_bytes", [1, 7, 16, 30])
def test_a_window_may_end_in_a_definition(window_bytes: int) -> None:
    data = b'Text\n\n[a]: /url\n"title\nmore"\n===\n\n[b]: /url\n"title\n# One\n"two\n---\n'
    assert _found(data, 10, window_bytes) == _truth(data)
    assert [title for _, _, title in _truth(data)] == ["One", '"two']


def test_titles_are_the_parsers() -> None:
    data = (
        "\n".join(line for line in LINES if line.lstrip().startswith("#") and "`" not in line).encode()
        + b"\n\nA\nb\n--"
    )
    assert _found(data, 1000) == _truth(data)
    ((_, _, title),) = _found(b"# `code` and [link](http://x) **bold** <b>", 10)
    assert title == "code and link bold"


def test_a_block_may_be_as_long_as_its_share_of_the_memory(tmp_path: Path) -> None:
    fence = b"# A\n```\n" + b"# code\n" * 500 + b"```\n# B\n"
    listed = b"- item\n" * 500 + b"# C\n"
    with using(Resources(tmp_path, 64 * 4000)):
        assert [title for _, _, title in _found((fence + listed) * 5, 500)] == ["A", "B", "C"] * 5
        for data, begin in ((b"# A\n<!--" + b"# code\n" * 600, 4), (b"word " * 1000, 0)):
            with pytest.raises(SourceError, match=rf"a\.md: the block .* from byte {begin} is longer than 0\.00"):
                _found(data, 500)


@pytest.mark.parametrize("before", [b"", b"# One\n" * 1000])
def test_bytes_that_are_no_text_are_named(before: bytes) -> None:
    with pytest.raises(SourceError, match=rf"a\.md: byte {len(before) + 2} is not UTF-8"):
        _found(before + b"a\n\xff\n", 100)
