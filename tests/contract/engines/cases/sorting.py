"""sorted_concat."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping

from tests.contract.engines.cases import Join
from tests.support.engine_harness import Results

AMOUNTS = ["10", "9", "-1.5", "", "1e3", "9"]


def _tables() -> list[Results]:
    rows = [f'{n},{amount},"a ""note"",\n{n}"\r\n' for n, amount in enumerate(AMOUNTS)]
    head = "id,amount,note\r\n"
    return [Results({"t.csv": (head + "".join(part)).encode()}) for part in (rows[:3], rows[3:])]


def _ordered(found: Mapping[str, bytes]) -> None:
    table = list(csv.reader(io.StringIO(found["sorted.csv"].decode(), newline="")))
    assert table[0] == ["id", "amount", "note"]
    # Both nines in the order of their chunks; the missing one last.
    assert [row[0] for row in table[1:]] == ["4", "0", "1", "5", "2", "3"]
    assert table[1][2] == 'a "note",\n4'


def _no_number() -> list[Results]:
    return [*_tables(), Results({"t.csv": b"id,amount,note\n7,many,x\n"})]


def _large(factor: int) -> list[Results]:
    source = random.Random(5)
    rows = [b"%d,%d,%s\n" % (n, source.randrange(10**6), b"x" * 400) for n in range(60_000)]
    return [Results({"t.csv": b"id,amount,note\n" + b"".join(rows)}) for _ in range(factor)]


def _lines() -> list[Results]:
    days: list[list[str | None]] = [["2026-03-01T00:00:00+02:00", "2026-02-28T23:00:00Z"], ["2026-02-01", None], []]
    return [Results({"o.bin": "\n".join(json.dumps({"a": {"day": day}}) for day in part).encode()}) for part in days]


def _by_day(found: Mapping[str, bytes]) -> None:
    days = [json.loads(line)["a"]["day"] for line in found["sorted.jsonl"].splitlines()]
    assert days == [None, "2026-02-01", "2026-03-01T00:00:00+02:00", "2026-02-28T23:00:00Z"]


CASES = [
    Join(
        "sorted_concat",
        {"by": ["amount:number:desc"]},
        _tables,
        _ordered,
        bad={"by": []},
        corrupt=_no_number,
        says="chunk 2, 't.csv': 'many' in 'amount' is no number",
        grow=_large,
    ),
    Join(
        "sorted_concat",
        {"by": ["a.day:date"], "nulls": "first"},
        _lines,
        _by_day,
        bad={"nulls": "drop"},
        corrupt=lambda: [Results({"o.jsonl": b'{"a": 1}\n{oh\n'})],
        says="is no JSON",
    ),
]
