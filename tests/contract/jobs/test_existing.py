"""What is in the destination before a job is there after it, as far as `config.existing` does not say otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app

NAMED = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/$(head -c 11 "$TASK_DIR/data.bin")"'
"""Leaves its input in a file that has the name that the first eleven bytes say."""


@pytest.fixture
def home(home: Path) -> Path:
    """The same with the app `tried`, and a folder for its output."""
    write_app(home / "include", NAMED, entrypoint="main.sh")
    (home / "out").mkdir()
    return home


def _run(home: Path, *texts: str, existing: str = "add") -> tuple[int, str]:
    """Exit code, and what was printed, of a job that leaves a file of each text."""
    for number, text in enumerate(texts):
        (home / f"source-{number}").write_text(text)
    sources = [(home / f"source-{number}").as_uri() for number in range(len(texts))]
    job = {"dataSource": sources, "dataDestination": (home / "out").as_uri(), "config": {"existing": existing}}
    (home / "job.json").write_text(json.dumps(job))
    shown = call("run", "tried", "--runner", "process", "--job", "job.json")
    return shown.exit_code, shown.stderr


def _files(home: Path) -> Mapping[str, str]:
    """The destination, but for the lists, of which there is one for each output."""
    return {path.name: path.read_text() for path in (home / "out").iterdir() if path.name != "_triptych"}


def _lists(home: Path) -> int:
    return len(list((home / "out" / "_triptych").rglob("*.json")))


def test_a_name_that_is_taken_is_refused_and_stays(home: Path) -> None:
    (home / "out" / "output.json").write_text("the user's")
    assert _run(home, "output1.txt first")[0] == 0
    code, told = _run(home, "output1.txt second", "another.txt")
    assert code == 11
    assert "out/output1.txt: a file that this job did not write is there already" in told
    assert _files(home) == {"output.json": "the user's", "output1.txt": "output1.txt first"}
    assert _lists(home) == 1


def test_output_json_is_a_name_like_any_other(home: Path) -> None:
    assert _run(home, "output.json is the app's")[0] == 0
    assert _files(home) == {"output.json": "output.json is the app's"}


def test_an_earlier_output_is_replaced_when_asked(home: Path) -> None:
    (home / "out" / "theirs").write_text("the user's")
    assert _run(home, "output1.txt 1", "output2.txt 1")[0] == 0
    assert _run(home, "output2.txt 2", "output3.txt 2", existing="replace")[0] == 0
    assert _files(home) == {"theirs": "the user's", "output2.txt": "output2.txt 2", "output3.txt": "output3.txt 2"}
    assert _lists(home) == 1


def test_an_earlier_output_stays_with_a_word(home: Path) -> None:
    assert _run(home, "output1.txt 1")[0] == 0
    code, told = _run(home, "output2.txt 2")
    assert code == 0
    assert "1 earlier output(s) stay beside this one" in told
    assert _files(home) == {"output1.txt": "output1.txt 1", "output2.txt": "output2.txt 2"}


def test_a_destination_that_is_not_empty_is_refused_before_data_moves(home: Path) -> None:
    (home / "out" / "theirs").write_text("the user's")
    code, told = _run(home, "output1.txt 1", existing="fail")
    assert code == 11
    assert "theirs: the destination is not empty" in told
    assert "chunk(s)" not in told
    assert _files(home) == {"theirs": "the user's"}
