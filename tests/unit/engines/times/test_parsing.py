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
    for parse in (parse_iso8601, lambda column: parse_each(column, datetime.fromisoformat)):
        assert parse(_column(texts)).utc(BERLIN).to_pylist() == list(map(_truth, texts))


def test_what_a_clock_showed_stays_as_it_is_though_it_was_left_out() -> None:
    times = parse_iso8601(_column(["2026-03-29T02:30", "2026-03-29T01:30Z", None]))
    assert [each and EPOCH + each * MICROSECOND for each in times.local(BERLIN).to_pylist()] == [
        datetime(2026, 3, 29, 2, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 3, 30, tzinfo=UTC),
        None,
    ]


@pytest.mark.parametrize("parse", [parse_epoch, parse_iso8601_or_epoch])
def test_numbers_count_from_1970(parse: Callable[[pa.LargeStringArray], ParsedTimes]) -> None:
    texts = ["0", "-1", "1767225600.25", "1795500428.123456", "1767225600001", "99999999999", "100000000000"]
    expected = [0, -(10**6), 1767225600250000, 1795500428123456, 1767225600001000, 99999999999 * 10**6, 10**14]
    assert parse(_column([*texts])).utc(BERLIN).to_pylist() == expected


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
