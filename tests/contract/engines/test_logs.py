"""Log formats, time zones, and logs that are out of order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.contract.engines.cases.logs import python_log
from tests.support.engine_harness import Results, join, split, untouched
from triptych.engines.logs.timestamps import MONTHS
from triptych.errors import EngineError, JobSpecError, SourceError
from triptych.settings import Settings


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-24T06:07:08Z text",
        "2026-11-24T06:07:08.250+00:00 text",
        "2026-11-24 06:07:08,123 INFO text",
        "INFO  [main] 2026-11-24 06:07:08.001 c.e.Main - text",
        '{"time": "2026-11-24T06:07:08Z", "text": 1}',
        '127.0.0.1 - frank [24/Nov/2026:07:07:08 +0100] "GET / HTTP/1.1" 200 23',
        "2026/11/24 06:07:08 [error] 11#11: text",
        "[Tue Nov 24 06:07:08.123456 2026] [core:error] [pid 1:tid 2] text",
        "[Tue Nov 24 06:07:08 2026] [error] text",
        "Tue Nov 24 06:07:08 2026 text",
        "Nov 24 06:07:08 host sshd[1]: text",
        "<34>Nov 24 06:07:08 host text",
        "1795500428 text",
        "1795500428.25 text",
        "1795500428123 text",
    ],
)
def test_common_formats_are_found(settings: Settings, tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"{line}\n  more\n")
    (piece,) = split(settings, "log_times", [path], {"window_s": 60, "year": 2026})
    assert piece.metadata["start"] == "2026-11-24T06:07:00+00:00"
    assert piece.data == path.read_bytes()
    assert piece.items == 1


def test_a_declared_format_in_its_time_zone(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("[x] 24.11.2026 01:30:00 text\n")
    params = {"formats": ["%d.%m.%Y %H:%M:%S"], "time_zone": "Europe/Berlin"}
    (piece,) = split(settings, "log_times", [path], params)
    assert piece.metadata["start"] == "2026-11-24T00:00:00+00:00"
    with pytest.raises(JobSpecError, match="'%U' cannot be used"):
        split(settings, "log_times", [path], {"formats": ["%U"]})
    with pytest.raises(JobSpecError, match="no time zone"):
        split(settings, "log_times", [path], {"time_zone": "Mars"})


def test_windows_joined_again_are_the_log(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(python_log(200, 7))
    pieces = split(settings, "log_times", [path], {"window_s": 300})
    assert join(settings, "logs", untouched(pieces))["merged.log"] == path.read_bytes()


def test_equal_times_keep_the_order_of_chunks(settings: Settings) -> None:
    results = [Results({"o": f"2026-01-01T00:00:00Z {n}\n{n}\n".encode()}) for n in (1, 2, 3)]
    assert join(settings, "logs", results)["merged.log"] == b"".join(each.files["o"] for each in results)


ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Africa/Monrovia"]
FORMS: list[Callable[[datetime], str]] = [
    lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z") + " text",
    lambda at: at.isoformat() + " text",
    lambda at: f"INFO [main] {at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} 2026-01-01T00:00:00Z",
    lambda at: f"{at:%Y-%m-%d %H:%M:%S} text",
    lambda at: f'h - - [{at.day:02}/{MONTHS[at.month - 1]}/{at:%Y:%H:%M:%S %z}] "GET /" [01/Jan/2026:00:00:00 +0000]',
    lambda at: f"{at:%Y/%m/%d %H:%M:%S} [error] text",
    lambda at: f"<34>{MONTHS[at.month - 1]} {at.day:2} {at:%H:%M:%S} host text",
    lambda at: f"{int(at.timestamp())} text",
    lambda at: f"[{int(at.timestamp())}.{at.microsecond:06}] text",
    lambda at: f"{int(at.timestamp()) * 1000 + at.microsecond // 1000} text",
    lambda at: f"[{at.ctime()[:-5]}.{at.microsecond:06} {at.year}] [core:error] text",
]
KNOWS = [1, 1, 1000, 10**6, 10**6, 10**6, 10**6, 10**6, 1, 1000, 1]
"""The microseconds that each of them can tell apart."""
NAMES_ZONE = [True, True, False, False, True, False, False, True, True, True, False]
MORE = ["", "  at x.y(z.java:3)\n", "\n\nValueError: x\n", "\tIn 2026 (ü)\r\n", "\xff" * 50 + "\n"]


def _shown(at: datetime, number: int) -> datetime:
    """What can be read of this moment again."""
    known = at.replace(microsecond=at.microsecond // KNOWS[number] * KNOWS[number])
    # A clock that is put back shows an hour twice: without a zone, the first is meant.
    return known if NAMES_ZONE[number] else known.replace(fold=0)


def _changes(zone: ZoneInfo, years: list[int]) -> list[datetime]:
    """When clocks are put forward or back."""
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for year in years for hour in range(24 * 360)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return [hour for hour, one, other in zip(hours, offsets, offsets[1:], strict=False) if one != other]


@pytest.mark.parametrize(
    ("number", "zone"),
    [(number, zone) for number, named in enumerate(NAMES_ZONE) for zone in (ZONES[1:2] if named else ZONES)],
)
def test_times_are_those_of_the_standard_library(settings: Settings, tmp_path: Path, number: int, zone: str) -> None:
    source = random.Random(f"{number} {zone}")
    here = ZoneInfo(zone)
    # 1971: offsets may have seconds.
    years = [2026] if number == 6 else [2002, 2026] if NAMES_ZONE[number] else [1971, 1985, 2026]
    moments = [datetime(year, 6, 15, tzinfo=UTC) for year in years] + _changes(here, years)
    if number == 6:
        # Without a year, a time that goes back by more than half of one is the next year's.
        moments = [moment for moment in moments if moment.month > 5]
    entries = []
    for count in range(120):
        at = source.choice(moments) + timedelta(microseconds=source.randrange(-(10**10), 10**10))
        at = at.astimezone(here)
        line = f"{FORMS[number](at)} {count}\n{source.choice(MORE)}".encode("utf-8", "surrogateescape")
        entries.append((_shown(at, number), line))
    paths = [tmp_path / f"{part}.log" for part in range(3)]
    for part, path in enumerate(paths):
        path.write_bytes(b"before\n" * (part == 1) + b"".join(line for _, line in entries[part * 40 : part * 40 + 40]))
    entries[40] = entries[40][0], b"before\n" + entries[40][1]
    expected = sorted(entries, key=lambda entry: entry[0].astimezone(UTC))
    params = {"time_zone": zone, "year": 2026, "window_s": 3600}
    for memory in (20_000, 512 << 20):
        small = replace(settings, engine_memory_bytes=memory)
        pieces = split(small, "log_times", paths, params)
        assert b"".join(piece.data for piece in pieces) == b"".join(line for _, line in expected)
        starts = [datetime.fromisoformat(piece.metadata["start"]) for piece in pieces]
        hours = {at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for at, _ in entries}
        assert starts == sorted(hours)


def test_entries_stay_whole_across_blocks(settings: Settings) -> None:
    """Of several MB in all, some longer than what is read at once."""
    source = random.Random(3)
    entries = [
        b"2026-01-01T00:00:%02d text\n" % source.randrange(60) + b"  more\n" * source.choice([0, 3, 200_000, 500_000])
        for _ in range(40)
    ]
    results = [Results({"o.log": b"".join(entries[start : start + 10])}) for start in range(0, 40, 10)]
    ordered = sorted(entries, key=lambda entry: entry[:19])
    assert join(settings, "logs", results)["merged.log"] == b"".join(ordered)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            b"2026-01-01T00:00:00Z x\n2026-13-01T00:00:00Z y\n",
            "'2026-13-01T00:00:00Z y.*' has no timestamp of the form iso",
        ),
        (b"Jan 31 00:00:00 x\nFeb 29 00:00:00 y\n", "'Feb 29 00:00:00 y.*' has no timestamp of the form syslog"),
        (b"Jan 31 00:00:00 x\nJam 11 00:00:00 y\n", "'Jam 11 00:00:00 y.*' has no timestamp of the form syslog"),
        (
            b"2026-01-01T00:00:00Z x\n" + b"y" * 100 + b"\n" * 70_000_000,
            "the entry that begins '2026-01-01.* is longer",
        ),
    ],
)
def test_what_cannot_be_read_is_told(settings: Settings, data: bytes, says: str) -> None:
    with pytest.raises(EngineError, match=f"chunk 0, 'o.log': {says}"):
        join(settings, "logs", [Results({"o.log": data})])


def test_many_declared_formats_with_fractions(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    moments = [datetime(2026, 1, 1) + timedelta(microseconds=n * 123_456_789) for n in range(500)]
    lines = [f"({at:%d.%m.%y %I.%M.%S.%f %p}) ü {n}\n".encode() for n, at in enumerate(moments)]
    path.write_bytes(b"".join(reversed(lines)))
    pieces = split(settings, "log_times", [path], {"formats": ["(%d.%m.%y %I.%M.%S.%f %p)"]})
    assert b"".join(piece.data for piece in pieces) == b"".join(lines)


def windows(settings: Settings, path: Path, data: str | bytes, **params: object) -> dict[str, bytes]:
    """Chunks of an hour by their first hour."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return {piece.metadata["start"][:13]: piece.data for piece in split(settings, "log_times", [path], params)}


@pytest.mark.parametrize(
    ("stamp", "hour"),
    [
        ("2026-11-24T06:07:08.669794202+08:00", "2026-11-23T22"),
        ("2026-11-24T06:07:08.669794202Z", "2026-11-24T06"),
        ("2026-11-24 06:07:08,123+0800", "2026-11-23T22"),
        ("2026-11-24 06:07:08 -0800", "2026-11-24T14"),
        ("2026-11-24T06:07:08+08", "2026-11-23T22"),
        ("2026-11-24 06:07:08.123 UTC", "2026-11-24T06"),
        ("2026-07-24 06:07:08 CEST", "2026-07-24T04"),
        ("2026-11-24 06:07:08 EST", "2026-11-24T11"),
        ("2026-11-24 06:07:08 IST", "2026-11-24T00"),
        ("1795500428669794202", "2026-11-24T06"),
        ("[24/Nov/2026:06:07:08 +0530]", "2026-11-24T00"),
    ],
)
def test_what_stamps_say_of_their_offset(settings: Settings, tmp_path: Path, stamp: str, hour: str) -> None:
    """Truth: GNU date. The declared zone is another, but for IST, which is its own and not Ireland's."""
    zone = "Asia/Kolkata" if stamp.endswith("IST") else "Europe/Berlin"
    assert list(windows(settings, tmp_path / "a.log", f"{stamp} [7] text\n", time_zone=zone)) == [hour]


def test_a_name_of_two_zones_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none of the first 1 lines has a timestamp"):
        windows(settings, tmp_path / "a.log", "2026-11-24 06:07:08 IST x\n")


TRACES = {
    "at the start": "2026-11-24 06:07:08 ERROR x\n\tat foo\nCaused by: failed at 2026-11-24 05:00:00 in db\n\tat bar\n"
    "2026-11-24 06:08:08 INFO y\n",
    "in brackets": "[2026-11-24T06:07:08Z] x\nnext try: 2026-11-24T09:00:00Z\n  2026-11-24T10:00:00Z\n"
    "[2026-11-24T06:08:08Z] y\n",
    "behind a level": "INFO  [main] 2026-11-24 06:07:08 x\nCaused by: it is after 2026-11-24 05:00:00 now\n"
    "ERROR [pool 1] 2026-11-24 06:08:08 y\n",
    "in JSON": '{"a": "b c", "time": "2026-11-24T06:07:08Z"}\nValueError: 2026-11-24T01:00:00Z is over\n'
    '{"time": "2026-11-24T06:08:08Z"}\n',
    "of Compose": "web-1  | 2026-11-24T06:07:08Z x\nweb-1  | Caused by: late, 2026-11-24T01:00:00Z is over\n"
    "web-1  | 2026-11-24T06:08:08Z y\n",
    "of syslog": "<13>Nov 24 06:07:08 h x\n  until Nov 25 01:00:00 or so\n<13>Nov 24 06:08:08 h y\n",
}


@pytest.mark.parametrize("text", TRACES.values(), ids=TRACES)
def test_a_time_inside_an_entry_begins_none(settings: Settings, tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.log"
    path.write_text(text)
    (piece,) = split(settings, "log_times", [path], {"year": 2026})
    assert (piece.data, piece.items) == (text.encode(), 2)
    assert piece.metadata["start"] == "2026-11-24T06:00:00+00:00"


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\x1b[32m", b"["])
@pytest.mark.parametrize("stamp", [b"2026-11-24 06:07:08", b"Nov 24 06:07:08", b"2026/11/24 06:07:08", b"1795500428"])
def test_marks_before_the_first_stamp(settings: Settings, tmp_path: Path, mark: bytes, stamp: bytes) -> None:
    later = stamp.replace(b"06:", b"08:").replace(b"1795500428", b"1795507628")
    data = mark + stamp + b" a\n" + later + b" b\n"
    assert list(windows(settings, tmp_path / "a.log", data, year=2026)) == ["2026-11-24T06", "2026-11-24T08"]


def test_lines_of_another_form_are_entries(settings: Settings, tmp_path: Path) -> None:
    lines = [
        "2026-11-24 06:07:08 a\n",
        "2026-11-24 07:07:08 a\n",
        "[24/Nov/2026:09:07:08 +0000] GET b\n",
        '127.0.0.1 - - [24/Nov/2026:10:07:08 +0000] "GET /"\n',
        "Nov 24 12:00:00 h c\n",
        "2026-11-24 13:07:08 z\n",
        "2026/11/24 14:07:08 [error] y\n",
        "[Tue Nov 24 15:07:08.5 2026] [core:error] x\n",
    ]
    found = windows(settings, tmp_path / "a.log", "".join(lines), year=2026)
    assert {hour[-2:]: data.decode() for hour, data in found.items()} == dict(
        zip(["06", "07", "09", "10", "12", "13", "14", "15"], lines, strict=True)
    )
    declared = {"formats": ["%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I %p"]}
    found = windows(settings, tmp_path / "a.log", "24.11.2026 06:00:00 a\n11/24/2026 9 PM b\n", **declared)
    assert [hour[-2:] for hour in found] == ["06", "21"]


@pytest.mark.parametrize(
    ("stamps", "years"),
    [
        (["Dec 31 23:59:58", "Jan  1 00:00:02"], [2026, 2027]),
        (["Dec 31 23:59:58", "Jan  1 00:00:02", "Dec 31 23:59:59", "Jan  1 00:00:03"], [2026, 2027, 2026, 2027]),
        (["Nov 30 01:00:00", "Feb 28 01:00:00", "Mar  1 01:00:00"], [2026, 2027, 2027]),
        (["Dec 20 01:00:00", "May  1 01:00:00", "Oct  1 01:00:00", "Feb 29 01:00:00"], [2026, 2027, 2027, 2028]),
        (["Jun  2 01:00:00", "Mar  1 01:00:00"], [2026, 2026]),
    ],
)
def test_years_turn_with_the_file(settings: Settings, tmp_path: Path, stamps: list[str], years: list[int]) -> None:
    texts = [f"{stamp} h {number}\n" for number, stamp in enumerate(stamps)]
    found = windows(settings, tmp_path / "s.log", "".join(texts), year=2026)
    assert {line: int(hour[:4]) for hour, data in found.items() for line in data.decode().splitlines(True)} == dict(
        zip(texts, years, strict=True)
    )
    assert list(found) == sorted(found)
    # Each chunk by itself begins in another year, which its metadata tells.
    pieces = split(settings, "log_times", [tmp_path / "s.log"], {"year": 2026})
    expected = b"".join(piece.data for piece in pieces)
    assert join(settings, "logs", untouched(pieces[::-1]), {"year": 2026})["merged.log"] == expected


def test_order_to_the_nanosecond(settings: Settings) -> None:
    digits = [*random.Random(7).sample(range(10**9), 200), 123456000, 123456001, 123456789, 123456788]
    lines = [b"2026-01-01T00:00:00.%09dZ x\n" % number for number in digits]
    results = [Results({"o": b"".join(lines[start : start + 51])}) for start in range(0, 204, 51)]
    assert join(settings, "logs", results)["merged.log"] == b"".join(sorted(lines))
