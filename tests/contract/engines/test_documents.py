"""Documents back together."""

from __future__ import annotations

import dataclasses
import io
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engines.cases.sections import pdf_of
from tests.support.engine_harness import Results, join, split, untouched
from tests.support.real_texts import HTML, readmes
from triptych.errors import EngineError
from triptych.settings import Settings


def _section(*titles: str, part: int, parts: int) -> dict[str, Any]:
    """What `sections` tells of a chunk, as far as `documents` reads it."""
    return {"source_index": 0, "source": "a.txt", "heading_path": titles, "part": part, "parts": parts}


def _joined(settings: Settings, texts: Sequence[str | bytes], name: str = "output.bin", **params: object) -> str:
    results = [Results({name: text.encode() if isinstance(text, str) else text}) for text in texts]
    (data,) = join(settings, "documents", results, params).values()
    return data.decode()


@pytest.mark.parametrize("name", ["a.md", "a.rst", "a.html", "a.txt"])
@pytest.mark.parametrize("params", [{"depth": 1}, {"depth": 6}])
def test_sections_back_together_are_the_source(
    settings: Settings, tmp_path: Path, name: str, params: dict[str, object]
) -> None:
    whole = b"\n\n".join(path.read_bytes() for path in readmes()[:20]) + HTML.encode() + b"\r\nno newline at the end"
    (tmp_path / name).write_bytes(whole)
    pieces = split(settings, "sections", [tmp_path / name], params)
    assert len(pieces) > 2
    assert join(settings, "documents", untouched(pieces)) == {name: whole}


def test_texts_by_size_are_joined_inside_a_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("One two three four. Five six seven.\n\nEight")
    pieces = split(settings, "text_size", [tmp_path / "a.md"], {"chunk_size": 9, "separator": "sentence"})
    assert len(pieces) > 4
    assert join(settings, "documents", untouched(pieces))["a.md"] == (tmp_path / "a.md").read_bytes()


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
    results = [
        Results({"o.txt": b"translated\n"}, metadata=_section("One", name, part=part, parts=2))
        for part, name in enumerate("AB")
    ]
    found = join(settings, "documents", results, {"toc": True})
    assert found["a.txt"] == b"Contents\n\n    A\n    B\n\ntranslated\ntranslated\n"


def test_pages_of_a_pdf_come_back_with_bookmarks(settings: Settings, tmp_path: Path) -> None:
    from pypdf import PdfReader

    results = [
        Results({"o.bin": pdf_of(101)}, metadata=_section("One", part=0, parts=3)),
        Results({"o.bin": pdf_of(102, 103)}, metadata=_section("One", "Two", part=1, parts=3)),
        Results({"o.bin": pdf_of(104)}, "Three", _section(part=2, parts=3)),
    ]
    reader = PdfReader(
        io.BytesIO(join(settings, "documents", results, {"toc": True, "name": "document.pdf"})["document.pdf"])
    )
    assert [page.mediabox.width for page in reader.pages] == [101, 102, 103, 104]
    outline: list[Any] = reader.outline
    one, (two,), three = outline
    assert [(x.title, reader.get_destination_page_number(x)) for x in (one, two, three)] == [
        *(("One", 0), ("Two", 1), ("Three", 3)),
    ]
    (tmp_path / "a.pdf").write_bytes(pdf_of(*range(100, 130)))
    pieces = split(settings, "sections", [tmp_path / "a.pdf"], {"items_per_chunk": 7})
    again = PdfReader(io.BytesIO(join(settings, "documents", untouched(pieces))["a.pdf"]))
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
    with pytest.raises(EngineError, match=r"chunk 1, 'a\.pdf': the PDF joined up .* is longer than 4 MiB\. Raise"):
        join(little, "documents", [Results({"a.pdf": pdf_of(100)}), Results({"a.pdf": pdf_of(*range(100, 1500))})])


def test_results_of_several_formats_are_refused(settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"markdown \(chunk 0, 'a\.md'\), pdf \(chunk 1"):
        join(settings, "documents", [Results({"a.md": b"x"}), Results({"b.md": pdf_of(100)})])
    with pytest.raises(EngineError, match=r"text \(chunk 0"):
        join(settings, "documents", [Results({"a.txt": b"x"})], {"format": "pdf"})
    with pytest.raises(EngineError, match="is a Word file"):
        join(settings, "documents", [Results({"a.docx": b"PK"})])


@pytest.mark.parametrize("engine", ["sections", "text_size"])
def test_two_sources_of_one_name_are_two_documents(settings: Settings, tmp_path: Path, engine: str) -> None:
    paths = [tmp_path / folder / "a.md" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"# {path.parent.name}\n\ntext\n\n# End\n" * 200)
    pieces = split(settings, engine, paths, {})
    found = join(settings, "documents", untouched(pieces))
    assert found == {"one/a.md": paths[0].read_bytes(), "two/a.md": paths[1].read_bytes()}
    together = join(settings, "documents", untouched(pieces), {"name": "book.md"})
    assert together == {"book.md": paths[0].read_bytes() + paths[1].read_bytes()}


def test_sources_of_several_formats_are_documents_of_their_own(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n")
    (tmp_path / "b.html").write_text("<h1>B</h1>")
    pieces = split(settings, "sections", [tmp_path / "a.md", tmp_path / "b.html"], {})
    assert join(settings, "documents", untouched(pieces)) == {"a.md": b"# A\n", "b.html": b"<h1>B</h1>"}
    with pytest.raises(EngineError, match="Not all results are of one format: html"):
        join(settings, "documents", untouched(pieces), {"name": "book"})


def test_a_missing_or_doubled_section_is_refused(settings: Settings) -> None:
    results = [Results({"o.txt": b"x"}, metadata=_section(part=part, parts=4)) for part in (0, 3)]
    with pytest.raises(EngineError, match=r"of the 4 parts of a\.txt, 2 left no file: 1, 2\. Run these chunks again"):
        join(settings, "documents", results)
    twice = [Results({"a": b"x", "b": b"y"}, metadata=_section(part=0, parts=1))]
    with pytest.raises(EngineError, match=r"part 0 of a\.txt has 2 files\. Let each chunk leave one file"):
        join(settings, "documents", twice)


def test_metadata_of_another_kind_is_refused(settings: Settings) -> None:
    results = [Results({"o.txt": b"x"}, metadata={**_section(part=0, parts=1), "heading_path": "One"})]
    with pytest.raises(EngineError, match=r"chunk 0, 'o\.txt': its metadata is no DocumentPart: 'heading_path'"):
        join(settings, "documents", results)
