"""Which kind of document a file is, and what finds its headings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from triptych.engines.documents.headings import Heading, html_headings, rst_headings, text_headings
from triptych.engines.documents.markdown import markdown_headings

HEADINGS: dict[str, Callable[[Iterable[bytes], str], Iterator[Heading]]] = {
    "markdown": markdown_headings,
    "html": html_headings,
    "rst": rst_headings,
    "text": text_headings,
}
EXTENSIONS = {
    **dict.fromkeys((".md", ".markdown", ".mdx"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".rst", ".rest"), "rst"),
    ".docx": "docx",
    ".pdf": "pdf",
}
"""Anything else is plain text."""
