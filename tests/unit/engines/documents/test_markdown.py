"""Headings of Markdown are those that markdown-it finds in the whole text, however the text is put together."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from triptych.engines.documents import markdown as scan
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


def _found(data: bytes, block_bytes: int) -> list[tuple[int, int, str]]:
    blocks = (data[begin : begin + block_bytes] for begin in range(0, len(data), block_bytes))
    return [(each.offset, each.level, each.title) for each in scan.markdown_headings(blocks, "a.md")]


def _bare(found: list[tuple[int, int, str]]) -> list[tuple[int, int]]:
    return [(offset, level) for offset, level, _ in found]


@pytest.mark.parametrize("lines", CLOSE_CALLS)
@pytest.mark.parametrize("seed", range(30))
def test_lines_that_depend_on_each_other(seed: int, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    for _ in range(20):
        monkeypatch.setattr(scan, "WINDOW_BYTES", draw.choice([1, 40, 1000]))
        data = "".join(f"{draw.choice(lines.split('¦'))}\n" for _ in range(draw.randrange(2, 20))).encode()
        if not data.startswith(b"---"):
            assert _bare(_found(data, 50)) == _bare(_truth(data)), data


@pytest.mark.parametrize("window_bytes", [1, 40, 1000, 1 << 20])
@pytest.mark.parametrize("seed", range(60))
def test_lines_in_any_order(seed: int, window_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "WINDOW_BYTES", window_bytes)
    draw = random.Random(seed)
    for _ in range(12):
        some = draw.sample(LINES, draw.randrange(3, 40))
        ends = draw.choice([["\n"], ["\r\n"], ["\r"], ENDS])
        text = "".join(draw.choice(some) + draw.choice(ends) for _ in range(draw.randrange(1, 60)))
        data = (text + draw.choice(["", "end", "# end"])).encode()
        if data.startswith(b"---"):
            continue
        assert _bare(_found(data, draw.choice([1, 7, 50, 10_000]))) == _bare(_truth(data)), data


def test_titles_are_the_parsers() -> None:
    data = (
        "\n".join(line for line in LINES if line.lstrip().startswith("#") and "`" not in line).encode()
        + b"\n\nA\nb\n--"
    )
    assert _found(data, 1000) == _truth(data)
    ((_, _, title),) = _found(b"# `code` and [link](http://x) **bold** <b>", 10)
    assert title == "code and link bold"


def test_a_fence_may_be_longer_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "WINDOW_BYTES", 1000)
    data = b"# A\n```\n" + b"# code\n" * 5000 + b"```\n# B\n" + b"- item\n" * 5000 + b"# C\n"
    with using(Resources(tmp_path, 16 * 4000)):
        assert [title for _, _, title in _found(data, 500)] == ["A", "B", "C"]
        with pytest.raises(SourceError, match=r"a\.md: one block of Markdown from byte 4 is longer"):
            _found(b"# A\n<!--" + b"# code\n" * 5000, 500)
        with pytest.raises(SourceError, match=r"a\.md: one block of Markdown from byte 0 is longer"):
            _found(b"word " * 5000, 500)


def test_nothing_is_parsed_where_the_scan_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*_: object) -> None:
        pytest.fail("The parser was asked.")

    monkeypatch.setattr(scan._Scan, "_parsed", parsed)
    data = b"Title\n=====\n\nText\n\n- item\n- item\n\n---\n\n```\n# code\n```\n## Two\n\nof\nlines\n---\n> q\n\n# Last"
    assert [title for _, _, title in _found(data, 30)] == ["Title", "Two", "of lines", "Last"]
