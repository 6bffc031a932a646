"""A document's sections: texts as range chunks that begin with a heading, Word and PDF as files of their own."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from pypdf import PdfReader, PdfWriter
from pypdf.generic import Destination

from triptych.engines import Chunk, Source, resources
from triptych.engines.api import Input
from triptych.engines.documents.formats import HEADINGS, format_by_extension
from triptych.engines.documents.headings import Heading
from triptych.engines.documents.pdf import open_pdf, pdf_errors
from triptych.engines.documents.places import SectionPlace
from triptych.engines.documents.word import WordDocument
from triptych.engines.streams.contents import as_text, unpacked_suffix
from triptych.engines.streams.runs import Runs

MAX_TITLES_IN_NAME = 80
"""Characters."""
MAX_BLANK_BYTES = 4096
REOPEN_PAGES = 200
"""A PDF reader keeps every object that it has read."""
Outline = Sequence["Destination | Outline"]
"""pypdf's: entries, each followed by the list of those below it."""


@dataclass(frozen=True)
class Section:
    """Bytes [offset, end) of a text; `heading_path` ends with the section's own title."""

    offset: int
    end: int
    level: int
    heading_path: tuple[str, ...]


@dataclass(frozen=True)
class PageRun:
    """Pages [first, end) of a PDF, from 0, below these bookmarks."""

    first: int
    end: int
    titles: tuple[str, ...]


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        text_format = _format(source) if params["format"] == "auto" else params["format"]
        if text_format == "pdf":
            yield from _pdf(source, params)
        elif text_format == "docx":
            yield from _docx(source, params["depth"])
        elif source.size:
            yield from _text(source, text_format, params["depth"])


def _format(source: Source) -> str:
    return format_by_extension(f"a{unpacked_suffix(source.name)}") or "text"


def _text(source: Source, text_format: str, depth: int) -> Iterator[Chunk]:
    item, _ = as_text(source)
    chunks = Runs(source, item)
    for index, section in enumerate(sections(HEADINGS[text_format](item), item, depth)):
        place = _place(source, section.level, section.heading_path)
        runs = [(section.offset, section.end - section.offset)]
        name = _name(source, index, section.heading_path)
        metadata = replace(place, first_byte=section.offset).to_metadata()
        yield chunks.chunk(runs, name=name, items=1, metadata=metadata)


def sections(headings: Iterator[Heading], source: Input, depth: int) -> Iterator[Section]:
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


def _blank(source: Input, end: int) -> bool:
    if end > MAX_BLANK_BYTES:
        return False
    with source.open() as stream:
        return not stream.read(end).removeprefix(BOM_UTF8).strip()


def _docx(source: Source, depth: int) -> Iterator[Chunk]:
    if not source.size:
        text = "the file is empty, which a .docx cannot be. Correct or remove it."
        raise source.error(text)
    # A zip of parts that refer to each other: python-docx needs them all.
    document = WordDocument(source, source.local_path())
    path = resources().new_folder() / "section.docx"
    for index, section in enumerate(document.sections(depth)):
        document.save(section, path)
        place = _place(source, section.level, section.heading_path)
        name = _name(source, index, section.heading_path)
        yield Chunk.of_file(path, name=name, items=1, metadata=place.to_metadata())
        path.unlink()


def _pdf(source: Source, params: Mapping[str, Any]) -> Iterator[Chunk]:
    with source.open() as stream:
        reader = open_pdf(source, stream)
        runs = _page_runs(source, reader, params)
        path = resources().new_folder() / "pages.pdf"
        read = 0
        for index, run in enumerate(runs):
            if read > REOPEN_PAGES:
                reader, read = open_pdf(source, stream), 0
            writer, pages = PdfWriter(), run.end - run.first
            with pdf_errors(source, f"pages {run.first + 1} to {run.end}: "):
                writer.append(reader, pages=(run.first, run.end), import_outline=False)
                writer.write(path)
            read += pages
            place = replace(_place(source, len(run.titles), run.titles), first_page=run.first + 1, pages=pages)
            name = _name(source, index, run.titles or (f"page {run.first + 1}",))
            yield Chunk.of_file(path, name=name, items=pages, metadata=place.to_metadata())
            path.unlink()


def _page_runs(source: Source, reader: PdfReader, params: Mapping[str, Any]) -> list[PageRun]:
    """By number of pages, or from one bookmark's page to the next's where there are bookmarks."""
    count = len(reader.pages)
    starts: dict[int, tuple[str, ...]] = {}
    if params["pdf_by"] == "bookmarks":
        with pdf_errors(source, "bookmarks: "):
            for page, titles in _bookmarks(reader, reader.outline, (), params["depth"]):
                starts.setdefault(page, titles)
        starts = {0: (), **starts} if starts else starts
    if not starts:
        starts = dict.fromkeys(range(0, count, params["items_per_chunk"]), ())
    return [PageRun(first, end, starts[first]) for first, end in pairwise([*sorted(starts), count])]


def _bookmarks(
    reader: PdfReader, outline: Outline, above: tuple[str, ...], depth: int
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(page from 0, titles) of each entry down to this depth."""
    titles = above
    for entry in outline:
        if not isinstance(entry, Destination):
            if len(titles) < depth:
                yield from _bookmarks(reader, entry, titles, depth)
            continue
        titles = (*above, " ".join(str(entry.title).split()))
        page = reader.get_destination_page_number(entry)
        if page is not None and page >= 0:
            yield page, titles


def _place(source: Source, level: int, titles: tuple[str, ...]) -> SectionPlace:
    return SectionPlace(
        source_index=source.index,
        source=source.path,
        level=level,
        heading=titles[-1] if titles else "",
        heading_path=titles,
    )


def _name(source: Source, index: int, titles: Sequence[str]) -> str:
    """`guide_0003_Install-Linux.md`: unique by its number, the titles to read."""
    name = PurePosixPath(source.path.replace("/", "_"))
    path = "-".join(re.sub(r"[^\w.]+", "_", title).strip("_.") for title in titles)[:MAX_TITLES_IN_NAME]
    return f"{name.stem}_{index:04d}{'_' * bool(path)}{path}{name.suffix}"
