"""JSON as RFC 8259 has it, where msgspec reads less: thousands of levels, and halves of surrogate pairs."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

MOST_LEVELS = 20_000
"""More would not fit on the stack of a thread."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_VALUES = msgspec.json.Decoder()
T = TypeVar("T")


def checked(decoder: msgspec.json.Decoder[T], text: bytes) -> T:
    """What the decoder makes of it, which is not to build strings: half of a pair is any other letter to it.

    ValueError for what is no JSON, or has more than MOST_LEVELS levels.
    """
    try:
        return decoder.decode(text)
    except RecursionError:
        with _more_levels():
            return decoder.decode(text)
    except ValueError:
        if not _SURROGATE.search(text):
            raise
    # Of the same length, so that what is said of a byte holds.
    return checked(decoder, _SURROGATE.sub(rb"\\ufffd", text))


def json_value(text: bytes) -> Any:
    """The value. Whole numbers of any length are exact; half of a pair is a letter of its own, as in Python's json.

    ValueError for NaN, numbers beyond a float's range, and more than MOST_LEVELS levels, too.
    """
    try:
        return _VALUES.decode(text)
    except RecursionError:
        with _more_levels():
            return _VALUES.decode(text)
    except ValueError:
        if not _SURROGATE.search(text):
            raise
        checked(_VALUES, text)
        return json.loads(text, parse_constant=_no_number, parse_float=_finite)


@contextmanager
def _more_levels() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, MOST_LEVELS))
    try:
        yield
    except RecursionError as error:
        msg = f"it has more than {MOST_LEVELS:,} levels, or as many as this Python can hold"
        raise ValueError(msg) from error
    finally:
        sys.setrecursionlimit(before)


def _no_number(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number
