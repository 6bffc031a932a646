"""Texts, Markdown, HTML, reStructuredText or PDF in order as one document, with a table of contents if wanted."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from pypdf import PdfWriter

from triptych.engines import Output, Result, resources
from triptych.engines.contracts import Part, SourceParts, by_source, output_names
from triptych.engines.documents.formats import HEADINGS, format_by_extension
from triptych.engines.documents.headings import as_title
from triptych.engines.documents.markdown import text_start
from triptych.engines.documents.pdf import open_pdf, pdf_errors
from triptych.engines.documents.places import DocumentPart
from triptych.errors import EngineError

if TYPE_CHECKING:
    from pypdf.generic import IndirectObject

SUFFIXES = {"markdown": ".md", "html": ".html", "rst": ".rst", "text": ".txt", "pdf": ".pdf"}
UNPLACED = "document"
"""Name of what the results make whose partitioner tells no source."""
HEAD_BYTES = 64 * 1024
TAG_BYTES = 1024
"""Most that `<body ...>` may have."""
PDF_OBJECT_BYTES = 3 * 1024
"""What pypdf 7 takes for an object beside its data: 180,000 small ones in 28 MiB took 443 MiB, 38 MiB of images 40."""


@dataclass(frozen=True)
class Entry:
    """One line of the table of contents: a heading at byte `offset` of a result; -1 when its text has none."""

    result: int
    offset: int
    level: int
    title: str


@dataclass(frozen=True)
class Document:
    """What becomes one document: the results that are not empty, in order, and what their chunks were told."""

    name: str
    text_format: str
    parts: Sequence[Part[DocumentPart]]

    @property
    def results(self) -> list[Result]:
        return [part.result for part in self.parts]

    def place(self, number: int) -> DocumentPart | None:
        """That of the result of this number."""
        return self.parts[number].place


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    for document in _documents(results, params):
        if document.text_format == "pdf":
            _join_pdf(document, output, toc=params["toc"])
        else:
            _join_text(document, output, params)


def _documents(results: Sequence[Result], params: Mapping[str, Any]) -> list[Document]:
    """One per source, or one of all where a name is given."""
    groups = by_source(results, DocumentPart, unplaced=UNPLACED)
    if params["name"] or not groups:
        groups = [SourceParts(UNPLACED, list(chain.from_iterable(group.parts for group in groups)))]
    filled = [[part for part in group.parts if part.result.size] for group in groups]
    formats = [_format(parts, group.source, params["format"]) for parts, group in zip(filled, groups, strict=True)]
    suffixes = [SUFFIXES[each] for each in formats]
    names = [params["name"]] if params["name"] else output_names([group.source for group in groups], suffixes)
    return [Document(*each) for each in zip(names, formats, filled, strict=True)]


def _format(parts: Sequence[Part[DocumentPart]], source: str, declared: str) -> str:
    """The one format of all results, which is the declared one or, with auto, theirs."""
    if declared not in ("auto", "pdf"):
        return declared
    formats = {_format_of(part): part.result for part in parts}
    if declared == "pdf" and set(formats) <= {"pdf"}:
        return declared
    if len(formats) > 1 or declared == "pdf":
        named = ", ".join(f"{each} ({result.label})" for each, result in sorted(formats.items()))
        msg = f"Not all results are of one format: {named}. Write one format, or set format to read all as one."
        raise EngineError(msg)
    if "docx" in formats:
        text = "is a Word file, and those are not joined here. Write HTML, Markdown, text or PDF."
        raise formats["docx"].error(text)
    likely = next(iter(formats), format_by_extension(source) or "text")
    return likely if likely in HEADINGS or formats else "text"


def _format_of(part: Part[DocumentPart]) -> str:
    """By content, then by the result's extension, then by that of the source it was cut from."""
    with part.result.open() as stream:
        if stream.read(5) == b"%PDF-":
            return "pdf"
    source = part.place.source if part.place else ""
    known = (format_by_extension(name) for name in (part.result.name, source))
    return next((each for each in known if each not in (None, "pdf")), None) or "text"


def _join_text(document: Document, output: Output, params: Mapping[str, Any]) -> None:
    results, text_format = document.results, document.text_format
    slices = _bodies(results) if text_format == "html" else [(0, result.size) for result in results]
    entries = list(_entries(document, params["toc_depth"])) if params["toc"] else []
    inserts: dict[int, list[tuple[int, bytes]]] = {number: [] for number in range(len(results))}
    if params["toc"] and results:
        contents = CONTENTS[text_format](entries, params)
        inserts[0].append((_contents_offset(results[0], text_format), contents))
    if text_format == "html":
        for number, entry in enumerate(entries):
            inserts[entry.result].append((max(entry.offset, 0), f'<a id="section-{number}"></a>'.encode()))
    with output.open(document.name) as out:
        for number, (result, (begin, end)) in enumerate(zip(results, slices, strict=True)):
            last = b""
            for block in _edited(result.stream(), begin, end, inserts[number]):
                out.write(block)
                last = block or last
            if number + 1 < len(results) and _needs_newline(document, number, last, params["newline"]):
                out.write(b"\n")


def _needs_newline(document: Document, number: int, last: bytes, wanted: bool | None) -> bool:
    if wanted is None:
        place = document.place(number)
        wanted = document.text_format != "html" and not (place and place.ends_inside_line)
    return wanted and not last.endswith((b"\n", b"\r"))


def _edited(blocks: Iterable[bytes], begin: int, end: int, inserts: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """Bytes [begin, end) of the blocks, with other bytes put in at some of their offsets (in no order)."""
    waiting = sorted((max(offset, begin), order, data) for order, (offset, data) in enumerate(inserts))
    offset = 0
    for block in blocks:
        stop = offset + len(block)
        written = min(max(begin, offset), stop)
        while waiting and waiting[0][0] < min(stop, end):
            insert_offset, _, data = waiting.pop(0)
            yield block[written - offset : insert_offset - offset]
            yield data
            written = insert_offset
        yield block[written - offset : max(min(end, stop), written) - offset]
        offset = stop
    yield from (data for _, _, data in waiting)


def _entries(document: Document, depth: int) -> Iterator[Entry]:
    """The headings in the results; for a result without any, its chunk's own."""
    for number, result in enumerate(document.results):
        has_heading = False
        for heading in HEADINGS[document.text_format](result):
            has_heading = True
            if heading.level <= depth and heading.title:
                yield Entry(number, heading.offset, heading.level, heading.title)
        place = document.place(number)
        titles = place.heading_path if place else ()
        if not has_heading and titles and len(titles) <= depth:
            yield Entry(number, -1, len(titles), as_title(titles[-1]))


def _contents_offset(first: Result, text_format: str) -> int:
    with first.open() as stream:
        head = stream.read(HEAD_BYTES)
    if text_format == "html":
        body = re.search(rb"<body\b[^>]*>", head, re.IGNORECASE)
        return body.end() if body else 0
    return text_start(head)


def _markdown_contents(entries: Sequence[Entry], params: Mapping[str, Any]) -> bytes:
    """Links as GitHub, GitLab and most site generators make them."""
    seen: dict[str, int] = {}
    lines = [f"**{params['toc_title']}**", ""]
    for entry in entries:
        title = re.sub(r"([\[\]])", r"\\\1", entry.title)
        slug = re.sub(r"[^\w\- ]", "", entry.title.lower()).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        link = f"[{title}](#{slug}{f'-{count}' if count else ''})" if entry.offset >= 0 else title
        lines.append(f"{'  ' * (entry.level - 1)}- {link}")
    return "\n".join([*lines, "", ""]).encode()


def _html_contents(entries: Sequence[Entry], params: Mapping[str, Any]) -> bytes:
    items = (
        f'<li class="level-{entry.level}"><a href="#section-{number}">{html.escape(entry.title)}</a></li>\n'
        for number, entry in enumerate(entries)
    )
    title = html.escape(params["toc_title"])
    return f'\n<nav class="contents"><p>{title}</p>\n<ul>\n{"".join(items)}</ul></nav>\n'.encode()


def _rst_contents(entries: Sequence[Entry], params: Mapping[str, Any]) -> bytes:
    return f".. contents:: {params['toc_title']}\n   :depth: {params['toc_depth']}\n\n".encode()


def _text_contents(entries: Sequence[Entry], params: Mapping[str, Any]) -> bytes:
    lines = [f"{'  ' * entry.level}{entry.title}" for entry in entries]
    return "\n".join([params["toc_title"], "", *lines, "", ""]).encode()


CONTENTS: dict[str, Callable[[Sequence[Entry], Mapping[str, Any]], bytes]] = {
    "markdown": _markdown_contents,
    "html": _html_contents,
    "rst": _rst_contents,
    "text": _text_contents,
}


def _bodies(results: Sequence[Result]) -> list[tuple[int, int]]:
    """The bytes to take: all, unless several results are whole pages; then one head, each body, one end."""
    whole = [(0, result.size) for result in results]
    bodies = [
        (_find(result, rb"<body\b[^>]*>", last=False), _find(result, rb"</body", last=True)) for result in results
    ]
    if len(results) < 2 or any(opened is None or closed is None for opened, closed in bodies):
        return whole
    taken = [(opened[1], closed[0]) for opened, closed in bodies if opened and closed]
    taken[0], taken[-1] = (0, taken[0][1]), (taken[-1][0], results[-1].size)
    return taken


def _find(result: Result, pattern: bytes, last: bool) -> tuple[int, int] | None:
    """(begin, end) of the first or last match of less than TAG_BYTES."""
    compiled = re.compile(pattern, re.IGNORECASE)
    base, data = 0, b""
    match = None
    for block in result.stream():
        base, data = base + max(0, len(data) - TAG_BYTES), data[-TAG_BYTES:] + block
        for found in compiled.finditer(data):
            match = match if match and not last else (base + found.start(), base + found.end())
    return match


def _join_pdf(document: Document, output: Output, *, toc: bool) -> None:
    """pypdf holds what it writes in memory."""
    writer = PdfWriter()
    bookmarks: dict[tuple[str, ...], IndirectObject] = {}
    memory = resources().share(1, "the PDF joined up to here, with pypdf's objects,")
    taken = 0
    for part in document.parts:
        result, first = part.result, len(writer.pages)
        with result.open() as stream, pdf_errors(result):
            reader = open_pdf(result, stream)
            taken += result.size + PDF_OBJECT_BYTES * int(reader.trailer.get("/Size", 0))
            memory.check(taken, result)
            writer.append(reader, import_outline=toc)
        if toc and len(writer.pages) > first:
            titles = (part.place.heading_path if part.place else ()) or (result.chunk_name,)
            parent = bookmarks.get(titles[:-1])
            bookmarks[titles] = writer.add_outline_item(title=titles[-1], page_number=first, parent=parent)
    path = resources().new_folder() / "document.pdf"
    writer.write(path)
    output.put_file(path, document.name)
    path.unlink()
