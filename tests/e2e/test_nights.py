"""The nightly load that the gallery shows, on a real Airflow: nights of the past, and the same ones again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.e2e.backfills import backfill
from tests.support.app_images import APPS, built_image
from triptych.demo.embedded import EmbeddedAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
NIGHTS = ["2026-01-01", "2026-01-02"]


def _files(folder: Path) -> dict[str, bytes]:
    """The output's files, without the lists that Triptych keeps beside them."""
    paths = (path for path in folder.rglob("*") if path.is_file() and "_triptych" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_nights_that_are_run_again_leave_the_same_files(airflow: EmbeddedAirflow, tmp_path: Path) -> None:
    built_image("tpch_star", tmp_path)
    test = APPS / "tpch_star" / "test"
    header, *lines = (test / "lineitem.csv").read_text().splitlines(keepends=True)
    shop, star = airflow.home / "shop" / "lineitem", airflow.home / "warehouse" / "star"
    shop.mkdir(parents=True)
    for number, night in enumerate(NIGHTS):
        (shop / f"{night}.csv").write_text("".join([header, *lines[number :: len(NIGHTS)]]))
    airflow.client.wait_for_dag("star_nightly")
    airflow.client.pause("star_nightly", paused=False)
    backfill(airflow.client, "star_nightly", NIGHTS)
    first = _files(star)
    backfill(airflow.client, "star_nightly", NIGHTS)
    assert _files(star) == first
    facts = [ds.dataset(star / night / "fact_lineitem", partitioning="hive") for night in NIGHTS]
    assert sum(night.count_rows() for night in facts) == len(lines)
    held = facts[0].count_rows()
    revenues = [pc.sum(pq.read_table(star / night / "forecast.parquet")["revenue"]).as_py() or 0 for night in NIGHTS]
    assert sum(revenues) == Decimal((test / "expected" / "forecast.txt").read_text())

    corrected = shop / "corrected.csv"
    corrected.write_text("".join([header, *(line for line in lines[:: len(NIGHTS)] if ",1996-" in line)]))
    places = {"dataSource": corrected.as_uri(), "dataDestination": f"{(star / NIGHTS[0]).as_uri()}/"}
    run = airflow.client.trigger("star_nightly", places)
    assert airflow.client.wait_for_run("star_nightly", run) == "success"
    airflow.client.pause("star_nightly")
    again = ds.dataset(star / NIGHTS[0] / "fact_lineitem", partitioning="hive").to_table()
    assert again.num_rows == len(corrected.read_text().splitlines()) - 1 < held
    assert {name: data for name, data in _files(star).items() if name.startswith(NIGHTS[1])} == {
        name: data for name, data in first.items() if name.startswith(NIGHTS[1])
    }
