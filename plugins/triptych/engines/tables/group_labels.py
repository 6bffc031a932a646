"""Numbers for the labels under which records are gathered, worked out for a batch at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from triptych.engines.arrays.text_columns import replaced
from triptych.engines.runtime.resources import need
from triptych.engines.tables.text_codec import NoTextError, json_text, unquoted
from triptych.errors import SourceError

Label: TypeAlias = Callable[[Sequence[Any]], Any]
"""From columns of text (pyarrow, each combination of values once) to a column of labels; null drops the records."""

Texts: TypeAlias = Callable[[Any], Any]
"""From a column of raw values, each once, to their text."""


class FaultyValueError(SourceError):
    """The value, or combination of values, number `at` of the columns that were given has no text or no label."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class Labels:
    """Every label so far, in the order in which they first occurred, and how many records were dropped."""

    def __init__(self, label: Label) -> None:
        self._label = label
        self._numbers: dict[str, int] = {}
        self.dropped = 0

    @property
    def names(self) -> list[str]:
        return list(self._numbers)

    def number(self, raws: Sequence[Any], texts: Texts, place: Callable[[int], str]) -> Any:
        """Each record's label as its number (int64), -1 for those that are dropped.

        SourceError for values without a label begins with the `place` of the record, given by its number.
        """
        import numpy as np

        encoded = [raw.dictionary_encode(null_encoding="encode") for raw in raws]
        indices = [each.indices.to_numpy() for each in encoded]
        dictionaries = [_placed(texts, each.dictionary, own, place) for each, own in zip(encoded, indices, strict=True)]
        codes, columns = _distinct(indices, dictionaries)
        labels = _placed(self._label, columns, codes, place).dictionary_encode()
        names = labels.dictionary.to_pylist()
        numbers = [self._numbers.setdefault(name, len(self._numbers)) for name in names]
        # The last one, -1, is that of a label which is null.
        found = np.array([*numbers, -1], np.int64)[labels.indices.fill_null(len(names)).to_numpy()][codes]
        self.dropped += int((found < 0).sum())
        return found


def _placed(make: Callable[[Any], Any], values: Any, codes: Any, place: Callable[[int], str]) -> Any:
    """make(values), whose fault is placed at the first record with the faulty value."""
    try:
        return make(values)
    except FaultyValueError as error:
        msg = f"{place(int((codes == error.at).argmax()))}: {error}"
        raise SourceError(msg) from error


def _distinct(indices: Sequence[Any], columns: Sequence[Any]) -> tuple[Any, Sequence[Any]]:
    """From codes and values of each column: codes and values of their combinations, each once, by first occurrence."""
    if len(columns) == 1:
        return indices[0], columns
    import numpy as np

    pa = need("pyarrow", "tables")
    codes, places = indices[0].astype(np.int64), [np.arange(len(columns[0]))]
    for own, column in zip(indices[1:], columns[1:], strict=True):
        pairs = pa.array(codes * len(column) + own).dictionary_encode()
        before, last = np.divmod(pairs.dictionary.to_numpy(), len(column))
        places = [*(place[before] for place in places), last]
        codes = pairs.indices.to_numpy().astype(np.int64)
    return codes, [column.take(pa.array(place)) for column, place in zip(columns, places, strict=True)]


def csv_texts(delimiter: str) -> Texts:
    """What raw values of CSV mean: without their quotes."""

    def texts(raws: Any) -> Any:
        try:
            return unquoted(raws, delimiter)
        except NoTextError as error:
            raise FaultyValueError(str(error), error.index) from error

    return texts


def json_texts(raws: Any) -> Any:
    """What JSON values mean as text: a string's characters, else its JSON as Python writes it; null is `null`."""
    pc = need("pyarrow.compute", "tables")
    # DuckDB writes whole numbers and words as Python does, but not fractions and containers.
    rewritten = pc.match_substring_regex(raws, r"^(?:-?\d.*[.eE]|[{\[])")
    texts = json_text(raws).fill_null("null")
    return replaced(texts, rewritten, lambda text: json.dumps(json.loads(text), ensure_ascii=False))
