"""SRT, WebVTT and JSON transcripts read as cues; what the file begins with says which of them it is."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from triptych.engines.api import Input
from triptych.engines.jsontext.records import json_records
from triptych.engines.runtime.resources import resources
from triptych.engines.speech.cues import Cue
from triptych.engines.streams.contents import as_text, in_quotes
from triptych.harmless import harmless_logger

FILE_SHARE = 1 / 16
"""Of the memory, for one chunk's file."""
_TIME = r"(?:([0-9]{1,4}):)?([0-5][0-9]):([0-5][0-9])[,.]([0-9]{3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s+(\S.*?))?\s*")
_LIKE_TIMES = re.compile(r"[\s0-9:.,;-]*[0-9][\s0-9:.,;-]*-->")
"""What has nothing but a time in front of its arrow; else an arrow is text."""
_NO_CUES = re.compile(r"(NOTE|STYLE|REGION)\b")
_MEMBERS = frozenset(("start", "end", "timestamp", "text", "speaker"))
_log = harmless_logger(__name__)


def read_cues(item: Input) -> list[Cue]:
    """In the file's order, those without text left out; raises the item's error, with the line, for a bad time."""
    item, _ = as_text(item)
    data = _whole(item)
    start = data.removeprefix(BOM_UTF8).lstrip()
    if start[:1] in (b"[", b"{"):
        found = list(_json_cues(item))
    else:
        lines = re.split(r"\r\n|\r|\n", _decoded(data, item))
        found = list(_vtt_cues(lines, item) if start.startswith(b"WEBVTT") else _srt_cues(lines, item))
    return [cue for cue in found if cue.text]


def _decoded(data: bytes, item: Input) -> str:
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"line {line}: {in_quotes(data[error.start : error.start + 20])} is no UTF-8. Let the app write UTF-8."
        raise item.error(msg) from error


def _whole(item: Input) -> bytes:
    most = resources().share(FILE_SHARE, "the transcript of one chunk")
    blocks, size = [], 0
    for block in item.stream() if item.size else ():
        size += len(block)
        most.check(size, item, "Cut the source into shorter chunks.")
        blocks.append(block)
    return b"".join(blocks)


def _srt_cues(lines: Sequence[str], item: Input) -> Iterator[Cue]:
    """Each from its line of times to the next; the number in front of the next one is no text (as FFmpeg reads it)."""
    starts = [number for number, line in enumerate(lines) if _is_timed(line)]
    for number, line in enumerate(lines[: starts[0] if starts else len(lines)]):
        if line.strip() and not (line.strip().isdigit() and starts and number == starts[0] - 1):
            text = (
                f"line {number + 1}: {line[:60]!r} is neither the number nor the time of a cue. Write SRT, VTT or JSON."
            )
            raise item.error(text)
    for start, end in pairwise([*starts, len(lines)]):
        own = lines[start + 1 : end]
        if end < len(lines) and own and own[-1].strip().isdigit():
            own = own[:-1]
        yield _timed(lines, start, own, item, "srt")


def _vtt_cues(lines: Sequence[str], item: Input) -> Iterator[Cue]:
    """Of its blocks, which an empty line ends, those that are cues."""
    left_out = set()
    for first, block in _blocks(lines):
        if not first:
            continue
        if match := _NO_CUES.match(block[0]):
            left_out.add(match[1])
            continue
        at = next((number for number, line in enumerate(block[:2]) if "-->" in line), None)
        if at is None:
            text = f"line {first + 1}: {block[0][:60]!r} begins a cue without a time. Correct what the app writes."
            raise item.error(text)
        yield _timed(lines, first + at, block[at + 1 :], item, "vtt")
    if left_out - {"NOTE"}:
        _log.info("%s: left out: %s", item.label, ", ".join(sorted(left_out)))


def _blocks(lines: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Runs of lines that are not empty, each with the index of its first."""
    first = None
    for number, line in enumerate([*lines, ""]):
        if line.strip() and first is None:
            first = number
        if not line.strip() and first is not None:
            yield first, lines[first:number]
            first = None


def _is_timed(line: str) -> bool:
    return "-->" in line and _LIKE_TIMES.match(line) is not None


def _timed(lines: Sequence[str], at: int, text: Sequence[str], item: Input, markup: Any) -> Cue:
    match = _TIMES.fullmatch(lines[at])
    if match is None:
        says = (
            f"line {at + 1}: {lines[at][:60]!r} is no time of a cue, such as 00:01:02,500 --> 00:01:04,000. Correct it."
        )
        raise item.error(says)
    start, end = (_seconds(match.groups()[first : first + 4]) for first in (0, 4))
    kept = "\n".join(line.strip() for line in text if line.strip())
    settings = match[9] or "" if markup == "vtt" else ""
    return _in_order(Cue(start, end, kept, markup, f"line {at + 1}", settings=settings), item)


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return (hours * 3600 + minutes * 60 + seconds) + thousandths / 1000


def _in_order(cue: Cue, item: Input) -> Cue:
    if cue.end_s < cue.start_s:
        text = (
            f"{cue.location}: the cue ends at {cue.end_s:g} s, before it begins at {cue.start_s:g} s. Correct the app."
        )
        raise item.error(text)
    return cue


def _json_cues(item: Input) -> Iterator[Cue]:
    """Of `{"start": 0.5, "end": 2.5, "text": "..."}` in a list, in lines, or in a member `segments` or `chunks`."""
    left_out: set[str] = set()
    for record in json_records(item):
        if record.error is not None:
            text = f"{record.location}: {record.error}. Correct what the app writes."
            raise item.error(text)
        for location, value in _segments(record.value, record.location):
            yield _in_order(_json_cue(value, location, item), item)
            left_out |= value.keys() - _MEMBERS
    if left_out:
        _log.info("%s: left out: %s", item.label, ", ".join(sorted(left_out)))


def _segments(value: Any, location: str) -> list[tuple[str, Any]]:
    """With their locations: those in an object as Whisper writes it, or the value itself."""
    for name in ("segments", "chunks"):
        if isinstance(value, Mapping) and "start" not in value and isinstance(value.get(name), list):
            return [(f"{name}[{number}]", each) for number, each in enumerate(value[name])]
    return [(location, value)]


def _json_cue(value: Any, location: str, item: Input) -> Cue:
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        text = f'{location}: is no object such as {{"start": 0.5, "end": 2.5, "text": "..."}}. Correct the app.'
        raise item.error(text)
    pair = value.get("timestamp")
    start, end = pair if isinstance(pair, list) and len(pair) == 2 else (value.get("start"), value.get("end"))
    times = _json_time("start", start, location, item), _json_time("end", end, location, item)
    kept = "\n".join(line.strip() for line in value["text"].splitlines() if line.strip())
    return Cue(*times, kept, "json", location, speaker=str(value.get("speaker") or ""))


def _json_time(name: str, time: Any, location: str, item: Input) -> float:
    is_number = isinstance(time, int | float) and not isinstance(time, bool)
    if not is_number or not math.isfinite(time) or time < 0:
        text = f"{location}: {name!r} is {json.dumps(time)[:40]}, which is no number of seconds. Correct the app."
        raise item.error(text)
    return float(time)
