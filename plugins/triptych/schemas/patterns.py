"""Regular expressions that somebody else wrote: the one place where they are matched, in bounded time.

They are read as JSON Schema says, in the dialect of ECMA 262, by an engine whose time is linear in the text; what only
a backtracking one can match (look-around, back references) has a number of steps after which it has not matched.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from triptych.schemas.compat import NO_END, Tree, name_of, pattern_tree

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

MOST_CHARACTERS = 1000
"""Of a pattern."""
MOST_BACKTRACKS = 100_000
_COMPILED_BYTES = 10 << 20
_MOST_WAYS = 64
"""Ways to try one text per character of it, in a pattern that is plain."""
_PYTHONS_ENDS = re.compile(r"(?<!\\)((?:\\\\)*)\\([AZ])")


def pattern_error(pattern: str) -> str:
    """Why a pattern cannot be used, as what follows its name in a sentence; empty for a sound one."""
    if len(pattern) > MOST_CHARACTERS:
        return f"is longer than {MOST_CHARACTERS:,} characters"
    return "" if _engine(pattern) else "is no regular expression as JSON Schema has them (ECMA 262)"


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text; not, where finding out took MOST_BACKTRACKS steps.

    A pattern that cannot be used matches nothing: `pattern_error` says why.
    """
    engine = _engine(pattern) if len(pattern) <= MOST_CHARACTERS else None
    return engine is not None and engine.is_valid(text)


def is_plain(pattern: str) -> bool:
    """Whether Python's `re`, whose time has no bound, matches it as quickly: it is all that Airflow has.

    From the text's beginning, and with one long repeat at most, in which nothing else can vary.
    """
    if len(pattern) > MOST_CHARACTERS:
        return False
    try:
        tree = pattern_tree(pattern)
        ways, long = _ways(tree)
    except (re.error, RecursionError):
        return False
    is_anchored = bool(tree) and name_of(tree[0][0]) == "AT" and name_of(tree[0][1]) == "AT_BEGINNING"
    return is_anchored and long <= 1 and ways <= _MOST_WAYS


@lru_cache(maxsize=1000)
def _engine(pattern: str) -> Draft202012Validator | None:
    """A validator whose only rule is the pattern; None for what is none."""
    import jsonschema_rs

    # Python's own names of both ends, which many know; ECMA 262 has none for them.
    pattern = _PYTHONS_ENDS.sub(lambda found: found[1] + ("^" if found[2] == "A" else "$"), pattern)
    options = jsonschema_rs.FancyRegexOptions(
        backtrack_limit=MOST_BACKTRACKS, size_limit=_COMPILED_BYTES, dfa_size_limit=_COMPILED_BYTES
    )
    try:
        return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options)
    except ValueError:
        return None


def _ways(tree: Tree) -> tuple[float, int]:
    """In how many ways a tree can match at one place, at most, and how many long repeats it has."""
    ways, long = 1.0, 0
    for operation, about in tree:
        more, further = _ways_of(name_of(operation), about)
        ways, long = ways * more, long + further
    return ways, long


def _ways_of(operation: str, about: Any) -> tuple[float, int]:
    if operation in ("LITERAL", "NOT_LITERAL", "IN", "ANY", "AT", "CATEGORY", "RANGE"):
        return 1, 0
    if operation == "SUBPATTERN":
        return _ways(list(about[-1]))
    if operation == "BRANCH":
        branches = [_ways(list(branch)) for branch in about[1]]
        return sum(ways for ways, _ in branches), max(long for _, long in branches)
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, body = int(about[0]), int(about[1]), list(about[2])
        ways, long = _ways(body)
        if most > 1 and (ways > 1 or long):
            return math.inf, long
        is_long = most == NO_END or most - least >= _MOST_WAYS
        return (ways, 1) if is_long else (ways * (most - least + 1), long)
    return math.inf, 0  # Look-around, back references and what later versions add.
