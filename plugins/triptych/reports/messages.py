"""Errors of many chunks told as few: what differs from chunk to chunk alone keeps no two messages apart."""

from __future__ import annotations

import re

from triptych.harmless import one_line

MOST_LETTERS = 300
"""Of a line that is looked at."""
_LOG_LINE = "  | "
"""How an error repeats lines of its chunk's log (`triptych.running.lines`)."""
_SHORTEST_NAME = 3
_VARYING = (
    ("{path}", re.compile(r"(?<=['\"])/[^'\"]+(?=['\"])")),
    ("{path}", re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,9}://[^\s'\"<>|,;()]+|(?<![\w.}])(?:/[^\s/'\"<>|,;:()]+){2,}/?")),
    ("{hex}", re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b0x[0-9a-fA-F]+\b")),
    ("{hex}", re.compile(r"\b(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{7,128}\b")),
    # An exit code tells failures apart; `v1` and `utf8` are words.
    ("{n}", re.compile(r"(?<!exit code )(?<![A-Za-z_0-9])[0-9]+(?:[.,:_][0-9]+)*")),
)


def pattern_of(reason: str, chunk: str) -> str:
    """By which failures are grouped: the error, and the last line that the script printed, without what varies.

    >>> pattern_of("exit code 3.\\nLast lines of its log:\\n  | row 17 of /data/a/b.csv is bad", "a")
    'exit code 3. row {n} of {path} is bad'
    """
    first, *more = reason.split("\n")
    printed = [line.removeprefix(_LOG_LINE).strip() for line in more if line.startswith(_LOG_LINE)]
    last = next((line for line in reversed(printed) if line), "")
    return " ".join(each for each in (_without_varying(first, chunk), _without_varying(last, chunk)) if each)


def _without_varying(line: str, chunk: str) -> str:
    line = line[:MOST_LETTERS]
    if len(chunk) >= _SHORTEST_NAME:
        line = line.replace(chunk, "{chunk}")
    for mark, found in _VARYING:
        line = found.sub(mark, line)
    return one_line(line).strip()
