"""The tables in one file: a workbook's sheets, the tables of a zip, and of any other file that file itself."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from triptych.engines.archives.members import safe_name
from triptych.engines.archives.zips import entry_blocks, open_zip
from triptych.engines.dialects.formats import EXTENSIONS
from triptych.engines.runtime.loading import naming_missing_library
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.contents import Unpacked, first_bytes, unpacked_suffix
from triptych.engines.streams.unpacking import Expansion, unpack_into
from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from triptych.engines.api import Input, Result
    from triptych.errors import TriptychError

CONTAINERS = (".xlsx", ".xlsm", ".zip", ".bam")
"""Extensions of files with tables in them."""
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
ARROW_MAGIC = b"ARROW1\0\0"
BAM_MAGIC = b"BAM\x01"
BGZF_MAGIC = b"\x1f\x8b\x08\x04"
HEAD_BYTES = 512
WORKBOOK = "xl/workbook.xml"
OTHERS = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.bin", "mimetype")
"""In zips that are no archives of files, but documents of one program."""
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Contained(Unpacked):
    """A table that lies in `item`, as a file in scratch; messages name both."""

    table: str = ""
    """The sheet's name, or the file's in the zip."""

    @property
    def label(self) -> str:
        """As `Input.label`."""
        return f"{self.item.label}: {self.table!r} in it"

    def error(self, text: str) -> TriptychError:
        """As `Input.error`."""
        return self.item.error(f"{self.table!r} in it: {text}")


def tables_in(item: Input, *, arrow: bool = False) -> Iterator[Input]:
    """The item itself, or what lies in it, in its order; use each as it comes, or keep all: they are scratch files.

    BAM is SAM. With `arrow`, of a caller that reads Parquet, an Arrow file is one of Parquet with the same rows.

    A workbook's hidden and empty sheets, and what systems put beside files in zips, are left out, with a line in the
    log. Raises the item's error for a file in a zip that is no table by its name, and for what unpacks to too much.
    """
    head = first_bytes(item, HEAD_BYTES) if item.size else b""
    if arrow and head.startswith(ARROW_MAGIC):
        with naming_missing_library("tables of Feather"):
            from triptych.engines.documents.feather import as_parquet
        yield Unpacked(item, as_parquet(item), f"{item.name}.parquet")
        return
    if _is_bam(head):
        with naming_missing_library("records of BAM"):
            from triptych.engines.genomics.bam import as_sam
        yield Unpacked(item, as_sam(item), f"{item.name}.sam")
        return
    if not head.startswith(ZIP_MAGIC):
        yield item
        return
    with item.open() as data, open_zip(item, data) as archive:
        names = archive.namelist()
        if WORKBOOK in names:
            with naming_missing_library("tables of Excel"):
                from triptych.engines.documents.excel import sheets
            for name, rows in sheets(item, archive):
                yield Contained(item, _written(rows), f"{name}.csv", name)
        elif any(name in names for name in OTHERS):
            yield item
        else:
            yield from _members(item, archive)


def _is_bam(head: bytes) -> bool:
    """Packed in blocks of gzip that say how long they are (SAMv1, 4.1)."""
    if not head.startswith(BGZF_MAGIC):
        return False
    try:
        return zlib.decompressobj(zlib.MAX_WBITS + 16).decompress(head, len(BAM_MAGIC)) == BAM_MAGIC
    except zlib.error:
        return False


def tables_of(results: Iterable[Result]) -> Iterator[tuple[Result, Input]]:
    """Each result and the tables in it: those of a workbook or a zip by its name, of any other that result itself.

    By the name, since to look at the first bytes of many small results takes as long as to read them: a workbook of
    another name is refused by whoever reads text.
    """
    for result in results:
        for item in tables_in(result) if result.size and unpacked_suffix(result.name) in CONTAINERS else (result,):
            yield result, item


def _members(item: Input, archive: zipfile.ZipFile) -> Iterator[Input]:
    expansion, count = Expansion(item), 0
    for entry in archive.infolist():
        name = safe_name(item, entry.filename) if not entry.is_dir() else ""
        path = PurePosixPath(name)
        if not name or path.parts[0] == "__MACOSX" or path.name.startswith("."):
            if name:
                _log.info("%s: %r in it is left out", item.label, name)
            continue
        if unpacked_suffix(name) not in EXTENSIONS:
            text = (
                f"{name!r} in it is no table by its name; those end in {', '.join(EXTENSIONS)}, packed or not. "
                "Pack tables alone, or cut the zip with codebase."
            )
            raise item.error(text)
        expansion.add(entry.file_size, name)
        count += 1
        yield Contained(item, _written(entry_blocks(archive, entry, item)), path.name, name)
    if not count:
        text = "holds no file. Pack it again."
        raise item.error(text)


def _written(blocks: Iterator[bytes]) -> Path:
    return unpack_into(resources().new_folder() / "table", blocks)
