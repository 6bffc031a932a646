"""`triptych verify` and what an output's list says of where its files came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from triptych.jobs.workspace import ByteRange, ChunkEntry
from triptych.stages.lineage import provenance

ROWS = {"partitioner": "rows", "assembler": "concat", "params": {"partitioner": {"items_per_chunk": 1}}}


@pytest.fixture
def output(home: Path) -> Path:
    """Three rows, a chunk each, put together again; and the same rows as a file each."""
    (home / "in.txt").write_text("a\nbb\nccc\n")
    copies = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/o.txt"'
    write_app(home / "include", copies, entrypoint="main.sh", template=ROWS)
    shown = call("run", "tried", "--runner", "process", "-s", "in.txt", "-d", "out", "-q")
    assert shown.exit_code == 0, shown.stderr
    return home / "out"


def test_a_list_says_of_each_file_what_it_is_made_of(output: Path) -> None:
    (path,) = output.glob("_triptych/*/*.json")
    listing = json.loads(path.read_text())
    ((name, made),) = listing["provenance"].items()
    assert (output / name).read_text() == "a\nbb\nccc\n"
    assert made == {"chunks": [[0, 2]], "ranges": [[0, 0, 9]]}
    assert [(each["uri"].rpartition("/")[2], each["size"]) for each in listing["sources"]] == [("in.txt", 9)]
    assert sorted(listing["blocks"]) == ["app", "assembler", "partitioner"]
    assert all(len(block["sha256"]) == 64 for block in listing["blocks"].values())
    shown = call("job", "show", path.stem)
    assert f"{name}: 9 bytes, of chunks 0-2, from in.txt 0-8" in shown.stdout
    assert json.loads(call("job", "show", path.stem, "--json").stdout)["output"]["provenance"] == {name: made}


def test_what_is_as_it_was_is_sound(output: Path) -> None:
    shown = call("verify", output, "--json")
    assert shown.exit_code == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert (told["sound"], told["files"], told["bytes"], told["lists"]) == (True, 1, 9, 1)
    (output / "mine.txt").touch()
    shown = call("verify", output)
    assert (shown.exit_code, shown.stdout) == (0, "extra: mine.txt\n")


def test_what_is_changed_or_gone_is_named(output: Path) -> None:
    (path,) = (each for each in output.iterdir() if each.is_file())
    path.write_text("a\nBB\nccc\n")
    shown = call("verify", output)
    assert (shown.exit_code, shown.stdout) == (10, f"changed: {path.name}\n")
    path.write_text("longer than it was")
    assert json.loads(call("verify", output, "--json").stdout)["changed"] == [path.name]
    path.unlink()
    shown = call("verify", output)
    assert (shown.exit_code, shown.stdout) == (10, f"missing: {path.name}\n")
    assert "1 of 1 file(s) missing, 0 changed" in shown.stderr


def test_where_there_is_no_list_it_says_so(output: Path, home: Path) -> None:
    shown = call("verify", home / "include")
    assert (shown.exit_code, "holds no list of an output" in shown.stderr) == (5, True)
    (path,) = output.glob("_triptych/*/*.json")
    path.write_text("{}")
    shown = call("verify", output)
    assert (shown.exit_code, path.name in shown.stderr) == (10, True)


def test_neighbours_are_told_as_one() -> None:
    def entry(number: int, *ranges: ByteRange) -> ChunkEntry:
        return ChunkEntry(number, f"{number}", 1, ranges=ranges)

    chunks = [
        entry(0, ByteRange(0, 0, 5)),
        entry(1, ByteRange(0, 5, 5), ByteRange(1, 0, 3)),
        entry(2),
        entry(3, ByteRange(0, 12, 1)),
    ]
    assert provenance({"a": (range(2), range(3, 4)), "b": (range(2, 3),)}, chunks) == {
        "a": {"chunks": [[0, 1], [3, 3]], "ranges": [[0, 0, 10], [0, 12, 1], [1, 0, 3]]},
        "b": {"chunks": [[2, 2]], "ranges": []},
    }
