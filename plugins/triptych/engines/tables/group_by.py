"""Records of tables gathered by a label that is computed from some of their columns.

Text stays as it is, byte for byte, each chunk with the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines.api import Chunk, Source
from triptych.engines.dialects.opening import opened
from triptych.engines.documents.contained import tables_in
from triptych.engines.tables.group_labels import Label, Labels
from triptych.engines.tables.group_names import LabelMetadata
from triptych.engines.tables.group_parquet import ParquetGroups
from triptych.engines.tables.group_text import TextGroups


def group_by(
    sources: Sequence[Source], params: Mapping[str, Any], columns: Sequence[str], label: Label, metadata: LabelMetadata
) -> Iterator[Chunk]:
    """A chunk per label in order of its first record; the last one's metadata counts dropped records, if any.

    `metadata` says what a label's chunk is to tell, `params` the format and dialect of the sources. Raises SourceError
    where sources have several formats, headers or schemas, and for a record that cannot be read or has no label.
    """
    tables = [
        opened(item, params, binaries=("parquet",))
        for source in sources
        if source.size
        for item in tables_in(source, arrow=True)
        if item.size
    ]
    if not tables:
        return
    first = tables[0]
    for table in tables:
        if table.format != first.format:
            text = f"is {table.format}, and {first.item.name!r} is {first.format}. Launch a job for each format."
            raise table.item.error(text)
    labels = Labels(label)
    groups = ParquetGroups(labels) if first.format == "parquet" else TextGroups(labels, first)
    for table in tables:
        groups.add(table, columns)
    yield from groups.chunks(metadata)
