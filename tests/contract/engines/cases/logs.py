"""log_times and logs."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece, Results

START = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)
ENTRY = re.compile(rb"(?:^\d{4}-.*\n)(?:^(?!\d{4}-).*\n?)*", re.MULTILINE)


def python_log(count: int, seed: int) -> bytes:
    """As logging writes it, in order, some entries with a stack trace."""
    source = random.Random(seed)
    lines, at = [], START
    for number in range(count):
        at += timedelta(milliseconds=source.randrange(0, 90_000))
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} INFO {seed}-{number} ü")
        if number % 5 == 0:
            lines += ["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: x"]
    return ("\n".join(lines) + "\n").encode()


def _logs(folder: Path) -> list[Path]:
    paths = [folder / "a.log", folder / "b.log.gz", folder / "c.log"]
    paths[0].write_bytes(python_log(40, 1))
    paths[1].write_bytes(gzip.compress(python_log(40, 2), mtime=0))
    # Not in order: what was written last comes first.
    entries = ENTRY.findall(python_log(40, 3))
    paths[2].write_bytes(b"".join(reversed(entries)))
    return paths


def _one_entry(folder: Path) -> list[Path]:
    path = folder / "one.log"
    path.write_bytes(python_log(1, 1))
    return [path]


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def _in_windows(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    entries = [entry for path in sources for entry in ENTRY.findall(_read(path))]
    # Sorting text is sorting time here; sorted() is stable, as the engine has to be.
    assert [entry for piece in pieces for entry in ENTRY.findall(piece.data)] == sorted(
        entries, key=lambda entry: entry[:23]
    )
    for piece in pieces:
        for entry in ENTRY.findall(piece.data):
            at = datetime.strptime(entry[:23].decode() + "+0000", "%Y-%m-%d %H:%M:%S,%f%z")
            assert datetime.fromisoformat(piece.metadata["start"]) <= at < datetime.fromisoformat(piece.metadata["end"])
    assert sum(piece.items or 0 for piece in pieces) == len(entries)


def _no_stamps(folder: Path) -> Path:
    path = folder / "wrong.log"
    path.write_text("no time here\nnor here\n")
    return path


def _large(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.log"
    with path.open("w") as out:
        for number in range(80_000 * factor):
            at = START + timedelta(seconds=number)
            out.write(f"{at:%Y-%m-%dT%H:%M:%SZ} some text that makes the line longer, {number}, {'x' * 40}\n")
    return path


def _parts() -> list[Results]:
    return [Results({"o.log": python_log(30, seed)}) for seed in (4, 5)]


def _merged(found: Mapping[str, bytes]) -> None:
    entries = ENTRY.findall(python_log(30, 4)) + ENTRY.findall(python_log(30, 5))
    assert ENTRY.findall(found["merged.log"]) == sorted(entries, key=lambda entry: entry[:23])


def _large_parts(factor: int) -> list[Results]:
    """As many as are merged at once, whatever the factor."""
    lines = b"".join(b"%d some text %s\n" % (1_700_000_000 + n, b"x" * 100) for n in range(30_000))
    return [Results({"o.log": lines}) for _ in range(4 * factor)]


CASES = [
    Split(
        "log_times",
        {"window_s": 900},
        _logs,
        _in_windows,
        bad={"window_s": 0},
        corrupt=_no_stamps,
        says="has a timestamp",
        grow=_large,
        one=_one_entry,
    ),
    Join(
        "logs",
        {},
        _parts,
        _merged,
        bad={"name": ""},
        corrupt=lambda: [Results({"o.log": b"no time\n"})],
        says="chunk 0, 'o.log': none of the first 1 lines",
        grow=_large_parts,
    ),
]
