"""A document's sections: texts as range chunks that begin with a heading, Word and PDF as files of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source, need, resources
from triptych.engines.documents.files import WordDocument, labels, open_pdf, pdf_errors
from triptych.engines.documents.formats import EXTENSIONS, HEADINGS
from triptych.engines.documents.headings import Heading
from triptych.errors import SourceError

MAX_TITLES_IN_NAME = 80
"""Characters."""
MAX_BLANK_BYTES = 4096
REOPEN_PAGES = 200
"""A PDF reader keeps every object that it has read."""


@dataclass(frozen=True)
class Section:
    """Bytes [offset, end) of a text; `heading_path` ends with the section's own title."""

    offset: int
    end: int
    level: int
    heading_path: tuple[str, ...]


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for label, source in zip(labels(sources), sources, strict=True):
        kind = params["format"]
        if kind == "auto":
            kind = EXTENSIONS.get(PurePosixPath(source.name).suffix.lower(), "text")
        cut = {"pdf": _pdf, "docx": _docx}.get(kind, _text)
        yield from cut(source, label, kind, params)


def _text(source: Source, label: str, kind: str, params: Mapping[str, Any]) -> Iterator[Chunk]:
    if not source.size:
        return
    _check_encoding(source)
    headings = HEADINGS[kind](source.stream(), source.uri)
    for index, section in enumerate(sections(headings, source, params["depth"])):
        runs = [(section.offset, section.end - section.offset)]
        about = _about(source, index, section.level, section.heading_path) | {"first_byte": section.offset}
        name = _name(label, index, section.heading_path)
        yield Chunk.of_ranges(source, runs, name=name, items=1, metadata=about)


def sections(headings: Iterator[Heading], source: Source, depth: int) -> Iterator[Section]:
    """What comes before the first heading is a section of level 0, or part of the first one if it is blank."""
    titles: dict[int, str] = {}
    offset = level = 0
    for heading in headings:
        if heading.level > depth:
            continue
        if heading.offset > offset and (offset or level or not _blank(source, heading.offset)):
            yield Section(offset, heading.offset, level, tuple(titles.values()))
            offset = heading.offset
        level = heading.level
        titles = {above: title for above, title in titles.items() if above < level} | {level: heading.title}
    yield Section(offset, source.size, level, tuple(titles.values()))


def _blank(source: Source, end: int) -> bool:
    if end > MAX_BLANK_BYTES:
        return False
    with source.open() as stream:
        return not stream.read(end).removeprefix(b"\xef\xbb\xbf").strip()


def _check_encoding(source: Source) -> None:
    with source.open() as stream:
        if stream.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            msg = f"{source.uri}: byte 0 begins UTF-16. Convert the file first: iconv -f UTF-16 -t UTF-8."
            raise SourceError(msg)


def _docx(source: Source, label: str, kind: str, params: Mapping[str, Any]) -> Iterator[Chunk]:
    if not source.size:
        msg = f"{source.uri}: the file is empty, which a .docx cannot be."
        raise SourceError(msg)
    # A zip of parts that refer to each other: python-docx needs them all.
    document = WordDocument(source.local_path(), source.uri)
    path = resources().new_folder() / "section.docx"
    for index, part in enumerate(document.parts(params["depth"])):
        document.save(part, path)
        about = _about(source, index, part.level, part.heading_path)
        yield Chunk.of_file(path, name=_name(label, index, part.heading_path), items=1, metadata=about)
        path.unlink()


def _pdf(source: Source, label: str, kind: str, params: Mapping[str, Any]) -> Iterator[Chunk]:
    pypdf = need("pypdf", "documents")
    with source.open() as stream:
        reader = open_pdf(stream, source.uri, source.size)
        runs = list(_page_runs(reader, source.uri, params))
        path = resources().new_folder() / "pages.pdf"
        read = 0
        for index, (first, end, titles) in enumerate(runs):
            if read > REOPEN_PAGES:
                reader, read = open_pdf(stream, source.uri, source.size), 0
            writer = pypdf.PdfWriter()
            with pdf_errors(f"{source.uri}: pages {first + 1} to {end}"):
                writer.append(reader, pages=(first, end), import_outline=False)
                writer.write(path)
            read += end - first
            about = _about(source, index, len(titles), titles) | {"first_page": first + 1, "pages": end - first}
            name = _name(label, index, titles or (f"page {first + 1}",))
            yield Chunk.of_file(path, name=name, items=end - first, metadata=about)
            path.unlink()


def _page_runs(reader: Any, uri: str, params: Mapping[str, Any]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """(first page from 0, end, titles) by number of pages, or from one bookmark's page to the next's."""
    count = len(reader.pages)
    starts: dict[int, tuple[str, ...]] = {}
    if params["pdf_by"] == "bookmarks":
        with pdf_errors(f"{uri}: bookmarks"):
            for page, titles in _bookmarks(reader, reader.outline, (), params["depth"]):
                starts.setdefault(page, titles)
        starts = {0: (), **starts} if starts else starts
    if not starts:
        starts = dict.fromkeys(range(0, count, params["pages"]), ())
    pages = sorted(starts)
    for first, end in zip(pages, [*pages[1:], count], strict=True):
        yield first, end, starts[first]


def _bookmarks(reader: Any, outline: Any, above: tuple[str, ...], depth: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """pypdf's outline: entries, each followed by the list of those below it."""
    titles = above
    for entry in outline:
        if isinstance(entry, list):
            if len(titles) < depth:
                yield from _bookmarks(reader, entry, titles, depth)
            continue
        titles = (*above, " ".join(str(entry.title).split()))
        page = reader.get_destination_page_number(entry)
        if page is not None and page >= 0:
            yield page, titles


def _about(source: Source, index: int, level: int, titles: Sequence[str]) -> dict[str, Any]:
    heading = titles[-1] if titles else ""
    return {"source": source.name, "index": index, "level": level, "heading": heading, "heading_path": list(titles)}


def _name(label: str, index: int, titles: Sequence[str]) -> str:
    """`guide_0003_Install-Linux.md`: unique by its number, the titles to read."""
    name = PurePosixPath(label)
    path = "-".join(re.sub(r"[^\w.]+", "_", title).strip("_.") for title in titles)[:MAX_TITLES_IN_NAME]
    return f"{name.stem}_{index:04d}{'_' * bool(path)}{path}{name.suffix}"
