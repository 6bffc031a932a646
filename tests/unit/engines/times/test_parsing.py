"""Columns of text against datetime, text by text: one form, several, and what is no time among them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from triptych.engines.times.parsing import (
    ParsedTimes,
    parse_each,
    parse_epoch,
    parse_iso8601,
    parse_iso8601_or_epoch,
    parse_strptime,
)
from triptych.engines.times.zones import EPOCH, MICROSECOND

BERLIN = ZoneInfo("Europe/Berlin")
FORMS = ["2026-01-02", "2026-07-02T03:04", "2026-07-02 03:04:05.06", "2026-07-02T03:04Z", "2026-07-02 03:04:05-0330"]
ODD = [
    "20260702",
    "2026-W27-4",
    "2026-07-02T03",
    "2026-02-30",
    "0000-01-01",
    "x",
    "",
    "0001-01-01",
    "2026-13-01T00:00Z",
]


def _column(texts: list[str | None]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def _truth(text: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)) - EPOCH) // MICROSECOND


@pytest.mark.parametrize("seed", range(30))
def test_any_mix_of_forms_is_what_datetime_reads(seed: int) -> None:
    draw = random.Random(seed)
    some = draw.sample([*FORMS, *ODD, None], draw.randrange(1, 8))
    texts = [draw.choice(some) for _ in range(50)]
    for times in (parse_iso8601(_column(texts)), parse_each(_column(texts), datetime.fromisoformat)):
        assert times.utc(BERLIN).to_pylist() == list(map(_truth, texts))


def test_what_a_clock_showed_stays_as_it_is_though_it_was_left_out() -> None:
    times = parse_iso8601(_column(["2026-03-29T02:30", "2026-03-29T01:30Z", None]))
    assert [each and EPOCH + each * MICROSECOND for each in times.local(BERLIN).to_pylist()] == [
        datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 3, 30, tzinfo=UTC),
        None,
    ]


NUMBERS = {
    "1767225600.25": 1767225600250000,
    "1795500428.123456": 1795500428123456,
    "1767225600001": 1767225600001000,
    "99999999999": 99999999999 * 10**6,
    "100000000000": 10**14,
    "1767225600123456": 1767225600123456,
    "1767225600123456789": 1767225600123456,
    "-1767225600": -1767225600 * 10**6,
}


@pytest.mark.parametrize("parse", [parse_epoch, parse_iso8601_or_epoch])
def test_numbers_count_from_1970(parse: Callable[[pa.LargeStringArray], ParsedTimes]) -> None:
    assert parse(_column([*NUMBERS])).utc(BERLIN).to_pylist() == list(NUMBERS.values())
    assert parse_epoch(_column(["0", "-1"])).utc(BERLIN).to_pylist() == [0, -(10**6)]


def test_years_and_days_of_a_spreadsheet_are_no_seconds() -> None:
    times = parse_iso8601_or_epoch(_column(["2025", "45000", "45000.5", "0", "-1", "12.25", "1e4", "99999999"]))
    assert times.utc(UTC).null_count == 8


GNU_DATES = {
    "2026-11-24T06:07:08.669794202+08:00": "1795471628.669794202",
    "2026-11-24 06:07:08.669794202 UTC": "1795500428.669794202",
    "2026-11-24 06:07:08,5 +0800": "1795471628.500000000",
    "2026-11-24T06:07:08.1234567+08": "1795471628.123456700",
    "2026-07-24 06:07:08 CEST": "1784866028.000000000",
    "2026-11-24 06:07:08.25 EST": "1795518428.250000000",
    "2026-11-24 06:07:08Z": "1795500428.000000000",
    "2026-11-24 06:07:08 -03": "1795511228.000000000",
}
"""As `date -u -d "$text" +%s.%N` of GNU coreutils 9.1 reads them (a comma as a point)."""


def test_spellings_are_read_as_gnu_date_does() -> None:
    columns: list[list[str | None]] = [
        [*GNU_DATES],
        *map(list[str | None], zip(GNU_DATES)),
        [None, *reversed(GNU_DATES)],
    ]
    for texts in columns:
        for parse in (parse_iso8601, parse_iso8601_or_epoch):
            whole, below = parse(_column(texts)).order(BERLIN)
            found = [
                None if us is None else f"{us // 10**6}.{us % 10**6:06}{ns:03}"
                for us, ns in zip(whole.to_pylist(), below.to_pylist(), strict=True)
            ]
            assert found == [None if text is None else GNU_DATES[text] for text in texts]


def test_names_of_zones() -> None:
    texts = ["2026-01-02 03:04:05 Europe/Berlin", "2026-07-02T03:04:05[America/New_York]", "2026-01-02 03:04:05 IST"]
    zones = [BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]
    truth = [datetime(2026, month, 2, 3, 4, 5, tzinfo=zone) for month, zone in zip((1, 7, 1), zones, strict=True)]
    expected = [(moment - EPOCH) // MICROSECOND for moment in truth]
    assert parse_iso8601(_column([*texts]), ZoneInfo("Asia/Kolkata")).utc(UTC).to_pylist() == expected
    # It means two, so it is no time where none of them is declared.
    assert parse_iso8601(_column([*texts])).utc(UTC).to_pylist() == [*expected[:2], None]
    assert parse_iso8601(_column(["2026-01-02 03:04:05 Mars/Olympus", "2026-01-02 03:04 XYZ"])).utc(UTC).null_count == 2


def test_formats_with_names_of_zones_short_offsets_and_nanoseconds() -> None:
    texts = ["02.01.2026 03:04 CET", "02.01.2026 03:04 UTC", "02.01.2026 03:04:05.000000007 +01"]
    times = parse_strptime(_column([*texts]), ["%d.%m.%Y %H:%M %Z", "%d.%m.%Y %H:%M:%S.%f %z"], zone=BERLIN)
    start = (datetime(2026, 1, 2, 2, 4, tzinfo=UTC) - EPOCH) // MICROSECOND
    assert [column.to_pylist() for column in times.order(BERLIN)] == [
        [start, start + 3600 * 10**6, start + 5 * 10**6],
        [0, 0, 7],
    ]


def test_formats_are_tried_in_order_and_a_year_is_given() -> None:
    times = parse_strptime(_column(["Feb 29", "01.02.2026 +0100", "x", "Feb 29"]), ["%b %d", "%d.%m.%Y %z"], 2024)
    leap = (datetime(2024, 2, 29, tzinfo=BERLIN) - EPOCH) // MICROSECOND
    assert times.utc(BERLIN).to_pylist() == [
        leap,
        (datetime(2026, 1, 31, 23, tzinfo=UTC) - EPOCH) // MICROSECOND,
        None,
        leap,
    ]


def test_a_text_is_read_once() -> None:
    asked: list[str] = []

    def read(text: str) -> datetime:
        asked.append(text)
        return EPOCH + timedelta(seconds=int(text))

    assert parse_each(_column(["1", "2", "1", None, "2"]), read).utc(UTC).to_pylist() == [
        10**6,
        2 * 10**6,
        10**6,
        None,
        2 * 10**6,
    ]
    assert asked == ["1", "2"]
