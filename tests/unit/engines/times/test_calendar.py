"""Moments of a column against the datetime module, one by one."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from triptych.engines.times.calendar import local_quarters
from triptych.engines.times.parsing import parse_iso8601_or_epoch, parse_strptime

ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia", "Europe/Dublin"]
QUARTER = timedelta(minutes=15)


def _found(texts: list[str], zone: str, formats: list[str] | None = None) -> list[datetime | None]:
    column = pa.array(texts, pa.large_string())
    times = parse_strptime(column, formats) if formats else parse_iso8601_or_epoch(column)
    moments, codes = local_quarters(times, ZoneInfo(zone))
    return [moments[code] for code in codes]


def _texts(draw: random.Random, count: int) -> list[tuple[str, datetime]]:
    """Texts of many forms, and what datetime reads them as."""
    made = []
    for _ in range(count):
        moment = datetime(1890, 1, 1) + timedelta(seconds=draw.randrange(8 * 10**9), microseconds=draw.randrange(10**6))
        text = draw.choice(
            [
                f"{moment:%Y-%m-%d}",
                f"{moment:%Y-%m-%d %H:%M}",
                f"{moment:%Y-%m-%dT%H:%M:%S}",
                moment.isoformat(),
                f"{moment:%Y-%m-%d %H:%M:%S}Z",
                f"{moment.isoformat(timespec='milliseconds')}+05:45",
                f"{moment:%Y-%m-%dT%H:%M}-0330",
                f"{moment:%Y%m%d}",
                f"{moment:%Y-%m-%dT%H}",
            ]
        )
        made.append((text, datetime.fromisoformat(text)))
    return made


@pytest.mark.parametrize("zone", ZONES)
def test_iso_8601_is_what_datetime_reads(zone: str) -> None:
    pairs = _texts(random.Random(zone), 2000)
    for (text, read), found in zip(pairs, _found([text for text, _ in pairs], zone), strict=True):
        truth = read.astimezone(ZoneInfo(zone)) if read.tzinfo else read.replace(tzinfo=ZoneInfo(zone))
        assert found is not None, text
        expected = truth.replace(tzinfo=None)
        assert found.date() == expected.date(), text
        assert found.hour == expected.hour, text
        assert timedelta() <= expected - found < QUARTER, text


@pytest.mark.parametrize("text", ["1601010112345", "1767225600", "1767225600.75", "-1767225600"])
def test_numbers_are_seconds_or_milliseconds_since_1970(text: str) -> None:
    number = float(text)
    truth = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    (found,) = _found([text], "UTC")
    assert found is not None
    assert timedelta() <= truth.replace(tzinfo=None) - found < QUARTER


def test_what_is_no_time_is_none_and_hides_no_other() -> None:
    texts = ["2026-02-30", "2026-02-28", "", "soon", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "nan"]
    found = _found(texts, "Asia/Tokyo")
    assert [each and f"{each:%Y-%m-%d}" for each in found] == [None, "2026-02-28", None, None, None, None, None]


def test_declared_formats_are_strptimes() -> None:
    assert _found(["24.11.2026", "11/24/26", "2026-11-24"], "UTC", ["%d.%m.%Y", "%m/%d/%y"]) == [
        datetime(2026, 11, 24),
        datetime(2026, 11, 24),
        None,
    ]
