"""What the engines for documents share: decoding, labels, PDF and Word files."""

from __future__ import annotations

import codecs
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from triptych.engines.api import Source
from triptych.engines.runtime.resources import need, resources
from triptych.errors import SourceError


def labels(sources: Sequence[Source]) -> list[str]:
    """A name for each source that no other has: its own, or with its place in front (`000002_README.md`)."""
    counts = Counter(source.name for source in sources)
    return [s.name if counts[s.name] == 1 else f"{s.index:06d}_{s.name}" for s in sources]


def decoded(blocks: Iterable[bytes], uri: str) -> Iterator[str]:
    """UTF-8 as text, block by block; a byte-order mark stays, as U+FEFF.

    Raises SourceError with the offset of the first byte that is not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    try:
        for block in blocks:
            pending = len(decoder.getstate()[0])
            start = offset - pending
            yield decoder.decode(block)
            offset += len(block)
        start = offset - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        msg = (
            f"{uri}: byte {start + error.start} is not UTF-8 ({error.reason}). "
            "Convert the file first, e.g. iconv -f WINDOWS-1252 -t UTF-8."
        )
        raise SourceError(msg) from error


def open_pdf(stream: BinaryIO, what: str, size: int) -> Any:
    """A pypdf reader; SourceError when the file is empty, damaged or needs a password."""
    pypdf = need("pypdf", "documents")
    if size == 0:
        msg = f"{what}: the file is empty, which a PDF cannot be."
        raise SourceError(msg)
    with pdf_errors(what):
        reader = pypdf.PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            msg = f"{what}: the PDF needs a password. Remove it first, e.g. qpdf --decrypt."
            raise SourceError(msg)
        len(reader.pages)
    return reader


@contextmanager
def pdf_errors(what: str) -> Iterator[None]:
    """What pypdf raises for a damaged file becomes a SourceError that names it."""
    from pypdf.errors import PyPdfError

    try:
        yield
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        msg = f"{what}: cannot be read as a PDF: {error}. Repair it first, e.g. with qpdf."
        raise SourceError(msg) from error


@dataclass(frozen=True)
class Part:
    """One section of a Word document: the titles above and of it, and where it begins and ends in the body."""

    heading_path: tuple[str, ...]
    level: int
    begin: int
    end: int


class WordDocument:
    """A .docx that gives each of its sections as a .docx of its own, with its styles, headers and page setup."""

    def __init__(self, path: Path, what: str) -> None:
        docx = need("docx", "documents")
        self._check_size(path, what)
        try:
            self._document = docx.Document(str(path))
        except (ValueError, KeyError, zipfile.BadZipFile, zlib.error, OSError, SyntaxError) as error:
            msg = f"{what}: cannot be read as a .docx: {error}. Save it again with a word processor."
            raise SourceError(msg) from error
        body = self._document.element.body
        self._setup = [element for element in body if element.tag.endswith("}sectPr")]
        self._elements = [element for element in body if not element.tag.endswith("}sectPr")]

    @staticmethod
    def _check_size(path: Path, what: str) -> None:
        """The document's XML is held as a tree, of about ten times its size."""
        try:
            with zipfile.ZipFile(path) as archive:
                size = archive.getinfo("word/document.xml").file_size
        except (zipfile.BadZipFile, KeyError) as error:
            msg = f"{what}: cannot be read as a .docx: {error}. Save it again with a word processor."
            raise SourceError(msg) from error
        if size * 10 > resources().memory_bytes:
            msg = f"{what}: {size >> 20} MiB of XML need more memory. Raise [triptych] engine_memory_mib."
            raise SourceError(msg)

    def parts(self, depth: int) -> Iterator[Part]:
        found = [(0, 0, "")]
        for place, element in enumerate(self._elements):
            level = self._level(element)
            if 0 < level <= depth:
                found.append((place, level, " ".join(element.text.split())[:200]))
        titles: dict[int, str] = {}
        ends = [place for place, _, _ in found[1:]] + [len(self._elements)]
        for (begin, level, title), end in zip(found, ends, strict=True):
            titles = {above: text for above, text in titles.items() if above < level} | (
                {level: title} if level else {}
            )
            if end > begin:
                yield Part(tuple(titles.values()), level, begin, end)

    def _level(self, element: Any) -> int:
        """By the paragraph's style or those it builds on, "Heading 1" to "Heading 9"; 0 for other text."""
        if not element.tag.endswith("}p"):
            return 0
        from docx.enum.style import WD_STYLE_TYPE

        style = self._document.part.get_style(element.style, WD_STYLE_TYPE.PARAGRAPH)
        while style is not None:
            if found := re.fullmatch(r"[Hh]eading ([1-9])", style.name or ""):
                return int(found[1])
            style = style.base_style
        return 0

    def save(self, part: Part, path: Path) -> None:
        """Only the part's elements in the body, only its images in the file; the same part gives the same bytes."""
        body = self._document.element.body
        for element in list(body):
            body.remove(element)
        body.extend(self._elements[part.begin : part.end])
        body.extend(self._setup)
        relations = self._document.part.rels
        used = set(re.findall(r"rId\d+", body.xml))
        unused = {key: rel for key, rel in relations.items() if rel.reltype.endswith("/image") and key not in used}
        for key in unused:
            del relations[key]
        data = io.BytesIO()
        self._document.save(data)
        relations.update(unused)
        _without_clock(data, path)


def _without_clock(data: BinaryIO, path: Path) -> None:
    with zipfile.ZipFile(data) as made, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in made.namelist():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, made.read(name))
