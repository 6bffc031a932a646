"""text_size, documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.contract.engines.cases import Join, Split
from tests.contract.engines.cases.sections import page_widths, pdf_of
from tests.support.engine_harness import Piece, Results

ESSAY = "Ünder the hill. A fox! 数える、確かです。One more line\nand its end?\r\n\r\nNext paragraph, e.g. this one.\n"


def write_essays(folder: Path) -> list[Path]:
    paths = [folder / f"essay{number}.txt" for number in range(2)]
    for number, path in enumerate(paths):
        path.write_bytes("".join(f"{n}. {ESSAY}" for n in range(8 + number)).encode())
    return paths


def _one_sentence(folder: Path) -> list[Path]:
    path = folder / "one.txt"
    path.write_text("Ünder the hill")
    return [path]


def _latin_1(folder: Path) -> Path:
    path = folder / "latin.txt"
    path.write_bytes("fünf".encode("latin-1"))
    return path


def _large_text(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.txt"
    with path.open("wb") as out:
        for number in range(factor * 32):
            out.write(f"{number} {ESSAY}".encode() * 1000)
    return path


def _whole_texts(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    for path in sources:
        mine = [piece for piece in pieces if piece.metadata["source"] == path.name]
        assert b"".join(piece.data for piece in mine) == path.read_bytes()
        assert [piece.metadata["part"] for piece in mine] == list(range(len(mine)))
    assert all(len(piece.data.decode().split()) <= 40 for piece in pieces)
    assert not any(piece.copied for piece in pieces)


def _chapters() -> list[Results]:
    return [
        Results({"output.md": b"# One\n\ntext"}),
        Results({"output.md": b""}),
        Results({"output.md": b"## Two [x]\n\n### deep\n# One\n"}),
    ]


def _one_markdown(found: Mapping[str, bytes]) -> None:
    assert found == {
        "document.md": b"**Contents**\n\n- [One](#one)\n  - [Two \\[x\\]](#two-x)\n- [One](#one-1)\n\n"
        b"# One\n\ntext\n## Two [x]\n\n### deep\n# One\n"
    }


def _bad_chapter() -> list[Results]:
    return [Results({"a.md": b"# Good\n"}), Results({"a.md": b"\xff\n"})]


def _large_chapters(factor: int) -> list[Results]:
    return [Results({"a.md": b"# Chapter\n\n" + (b"words and words\n" * 2000 + b"\n") * 40}) for _ in range(4 * factor)]


def _pdf_results() -> list[Results]:
    return [Results({"output.bin": pdf_of(101, 102)}), Results({"x.pdf": pdf_of(103)})]


def _one_pdf(found: Mapping[str, bytes]) -> None:
    assert set(found) == {"all.pdf"}
    assert page_widths(found["all.pdf"]) == [101, 102, 103]


def _bad_pdf() -> list[Results]:
    return [Results({"x.pdf": pdf_of(101)[:200]})]


CASES: list[Split | Join] = [
    Split(
        "text_size",
        {"chunk_size": 40, "unit": "words"},
        write_essays,
        _whole_texts,
        bad={"chunk_size": 0},
        corrupt=_latin_1,
        says="byte 1 is not UTF-8",
        grow=_large_text,
        one=_one_sentence,
    ),
    Join(
        "documents",
        {"toc": True},
        _chapters,
        _one_markdown,
        bad={"toc_depth": 0},
        corrupt=_bad_chapter,
        says="chunk 1, 'a.md': byte 0 is not UTF-8",
        grow=_large_chapters,
    ),
    Join(
        "documents",
        {"format": "pdf", "name": "all.pdf"},
        _pdf_results,
        _one_pdf,
        bad={"format": "doc"},
        corrupt=_bad_pdf,
        says="chunk 0, 'x.pdf': cannot be read as a PDF",
    ),
]
