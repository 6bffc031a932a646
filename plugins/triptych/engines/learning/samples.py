"""The records of tables as samples: how many there are, and what they are labelled with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from triptych.engines.api import Source
from triptych.engines.arrays.aliases import Codes, Mask
from triptych.engines.dialects.formats import DELIMITERS
from triptych.engines.dialects.opening import Opened, opened, refuse_other_table
from triptych.engines.documents.contained import tables_in
from triptych.engines.runtime.resources import resources
from triptych.engines.tables.csv_batches import Batch, CsvTable, line_batches
from triptych.engines.tables.group_labels import Labels, csv_texts, json_texts
from triptych.engines.tables.json_lines import present_columns
from triptych.errors import TriptychError

KEPT_SHARE = 1 / 2
RECORD_BYTES = 40
"""What is kept of a record: its labels and its fold, and while folds are drawn its number, twice."""
NULL = "\0null"
"""The label of no value, which no text is."""


@dataclass(frozen=True)
class SampleTable:
    """`source` is None where what is read is no source itself, and no range of one."""

    opened: Opened
    source: Source | None

    def batches(self, columns: Sequence[str] = ()) -> Iterator[tuple[Batch, Sequence[Any]]]:
        """The records with the raw values of these columns; lines that are empty are none."""
        if self.opened.format in DELIMITERS:
            yield from CsvTable(self.opened).batches(columns)
            return
        item = self.opened.item
        for batch in line_batches(item.stream(), item, blank=self.opened.format == "lines"):
            yield batch, present_columns(batch, columns, item) if columns else ()

    def error(self, batch: Batch, index: int, text: str) -> TriptychError:
        """To raise for the batch's record of this index."""
        return self.opened.item.error(f"{batch.location(index)}: {text}")


class Samples:
    """All records of all sources, in order, as one data set; those of sources without a record are left out."""

    def __init__(self, sources: Sequence[Source], params: Mapping[str, Any], columns: Sequence[str]) -> None:
        """Reads all records once, for the labels in `columns`.

        Raises SourceError where sources differ in format or header, for a record without such a column, and for more
        records than the memory is for.
        """
        self.tables: list[SampleTable] = []
        self.count = self.gaps = 0
        """How many records there are, and in front of how many something lies that is none."""
        self._columns = columns
        self._labels = [Labels(lambda texts: texts[0].fill_null(NULL)) for _ in columns]
        self._codes: list[list[Codes]] = [[] for _ in columns]
        for source in sources:
            for item in tables_in(source) if source.size else ():
                table = opened(item, params, otherwise="lines", in_utf8=bool(columns))
                self._add(SampleTable(table, source if table.item is source else None))

    def labels(self, column: int) -> tuple[Codes, list[str]]:
        """Of each record the number of its label in that column, and the labels, as they first occur."""
        return np.concatenate(self._codes[column]), self._labels[column].names

    def _add(self, table: SampleTable) -> None:
        first = self.tables[0].opened if self.tables else table.opened
        if table.opened.format != first.format:
            text = f"is {table.opened.format}, and {first.item.label} is {first.format}. Launch a job for each format."
            raise table.opened.item.error(text)
        before, end = self.count, table.opened.body
        for batch, raws in table.batches(self._columns):
            if self.tables:
                refuse_other_table(table.opened, first)
            self._check(table, batch)
            texts = csv_texts(first.dialect) if first.format in DELIMITERS else json_texts
            for labels, raw, codes in zip(self._labels, raws, self._codes, strict=True):
                codes.append(labels.number([raw], texts, partial(table.error, batch)))
            starts, ends = batch.starts + batch.offset, batch.ends + batch.offset
            self.gaps += int((starts != np.append(end, ends[:-1])).sum())
            end = int(ends[-1]) if len(batch) else end
            self.count += len(batch)
        if self.count > before:
            self.tables.append(table)

    def _check(self, table: SampleTable, batch: Batch) -> None:
        share = resources().share(KEPT_SHARE, "what is kept of its records, and of those before it,")
        share.check((self.count + len(batch)) * RECORD_BYTES, table.opened.item)
        if table.opened.format == "jsonl" and not (are_objects := _are_objects(batch)).all():
            text = "is no JSON object on a line of its own. Write JSON Lines."
            raise table.error(batch, int(are_objects.argmin()), text)


def _are_objects(batch: Batch) -> Mask:
    """Whether lines begin and end as JSON objects do; what is in between, the app will read."""
    lines = (batch.data[start:end] for start, end in zip(batch.starts.tolist(), batch.ends.tolist(), strict=True))
    ends = [(line.lstrip(b"\xef\xbb\xbf \t")[:1], line.rstrip()[-1:]) for line in lines]
    return np.array([each == (b"{", b"}") for each in ends], np.bool_)
