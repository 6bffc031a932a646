"""`parquet`, `concat` and `sorted_concat` keep results of several names apart. Truth by construction."""

from __future__ import annotations

import gzip
import io
import wave
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import Results, join
from triptych.errors import EngineError
from triptych.settings import Settings

STAR = [
    Results({"fact.csv": b"id,year,sum\n1,2025,2.50\n2,2026,3.25\n", "customer.csv": b"id,name\n7,Ada\n"}),
    Results({"fact.csv": b"id,year,sum\n3,2026,1.00\n", "customer.csv": b"id,name\n8,Bo\n"}),
]


def _joined(settings: Settings, results: list[Results], **params: Any) -> dict[str, list[dict[str, Any]]]:
    files = join(settings, "parquet", results, params)
    return {name: pq.read_table(io.BytesIO(data)).to_pylist() for name, data in sorted(files.items())}


FACTS = [{"id": 1, "year": 2025, "sum": 2.5}, {"id": 2, "year": 2026, "sum": 3.25}, {"id": 3, "year": 2026, "sum": 1.0}]
CUSTOMERS = [{"id": 7, "name": "Ada"}, {"id": 8, "name": "Bo"}]


def test_each_name_is_a_data_set(settings: Settings) -> None:
    assert _joined(settings, STAR) == {"customer.parquet": CUSTOMERS, "fact.parquet": FACTS}


def test_it_does_not_depend_on_the_number_of_chunks(settings: Settings) -> None:
    assert set(_joined(settings, STAR[:1])) == {"customer.parquet", "fact.parquet"}


def test_tables_of_equal_columns_stay_apart(settings: Settings) -> None:
    halves = [Results({"test.csv": b"a\n%d\n" % number, "train.csv": b"a\n%d\n" % -number}) for number in (1, 2)]
    assert _joined(settings, halves) == {
        "test.parquet": [{"a": 1}, {"a": 2}],
        "train.parquet": [{"a": -1}, {"a": -2}],
    }


def test_names_that_differ_in_their_extension_are_two_files(settings: Settings) -> None:
    both = [Results({"fact.csv": b"a\n1\n", "fact.jsonl": b'{"b": 2}\n'})] * 2
    assert set(_joined(settings, both)) == {"fact.csv.parquet", "fact.jsonl.parquet"}


def test_a_packed_result_gives_its_own_name(settings: Settings) -> None:
    both = [Results({"fact.csv.gz": gzip.compress(b"a\n1\n", mtime=0), "other.csv": b"b\n2\n"})] * 2
    assert set(_joined(settings, both)) == {"fact.parquet", "other.parquet"}


def test_those_that_have_the_partition_columns_are_partitioned(settings: Settings) -> None:
    files = _joined(settings, STAR, partition_by=["year"])
    assert files == {
        "customer.parquet": CUSTOMERS,
        "fact/year=2025/data.parquet": [{"id": 1, "sum": 2.5}],
        "fact/year=2026/data.parquet": [{"id": 2, "sum": 3.25}, {"id": 3, "sum": 1.0}],
    }
    with pytest.raises(EngineError, match="no column 'month' to partition by"):
        _joined(settings, STAR, partition_by=["month"])


def test_names_of_chunks_alone_are_one_table(settings: Settings) -> None:
    own = [Results({f"part_{number}.csv": b"a,b\n%d,x\n" % number}) for number in range(3)]
    assert _joined(settings, own) == {"data.parquet": [{"a": number, "b": "x"} for number in range(3)]}


OTHER = [Results({"orders.csv": b"id,day\n1,2026-01-02\n"}), Results({"customer.csv": b"id,name\n7,Ada\n"})]


def test_other_columns_under_names_of_chunks_alone_are_refused(settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"customer\.csv.* has other columns than .*orders\.csv.*one, or by_name"):
        _joined(settings, OTHER)
    assert set(_joined(settings, OTHER, datasets="by_name")) == {"customer.parquet", "orders.parquet"}
    assert [set(row) for row in _joined(settings, OTHER, datasets="one")["data.parquet"]] == [{"id", "day", "name"}] * 2


def test_a_name_packed_or_not_is_one_data_set(settings: Settings) -> None:
    packed = Results({"fact.csv.gz": gzip.compress(b"a\n2\n", mtime=0), "other.csv": b"b\n4\n"})
    both = [Results({"fact.csv": b"a\n1\n", "other.csv": b"b\n3\n"}), packed]
    assert _joined(settings, both) == {
        "fact.parquet": [{"a": 1}, {"a": 2}],
        "other.parquet": [{"b": 3}, {"b": 4}],
    }
    assert join(settings, "concat", both) == {"fact.csv": b"a\n1\n2\n", "other.csv": b"b\n3\n4\n"}


FACT, CUSTOMER = b"id,year,sum\n1,2025,2.50\n2,2026,3.25\n3,2026,1.00\n", b"id,name\n7,Ada\n8,Bo\n"


@pytest.mark.parametrize("engine", ["concat", "sorted_concat"])
def test_texts_of_several_names_are_several_files(settings: Settings, engine: str) -> None:
    by: dict[str, Any] = {"by": ["id:number"]} if engine == "sorted_concat" else {}
    assert join(settings, engine, STAR, by) == {"customer.csv": CUSTOMER, "fact.csv": FACT}
    alone = join(settings, engine, STAR[:1], by)
    assert alone == {"customer.csv": b"id,name\n7,Ada\n", "fact.csv": FACT[:-12]}
    assert join(settings, engine, STAR, {**by, "name": "all.csv"}) == {"customer.csv": CUSTOMER, "fact.csv": FACT}
    own = [Results({f"part_{number}.csv": b"id\n%d\n" % number}) for number in range(3)]
    assert join(settings, engine, own, {**by, "name": "all.csv"}) == {"all.csv": b"id\n0\n1\n2\n"}
    divided = join(settings, engine, own, {**by, "datasets": "by_name"})
    assert set(divided) == {"part_0.csv", "part_1.csv", "part_2.csv"}
    with pytest.raises(EngineError, match="its header"):
        join(settings, engine, STAR, {**by, "datasets": "one"})


def test_a_text_beside_a_table_stays_apart(settings: Settings) -> None:
    both = [Results({"r.csv": b"a\n%d\n" % number, "log.txt": b"chunk %d" % number}) for number in range(2)]
    assert join(settings, "concat", both) == {"r.csv": b"a\n0\n1\n", "log.txt": b"chunk 0\nchunk 1"}


def test_arrays_of_several_names_are_lines_of_several_names(settings: Settings) -> None:
    both = [Results({"a.json": b'[{"k": %d}]' % number, "b.jsonl": b'{"k": 5}\n'}) for number in (2, 1)]
    found = join(settings, "sorted_concat", both, {"by": ["k"]})
    assert found == {"a.jsonl": b'{"k": 1}\n{"k": 2}\n', "b.jsonl": b'{"k": 5}\n' * 2}


def _parquet(number: int) -> bytes:
    data = io.BytesIO()
    pq.write_table(pa.table({"a": [number]}), data)
    return data.getvalue()


def _wav(number: int) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes([number]) * 100)
    return data.getvalue()


@pytest.mark.parametrize(("name", "made"), [("t.parquet", _parquet), ("t.wav", _wav), ("t", _parquet)])
def test_whole_files_of_a_format_that_ends_are_not_put_together(
    settings: Settings, name: str, made: Callable[[int], bytes]
) -> None:
    """`cat` of two opens in no program, or shows the first alone; pieces of one are the file, and so is one."""
    one, two = made(1), made(2)
    with pytest.raises(EngineError, match=r"chunk 1, .*put together they are no file that opens.*passthrough"):
        join(settings, "concat", [Results({name: one}), Results({name: two})], {})
    pieces = join(settings, "concat", [Results({name: one[:50]}), Results({name: one[50:]}), Results({name: b""})], {})
    assert list(pieces.values()) == [one]
    assert list(join(settings, "concat", [Results({name: one}), Results({name: b""})], {}).values()) == [one]
