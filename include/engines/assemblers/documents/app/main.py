"""Texts, Markdown, HTML, reStructuredText or PDF in order as one document, with a table of contents if wanted."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, need, resources
from triptych.engines.documents.files import open_pdf, pdf_errors
from triptych.engines.documents.formats import EXTENSIONS, HEADINGS
from triptych.engines.documents.headings import plain
from triptych.engines.documents.markdown import text_start
from triptych.errors import EngineError, SourceError

SUFFIXES = {"markdown": ".md", "html": ".html", "rst": ".rst", "text": ".txt", "pdf": ".pdf"}
INSIDE_A_LINE = ("sentence", "word", "any")
"""Where `text_size` cut: nothing may come between such a chunk and the next."""

PDF_OBJECT_BYTES = 3 * 1024
"""What pypdf 7 takes for an object beside its data: 180,000 small ones in 28 MiB took 443 MiB, 38 MiB of images 40."""


@dataclass(frozen=True)
class Entry:
    """One line of the table of contents: a heading at byte `offset` of a result; -1 when its text has none."""

    result: int
    offset: int
    level: int
    title: str


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    filled = [result for result in results if result.size]
    kind = _kind(filled, params["format"])
    name = params["name"] or f"document{SUFFIXES[kind]}"
    try:
        if kind == "pdf":
            _join_pdf(filled, output, name, params)
        else:
            _join_text(filled, output, name, kind, params)
    except SourceError as error:
        raise EngineError(str(error)) from error


def _kind(results: Sequence[Result], declared: str) -> str:
    if declared not in ("auto", "pdf"):
        return declared
    kinds = {_kind_of(result): result for result in results}
    if declared == "pdf" and set(kinds) <= {"pdf"}:
        return declared
    if len(kinds) > 1 or declared == "pdf":
        named = ", ".join(f"{kind} ({_whose(result)})" for kind, result in sorted(kinds.items()))
        msg = f"Not all results are of one format: {named}. Write one format, or set format to read all as one."
        raise EngineError(msg)
    kind = next(iter(kinds), "text")
    if kind == "docx":
        msg = f"{_whose(kinds[kind])} is a Word file, and those are not joined here. Write HTML, Markdown, text or PDF."
        raise EngineError(msg)
    return kind


def _kind_of(result: Result) -> str:
    """By content, then by the result's extension, then by that of the source it was cut from."""
    with result.open() as stream:
        if stream.read(5) == b"%PDF-":
            return "pdf"
    for name in (result.name, str(result.metadata.get("source", ""))):
        extension = PurePosixPath(name).suffix.lower()
        if extension == ".txt":
            return "text"
        if extension in EXTENSIONS and EXTENSIONS[extension] != "pdf":
            return EXTENSIONS[extension]
    return "text"


def _join_text(results: Sequence[Result], output: Output, name: str, kind: str, params: Mapping[str, Any]) -> None:
    slices = _bodies(results) if kind == "html" else [(0, result.size) for result in results]
    entries = list(_entries(results, kind, params["toc_depth"])) if params["toc"] else []
    inserts: dict[int, list[tuple[int, bytes]]] = {number: [] for number in range(len(results))}
    if params["toc"] and results:
        contents = CONTENTS[kind](entries, params)
        inserts[0].append((_contents_offset(results[0], kind), contents))
    if kind == "html":
        for number, entry in enumerate(entries):
            inserts[entry.result].append((max(entry.offset, 0), f'<a id="section-{number}"></a>'.encode()))
    with output.open(name) as out:
        for number, (result, (begin, end)) in enumerate(zip(results, slices, strict=True)):
            last = b""
            for block in _edited(result.stream(), begin, end, inserts[number]):
                out.write(block)
                last = block or last
            if number + 1 < len(results) and _needs_newline(result, kind, last, params["newline"]):
                out.write(b"\n")


def _needs_newline(result: Result, kind: str, last: bytes, wanted: bool | None) -> bool:
    if wanted is None:
        wanted = kind != "html" and result.metadata.get("ends") not in INSIDE_A_LINE
    return wanted and not last.endswith((b"\n", b"\r"))


def _edited(blocks: Iterable[bytes], begin: int, end: int, inserts: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """Bytes [begin, end) of the blocks, with other bytes put in at some of their offsets (in no order)."""
    waiting = sorted((max(offset, begin), order, data) for order, (offset, data) in enumerate(inserts))
    offset = 0
    for block in blocks:
        stop = offset + len(block)
        at = min(max(begin, offset), stop)
        while waiting and waiting[0][0] < min(stop, end):
            place, _, data = waiting.pop(0)
            yield block[at - offset : place - offset]
            yield data
            at = place
        yield block[at - offset : max(min(end, stop), at) - offset]
        offset = stop
    yield from (data for _, _, data in waiting)


def _entries(results: Sequence[Result], kind: str, depth: int) -> Iterator[Entry]:
    """The headings in the results; for a result without any, its chunk's own."""
    for number, result in enumerate(results):
        found = False
        for heading in HEADINGS[kind](result.stream(), _whose(result)):
            found = True
            if heading.level <= depth and heading.title:
                yield Entry(number, heading.offset, heading.level, heading.title)
        path = result.metadata.get("heading_path") or []
        if not found and path and len(path) <= depth:
            yield Entry(number, -1, len(path), plain(str(path[-1])))


def _contents_offset(first: Result, kind: str) -> int:
    with first.open() as stream:
        head = stream.read(64 * 1024)
    if kind == "html":
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


CONTENTS = {
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
    """(begin, end) of the first or last match of less than 1 KiB."""
    compiled = re.compile(pattern, re.IGNORECASE)
    base, data = 0, b""
    match = None
    for block in result.stream():
        base, data = base + max(0, len(data) - 1024), data[-1024:] + block
        for found in compiled.finditer(data):
            match = match if match and not last else (base + found.start(), base + found.end())
    return match


def _join_pdf(results: Sequence[Result], output: Output, name: str, params: Mapping[str, Any]) -> None:
    """pypdf holds what it writes in memory."""
    writer = need("pypdf", "documents").PdfWriter()
    bookmarks: dict[tuple[str, ...], Any] = {}
    room = resources().memory_bytes
    for result in results:
        first = len(writer.pages)
        with result.open() as stream, pdf_errors(_whose(result)):
            reader = open_pdf(stream, _whose(result), result.size)
            room -= result.size + PDF_OBJECT_BYTES * int(reader.trailer.get("/Size", 0))
            if room < 0:
                memory = f"{resources().memory_bytes >> 20} MiB of memory. Raise [triptych] engine_memory_mib."
                msg = f"{_whose(result)}: to join the PDFs up to here takes more than {memory}"
                raise EngineError(msg)
            writer.append(reader, import_outline=params["toc"])
        if params["toc"] and len(writer.pages) > first:
            titles = tuple(result.metadata.get("heading_path") or [result.chunk_name])
            parent = bookmarks.get(titles[:-1])
            bookmarks[titles] = writer.add_outline_item(title=titles[-1], page_number=first, parent=parent)
    path = resources().new_folder() / "document.pdf"
    writer.write(path)
    output.put_file(path, name)


def _whose(result: Result) -> str:
    return f"chunk {result.chunk} ({result.chunk_name}), result {result.name!r}"
