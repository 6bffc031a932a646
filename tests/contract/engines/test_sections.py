"""Documents by section and page."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.engine_harness import Piece, split
from tests.support.real_texts import HTML, packages, readmes
from triptych.errors import SourceError
from triptych.settings import Settings


def _paths(pieces: Sequence[Piece]) -> list[list[str]]:
    return [piece.metadata["heading_path"] for piece in pieces]


def _cut(settings: Settings, folder: Path, name: str, text: str | bytes, **params: object) -> list[Piece]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    pieces = split(settings, "sections", [path], params)
    assert b"".join(piece.data for piece in pieces) == path.read_bytes()
    return pieces


MARKDOWN = """\ufeff---
title: no heading
---

Title with `code`
and a [link](http://x)
===

~~~
# in a fence
~~~

<!--
# in a comment
-->

<div>
# in HTML
</div>

- # in a list
  text

> # in a quote

    # in code

Two
---

***
#no-space
####### seven
### Three ###
#\tTwo in one\r
end"""


def test_headings_of_markdown_are_those_of_commonmark(settings: Settings, tmp_path: Path) -> None:
    pieces = _cut(settings, tmp_path, "a.md", MARKDOWN, depth=3)
    title = "Title with code and a link"
    assert _paths(pieces) == [[], [title], [title, "Two"], [title, "Two", "Three"], ["Two in one"]]
    assert [piece.name for piece in pieces][3] == "a_0003_Title_with_code_and_a_link-Two-Three.md"
    assert _paths(_cut(settings, tmp_path, "b.md", MARKDOWN, depth=1)) == [[], [title], ["Two in one"]]
    assert _paths(_cut(settings, tmp_path, "c.md", "\n\n# At once\n")) == [["At once"]]
    assert _paths(_cut(settings, tmp_path, "d.md", "no heading")) == [[]]
    assert _paths(_cut(settings, tmp_path, "old.md", "# A\r\rtext\r\r# B\r")) == [["A"], ["B"]]


def test_markdown_in_windows_is_cut_as_in_one(settings: Settings, tmp_path: Path) -> None:
    from markdown_it import MarkdownIt

    bodies = [path.read_bytes().partition(b"\n\n")[2] for path in readmes()]
    text = b"\n\n".join([*bodies, b"```\n# code\n" * 100_001, b"\n"] * 2)
    assert len(text) > 2_000_000
    tokens = MarkdownIt("commonmark").parse(text.decode())
    lines = [token.map[0] for token in tokens if token.type == "heading_open" and token.level == 0 and token.map]
    pieces = _cut(settings, tmp_path, "all.md", text, depth=6)
    firsts = [piece.metadata["first_byte"] for piece in pieces if piece.metadata["level"]]
    starts = [0, *(found.end() for found in re.finditer(rb"\r\n?|\n", text))]
    assert firsts == [starts[line] for line in lines]
    assert len(firsts) > 100


def test_headings_of_html(settings: Settings, tmp_path: Path) -> None:
    pieces = _cut(settings, tmp_path, "a.html", HTML)
    assert _paths(pieces) == [[], ["One & only"], ["One & only", "Two"], ["Four"]]
    large = "<p>" + "x" * 300_000 + "<!-- <h1>" + "y" * 2_000_000 + "--><h1>End</h1>"
    assert _paths(_cut(settings, tmp_path, "large.html", large)) == [[], ["End"]]


def test_headings_of_real_html(settings: Settings, tmp_path: Path) -> None:
    from html.parser import HTMLParser

    class Headings(HTMLParser):
        found = 0

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.found += bool(re.fullmatch("h[1-6]", tag))

    pages = sorted(path for path in packages().rglob("*.html") if path.stat().st_size > 500)[:20]
    assert pages
    for number, page in enumerate(pages):
        headings = Headings()
        headings.feed(page.read_text("utf-8"))
        pieces = _cut(settings, tmp_path, f"{number}.html", page.read_bytes(), depth=6)
        assert sum(piece.metadata["level"] > 0 for piece in pieces) == headings.found


RST = """=====
Title
=====

Text::

    Not a title
    ===========

Part A
======
Sub 1
-----
text

=====  =====
 a      b
=====  =====

----

.. note:: x
Überschrift 報告
===============
"""


def test_headings_of_restructured_text(settings: Settings, tmp_path: Path) -> None:
    pieces = _cut(settings, tmp_path, "a.rst", RST, depth=3)
    assert _paths(pieces) == [
        ["Title"],
        ["Title", "Part A"],
        ["Title", "Part A", "Sub 1"],
        ["Title", "Überschrift 報告"],
    ]


@pytest.mark.parametrize("name", ["one.md", "one.rst", "one.html", "one.txt"])
@pytest.mark.parametrize("text", ["x", "One\n===\n", "<h1>One</h1>"])
def test_a_text_of_one_section_is_one_chunk(settings: Settings, tmp_path: Path, name: str, text: str) -> None:
    (piece,) = _cut(settings, tmp_path, name, text)
    assert piece.data.decode() == text


def test_headings_of_plain_text(settings: Settings, tmp_path: Path) -> None:
    text = "Preface\n\nCHAPTER I\n\ntext.\n\n1.2 A part\n\n2. It is a sentence.\n\nEND\nof\n\nUnder\n=====\n"
    assert _paths(_cut(settings, tmp_path, "book.txt", text)) == [
        [],
        ["CHAPTER I"],
        ["CHAPTER I", "1.2 A part"],
        ["Under"],
    ]


def test_real_documents_come_back_byte_for_byte(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "readmes"
    folder.mkdir()
    for number, path in enumerate(readmes()):
        (folder / f"{number:03d}").mkdir()
        (folder / f"{number:03d}" / "README").write_bytes(path.read_bytes())
    whole = b"".join(path.read_bytes() for path in readmes())
    for kind in ("markdown", "rst", "text", "html"):
        pieces = split(settings, "sections", [f"{folder.as_uri()}/"], {"format": kind, "depth": 3})
        assert b"".join(piece.data for piece in pieces) == whole
        assert len({piece.name for piece in pieces}) == len(pieces)


def test_utf_16_is_decoded(settings: Settings, tmp_path: Path) -> None:
    text = "<meta charset=utf-16><h1>Łódź</h1>x"
    for name, titles in (("a.txt", [[]]), ("a.html", [[], ["Łódź"]])):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-16"))
        pieces = split(settings, "sections", [path], {})
        assert b"".join(piece.data for piece in pieces) == text.encode()
        assert _paths(pieces) == titles


def test_a_pdf_by_its_bookmarks(settings: Settings, tmp_path: Path) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    for number in range(6):
        writer.add_blank_page(100 + number, 200)
    one = writer.add_outline_item(title="One", page_number=1)
    two = writer.add_outline_item(title="Two", page_number=3, parent=one)
    writer.add_outline_item(title="Deep", page_number=4, parent=two)
    writer.add_outline_item(title="Three", page_number=5)
    writer.write(tmp_path / "book.pdf")
    pieces = split(settings, "sections", [tmp_path / "book.pdf"], {"pdf_by": "bookmarks"})
    assert _paths(pieces) == [[], ["One"], ["One", "Two"], ["Three"]]
    assert [(piece.metadata["first_page"], piece.items) for piece in pieces] == [(1, 1), (2, 2), (4, 2), (6, 1)]
    writer.encrypt("secret")
    writer.write(tmp_path / "locked.pdf")
    with pytest.raises(SourceError, match=r"locked\.pdf: the PDF needs a password"):
        split(settings, "sections", [tmp_path / "locked.pdf"], {})


def test_pages_of_a_pdf_by_another_tool_keep_their_pictures(settings: Settings, tmp_path: Path) -> None:
    from PIL import Image
    from pypdf import PdfReader

    first, *others = [Image.new("RGB", (60, 40), colour) for colour in ("red", "green", "blue")]
    first.save(tmp_path / "colours.pdf", save_all=True, append_images=others, quality=100)
    pieces = split(settings, "sections", [tmp_path / "colours.pdf"], {})
    strongest = []
    for piece in pieces:
        image = PdfReader(io.BytesIO(piece.data)).pages[0].images[0].image
        assert image
        strongest.append(int(np.asarray(image.convert("RGB"))[5, 5].argmax()))
    assert strongest == [0, 1, 2]


def test_a_word_section_carries_its_own_images_only(settings: Settings, tmp_path: Path) -> None:
    import docx
    from PIL import Image

    document = docx.Document()
    for number, colour in enumerate(("red", "blue")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{colour}.png")
        document.add_heading(f"Picture {number}", 1)
        document.add_picture(str(tmp_path / f"{colour}.png"))
        document.add_table(1, 1).cell(0, 0).text = f"cell {number}"
    document.save(str(tmp_path / "pictures.docx"))
    pieces = split(settings, "sections", [tmp_path / "pictures.docx"], {})
    assert _paths(pieces) == [["Picture 0"], ["Picture 1"]]
    for number, (piece, colour) in enumerate(zip(pieces, ("red", "blue"), strict=True)):
        with zipfile.ZipFile(io.BytesIO(piece.data)) as archive:
            images = [archive.read(name) for name in archive.namelist() if name.startswith("word/media/")]
        assert images == [(tmp_path / f"{colour}.png").read_bytes()]
        again = docx.Document(io.BytesIO(piece.data))
        assert again.tables[0].cell(0, 0).text == f"cell {number}"
        assert [p.style and p.style.name for p in again.paragraphs if p.text] == ["Heading 1"]


FRONTS = [
    "---\n# a comment\ntitle: x\n---\n",
    '---\n\n# one\n# two\n"quoted key": x\nlist:\n  - 1\n...\n',
    "---\r\n# a comment\r\ntitle: x\r\n---\r\n",
    "---\n# nothing but a comment\n---\n",
    '+++\n# c\ntitle = "x"\n[table]\na = 1\n+++\n',
    "\ufeff+++\n\n# c\n+++  \n",
]


@pytest.mark.parametrize("front", FRONTS)
def test_front_matter_has_no_headings(settings: Settings, tmp_path: Path, front: str) -> None:
    """As Jekyll, Hugo and pandoc read it: YAML and TOML have comments."""
    pieces = _cut(settings, tmp_path, "s.md", f"{front}# Real\ntext\n", depth=2)
    assert [path for path in _paths(pieces) if path] == [["Real"]]
    assert b"".join(piece.data for piece in pieces) == f"{front}# Real\ntext\n".encode()


def test_a_rule_and_a_heading_are_no_front_matter(settings: Settings, tmp_path: Path) -> None:
    """CommonMark: what is not closed, or holds no key, is text."""
    for text in ("---\n# Real\ntext\n", "---\n# Real\n\nSome words.\n\n---\n\nmore\n", "+++\n# Real\ntext\n"):
        assert ["Real"] in _paths(_cut(settings, tmp_path, "s.md", text, depth=2))


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ("<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>", "shift_jis"),
        ('<?xml version="1.0" encoding="ISO-8859-2"?>', "iso8859-2"),
        ("<meta charset=utf-8>", "utf-8"),
        ("<meta charset=latin-1>", "cp1252"),
        ("", "cp1252"),
        ("", "utf-8"),
    ],
)
def test_html_is_read_by_its_charset(settings: Settings, tmp_path: Path, head: str, encoding: str) -> None:
    titles = {
        "cp1251": "Привет",
        "shift_jis": "日本語",
        "iso8859-2": "Łódź",
        "cp1252": "“Über” €",
        "utf-8": "Łódź 日本",
    }
    text = f"{head}<h1>{titles[encoding]}</h1>x"
    pieces = _cut(settings, tmp_path, "a.html", text.encode(encoding))
    assert [titles[encoding]] in _paths(pieces)
    assert b"".join(piece.data for piece in pieces) == text.encode(encoding)


def test_html_of_an_unknown_charset_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="charset 'klingon', which is not known"):
        _cut(settings, tmp_path, "a.html", "<meta charset=klingon><h1>x</h1>")
