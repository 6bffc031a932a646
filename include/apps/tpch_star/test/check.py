"""Whether the chunks' sums add up to what is expected, and each order and each line is there once."""

import csv
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq

SUMS = ("quantity", "base_price", "discounted_price", "charge", "lines")


def records(table: Path) -> int:
    """Behind the header; no text of TPC-H has a newline."""
    return len(table.read_text().splitlines()) - 1


def differ(what: str, got: object, expected: object) -> None:
    if got != expected:
        sys.exit(f"{what}: {got}; expected {expected}.")


def main(output: Path, expected: Path) -> None:
    summary = pq.read_table(output / "pricing_summary.parquet").group_by(["return_flag", "line_status"])
    sums = summary.aggregate([(name, "sum") for name in SUMS]).sort_by([("return_flag", "ascending")]).to_pylist()
    found = [[row["return_flag"], row["line_status"], *(str(row[f"{name}_sum"]) for name in SUMS)] for row in sums]
    with (expected / "pricing_summary.csv").open(newline="") as file:
        _, *wanted = csv.reader(file)
    differ("pricing_summary.parquet", found, wanted)

    revenues = pq.read_table(output / "forecast.parquet")["revenue"].to_pylist()
    total = sum(revenue for revenue in revenues if revenue is not None)
    differ("forecast.parquet", total, Decimal((expected / "forecast.txt").read_text()))

    facts = ds.dataset(output / "fact_lineitem", partitioning="hive")
    differ("fact_lineitem: rows", facts.count_rows(), records(expected.parent / "lineitem.csv"))
    keys = pq.read_table(output / "dim_order.parquet")["order_key"].to_pylist()
    differ("dim_order.parquet: different orders", len(set(keys)), records(expected.parent / "orders.csv"))
    differ("dim_order.parquet: rows", len(keys), len(set(keys)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
