"""Records of CSV, TSV or JSON Lines gathered by label, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.engines.api import Chunk, Input
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, refuse_other_table
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.csv_batches import Batch, CsvTable, line_batches
from triptych.engines.tables.group_labels import Labels, csv_texts, json_texts
from triptych.engines.tables.group_names import LabelMetadata, named_labels
from triptych.engines.tables.group_spill import Group, GroupSpill
from triptych.engines.tables.json_lines import present_columns
from triptych.errors import TriptychError

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_BYTES = 1024 * 1024
"""A chunk up to this size is handed on in memory, without a file."""


class TextGroups:
    """Takes all sources of one format, then gives a chunk per label."""

    def __init__(self, labels: Labels, first: Opened) -> None:
        """`first` is the first of the sources: the others are written as it is."""
        self._labels = labels
        self._first = first
        self._spill = GroupSpill()

    def add(self, table: Opened, columns: Sequence[str]) -> None:
        """Raises SourceError for a header that is not that of the sources before, and for a record without label."""
        texts = csv_texts(table.dialect) if table.format in DELIMITERS else json_texts
        for batch, raws in self._batches(table, columns):
            self._spill.add(batch, self._labels.number(raws, texts, partial(_error, table.item, batch)))

    def chunks(self, metadata: LabelMetadata) -> Iterator[Chunk]:
        """In order of number, each with the header; a file of a chunk is removed when the next one is asked for."""
        named = list(named_labels(self._labels, self._first.format, metadata))
        told, header = self._first.to_metadata(), _ended(self._first.header)
        path = resources().new_folder() / "group"
        for group, (name, own_metadata) in zip(self._spill.read(len(named)), named, strict=True):
            yield _chunk(group, path, header, name, {**own_metadata, **told})
            path.unlink(missing_ok=True)

    def _batches(self, table: Opened, columns: Sequence[str]) -> Iterator[tuple[Batch, Sequence[pa.Array]]]:
        if table.format in DELIMITERS:
            refuse_other_table(table, self._first)
            yield from CsvTable(table).batches(columns)
            return
        source = table.item
        for batch in line_batches(source.stream(), source, blank=False):
            yield batch, present_columns(batch, columns, source)


def _ended(header: bytes) -> bytes:
    return header if not header or header.endswith((b"\n", b"\r")) else header + b"\n"


def _error(source: Input, batch: Batch, index: int, text: str) -> TriptychError:
    return source.error(f"{batch.location(index)}: {text}")


def _chunk(group: Group, path: Path, header: bytes, name: str, metadata: Mapping[str, Any]) -> Chunk:
    """In memory while it is small."""
    if group.size <= KEPT_BYTES:
        data = b"".join([header, *group.blocks])
        return Chunk.of_bytes(data, name=name, items=group.count, metadata=metadata)
    with path.open("wb") as out:
        out.write(header)
        out.writelines(group.blocks)
    return Chunk.of_file(path, name=name, items=group.count, metadata=metadata)
