"""What the embedded Airflow is set to."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, text

from triptych.demo.embedded import LOCKED_S, EmbeddedAirflow
from triptych.settings import PROJECT


def test_who_finds_the_database_locked_waits(tmp_path: Path) -> None:
    url = EmbeddedAirflow(tmp_path, PROJECT).env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    engine = create_engine(url)
    with closing(engine.connect()) as connection:
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == LOCKED_S * 1000
    engine.dispose()
    assert [each.name for each in tmp_path.iterdir()] == ["airflow.db"]
