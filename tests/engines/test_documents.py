"""Texts by size, documents by section, source trees; and back together."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from engines.cases.documents import pdf_of, tar_of
from engines.harness import INCLUDE, Piece, Results, join, split, untouched
from triptych.errors import EngineError, JobSpecError, SourceError
from triptych.settings import Settings


def _readmes() -> list[Path]:
    """Long descriptions of the packages installed here: real Markdown and reStructuredText."""
    import numpy

    packages = Path(numpy.__file__).parent.parent
    found = sorted(packages.glob("*.dist-info/METADATA"))
    return [path for path in found if path.stat().st_size > 5000][:60]


@pytest.mark.parametrize("unit", ["characters", "words", "tokens"])
@pytest.mark.parametrize("border", ["paragraph", "sentence", "line", "word", "any"])
def test_real_texts_come_back_byte_for_byte(settings: Settings, tmp_path: Path, unit: str, border: str) -> None:
    whole = b"\n".join(path.read_bytes() for path in _readmes()[:12])
    path = tmp_path / "readmes.txt"
    path.write_bytes(whole)
    pieces = split(settings, "text_size", [path], {"size": 500, "unit": unit, "border": border})
    assert len(pieces) > 20
    assert join(settings, "concat", untouched(pieces)) == {"output.bin": whole}
    if unit == "characters":
        assert max(len(piece.data.decode()) for piece in pieces) <= 500
    if unit == "words":
        assert max(len(piece.data.decode().split()) for piece in pieces) <= 500


def _texts(settings: Settings, folder: Path, text: str, **params: object) -> list[str]:
    path = folder / "t.txt"
    path.write_bytes(text.encode())
    return [piece.data.decode() for piece in split(settings, "text_size", [path], params)]


def test_chunks_end_at_the_coarsest_border_that_fits(settings: Settings, tmp_path: Path) -> None:
    text = "One two. Three four.\n\nFive Mr. Six, e.g. seven. Eight\nnine ten.\n\n\n  Eleven."
    assert _texts(settings, tmp_path, text, size=30) == [
        "One two. Three four.\n\n",
        "Five Mr. Six, e.g. seven. ",
        "Eight\nnine ten.\n\n\n  Eleven.",
    ]
    assert _texts(settings, tmp_path, text, size=12, border="line") == [
        "One two. ",
        "Three ",
        "four.\n\n",
        "Five Mr. ",
        "Six, e.g. ",
        "seven. ",
        "Eight\n",
        "nine ten.\n\n\n",
        "  Eleven.",
    ]
    two = ["今日は晴れ。", "明日は雨。"]
    assert _texts(settings, tmp_path, "".join(two), size=8, border="sentence") == two


def test_exact_sizes_keep_letters_whole(settings: Settings, tmp_path: Path) -> None:
    assert _texts(settings, tmp_path, "abcdefgh", size=3, border="any") == ["abc", "def", "gh"]
    assert _texts(settings, tmp_path, "abe\u0301d\r\nfg", size=3, border="any") == ["ab", "e\u0301d", "\r\nf", "g"]
    assert _texts(settings, tmp_path, "short", size=100) == ["short"]
    assert _texts(settings, tmp_path, " \n\n ", size=3, unit="words") == [" \n\n "]


def test_tokens_are_counted_by_the_documented_rule(settings: Settings, tmp_path: Path) -> None:
    assert _texts(settings, tmp_path, "interesting 12345, 数字 привет", size=1, unit="tokens", border="any") == [
        *("inter", "estin", "g ", "123", "45", ", ", "数", "字 ", "пр", "ив", "ет"),
    ]


@pytest.mark.parametrize("unit", ["characters", "words", "tokens"])
def test_overlap_repeats_whole_words_and_says_so(settings: Settings, tmp_path: Path, unit: str) -> None:
    words = [f"wörd{number}" for number in range(3000)]
    path = tmp_path / "words.txt"
    path.write_bytes(" ".join(words).encode())
    pieces = split(settings, "text_size", [path], {"size": 90, "overlap": 30, "unit": unit, "border": "sentence"})
    texts = [piece.data.decode() for piece in pieces]
    repeated = [piece.metadata["overlap_characters"] for piece in pieces]
    assert repeated[0] == 0
    assert min(repeated[1:]) > 0
    assert "".join(text[count:] for text, count in zip(texts, repeated, strict=True)) == " ".join(words)
    for before, text, count in zip(texts, texts[1:], repeated[1:], strict=False):
        assert before.endswith(text[:count])
        assert re.match(r"wörd\d", text)
        assert len(re.findall(r"\S+", text[:count])) <= 30


def test_what_has_no_border_is_cut_all_the_same(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "one-line.txt"
    path.write_bytes(b"x" * 5_000_001)
    pieces = split(settings, "text_size", [path], {"size": 3, "unit": "words"})
    assert [len(piece.data) for piece in pieces] == [2_000_000, 2_000_000, 1_000_001]


def test_an_overlap_as_large_as_the_chunk_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(JobSpecError, match="overlap must be less"):
        _texts(settings, tmp_path, "text", size=5, overlap=5)


def test_bytes_that_are_no_text_are_refused_where_they_are(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes(b"a" * 3_000_000 + "é".encode()[:1])
    with pytest.raises(SourceError, match=r"cut\.txt: byte 3000000 is not UTF-8.*iconv"):
        split(settings, "text_size", [path], {})


def _packages() -> Path:
    import numpy

    return Path(numpy.__file__).parent.parent


def _copy_code(package: str, folder: Path) -> dict[str, bytes]:
    """A real source tree, without what Python compiled of it."""
    for path in (_packages() / package).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / path.relative_to(_packages())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return _tree(folder)


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _files(pieces: Sequence[Piece]) -> dict[str, bytes]:
    """Path to bytes, of all chunks; none twice."""
    found: list[tuple[str, bytes]] = []
    for piece in pieces:
        if piece.metadata["packed"] == "no":
            found.append((piece.metadata["path"], piece.data))
            continue
        with tarfile.open(fileobj=io.BytesIO(piece.data)) as archive:
            found += [(entry.name, archive.extractfile(entry).read()) for entry in archive]  # type: ignore[union-attr]
    assert len(dict(found)) == len(found)
    return dict(found)


PACKERS = {
    "tree.zip": ["zip", "-q", "-r", "../tree.zip", "."],
    "tree.tar": ["tar", "-cf", "../tree.tar", "."],
    "tree.tar.gz": ["tar", "-czf", "../tree.tar.gz", "."],
    "tree.tar.xz": ["tar", "-cJf", "../tree.tar.xz", "."],
    "tree.tar.bz2": ["tar", "-cjf", "../tree.tar.bz2", "."],
}


@pytest.mark.parametrize("archive", ["", *PACKERS])
@pytest.mark.parametrize("params", [{}, {"unit": "package", "target_mib": 0.05}])
def test_a_real_tree_is_kept_whole(settings: Settings, tmp_path: Path, archive: str, params: dict[str, object]) -> None:
    tree = tmp_path / "tree"
    code = _copy_code("pathspec", tree) | _copy_code("markdown_it", tree)
    if archive:
        subprocess.run(PACKERS[archive], cwd=tree, check=True)
    source = tmp_path / archive if archive else f"{tree.as_uri()}/"
    pieces = split(settings, "codebase", [source], params)
    assert _files(pieces) == code
    if params:
        assert [piece.metadata["unit"] for piece in pieces] == ["markdown_it", "pathspec"]
    else:
        assert len(pieces) == len(code)
        assert all(piece.copied == (archive not in ("", "tree.tar")) for piece in pieces)


def test_what_git_ignores_is_left_out(settings: Settings, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    rules = {
        ".gitignore": "*.log\n!keep.log\nbuild/\n/only-top.txt\ndocs/*.html\n*.tmp\n\\#odd\n",
        "a/.gitignore": "!a.tmp\n/x/*\n!/x/y/\nsecret?.txt\n",
        "a/x/y/.gitignore": "**/deep/*.py\n",
        "lib/.gitignore": "*\n!*.py\n!.gitignore\n",
    }
    names = [
        *("a.log", "keep.log", "a/keep.log", "build/x.py", "a/build/keep.log", "only-top.txt", "a/only-top.txt"),
        *("docs/i.html", "docs/sub/i.html", "b.tmp", "a/a.tmp", "a/b/a.tmp", "#odd", "a/x/1.py", "a/x/y/2.py"),
        *("a/x/y/deep/3.py", "a/x/y/z/deep/4.py", "a/secret1.txt", "a/b/secretX.txt", "lib/a.py", "lib/b.so"),
        *("lib/sub/c.py", "über/büild.log", "über/ok.py"),
    ]
    for name, text in [*rules.items(), *((name, name) for name in names)]:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=tree, check=True, capture_output=True
    )
    kept = set(listed.stdout.decode().split("\0")) - {""}
    assert 10 < len(kept) < len(names)
    assert set(_files(split(settings, "codebase", [f"{tree.as_uri()}/"], {}))) == kept
    everything = set(_files(split(settings, "codebase", [f"{tree.as_uri()}/"], {"gitignore": False})))
    assert everything == {*names, *rules}


def test_languages_and_globs_choose(settings: Settings) -> None:
    source = [INCLUDE / "engines" / "samples" / "codebase.zip"]
    python = _files(split(settings, "codebase", source, {"languages": ["python", "typescript"], "exclude": ["deep/"]}))
    assert set(python) == {"greet/__init__.py", "greet/words.py", "web/src/index.ts"}
    assert set(_files(split(settings, "codebase", source, {"include": ["/docs/**", "*.toml"]}))) == {
        *("docs/index.md", "pyproject.toml"),
    }


def test_a_package_is_never_divided(settings: Settings) -> None:
    source = [INCLUDE / "engines" / "samples" / "codebase.zip"]
    pieces = split(settings, "codebase", source, {"unit": "package"})
    assert {piece.metadata["unit"]: len(piece.metadata["paths"]) for piece in pieces} == {"": 4, "greet": 4, "web": 2}
    folders = split(settings, "codebase", source, {"unit": "folder"})
    assert [piece.metadata["unit"] for piece in folders] == ["", "docs", "greet", "greet/deep", "web", "web/src"]
    two = split(settings, "codebase", source, {"unit": "folder", "units_per_chunk": 4})
    assert [len(piece.metadata["paths"]) for piece in two] == [8, 2]


def test_too_many_paths_for_an_environment_are_in_the_tar_only(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3000):
            archive.writestr(f"a/rather_long_folder_name_for_a_path/{number}.py", "")
    (piece,) = split(settings, "codebase", [path], {"unit": "package"})
    assert piece.metadata["paths"] is None
    assert piece.items == piece.metadata["files"] == len(_files([piece])) == 3000
    assert len(json.dumps(piece.metadata)) < 1000


def _tar_of(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(bytes(entry.size)) if entry.isreg() else None)
    return path


def _entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.linkname = kind, size, "/etc/passwd" if kind == tarfile.SYMTYPE else ""
    return entry


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([_entry("../up.py")], "leaves its folder"),
        ([_entry("/etc/x.py")], "leaves its folder"),
        ([_entry("a.py"), _entry("a.py")], "'a.py' is there twice"),
        ([_entry("ln", tarfile.SYMTYPE)], "'ln' is a link"),
        ([_entry("dev", tarfile.CHRTYPE)], "no regular file"),
    ],
)
def test_an_archive_is_not_trusted(
    settings: Settings, tmp_path: Path, entries: list[tarfile.TarInfo], says: str
) -> None:
    with pytest.raises(SourceError, match=rf"bad\.tar.*{says}"):
        split(settings, "codebase", [_tar_of(tmp_path / "bad.tar", *entries)], {})


def test_a_damaged_header_is_not_taken_for_the_end(settings: Settings, tmp_path: Path) -> None:
    path = _tar_of(tmp_path / "damaged.tar", *(_entry(f"{n}.py", size=600) for n in range(4)))
    data = bytearray(path.read_bytes())
    data[2 * 1536 + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged\.tar: byte 3072 begins no tar header"):
        split(settings, "codebase", [path], {})


@pytest.mark.parametrize(("name", "says"), [("t.tar", "cannot be read"), ("t.zip", "cannot be read")])
def test_what_is_no_archive_is_refused(settings: Settings, tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / name).write_bytes(b"print('hello')\n" * 100)
    with pytest.raises(SourceError, match=rf"t\.\w+: {says}"):
        split(settings, "codebase", [tmp_path / name], {})


def test_a_zip_with_a_wrong_checksum_is_refused_by_member(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.py", b"print(1)\n")
    path.write_bytes(path.read_bytes().replace(b"print(1)", b"print(2)"))
    with pytest.raises(SourceError, match=r"t\.zip: a/b\.py: .*CRC"):
        split(settings, "codebase", [path], {})


def test_several_archives_each_get_a_folder(settings: Settings, tmp_path: Path) -> None:
    paths = [_tar_of(tmp_path / f"{name}.tar", _entry("setup.py", size=3)) for name in ("one", "two")]
    assert set(_files(split(settings, "codebase", paths, {}))) == {"one/setup.py", "two/setup.py"}
    whole = split(settings, "codebase", paths, {"input": "folder"})
    assert _files(whole) == {path.name: path.read_bytes() for path in paths}


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

    bodies = [path.read_bytes().partition(b"\n\n")[2] for path in _readmes()]
    text = b"\n\n".join([*bodies, b"```\n# code\n" * 100_001, b"\n"] * 2)
    assert len(text) > 2_000_000
    tokens = MarkdownIt("commonmark").parse(text.decode())
    lines = [token.map[0] for token in tokens if token.type == "heading_open" and token.level == 0 and token.map]
    pieces = _cut(settings, tmp_path, "all.md", text, depth=6)
    firsts = [piece.metadata["first_byte"] for piece in pieces if piece.metadata["level"]]
    starts = [0, *(found.end() for found in re.finditer(rb"\r\n?|\n", text))]
    assert firsts == [starts[line] for line in lines]
    assert len(firsts) > 100


HTML = """<!DOCTYPE html><title><h1>no</h1></title><!-- <h1>no</h1> --><script>"<h1>no</h1>"</script>
<body title="<h1>no</h1>"><H1 class='a>b'>One &amp; <em>only</em></H1><p>text<h2>
Two</h2>text<h3>Three</h3><style><h1></style><h1>Four</h1></body>"""


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

    pages = sorted(path for path in _packages().rglob("*.html") if path.stat().st_size > 500)[:20]
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
    for number, path in enumerate(_readmes()):
        (folder / f"{number:03d}").mkdir()
        (folder / f"{number:03d}" / "README").write_bytes(path.read_bytes())
    whole = b"".join(path.read_bytes() for path in _readmes())
    for kind in ("markdown", "rst", "text", "html"):
        pieces = split(settings, "sections", [f"{folder.as_uri()}/"], {"format": kind, "depth": 3})
        assert b"".join(piece.data for piece in pieces) == whole
        assert len({piece.name for piece in pieces}) == len(pieces)


def test_utf_16_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.txt: byte 0 begins UTF-16"):
        _cut(settings, tmp_path, "a.txt", "text".encode("utf-16"))


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
    colours = [PdfReader(io.BytesIO(p.data)).pages[0].images[0].image.convert("RGB").getpixel((5, 5)) for p in pieces]
    strongest = [max(range(3), key=colour.__getitem__) for colour in colours]
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
        assert [p.style.name for p in again.paragraphs if p.text] == ["Heading 1"]


@pytest.mark.parametrize("params", [{}, {"unit": "folder"}, {"unit": "package", "units_per_chunk": 2}])
@pytest.mark.parametrize("archive", ["", "tree.zip"])
def test_a_real_tree_comes_back(settings: Settings, tmp_path: Path, params: dict[str, object], archive: str) -> None:
    tree = tmp_path / "tree"
    code = _copy_code("pathspec", tree) | _copy_code("markdown_it", tree)
    if archive:
        subprocess.run(PACKERS[archive], cwd=tree, check=True)
    pieces = split(settings, "codebase", [tmp_path / archive if archive else f"{tree.as_uri()}/"], params)
    assert join(settings, "codebase", untouched(pieces)) == code


@pytest.mark.parametrize(("kind", "unpack"), [("zip", ["unzip", "-q"]), ("tar", ["tar", "-xf"])])
def test_other_tools_unpack_the_tree(settings: Settings, tmp_path: Path, kind: str, unpack: list[str]) -> None:
    (tmp_path / "out").mkdir()
    results = [Results({"a/b c.py": b"1", "d.py": b""})]
    found = join(settings, "codebase", results, {"format": kind})[f"codebase.{kind}"]
    (tmp_path / "x").write_bytes(found)
    subprocess.run([*unpack, str(tmp_path / "x")], cwd=tmp_path / "out", check=True)
    assert _tree(tmp_path / "out") == {"a/b c.py": b"1", "d.py": b""}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"output.bin": b"x"}, ["src/a.py"]),
        ({"output": b"x"}, ["src/a.py"]),
        ({"a.py": b"x"}, ["src/a.py"]),
        ({"output.ts": b"x"}, ["src/a.ts"]),
        ({"lib/new.py": b"x"}, ["lib/new.py"]),
        ({"a.py": b"x", "b.py": b"y"}, ["src/a.py", "src/b.py"]),
        ({"a.py": tar_of({"z.py": b"x"})}, ["src/a.py"]),
    ],
)
def test_where_the_result_of_one_file_goes(settings: Settings, files: dict[str, bytes], expected: list[str]) -> None:
    results = [Results(files, metadata={"path": "src/a.py", "packed": "no"})]
    assert sorted(join(settings, "codebase", results)) == expected


def test_conflicts_are_named_or_decided(settings: Settings) -> None:
    results = [
        Results({"x.tar": tar_of({"a.py": b"first", "b.py": b"b"})}, "one"),
        Results({"a.py": b"second"}, "two"),
        Results({"x": tar_of({"a.py": b"third", "c.py": b"c"})}, "three"),
    ]
    with pytest.raises(EngineError, match=r"'a\.py' by chunk 0 \(one\).* and chunk 1 \(two\).* and chunk 2"):
        join(settings, "codebase", results)
    for keep, data in (("first", b"first"), ("last", b"third")):
        assert join(settings, "codebase", results, {"conflicts": keep}) == {"a.py": data, "b.py": b"b", "c.py": b"c"}
    with pytest.raises(EngineError, match=r"'a' is a file by chunk 0 \(one\).*'a/b' by chunk 1"):
        join(settings, "codebase", [Results({"a": b""}, "one"), Results({"a/b": b""})], {"conflicts": "last"})


@pytest.mark.parametrize("name", ["../up.py", "/etc/x.py", "a/../../up.py", "c:\\x.py"])
def test_paths_cannot_escape(settings: Settings, name: str) -> None:
    with pytest.raises(EngineError, match="leaves its folder"):
        join(settings, "codebase", [Results({"t.tar": tar_of({name: b"x"})})])
    with pytest.raises(EngineError, match="leaves its folder"):
        join(settings, "codebase", [Results({"output.bin": b"x"}, metadata={"path": name, "packed": "no"})])


def test_a_link_in_a_tar_is_refused(settings: Settings) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(_entry("ln", tarfile.SYMTYPE))
    with pytest.raises(EngineError, match="'ln' is no regular file"):
        join(settings, "codebase", [Results({"t.tar": data.getvalue()})])


def _joined(settings: Settings, texts: Sequence[str | bytes], name: str = "output.bin", **params: object) -> str:
    results = [Results({name: text.encode() if isinstance(text, str) else text}) for text in texts]
    (data,) = join(settings, "documents", results, params).values()
    return data.decode()


@pytest.mark.parametrize("name", ["a.md", "a.rst", "a.html", "a.txt"])
@pytest.mark.parametrize("params", [{"depth": 1}, {"depth": 6}])
def test_sections_back_together_are_the_source(
    settings: Settings, tmp_path: Path, name: str, params: dict[str, object]
) -> None:
    whole = b"\n\n".join(path.read_bytes() for path in _readmes()[:20]) + HTML.encode() + b"\r\nno newline at the end"
    (tmp_path / name).write_bytes(whole)
    pieces = split(settings, "sections", [tmp_path / name], params)
    assert len(pieces) > 2
    assert join(settings, "documents", untouched(pieces)) == {f"document{Path(name).suffix}": whole}


def test_texts_by_size_are_joined_inside_a_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("One two three four. Five six seven.\n\nEight")
    pieces = split(settings, "text_size", [tmp_path / "a.md"], {"size": 9, "border": "sentence"})
    assert len(pieces) > 4
    assert join(settings, "documents", untouched(pieces))["document.md"] == (tmp_path / "a.md").read_bytes()


def test_a_newline_where_a_result_lacks_one(settings: Settings) -> None:
    assert _joined(settings, ["a", "b\n", "c"]) == "a\nb\nc"
    assert _joined(settings, ["a", "b"], newline=False) == "ab"
    assert _joined(settings, ["<p>a", "b</p>"], "a.html") == "<p>ab</p>"
    assert _joined(settings, ["alone"], "any.txt") == "alone"


def test_whole_pages_become_one_page(settings: Settings) -> None:
    pages = [f"<html><head><title>{n}</title></head>\n<BODY class='x'><h2>P{n}</h2></body></html>" for n in range(3)]
    assert _joined(settings, pages, "p.html") == (
        "<html><head><title>0</title></head>\n<BODY class='x'><h2>P0</h2><h2>P1</h2><h2>P2</h2></body></html>"
    )


def test_contents_of_html_lead_to_the_headings(settings: Settings) -> None:
    import lxml.html

    pages = [f"<html><body><h1>A &amp; {n}</h1><h2>b</h2><h3>deep</h3></body></html>" for n in range(2)]
    page = lxml.html.fromstring(_joined(settings, pages, "p.html", toc=True, toc_title="<All>"))
    links = page.xpath("//nav//a")
    assert [link.text for link in links] == ["A & 0", "b", "A & 1", "b"]
    headings = page.xpath("//h1 | //h2")
    for link, heading in zip(links, headings, strict=True):
        (anchor,) = page.xpath(f"//*[@id='{link.get('href')[1:]}']")
        assert anchor.getnext() is heading
    assert page.xpath("//nav/p")[0].text == "<All>"
    assert next(child.tag for child in page.body) == "nav"


def test_contents_of_text_and_restructured_text(settings: Settings) -> None:
    book = _joined(settings, ["CHAPTER I\n\nx\n", "1.1 Part\n\ny\n"], toc=True)
    assert book == "Contents\n\n  CHAPTER I\n    1.1 Part\n\nCHAPTER I\n\nx\n1.1 Part\n\ny\n"
    assert _joined(settings, ["A\n=\n"], "a.rst", toc=True) == ".. contents:: Contents\n   :depth: 2\n\nA\n=\n"
    front = "---\na: 1\n---\n"
    assert _joined(settings, [f"{front}# A\n"], "a.md", toc=True).startswith(f"{front}**Contents**\n\n- [A](#a)\n\n#")


def test_contents_without_headings_are_those_of_the_chunks(settings: Settings) -> None:
    results = [Results({"o.txt": b"translated\n"}, metadata={"heading_path": ["One", name]}) for name in ("A", "B")]
    found = join(settings, "documents", results, {"toc": True})
    assert found["document.txt"] == b"Contents\n\n    A\n    B\n\ntranslated\ntranslated\n"


def test_pages_of_a_pdf_come_back_with_bookmarks(settings: Settings, tmp_path: Path) -> None:
    from pypdf import PdfReader

    results = [
        Results({"o.bin": pdf_of(101)}, metadata={"heading_path": ["One"]}),
        Results({"o.bin": pdf_of(102, 103)}, metadata={"heading_path": ["One", "Two"]}),
        Results({"o.bin": pdf_of(104)}, "Three"),
    ]
    reader = PdfReader(io.BytesIO(join(settings, "documents", results, {"toc": True})["document.pdf"]))
    assert [page.mediabox.width for page in reader.pages] == [101, 102, 103, 104]
    one, (two,), three = reader.outline
    assert [(x.title, reader.get_destination_page_number(x)) for x in (one, two, three)] == [
        *(("One", 0), ("Two", 1), ("Three", 3)),
    ]
    (tmp_path / "a.pdf").write_bytes(pdf_of(*range(100, 130)))
    pieces = split(settings, "sections", [tmp_path / "a.pdf"], {"pages": 7})
    again = PdfReader(io.BytesIO(join(settings, "documents", untouched(pieces))["document.pdf"]))
    assert [page.mediabox.width for page in again.pages] == list(range(100, 130))


def test_pdfs_are_joined_as_far_as_the_memory_goes(settings: Settings) -> None:
    from pypdf import PdfReader, PdfWriter

    little = dataclasses.replace(settings, engine_memory_bytes=4 << 20)
    writer = PdfWriter()
    writer.add_blank_page(100, 200)
    writer.add_attachment("noise", random.Random(0).randbytes(1 << 20))
    data = io.BytesIO()
    writer.write(data)
    found = join(little, "documents", [Results({"a.pdf": data.getvalue()})] * 3)["document.pdf"]
    assert len(PdfReader(io.BytesIO(found)).pages) == 3
    with pytest.raises(EngineError, match=r"chunk 1 .*'a\.pdf': .* takes more than 4 MiB of memory"):
        join(little, "documents", [Results({"a.pdf": pdf_of(100)}), Results({"a.pdf": pdf_of(*range(100, 1500))})])


def test_results_of_several_formats_are_refused(settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"markdown \(chunk 0.*pdf \(chunk 1"):
        join(settings, "documents", [Results({"a.md": b"x"}), Results({"b.md": pdf_of(100)})])
    with pytest.raises(EngineError, match=r"text \(chunk 0"):
        join(settings, "documents", [Results({"a.txt": b"x"})], {"format": "pdf"})
    with pytest.raises(EngineError, match="is a Word file"):
        join(settings, "documents", [Results({"a.docx": b"PK"})])
