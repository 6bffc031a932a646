"""Which format a document has, and what finds its headings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from triptych.engines.api import Input
from triptych.engines.documents.headings import Heading
from triptych.engines.documents.html import html_headings
from triptych.engines.documents.markdown import markdown_headings
from triptych.engines.documents.rst import rst_headings
from triptych.engines.documents.text import text_headings

HEADINGS: dict[str, Callable[[Input], Iterator[Heading]]] = {
    "markdown": markdown_headings,
    "html": html_headings,
    "rst": rst_headings,
    "text": text_headings,
}
EXTENSIONS = {
    **dict.fromkeys((".md", ".markdown", ".mdx"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".rst", ".rest"), "rst"),
    ".txt": "text",
    ".docx": "docx",
    ".pdf": "pdf",
}


def format_by_extension(name: str) -> str | None:
    """By the name's extension, in any case: `a.MD` -> "markdown"; None for one that says nothing."""
    return EXTENSIONS.get(PurePosixPath(name).suffix.lower())
