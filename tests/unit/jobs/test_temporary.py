"""Temporary areas: one name, from which anybody can tell when it expires, and nobody where it lies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triptych.errors import ConfigError, JobSpecError
from triptych.jobs.temporary import area_named, areas_uri, expiry_of, temporary_area
from triptych.jobs.workspace import workspace_root
from triptych.settings import read_settings

SETTINGS = read_settings({"workspace": "s3://bucket/triptych/"})
TOKEN = "0123456789abcdef" * 2


def test_an_area_says_when_it_expires() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    area = temporary_area(SETTINGS, 48 * 3600)
    assert area.uri == f"s3://bucket/triptych/_temporary/{area.name}/" == f"{areas_uri(SETTINGS)}{area.name}/"
    assert before <= area.expires - timedelta(hours=48) <= datetime.now(UTC)
    assert expiry_of(area.name) == area.expires
    assert area_named(SETTINGS, area.name) == area
    assert temporary_area(SETTINGS, 48 * 3600).name != area.name


def test_an_expiry_is_in_utc() -> None:
    assert expiry_of(f"20261128T120005Z-{TOKEN}") == datetime(2026, 11, 28, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "",
        TOKEN,
        f"20261128T120005Z-{TOKEN}/a",
        f"../20261128T120005Z-{TOKEN}",
        f"20261128T120005Z-{TOKEN}\n",
        f"20261128T120005Z-{TOKEN[1:]}",
        f"20261128T120005Z-{'*' * 32}",
        f"20261399T120005Z-{TOKEN}",
        f"20261128T120005+0100-{TOKEN}",
    ],
)
def test_what_is_no_name_is_none(name: str) -> None:
    assert expiry_of(name) is None
    with pytest.raises(JobSpecError, match="no name of an upload"):
        area_named(SETTINGS, name)


def test_there_is_none_without_a_workspace() -> None:
    with pytest.raises(ConfigError, match="No workspace is configured"):
        temporary_area(read_settings({}), 60)


@pytest.mark.parametrize("dag_id", ["outputs", "_temporary", "_cache"])
def test_no_template_lies_where_they_do(dag_id: str) -> None:
    with pytest.raises(ConfigError, match=dag_id):
        workspace_root(SETTINGS, dag_id, "run")
