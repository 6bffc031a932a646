"""Timestamps at the beginning of log entries: found by themselves, or declared; and the entries, however many lines."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from triptych.engines.api import Result, Source
from triptych.engines.merging import Order, Run
from triptych.engines.records import split_records
from triptych.engines.streams import BlockReader
from triptych.errors import EngineError, JobSpecError

LOOKED_AT_LINES = 200
BLOCK_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Stamp:
    """How one kind of timestamp is found in a line, and read; group 1 is the text."""

    name: str
    pattern: re.Pattern[bytes]
    read: Callable[[str, tzinfo, int], datetime]


def _iso(text: str, zone: tzinfo, year: int) -> datetime:
    moment = datetime.fromisoformat(text.replace(",", "."))
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _epoch(text: str, zone: tzinfo, year: int) -> datetime:
    number = float(text)
    return datetime.fromtimestamp(number / 1000 if len(text.partition(".")[0]) == 13 else number, UTC)


def _by(form: str) -> Callable[[str, tzinfo, int], datetime]:
    """By a strptime format; the year is given where the format has none."""

    def read(text: str, zone: tzinfo, year: int) -> datetime:
        has_year = "%Y" in form or "%y" in form
        moment = datetime.strptime(text if has_year else f"{year} {text}", form if has_year else f"%Y {form}")
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)

    return read


_DATE = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:Z|[+-]\d\d:?\d\d)?"
KNOWN = (
    # ISO 8601, Python's logging, log4j, nginx and systemd in JSON: anywhere in the first 80 characters.
    Stamp("iso", re.compile(rb"^(?=.{0,80}?(" + _DATE + rb")).*?(?:" + _DATE + rb")"), _iso),
    # Common and combined log format of Apache and nginx.
    Stamp(
        "apache",
        re.compile(rb"^.{0,200}?\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"),
        _by("%d/%b/%Y:%H:%M:%S %z"),
    ),
    Stamp("nginx", re.compile(rb"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\b"), _by("%Y/%m/%d %H:%M:%S")),
    # RFC 3164: without a year.
    Stamp("syslog", re.compile(rb"^(?:<\d+>)?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)\b"), _by("%b %d %H:%M:%S")),
    Stamp("epoch", re.compile(rb"^\W?(\d{13}|\d{10}(?:\.\d+)?)\b"), _epoch),
)
_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d{1,2}",
    "%d": r"[ \d]?\d",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d\d",
    "%S": r"\d\d",
    "%f": r"\d{1,6}",
    "%b": r"[A-Za-z]{3}",
    "%B": r"[A-Za-z]+",
    "%a": r"[A-Za-z]{3}",
    "%A": r"[A-Za-z]+",
    "%p": r"[AaPp][Mm]",
    "%z": r"(?:Z|[+-]\d\d:?\d\d)",
    "%j": r"\d{3}",
    "%%": "%",
}


def declared(form: str) -> Stamp:
    """A strptime format, anywhere in the first 200 characters; JobSpecError for a directive that has no fixed form."""
    pattern, rest = "", form
    while rest:
        if rest[0] != "%":
            pattern, rest = pattern + re.escape(rest[0]), rest[1:]
            continue
        if rest[:2] not in _DIRECTIVES:
            msg = f"{form!r}: {rest[:2]!r} cannot be used here; known are {', '.join(_DIRECTIVES)}."
            raise JobSpecError(msg)
        pattern, rest = pattern + _DIRECTIVES[rest[:2]], rest[2:]
    return Stamp(form, re.compile(rb"^.{0,200}?(" + pattern.encode() + rb")"), _by(form))


def time_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"time_zone: {name!r} is no time zone. Name one as IANA does, such as Europe/Berlin."
        raise JobSpecError(msg) from error


def log_runs(files: Sequence[Source | Result], names: Sequence[str], params: Any) -> tuple[list[Run], Order]:
    """The files that are not empty, and their order by time; EngineError when a file has no timestamps."""
    zone, year = time_zone(params["time_zone"]), params["year"] or 1970
    formats = [declared(form) for form in params["formats"]] or list(KNOWN)
    runs, stamps = [], {}
    for file, name in zip(files, names, strict=True):
        run = Run(lambda file=file, name=name: _blocks(file, name), name)  # type: ignore[misc]  # A default is no argument.
        stamp = _found(run, formats, zone, year)
        if stamp is not None:
            runs.append(run)
            stamps[name] = stamp

    def key(entry: bytes, what: str) -> float:
        moment = _moment(entry, stamps[what], zone, year)
        if moment is None:
            msg = f"{what}: {entry[:80]!r} has no timestamp of the form {stamps[what].name}."
            raise EngineError(msg)
        return moment.timestamp()

    return runs, Order(lambda run: _entries(run, stamps[run.what]), key)


def _blocks(file: Source | Result, name: str) -> Iterator[bytes]:
    """Unpacked, where the file is a gzip."""
    with file.open() as data:
        packed = data.read(2) == _GZIP
    if not packed:
        yield from file.stream()
        return
    try:
        with gzip.GzipFile(fileobj=BlockReader(file.stream())) as unpacked:
            while block := unpacked.read(BLOCK_BYTES):
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{name}: the gzip file cannot be unpacked: {error}."
        raise EngineError(msg) from error


def _found(run: Run, formats: Sequence[Stamp], zone: tzinfo, year: int) -> Stamp | None:
    """The format that most of the first lines have; None for a file without lines."""
    lines = [line for line in islice(_lines(run), LOOKED_AT_LINES) if line.strip()]
    if not lines:
        return None
    counts = [sum(_moment(line, stamp, zone, year) is not None for line in lines) for stamp in formats]
    if not max(counts):
        msg = (
            f"{run.what}: none of the first {len(lines)} lines has a timestamp of the forms "
            f"{', '.join(stamp.name for stamp in formats)}. Declare its form in `formats`."
        )
        raise EngineError(msg)
    return formats[counts.index(max(counts))]


def _lines(run: Run) -> Iterator[bytes]:
    return split_records(run.blocks(), run.what, quoted=False)


def _moment(line: bytes, stamp: Stamp, zone: tzinfo, year: int) -> datetime | None:
    match = stamp.pattern.search(line)
    if match is None:
        return None
    try:
        return stamp.read(match[1].decode(), zone, year)
    except (ValueError, OverflowError):
        return None


def _entries(run: Run, stamp: Stamp) -> Iterator[bytes]:
    """A line with a timestamp and those without that follow; what comes before the first belongs to it."""
    entry: list[bytes] = []
    begun = False
    for line in _lines(run):
        if stamp.pattern.search(line):
            if begun:
                yield _whole(entry)
                entry = []
            begun = True
        entry.append(line)
    if begun:
        yield _whole(entry)


def _whole(lines: Iterable[bytes]) -> bytes:
    text = b"".join(lines)
    return text if text.endswith(b"\n") else text + b"\n"
