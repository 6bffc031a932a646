"""The one reader of JSON files that users write: what it refuses would hang, kill or fool somebody who reads it later.

Nothing waits for a FIFO or reads a device, nothing is read beyond a limit, and every number and text that passes can
be kept by every database of Airflow's and by every JSON reader.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.blocks.model import Diagnostic
from triptych.schemas.diagnostics import cut, dotted

MOST_BYTES = 1 << 20
"""Of a manifest, a schema or a template; they are read at every parse of the DAG file."""
MOST_DEPTH = 64
"""Objects and lists in one another: Airflow stores them by recursion, at several Python frames a level."""
LARGEST_WHOLE = 2**63 - 1
"""What Airflow's processes can tell each other (MessagePack), and databases can keep."""
MOST_KEY_CHARACTERS = 1000
_SHOWN = 40

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class _Refused:
    """Stands in the data for a number that cannot be kept, until its location is known."""

    reason: str


def read_object(path: Path) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The JSON object in a file, or an empty one and all that is wrong with it; raises nothing."""
    try:
        text = read_regular(path, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return {}, [Diagnostic(path, f"byte {error.start}", "is no UTF-8: save the file in that encoding.")]
    except OSError as error:
        return {}, [Diagnostic(path, "$", f"cannot be read: {error.strerror or error}.")]
    data, errors = _parsed(path, text)
    if not errors and not isinstance(data, dict):
        errors = [Diagnostic(path, "$", "must be a JSON object ({...}).")]
    return ({}, errors) if errors else (data, [])


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The bytes of a regular file, or of one that a link leads to; OSError for anything else, and beyond the limit.

    What the path led to a moment ago says nothing: it is opened so that nothing can wait, and then looked at.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(number, "rb") as file:  # noqa: PTH123 - a descriptor, no path
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no regular file: put one in its place")
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(0, f"it is larger than {most_bytes:,} bytes, the most that is read of it")
    return data


def value_errors(value: Any, root: str = "") -> list[str]:
    """The same rules for a value that came parsed, such as a run's conf: `location: what is wrong` for each breach."""
    errors: list[str] = []
    for keys, each in _parts(value):
        if len(keys) > MOST_DEPTH:
            return [f"{_dotted(root, keys)}: holds objects or lists more than {MOST_DEPTH} deep: flatten it."]
        errors += [f"{_dotted(root, keys)}: {reason}" for reason in (*_reasons(each), *_number_reasons(each))]
    return errors


def _number_reasons(value: Any) -> list[str]:
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        return [f"is a number of {value.bit_length()} bits, and must lie within {LARGEST_WHOLE} of zero."]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"is {value}, which is no JSON."]
    return []


def _parsed(path: Path, text: str) -> tuple[Any, list[Diagnostic]]:
    doubled: list[tuple[Any, list[str]]] = []
    refused: list[_Refused] = []
    long: list[str] = []

    def noted(value: Any) -> Any:
        if isinstance(value, _Refused):
            refused.append(value)
        return value

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data = dict(pairs)
        if len(data) < len(pairs):
            doubled.append((data, [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]))
        long.extend(key for key in data if len(key) > MOST_KEY_CHARACTERS)
        return data

    try:
        data = json.loads(
            text,
            object_pairs_hook=made,
            parse_int=lambda number: noted(_whole(number)),
            parse_float=lambda number: noted(_fractional(number)),
            parse_constant=lambda word: noted(_no_number(word)),
        )
    except json.JSONDecodeError as error:
        return None, [Diagnostic(path, f"line {error.lineno}, column {error.colno}", f"is no JSON: {error.msg}.")]
    except RecursionError:
        return None, [_too_deep(path, ())]
    if not refused and not doubled and not long and "\\u" not in text and not _is_deep(data):
        return data, []
    by_object = {id(each): keys for each, keys in doubled}
    errors: list[Diagnostic] = []
    for keys, value in _parts(data):
        if len(keys) > MOST_DEPTH:
            return None, [_too_deep(path, keys)]
        told = _reasons(value)
        told += [f"the key {_shown(key)} is there twice: keep one." for key in by_object.get(id(value), ())]
        errors += [Diagnostic(path, _location(keys), reason) for reason in told]
    return data, errors


def _is_deep(data: Any) -> bool:
    """Whether anything lies deeper than MOST_DEPTH keys."""
    level = [data]
    for _ in range(MOST_DEPTH + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _parts(data: Any) -> Iterator[tuple[Keys, Any]]:
    """Every value with the path to it, in the file's order, without recursion."""
    waiting: list[tuple[Keys, Any]] = [((), data)]
    while waiting:
        keys, value = waiting.pop()
        yield keys, value
        if isinstance(value, dict) and len(keys) <= MOST_DEPTH:
            waiting += reversed([((*keys, key), inner) for key, inner in value.items()])
        elif isinstance(value, list) and len(keys) <= MOST_DEPTH:
            waiting += reversed([((*keys, index), inner) for index, inner in enumerate(value)])


def _reasons(value: Any) -> list[str]:
    """What is wrong with one value, and, of an object, with its keys."""
    if isinstance(value, _Refused):
        return [value.reason]
    if isinstance(value, str):
        return [f"holds {what}: remove it." for what in _unkept(value)]
    if isinstance(value, dict):
        told = [f"the key {_shown(key)} holds {what}: remove it." for key in value for what in _unkept(key)]
        long = [key for key in value if len(key) > MOST_KEY_CHARACTERS]
        return told + [f"the key {_shown(key)} is longer than {MOST_KEY_CHARACTERS:,} characters." for key in long]
    return []


def _unkept(text: str) -> list[str]:
    """What no database keeps of a text, and no UTF-8 writes."""
    if text.isascii() and "\0" not in text:
        return []
    half = any("\ud800" <= each <= "\udfff" for each in text)
    nothing = "\0" in text
    return [
        *(["a NUL (\\u0000)"] if nothing else []),
        *(["half a surrogate pair (\\ud800 to \\udfff)"] if half else []),
    ]


def _whole(text: str) -> int | _Refused:
    # By its length first: Python refuses, and takes long over, texts of thousands of digits.
    if len(text) <= len(str(LARGEST_WHOLE)) + 1 and abs(number := int(text)) <= LARGEST_WHOLE:
        return number
    return _Refused(f"is {cut(text, _SHOWN)}, and must lie within {LARGEST_WHOLE} of zero.")


def _fractional(text: str) -> float | _Refused:
    number = float(text)
    if math.isfinite(number):
        return number
    return _Refused(f"is {cut(text, _SHOWN)}, and must be below 1e308: no larger number can be kept.")


def _no_number(text: str) -> _Refused:
    return _Refused(f"is {text}, which is no JSON.")


def _too_deep(path: Path, keys: Keys) -> Diagnostic:
    return Diagnostic(path, _location(keys), f"holds objects or lists more than {MOST_DEPTH} deep: flatten it.")


def _location(keys: Keys) -> str:
    return _dotted("$", keys)


def _dotted(root: str, keys: Keys) -> str:
    """Long paths end in `...`; keys that no terminal shows are written as JSON escapes."""
    shown = tuple(key if isinstance(key, int) else cut(ascii(key)[1:-1], _SHOWN) for key in keys[:_SHOWN])
    return dotted(root, shown) + ("..." if len(keys) > _SHOWN else "")


def _shown(key: str) -> str:
    return ascii(cut(key, _SHOWN))
