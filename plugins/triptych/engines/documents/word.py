"""Word files, a section at a time."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml.text.paragraph import CT_P
from docx.styles.style import CharacterStyle

from triptych.engines.api import Input
from triptych.engines.archives.zips import open_zip
from triptych.engines.documents.headings import as_title
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.unpacking import Expansion

TREE_SHARE = 1 / 10
"""XML is held as a tree, of about ten times its size."""
PARTS_SHARE = 1 / 4
"""All parts are held, and once more while a section is saved."""
LOOKED_AT_BYTES = 4096
"""Of a part, to see whether it may be XML."""
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class WordSection:
    """Elements [begin, end) of the body; the titles above and of it, and the level of its own, 0 for none."""

    heading_path: tuple[str, ...]
    level: int
    begin: int
    end: int


class WordDocument:
    """A .docx that gives each of its sections as a .docx of its own, with its styles, headers and page setup.

    Raises the item's error for a file that is none, for one whose XML is beyond TREE_SHARE, and for one whose parts
    are beyond PARTS_SHARE.
    """

    def __init__(self, item: Input, path: Path) -> None:
        with _word_errors(item):
            _check_sizes(item, path)
            self._document = docx.Document(str(path))
        body = self._document.element.body
        self._setup = [element for element in body if element.tag.endswith("}sectPr")]
        self._elements = [element for element in body if not element.tag.endswith("}sectPr")]

    def sections(self, depth: int) -> Iterator[WordSection]:
        """From one heading of at most this level to the next; what comes before the first is of level 0."""
        starts = [(0, 0, "")]
        for index, element in enumerate(self._elements):
            if isinstance(element, CT_P) and 0 < (level := self._level(element)) <= depth:
                starts.append((index, level, as_title(element.text)))
        titles: dict[int, str] = {}
        ends = [index for index, _, _ in starts[1:]] + [len(self._elements)]
        for (begin, level, title), end in zip(starts, ends, strict=True):
            titles = {above: text for above, text in titles.items() if above < level} | (
                {level: title} if level else {}
            )
            if end > begin:
                yield WordSection(tuple(titles.values()), level, begin, end)

    def _level(self, paragraph: CT_P) -> int:
        """By the paragraph's style or those it builds on, "Heading 1" to "Heading 9"; 0 for other text."""
        style = self._document.part.get_style(paragraph.style, WD_STYLE_TYPE.PARAGRAPH)
        while isinstance(style, CharacterStyle):  # Of which paragraphs' are a kind.
            if found := re.fullmatch(r"[Hh]eading ([1-9])", style.name or ""):
                return int(found[1])
            style = style.base_style
        return 0

    def save(self, section: WordSection, path: Path) -> None:
        """Only the section's elements in the body, only its images in the file; the same bytes each time."""
        body = self._document.element.body
        for element in list(body):
            body.remove(element)
        body.extend(self._elements[section.begin : section.end])
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


def _check_sizes(item: Input, path: Path) -> None:
    """By the zip's directory, which python-docx cannot read beyond: it reads every part that another one names."""
    trees, parts = resources().share(TREE_SHARE, "its text"), resources().share(PARTS_SHARE, "its text with pictures")
    expansion, xml_bytes, all_bytes = Expansion(item), 0, 0
    with path.open("rb") as data, open_zip(item, data, form=".docx") as archive:
        for entry in archive.infolist():
            expansion.add(entry.file_size, entry.filename)
            all_bytes += entry.file_size
            parts.check(all_bytes, item)
            xml_bytes += entry.file_size if _may_be_xml(archive, entry) else 0
            trees.check(xml_bytes, item)


def _may_be_xml(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """By its beginning, as any part may be said to be XML: what begins otherwise is read no further."""
    with archive.open(entry) as data:
        return data.read(LOOKED_AT_BYTES).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] in (b"<", b"")


@contextmanager
def _word_errors(item: Input) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, zipfile.BadZipFile, zlib.error, OSError, SyntaxError) as error:
        text = f"cannot be read as a .docx: {error}. Save it again with a word processor."
        raise item.error(text) from error


def _without_clock(data: BinaryIO, path: Path) -> None:
    with zipfile.ZipFile(data) as made, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in made.namelist():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, made.read(name))
