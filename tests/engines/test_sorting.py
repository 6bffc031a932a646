"""sorted_concat against other sorts: sqlite3's and the standard library's."""

from __future__ import annotations

import csv
import io
import random
import sqlite3
from pathlib import Path

import pytest

from engines.harness import Results, join
from triptych.engines import resources
from triptych.engines.merging import Order, Run, merged
from triptych.engines.records import split_records
from triptych.engines.resources import Resources, using
from triptych.errors import EngineError
from triptych.settings import Settings


def test_columns_of_several_kinds_as_sqlite_orders_them(settings: Settings) -> None:
    source = random.Random(11)
    rows = [
        (n, source.choice("aäbB"), source.randrange(5), source.choice(["2026-01-02", "2025-12-31"])) for n in range(400)
    ]
    results = []
    for start in range(0, 400, 90):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("id", "letter", "count", "day"), *rows[start : start + 90]])
        results.append(Results({"t.csv": text.getvalue().encode()}))
    found = join(settings, "sorted_concat", results, {"by": ["letter:desc", "count:number", "day:date:desc"]})
    ids = [int(row["id"]) for row in csv.DictReader(io.StringIO(found["sorted.csv"].decode(), newline=""))]
    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (id integer, letter text, count integer, day text)")
        database.executemany("insert into t values (?, ?, ?, ?)", rows)
        # The id makes it stable.
        expected = database.execute("select id from t order by letter desc, count, day desc, id").fetchall()
    database.close()
    assert ids == [row[0] for row in expected]


@pytest.mark.parametrize("in_order", [None, False])
def test_many_runs_are_merged_a_few_at_once(tmp_path: Path, in_order: bool | None) -> None:
    source = random.Random(2)
    parts = [sorted(source.randrange(1000) for _ in range(50)) for _ in range(30)]
    runs = [Run(lambda part=part: [b"".join(b"%03d\n" % n for n in part)], str(n)) for n, part in enumerate(parts)]  # type: ignore[misc]
    order = Order(lambda run: split_records(run.blocks(), run.what, quoted=False), lambda record, _: record)
    # So little memory that a batch holds few records, and a merge takes two runs.
    with using(Resources(tmp_path, 16_000)):
        found = [int(record) for _, record in merged(runs, order, in_order=in_order)]
        assert resources().scratch == tmp_path
    assert found == sorted(n for part in parts for n in part)


def test_results_that_are_said_to_be_sorted_are_held_to_it(settings: Settings) -> None:
    results = [Results({"t.csv": b"n\n2\n1\n"})]
    with pytest.raises(EngineError, match=r"chunk 0, 't.csv': is not in order"):
        join(settings, "sorted_concat", results, {"by": ["n:number"], "sorted": True})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([b"n\n1\n", b"m\n1\n"], "its header"),
        ([b"m\n1\n"], "no column 'n'"),
        ([b"a,n\n1,2\n3\n"], "has not the columns"),
    ],
)
def test_tables_that_do_not_fit_are_refused(settings: Settings, files: list[bytes], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        join(settings, "sorted_concat", [Results({"t.csv": data}) for data in files], {"by": ["n"]})
