"""Log formats, time zones, and logs that are out of order."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.cases.logs import python_log
from engines.harness import Results, join, split, untouched
from triptych.errors import JobSpecError
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
