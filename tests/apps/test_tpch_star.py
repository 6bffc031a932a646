"""`tpch_star`: its sums beside SQLite's in whole cents, and, by `APPS=whole`, beside TPC-H's published answers."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.apps.conftest import App
from tests.support.app_images import APPS

TEST = APPS / "tpch_star" / "test"
SUMS = ("quantity", "base_price", "discounted_price", "charge", "lines")
Q1 = """
    SELECT l_returnflag, l_linestatus, sum(quantity), sum(price), sum(price * (100 - discount)),
           sum(price * (100 - discount) * (100 + tax)), count(*)
    FROM lines WHERE l_shipdate <= '1998-09-02' GROUP BY 1, 2 ORDER BY 1, 2
"""
Q6 = """
    SELECT coalesce(sum(price * discount), 0) FROM lines
    WHERE l_shipdate >= '1994-01-01' AND l_shipdate < '1995-01-01' AND discount BETWEEN 5 AND 7 AND quantity < 2400
"""
PUBLISHED_Q1 = [
    ("A", "F", "37734107.00", "56586554400.73", "53758257134.8700", "55909065222.827692", "1478493"),
    ("N", "F", "991417.00", "1487504710.38", "1413082168.0541", "1469649223.194375", "38854"),
    ("N", "O", "74476040.00", "111701729697.74", "106118230307.6056", "110367043872.497010", "2920374"),
    ("R", "F", "37719753.00", "56568041380.90", "53741292684.6040", "55889619119.831932", "1478870"),
]
"""TPC-H's answers for its scale factor 1, as its own kit has them."""
PUBLISHED_Q6 = "123141078.2283"
"""Published with two places."""
LARGE = pytest.param("1", 32, marks=pytest.mark.timeout(3000))
SCALES = [pytest.param("0.01", 4), *([LARGE] if os.environ.get("APPS") == "whole" else [])]
"""Scale factors, and MiB in a chunk: the second is 766 MB of lines."""
TYPES = ["decimal128(15, 2)", "date32[day]", "decimal128(18, 4)"]

Summary = list[tuple[str, ...]]


def _cents(text: str) -> int:
    return int(Decimal(text) * 100)


def _by_sqlite(lineitem: Path) -> tuple[Summary, str]:
    """Q1's sums and Q6's in whole numbers of cents, and of parts of these."""
    with lineitem.open(newline="") as file, sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE lines (l_returnflag, l_linestatus, l_shipdate, quantity, price, discount, tax)")
        amounts = ("l_quantity", "l_extendedprice", "l_discount", "l_tax")
        rows = (
            (row["l_returnflag"], row["l_linestatus"], row["l_shipdate"], *(_cents(row[each]) for each in amounts))
            for row in csv.DictReader(file)
        )
        database.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        places = (2, 2, 4, 6, 0)
        summary = [
            (flag, status, *(str(Decimal(value).scaleb(-each)) for value, each in zip(sums, places, strict=True)))
            for flag, status, *sums in database.execute(Q1)
        ]
        ((forecast,),) = database.execute(Q6)
    database.close()
    return summary, str(Decimal(forecast).scaleb(-4))


def _summary(output: Path) -> Summary:
    """The chunks' sums, added up."""
    table = pq.read_table(output / "pricing_summary.parquet")
    added = table.group_by(["return_flag", "line_status"]).aggregate([(name, "sum") for name in SUMS])
    rows = added.sort_by([("return_flag", "ascending"), ("line_status", "ascending")]).to_pylist()
    return [(row["return_flag"], row["line_status"], *(str(row[f"{name}_sum"]) for name in SUMS)) for row in rows]


def _forecast(output: Path) -> Decimal:
    total: Decimal | None = pc.sum(pq.read_table(output / "forecast.parquet")["revenue"]).as_py()
    return total or Decimal(0)


def _facts(output: Path) -> Any:
    return ds.dataset(output / "fact_lineitem", partitioning="hive")


def _tables(scale: str, folder: Path) -> list[Path]:
    """TPC-H's tables of this scale factor, by the DataFusion project's generator."""
    beside = Path(sys.executable).parent / "tpchgen-cli"
    program = str(beside) if beside.exists() else shutil.which("tpchgen-cli")
    if program is None:
        pytest.skip("no `tpchgen-cli`: pip install tpchgen-cli")
    command = [program, "csv", "--scale-factor", scale, "--output-dir", str(folder), "--tables", "orders,lineitem"]
    subprocess.run(command, check=True, capture_output=True)
    return [folder / "orders.csv", folder / "lineitem.csv"]


def _records(table: Path) -> int:
    """Behind the header; no text of TPC-H has a newline."""
    with table.open("rb") as file:
        return sum(1 for _ in file) - 1


def test_what_is_expected_of_the_sample_is_what_sqlite_says() -> None:
    summary, forecast = _by_sqlite(TEST / "lineitem.csv")
    with (TEST / "expected" / "pricing_summary.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["return_flag", "line_status", *SUMS]
    assert [tuple(row) for row in rows] == summary
    assert (TEST / "expected" / "forecast.txt").read_text().strip() == forecast


@pytest.mark.parametrize(("scale", "target_mib"), SCALES)
def test_a_star_of_many_chunks_has_the_sums_of_another_engine(
    run_app: App, tmp_path: Path, scale: str, target_mib: int
) -> None:
    orders, lineitem = _tables(scale, tmp_path / "tables")
    output = run_app("tpch_star", [orders, lineitem], "-p", f"partitioner.target_mib={target_mib}")
    summary, forecast = (PUBLISHED_Q1, PUBLISHED_Q6) if scale == "1" else _by_sqlite(lineitem)
    assert len(summary) == 4
    assert _summary(output) == summary
    assert _forecast(output) == Decimal(forecast)

    facts, dimension = _facts(output), pq.read_table(output / "dim_order.parquet")
    assert facts.count_rows() == _records(lineitem)
    assert {path.name for path in (output / "fact_lineitem").iterdir()} == {f"ship_year={y}" for y in range(1992, 1999)}
    types = {field.name: str(field.type) for field in facts.schema}
    assert [types[name] for name in ("quantity", "ship_date", "revenue")] == TYPES
    # Each fact finds its order, and no order is doubled.
    keys = dimension["order_key"]
    assert pc.count_distinct(keys).as_py() == len(keys) == _records(orders)
    assert pc.all(pc.is_in(facts.to_table(columns=["order_key"])["order_key"], keys)).as_py()
