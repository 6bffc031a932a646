"""Numbers for the labels under which records are gathered, worked out for a batch at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.aliases import Codes
from triptych.engines.arrays.text_columns import TextColumn, replaced
from triptych.engines.dialects.dialect import Dialect
from triptych.engines.tables.text_codec import NoTextError, json_text, unquoted
from triptych.errors import TriptychError

Label: TypeAlias = Callable[[Sequence[TextColumn]], TextColumn]
"""From columns of text, in which each combination of values is there once, to their labels; null drops the records.

A value that is null is null there, apart from the texts "None" and "null"."""

ToTexts: TypeAlias = Callable[[pa.Array], TextColumn]
"""From a column of raw values, each once, to their text."""

RecordError: TypeAlias = Callable[[int, str], TriptychError]
"""The error to raise for the record of this index, with this text."""

T = TypeVar("T")


class NoLabelError(ValueError):
    """The value, or combination of values, with this index in the columns that were given has no text or no label."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Labels:
    """Every label so far, in the order in which they first occurred, and how many records were dropped."""

    def __init__(self, label: Label) -> None:
        self._label = label
        self._numbers: dict[str, int] = {}
        self.dropped = 0

    @property
    def names(self) -> list[str]:
        """The label of each number, which is its index."""
        return list(self._numbers)

    def number(self, raws: Sequence[pa.Array], texts: ToTexts, error: RecordError) -> Codes:
        """Each record's label as its number (int64), -1 for those that are dropped.

        Labels `DE`, `FR` so far, and records `FR`, `IT`, null, `FR` -> [1, 2, -1, 1]. Only what is there once is turned
        into text and labelled; what has none raises `error` of the first record that holds it.
        """
        encoded = [raw.dictionary_encode(null_encoding="encode") for raw in raws]
        codes = [each.indices.to_numpy() for each in encoded]
        columns = [
            _for_first_record(texts, each.dictionary, own, error) for each, own in zip(encoded, codes, strict=True)
        ]
        combined, distinct = _combinations(codes, columns)
        labels = _for_first_record(self._label, distinct, combined, error).dictionary_encode()
        names = labels.dictionary.to_pylist()
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        # The last one, -1, is that of a label which is null.
        of_records: Codes = np.array([*numbers, -1], np.int64)[labels.indices.fill_null(len(names)).to_numpy()][
            combined
        ]
        self.dropped += int((of_records < 0).sum())
        return of_records


def _for_first_record(make: Callable[[T], TextColumn], values: T, codes: Codes, error: RecordError) -> TextColumn:
    """make(values); where it refuses one, the error of the first record that has it."""
    try:
        return make(values)
    except NoLabelError as reason:
        raise error(int((codes == reason.index).argmax()), str(reason)) from reason


def _combinations(codes: Sequence[Codes], columns: Sequence[TextColumn]) -> tuple[Codes, Sequence[TextColumn]]:
    """From codes and values of each column: codes and values of their combinations, each once, by first occurrence.

    Record i has columns[c][codes[c][i]] in column c, before and after. Of two columns with the values [a, b] and
    [x, y], records b x, a y, b x have codes [1, 0, 1] and [0, 1, 0]. Pairs are coded as 2 * first + second: [2, 1, 2],
    of which 2 and 1 are different -> codes [0, 1, 0] for both columns, whose values are [b, a] and [x, y].
    """
    if len(columns) == 1:
        return codes[0], columns
    combined, indices = codes[0].astype(np.int64), [np.arange(len(columns[0]))]
    for own, column in zip(codes[1:], columns[1:], strict=True):
        pairs = pa.array(combined * len(column) + own).dictionary_encode()
        before, last = np.divmod(pairs.dictionary.to_numpy(), len(column))
        indices = [*(each[before] for each in indices), last]
        combined = pairs.indices.to_numpy().astype(np.int64)
    return combined, [column.take(pa.array(each)) for column, each in zip(columns, indices, strict=True)]


def csv_texts(dialect: Dialect) -> ToTexts:
    """What raw values of CSV mean: without their quotes. NoLabelError for those that are not right in them."""

    def texts(raws: pa.LargeBinaryArray) -> TextColumn:
        try:
            return unquoted(raws, dialect)
        except NoTextError as error:
            raise NoLabelError(str(error), error.index) from error

    return texts


def json_texts(raws: TextColumn) -> TextColumn:
    """What JSON values mean as text: a string's characters, else its JSON as Python writes it; null is null."""
    # DuckDB writes whole numbers and words as Python does, but not fractions and containers.
    rewritten = pc.match_substring_regex(raws, r"^(?:-?\d.*[.eE]|[{\[])")
    return replaced(
        json_text(raws), rewritten.fill_null(False), lambda text: json.dumps(json.loads(text), ensure_ascii=False)
    )
