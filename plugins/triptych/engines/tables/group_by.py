"""Records of tables gathered by a label that is computed from some of their columns.

Text stays as it is, byte for byte, each chunk with the header.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triptych.engines.api import Chunk, Source
from triptych.engines.tables.formats import format_of
from triptych.engines.tables.group_labels import Label, Labels
from triptych.engines.tables.group_names import LabelMetadata
from triptych.engines.tables.group_parquet import ParquetGroups
from triptych.engines.tables.group_text import TextGroups


def group_by(
    sources: Sequence[Source], format: str, columns: Sequence[str], label: Label, metadata: LabelMetadata
) -> Iterator[Chunk]:
    """A chunk per label in order of its first record; the last one's metadata counts dropped records, if any.

    `metadata` says what a label's chunk is to tell. Raises SourceError where sources have several formats, headers or
    schemas, and for a record that cannot be read or has no label.
    """
    filled = [source for source in sources if source.size]
    if not filled:
        return
    formats = {source: format_of(source, format) for source in filled}
    found = formats[filled[0]]
    for source, other in formats.items():
        if other != found:
            text = f"is {other}, and {filled[0].name!r} is {found}. Launch a job for each format."
            raise source.error(text)
    labels = Labels(label)
    groups = ParquetGroups(labels) if found == "parquet" else TextGroups(labels, found)
    for source in filled:
        groups.add(source, columns)
    yield from groups.chunks(metadata)
