"""Private parts of the standard library that this room touches: how `re` reads a pattern (Python 3.11 to 3.14)."""

from __future__ import annotations

import re
import warnings

# The tree of a pattern: `sre_parse` has been deprecated for this private name since Python 3.11.
from re import _parser as _reader  # type: ignore[attr-defined]  # private, and so in no stub
from typing import Any

Tree = list[tuple[Any, Any]]
"""What a pattern does one after the other: (name of the operation, what it is about)."""

NO_END: int = int(_reader.MAXREPEAT)
"""The upper bound of a repeat that has none."""


def pattern_tree(pattern: str) -> Tree:
    """How `re` reads a pattern; raises re.error for what it cannot, RecursionError for brackets nested too deep."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of what a later Python may read otherwise.
            return list(_reader.parse(pattern))
    except OverflowError as error:
        raise re.error(str(error)) from error


def name_of(operation: Any) -> str:
    """The operation as `re` calls it: MAX_REPEAT, BRANCH, LITERAL ..."""
    return str(operation)
