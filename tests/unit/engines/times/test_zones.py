"""Zones by name, and columns between UTC and local time, against the zoneinfo module one by one."""

from __future__ import annotations

import random
import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from triptych.engines.times.zones import EPOCH, MICROSECOND, find_zone, local_of_utc, utc_of_local
from triptych.errors import EngineError, JobSpecError

ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia", "Australia/Lord_Howe"]


def _times(zone: str) -> list[datetime]:
    """Around every change of some years, and anywhere."""
    draw, times = random.Random(zone), []
    hours = (datetime(year, 1, 1) + timedelta(hours=n) for year in (1971, 1972, 1985, 2026) for n in range(24 * 365))
    offset = timedelta()
    for hour in hours:
        before, offset = offset, hour.replace(tzinfo=ZoneInfo(zone)).utcoffset() or timedelta()
        if before != offset:
            times += [hour + timedelta(seconds=draw.randrange(-7200, 7200)) for _ in range(20)]
    return times + [datetime(1, 1, 2) + draw.random() * timedelta(days=3_652_000) for _ in range(300)]


@pytest.mark.parametrize("name", ZONES)
def test_columns_are_moved_as_datetime_moves_each(name: str) -> None:
    zone, times = ZoneInfo(name), _times(name)
    column = pa.array([(time.replace(tzinfo=UTC) - EPOCH) // MICROSECOND for time in times] + [None], pa.int64())
    of_local = utc_of_local(column, zone).to_pylist()
    assert of_local == [(time.replace(tzinfo=zone) - EPOCH) // MICROSECOND for time in times] + [None]
    of_utc = local_of_utc(column, zone).to_pylist()
    shown = [time.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=UTC) for time in times]
    assert of_utc == [(time - EPOCH) // MICROSECOND for time in shown] + [None]


@pytest.fixture
def _no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in an image without /usr/share/zoneinfo and without the package tzdata."""
    for name in ["tzdata", *(name for name in sys.modules if name.startswith("tzdata."))]:  # Another test's, too.
        monkeypatch.setitem(sys.modules, name, None)
    path = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([])
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(path)


@pytest.mark.usefixtures("_no_database")
def test_a_machine_without_zones_is_told_what_to_install() -> None:
    with pytest.raises(EngineError, match=r"'Europe/Berlin'.*no time zone database.*pip install tzdata"):
        find_zone("Europe/Berlin")
    assert find_zone("UTC").utcoffset(None) == timedelta()


@pytest.mark.parametrize("name", ["Mars", "", "../etc/passwd", "/etc/localtime", "Europe"])
def test_a_name_of_no_zone_is_refused(name: str) -> None:
    with pytest.raises(JobSpecError, match="is no time zone"):
        find_zone(name)
