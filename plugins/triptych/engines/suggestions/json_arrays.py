"""Which array of a JSON document is the one to cut, when only its beginning is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

DEEPEST = 4
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def largest_array(text: str) -> str | None:
    """Its path as `json_keys` takes it, `""` for the document itself; None where there is none.

    `{"meta": [1], "data": {"rows": [{}, {}]}}` -> `data.rows`. An array that the text ends in counts as the largest.
    """
    found = list(_arrays(text, _skip(text, 0), "", DEEPEST))
    return max(found, key=lambda each: each[1])[0] if found else None


def _arrays(text: str, at: int, path: str, deeper: int) -> Iterator[tuple[str, float]]:
    """The path of each array in the value at this index, and its number of items, infinite for one that is cut off."""
    if text.startswith("[", at):
        value, _ = _value(text, at)
        yield path, float("inf") if value is None else len(value)
        return
    while deeper and text[at : at + 1] in ("{", ","):
        at = _skip(text, at + 1)
        if text[at : at + 1] != '"':
            return
        try:
            key, at = _DECODER.raw_decode(text, at)
        except ValueError:
            return
        at = _skip(text, _skip(text, at) + 1)
        if "." not in key and key:
            yield from _arrays(text, at, f"{path}.{key}" if path else key, deeper - 1)
        value, at = _value(text, at)
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int) -> tuple[list[object] | None, int]:
    """An array that is there whole, and where a value ends: behind the text where it is cut off."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, len(text)
    return value if isinstance(value, list) else None, end
