"""text_size, codebase, sections; codebase, documents."""

from __future__ import annotations

import io
import itertools
import random
import re
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.contract.engines.cases import Join, Split
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


def _sources_of_code(folder: Path) -> list[Path]:
    paths = [folder / name for name in ("a.py", "b.py", "c.rs")]
    for path in paths:
        path.write_text(f"# {path.name}\n")
    return paths


def _one_source_of_code(folder: Path) -> list[Path]:
    return _sources_of_code(folder)[:1]


def _each_source(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert {piece.metadata["path"]: piece.data for piece in pieces} == {p.name: p.read_bytes() for p in sources}
    assert len(pieces) == len(sources)
    assert not any(piece.copied for piece in pieces)


def write_zip(folder: Path) -> list[Path]:
    path = folder / "tree.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b/x.py", "a/y.py", "top.md", "a/deep/z.py", "a/ü 1.py"):
            archive.writestr(name, f"# {name}\n" * 50)
    return [path]


def _zip_of_one(folder: Path) -> list[Path]:
    path = folder / "one.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.py", "# one\n")
    return [path]


def _each_member(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found: dict[str, bytes] = {}
    for piece in pieces:
        with tarfile.open(fileobj=io.BytesIO(piece.data)) as archive:
            mine = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
        assert list(mine) == piece.metadata["paths"]
        assert not mine.keys() & found.keys()
        found |= mine
    with zipfile.ZipFile(sources[0]) as archive:
        assert found == {name: archive.read(name) for name in archive.namelist()}


def _cut_zip(folder: Path) -> Path:
    (path,) = write_zip(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _large_zip(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.zip"
    noise = random.Random(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(4 * factor):
            archive.writestr(f"d{number}/f.py", noise.randbytes(2 * 1024 * 1024))
    return path


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


def tar_of(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return data.getvalue()


def _tree_results() -> list[Results]:
    return [
        Results({"output.bin": b"one"}, metadata={"path": "src/one.py", "packed": "no", "files": 1}),
        Results({"any": tar_of({"src/two.py": b"two", "ü/3 x.py": b""})}, metadata={"packed": "tar", "files": 1}),
        Results({"deep/four.txt": b"four", "five.txt": b"five"}),
    ]


TREE = {"src/one.py": b"one", "src/two.py": b"two", "ü/3 x.py": b"", "deep/four.txt": b"four", "five.txt": b"five"}


def _tree_in_folder(found: Mapping[str, bytes]) -> None:
    assert found == TREE


def _tree_in_zip(found: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(found["t.zip"])) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {f"a/b/{n}": d for n, d in TREE.items()}
        assert archive.testzip() is None


def _tree_in_tar(found: Mapping[str, bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(found["codebase.tar"])) as archive:
        assert {entry.name: archive.extractfile(entry).read() for entry in archive} == TREE  # type: ignore[union-attr]


def _large_tars(factor: int) -> list[Results]:
    block = random.Random(0).randbytes(2 * 1024 * 1024)
    return [
        Results({"t.tar": tar_of({f"{n}.bin": block})}, metadata={"packed": "tar", "files": 1})
        for n in range(4 * factor)
    ]


def _cut_tar() -> list[Results]:
    return [Results({"t.tar": tar_of({"a.py": b"x" * 5000, "b.py": b"y" * 5000})[:7000]}, name="unit a")]


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
    Split(
        "codebase",
        {},
        _sources_of_code,
        _each_source,
        bad={"unit": "line"},
        empty="one chunk",
        one=_one_source_of_code,
    ),
    Split(
        "codebase",
        {"unit": "folder"},
        write_zip,
        _each_member,
        bad={"languages": ["klingon"]},
        corrupt=_cut_zip,
        says="cannot be read as a zip",
        grow=_large_zip,
        one=_zip_of_one,
    ),
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
    Join(
        "codebase",
        {},
        _tree_results,
        _tree_in_folder,
        bad={"on_conflict": "ask"},
        corrupt=_cut_tar,
        says="chunk 0, 't.tar': cannot be read as a tar",
        grow=_large_tars,
    ),
    Join("codebase", {"format": "zip", "name": "t.zip", "root": "a/b"}, _tree_results, _tree_in_zip, bad={"name": ""}),
    Join("codebase", {"format": "tar"}, _tree_results, _tree_in_tar, bad={"root": ""}, grow=_large_tars),
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
