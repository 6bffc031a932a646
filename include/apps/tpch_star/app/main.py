"""One chunk of a TPC-H table, told by its header: `data.bin` in, a Parquet file for each of the table's queries out.

Sums are of the chunk: add up those of all chunks (`sum(...) GROUP BY return_flag, line_status`) for the whole. They are
decimals, so that this is exact, whatever the number of chunks.
"""

import json
import os
from pathlib import Path

import duckdb

MONEY = "DECIMAL(15, 2)"
"""As the specification says: TPC Benchmark H, 1.3."""
COLUMNS = {
    "l_orderkey": {
        "l_orderkey": "BIGINT",
        "l_partkey": "BIGINT",
        "l_suppkey": "BIGINT",
        "l_linenumber": "INTEGER",
        "l_quantity": MONEY,
        "l_extendedprice": MONEY,
        "l_discount": MONEY,
        "l_tax": MONEY,
        "l_returnflag": "VARCHAR",
        "l_linestatus": "VARCHAR",
        "l_shipdate": "DATE",
        "l_commitdate": "DATE",
        "l_receiptdate": "DATE",
        "l_shipinstruct": "VARCHAR",
        "l_shipmode": "VARCHAR",
        "l_comment": "VARCHAR",
    },
    "o_orderkey": {
        "o_orderkey": "BIGINT",
        "o_custkey": "BIGINT",
        "o_orderstatus": "VARCHAR",
        "o_totalprice": MONEY,
        "o_orderdate": "DATE",
        "o_orderpriority": "VARCHAR",
        "o_clerk": "VARCHAR",
        "o_shippriority": "INTEGER",
        "o_comment": "VARCHAR",
    },
}
"""Of each table, by its first column."""
RESULTS = {
    "l_orderkey": {
        "fact_lineitem": """
            SELECT l_orderkey AS order_key, l_linenumber AS line_number, l_partkey AS part_key,
                   l_suppkey AS supplier_key, l_shipdate AS ship_date, year(l_shipdate)::INTEGER AS ship_year,
                   l_quantity AS quantity, l_extendedprice AS extended_price, l_discount AS discount, l_tax AS tax,
                   (l_extendedprice * (1 - l_discount))::DECIMAL(18, 4) AS revenue,
                   l_returnflag AS return_flag, l_linestatus AS line_status, l_shipmode AS ship_mode
            FROM chunk
        """,
        "pricing_summary": """
            SELECT l_returnflag AS return_flag, l_linestatus AS line_status,
                   sum(l_quantity)::DECIMAL(38, 2) AS quantity,
                   sum(l_extendedprice)::DECIMAL(38, 2) AS base_price,
                   sum(l_extendedprice * (1 - l_discount))::DECIMAL(38, 4) AS discounted_price,
                   sum(l_extendedprice * (1 - l_discount) * (1 + l_tax))::DECIMAL(38, 6) AS charge,
                   sum(l_discount)::DECIMAL(38, 2) AS discount, count(*) AS lines
            FROM chunk WHERE l_shipdate <= $shipped_until::DATE GROUP BY ALL ORDER BY ALL
        """,
        "forecast": """
            SELECT sum(l_extendedprice * l_discount)::DECIMAL(38, 4) AS revenue
            FROM chunk
            WHERE year(l_shipdate) = $forecast_year AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24
        """,
    },
    "o_orderkey": {
        "dim_order": """
            SELECT o_orderkey AS order_key, o_custkey AS customer_key, o_orderdate AS order_date,
                   o_orderstatus AS status, o_orderpriority AS priority, o_totalprice AS total_price
            FROM chunk
        """,
    },
}


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    values = {"shipped_until": params.get("shipped_until", "1998-09-02")}
    values["forecast_year"] = params.get("forecast_year", 1994)
    data = Path(os.environ["TASK_DIR"], "data.bin")
    with data.open(encoding="utf-8") as file:
        first = file.readline().partition(",")[0].strip()
    if first not in COLUMNS:
        raise SystemExit(f"The chunk's first column is {first!r}, and it should be one of {', '.join(COLUMNS)}.")

    with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as connection:
        columns = json.dumps(COLUMNS[first]).replace('"', "'")
        source = f"read_csv('{data}', header = true, delim = ',', quote = '\"', columns = {columns})"
        connection.execute(f"CREATE TEMP TABLE chunk AS SELECT * FROM {source}")
        for name, query in RESULTS[first].items():
            result = Path(os.environ["TASK_RESULTS_DIR"], f"{name}.parquet")
            used = {key: value for key, value in values.items() if f"${key}" in query}
            connection.execute(f"COPY ({query}) TO '{result}' (FORMAT parquet)", used or None)
        print(f"{first}: {connection.sql('SELECT count(*) FROM chunk').fetchone()[0]} rows")


if __name__ == "__main__":
    main()
