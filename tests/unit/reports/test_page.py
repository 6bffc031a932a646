"""The page: what it says first, and that nothing of an app's in it is more than text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.pack_logs import tried
from tests.support.recorded_jobs import plan_of, run_all, tell, workspace_at
from triptych.jobs.pack_log import LogPart
from triptych.reports import Prices, measure, page
from triptych.reports.amounts import duration, moment, number, percent, size
from triptych.reports.ended import put_ended

HOSTILE = "</script></pre><script>alert(1)</script><img src=x onerror=alert(2)>\x1b]0;t\x07\u202e\U0001f4a5"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "input", "line", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect"):
            assert self.open.pop() == tag


def _page(folder: Path, text: str) -> str:
    workspace = workspace_at(folder)
    plan = plan_of(workspace, 3, per_task=3, name=text)
    workspace.store.put(workspace.uri("logs/l"), (text + "\n").encode())
    failed = replace(
        tried(0, "a", error=f"Chunk 0 (in.csv:0): {text}\n{text}"), worker=text, log=LogPart("logs/l", 0, 80)
    )
    mended = [replace(tried(1, "b", error=text), worker=text), replace(tried(1, "b", 1), worker=text)]
    tell(workspace, plan, plan.packs[0], [failed, *mended])
    put_ended(workspace, 0, text)
    report = measure(workspace, Prices())
    assert report is not None
    return page(report)


def test_hostile_names_reasons_and_logs_are_text(tmp_path: Path) -> None:
    made = _page(tmp_path, HOSTILE)
    tags = _Tags()
    tags.feed(made)
    assert tags.open == []
    assert tags.tags.count("script") == 2
    assert not set(tags.tags) & {"img", "iframe", "link", "object", "a"}
    assert not tags.attributes & {"onerror", "src", "href", "style", "onclick"}
    assert "\x1b" not in made
    assert "\u202e" not in made
    assert "\U0001f4a5" in made


def test_nothing_in_it_names_an_address_to_ask(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    run_all(workspace, plan_of(workspace, 200))
    report = measure(workspace, Prices(0.1, 0.01))
    assert report is not None
    made = page(report)
    assert "url(" not in made
    assert "@import" not in made
    assert "fetch(" not in made


def test_it_says_why_the_job_failed_before_anything_else(tmp_path: Path) -> None:
    made = _page(tmp_path, "the disk was full")
    assert made.index("Why it failed") < made.index("Chunks done") < made.index("Timeline")


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (duration(0.0123), "12 ms"),
        (duration(0.9996), "1.00 s"),
        (duration(59.96), "1 min"),
        (duration(75), "1 min 15 s"),
        (duration(7500), "2 h 5 min"),
        (duration(200_000), "2 d 7 h"),
        (duration(None), "-"),
        (size(1023), "1023 bytes"),
        (size(1536), "1.5 KiB"),
        (size(5 << 30), "5 GiB"),
        (number(12345.6), "12,346"),
        (number(0.00003), "0.000030"),
        (percent(0.1234), "12 %"),
        (percent(0.0123), "1.2 %"),
        (moment(0), "1970-01-01 00:00:00 UTC"),
        (moment(1e20), "-"),
    ],
)
def test_amounts_read_as_people_write_them(told: str, wanted: str) -> None:
    assert told == wanted
