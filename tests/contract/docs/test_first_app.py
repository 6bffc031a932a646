"""docs/tutorial/first-app.md, followed word by word up to Airflow, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.page_scripts import FENCED
from tests.support.readers import Reader
from triptych.settings import PROJECT

pytestmark = pytest.mark.docker
PAGE = PROJECT / "docs" / "tutorial" / "first-app.md"


def test_the_page_makes_breaks_and_repairs_an_app(tmp_path: Path) -> None:
    page, _, _ = PAGE.read_text(encoding="utf-8").partition("Now launch the same app through Airflow")
    blocks = FENCED.findall(page)
    assert [language for language, _ in blocks] == ["sh", "sh", "sh", "python", "sh", "", "sh", "sh"]
    _, first, dev, lines, failing, message, resume, shows = [text for _, text in blocks]
    (tmp_path / "here" / "include").mkdir(parents=True)
    reader = Reader(tmp_path / "here", tmp_path)

    assert reader.type(first) == 0, reader.stderr
    output = (reader.folder / "out" / "output.txt").read_text()
    assert len(output.splitlines()) == 5
    assert reader.stdout.startswith("ok      shout")

    script = reader.folder / "include" / "apps" / "shout" / "app" / "main.py"
    sound = script.read_text()
    script.write_text(sound.replace("{line}", "{line.upper()}"))
    first_round = reader.watch(dev)
    assert "expected: > The first line of a sample." in first_round
    assert "got:      > THE FIRST LINE OF A SAMPLE." in first_round
    script.write_text(sound)
    main, guard = sound.split("\n\n\nif __name__")
    script.write_text(f"{main}\n{lines.rstrip()}\n\n\nif __name__{guard}")
    assert reader.type(failing) == 8
    assert message in reader.stderr
    (run_id,) = set(re.findall(r"--resume (\S+)", reader.stderr))
    assert f"  {resume.strip()}".replace("RUN", run_id) in reader.stderr.splitlines()

    script.write_text(sound)
    assert reader.type(resume.replace("RUN", run_id)) == 0, reader.stderr
    assert "1 chunk(s) run; assembling." in reader.stderr
    assert (reader.folder / "more" / "output.txt").read_text() == output

    assert reader.type(shows.replace("RUN", run_id)) == 0, reader.stderr
    # Three times it failed, and then it did well.
    assert reader.stdout.count("chunk 1 of 3: 2 line(s)") == 4
