"""Every page of README, tutorial and how-tos says whether its commands are run, and what says so is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.page_scripts import PAGES, Reader, blocks_of, verdict_of
from triptych.settings import PROJECT

TEXTS = {path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
HERE = [name for name, text in TEXTS.items() if (verdict := verdict_of(text)) and verdict.how == "here"]


@pytest.mark.parametrize("name", TEXTS)
def test_a_page_has_a_verdict(name: str) -> None:
    verdict = verdict_of(TEXTS[name])
    assert verdict, f"{name} says not whether it is run: tests/support/page_scripts.py shows how."
    if verdict.how == "in":
        assert Path(name).name in (PROJECT / verdict.rest).read_text(encoding="utf-8")
    elif verdict.how == "not:":
        assert len(verdict.rest.split()) > 3, f"{name}: give the reason."
    else:
        assert blocks_of(TEXTS[name])


@pytest.mark.parametrize("name", HERE)
def test_a_pages_commands_do_what_it_shows(name: str, tmp_path: Path) -> None:
    verdict = verdict_of(TEXTS[name])
    assert verdict
    (tmp_path / "here" / "include").mkdir(parents=True)
    reader = Reader(tmp_path / "here", tmp_path, verdict)
    reader.prepare()
    printed = ""
    for language, block in blocks_of(TEXTS[name]):
        if language == "sh":
            printed = reader.type(block)
        else:
            assert reader.differences(block, printed) == [], printed
    assert reader.unused == set(), "No command of the page has this text: take it out of the page's comment."
