"""`triptych engine suggest`: what it names fits, by the engine's own word, and can be pasted."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from triptych.blocks import Role, read_catalog
from triptych.cli.checking import findings
from triptych.settings import PROJECT

ROWS = "id,land\n" + "".join(f"{number},{'DE' if number % 3 else 'FR'}\n" for number in range(30))


def test_each_suggestion_can_be_pasted_and_makes_what_is_shown(home: Path) -> None:
    (home / "my orders.csv").write_text(ROWS)
    shown = call("engine", "suggest", "my orders.csv", "--json")
    assert shown.exit_code == 0, shown.stderr
    (group,) = json.loads(shown.stdout)
    assert group["content"] == "table"
    found = {each["partitioner"]: each for each in group["suggestions"]}
    assert list(found) == ["rows", "keys", "kfold", "passthrough"]
    assert found["keys"]["params"] == {"partitioner": {"columns": ["land"]}}
    assert found["keys"]["preview"]["chunks"] == 2
    assert found["keys"]["preview"]["first"]["items"] == 10
    for each in found.values():
        command = shlex.split(each["command"])
        assert command.pop(0) == "triptych"
        chunks = json.loads(call(*command, "--json").stdout)
        assert len(chunks) == each["preview"]["chunks"]
        assert chunks[0] == each["preview"]["first"]


def test_what_it_prints_is_a_template(home: Path) -> None:
    (home / "orders.csv").write_text(ROWS)
    shown = call("engine", "suggest", "orders.csv")
    assert shown.exit_code == 0, shown.stderr
    line = next(each for each in shown.stdout.splitlines() if '"keys"' in each)
    write_app(home / "include", "", entrypoint="main.sh", template=json.loads(line))
    errors = findings(read_catalog((home / "include",)), (home / "include",), asks_airflow=False).errors
    assert errors == []
    assert "first chunk FR.csv: 64 bytes, 10 items; 2 in all" in shown.stdout


def test_files_of_several_sorts_are_told_apart(home: Path) -> None:
    (home / "data").mkdir()
    (home / "data" / "a.csv").write_text(ROWS)
    (home / "data" / "b.csv").write_text(ROWS)
    (home / "data" / "empty.csv").touch()
    (home / "data" / "notes.txt").write_text("One.\n\nTwo, and three.\n")
    shown = call("engine", "suggest", "data", "--no-preview", "--json")
    groups = json.loads(shown.stdout)
    assert [(each["content"], len(each["files"])) for each in groups] == [("table", 2), ("text", 1)]
    assert "preview" not in groups[0]["suggestions"][0]
    assert "2 sorts of data" in call("engine", "suggest", "data", "--no-preview").stderr


def test_what_does_not_fit_after_all_is_told_with_its_reason(home: Path) -> None:
    (home / "a.csv").write_text(ROWS + '31,"never closed\n')
    shown = call("engine", "suggest", "a.csv", "--json")
    assert shown.exit_code == 0
    first, *_, last = json.loads(shown.stdout)[0]["suggestions"]
    assert "is never closed" in first["preview"]["refusal"]
    assert (last["partitioner"], last["preview"]["chunks"]) == ("passthrough", 1)
    assert "does not fit: file://" in call("engine", "suggest", "a.csv").stdout


@pytest.mark.parametrize(
    ("name", "data", "code", "words"),
    [
        ("empty.csv", b"", 5, "All 1 files are empty"),
        ("cut.csv.gz", gzip.compress(b"a,b\n" * 100, mtime=0)[:-9], 5, "cannot be unpacked"),
        ("missing.csv", None, 5, "missing.csv"),
    ],
)
def test_a_file_that_cannot_be_looked_at_is_one_message(
    home: Path, name: str, data: bytes | None, code: int, words: str
) -> None:
    if data is not None:
        (home / name).write_bytes(data)
    shown = call("engine", "suggest", name)
    assert shown.exit_code == code, shown.output
    assert words in shown.stderr
    assert "Traceback" not in shown.stderr


def test_every_partitioner_that_it_may_name_is_there() -> None:
    source = (PROJECT / "plugins" / "triptych" / "engines" / "suggestions" / "fitting.py").read_text()
    blocks = read_catalog((PROJECT / "include",)).blocks
    named = {
        block.name for block in blocks if block.role is Role.PARTITIONER and f'Suggestion("{block.name}"' in source
    }
    assert source.count('Suggestion("') == sum(source.count(f'Suggestion("{name}"') for name in named)
    assert len(named) > 15
