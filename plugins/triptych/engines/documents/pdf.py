"""PDF files through pypdf, which keeps every object that it has read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from triptych.engines.api import Input


def open_pdf(item: Input, stream: BinaryIO) -> PdfReader:
    """The item's reader, on its open stream; raises its error when it is empty, damaged or needs a password."""
    if item.size == 0:
        text = "the file is empty, which a PDF cannot be. Correct or remove it."
        raise item.error(text)
    with pdf_errors(item):
        reader = PdfReader(stream)
        if reader.is_encrypted and not reader.decrypt(""):
            text = "the PDF needs a password. Remove it first, e.g. qpdf --decrypt."
            raise item.error(text)
        len(reader.pages)
    return reader


@contextmanager
def pdf_errors(item: Input, where: str = "") -> Iterator[None]:
    """What pypdf raises for a damaged file becomes the item's error; `where` is "pages 1 to 3: "."""
    try:
        yield
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        text = f"{where}cannot be read as a PDF: it is damaged, or not all there. Repair it first, e.g. with qpdf."
        raise item.error(text) from error
