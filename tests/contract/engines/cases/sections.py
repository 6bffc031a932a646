"""sections of texts, Word and PDF files."""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece


def write_markdown(folder: Path) -> list[Path]:
    paths = [folder / f"guide{number}.md" for number in range(2)]
    for number, path in enumerate(paths):
        sections = (f"# Part {n} \n\ntext {n}\n\n```\n# no heading\n```\n\n### Deep\n" for n in range(3 + number))
        path.write_text("before\n\n" + "".join(sections))
    return paths


def _no_heading(folder: Path) -> list[Path]:
    path = folder / "note.md"
    path.write_text("only\n\n```\n# no heading\n```")
    return [path]


def _whole_documents(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    for path in sources:
        mine = [piece for piece in pieces if piece.metadata["source"] == path.name]
        assert b"".join(piece.data for piece in mine) == path.read_bytes()
        assert all(piece.data.startswith(b"# Part") for piece in mine[1:])
        assert len(mine) == 1 + path.read_text().count("# Part")
    assert not any(piece.copied for piece in pieces)


def _bad_markdown(folder: Path) -> Path:
    path = folder / "bad.md"
    path.write_bytes(b"# Title\n\xff\n")
    return path


def _large_markdown(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.md"
    with path.open("wb") as out:
        for number in range(factor * 4 * 64):
            out.write(f"# Part {number}\n\n".encode() + b"Some words that say nothing.\n" * 560)
    return path


def pdf_of(*widths: int) -> bytes:
    """Pages of these widths in points."""
    from pypdf import PdfWriter

    data = io.BytesIO()
    writer = PdfWriter()
    for width in widths:
        writer.add_blank_page(width, 200)
    writer.write(data)
    return data.getvalue()


def page_widths(pdf: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"/MediaBox \[ *[\d.]+ +[\d.]+ +(\d+)", pdf)]


def write_pdf(folder: Path) -> list[Path]:
    path = folder / "pages.pdf"
    path.write_bytes(pdf_of(*range(100, 105)))
    return [path]


def _one_page(folder: Path) -> list[Path]:
    path = folder / "page.pdf"
    path.write_bytes(pdf_of(100))
    return [path]


def _each_page(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert all(piece.data.startswith(b"%PDF-") for piece in pieces)
    pages = page_widths(sources[0].read_bytes())
    assert [page_widths(piece.data) for piece in pieces] == [pages[at : at + 2] for at in range(0, len(pages), 2)]


def _cut_pdf(folder: Path) -> Path:
    (path,) = write_pdf(folder)
    path.write_bytes(path.read_bytes()[:300])
    return path


def write_word(folder: Path) -> list[Path]:
    import docx

    path = folder / "report.docx"
    document = docx.Document()
    document.add_paragraph("before")
    for number in range(3):
        document.add_heading(f"Part {number}", 1)
        document.add_paragraph(f"text {number}")
        document.add_heading("Deep", 3)
    document.save(str(path))
    return [path]


def _word_of_one(folder: Path) -> list[Path]:
    import docx

    path = folder / "note.docx"
    document = docx.Document()
    document.add_paragraph("only")
    document.save(str(path))
    return [path]


def _word_texts(document: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(document)) as archive:
        return re.findall(r"<w:t>([^<]*)</w:t>", archive.read("word/document.xml").decode())


def _each_part(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    texts = [_word_texts(piece.data) for piece in pieces]
    whole = _word_texts(sources[0].read_bytes())
    assert [text for part in texts for text in part] == whole
    assert [at for at, text in enumerate(whole) if text.startswith("Part")] == list(
        itertools.accumulate(map(len, texts[:-1]))
    )


def _cut_word(folder: Path) -> Path:
    (path,) = write_word(folder)
    path.write_bytes(path.read_bytes()[:9000])
    return path


CASES: list[Split | Join] = [
    Split(
        "sections",
        {},
        write_markdown,
        _whole_documents,
        bad={"depth": 0},
        corrupt=_bad_markdown,
        says="byte 8 is not UTF-8",
        grow=_large_markdown,
        one=_no_heading,
    ),
    Split(
        "sections",
        {"items_per_chunk": 2},
        write_pdf,
        _each_page,
        bad={"items_per_chunk": 0},
        corrupt=_cut_pdf,
        says="cannot be read as a PDF",
        empty="refused",
        one=_one_page,
    ),
    Split(
        "sections",
        {"depth": 1},
        write_word,
        _each_part,
        bad={"format": "doc"},
        corrupt=_cut_word,
        says="cannot be read as a .docx",
        empty="refused",
        one=_word_of_one,
    ),
]
