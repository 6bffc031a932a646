"""Work that did not happen is an error, or is told; a mark alone shortens nothing."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from tests.support.command import call
from tests.support.include_folders import write_app, write_engine
from triptych.cli.blocks import app_commands

COPY = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/r.txt"'
LINES = {"partitioner": "rows", "params": {"partitioner": {"items_per_chunk": 1, "format": "lines"}}}
RUN = ("run", "tried", "--runner", "process", "-d", "out")


@pytest.fixture
def five_lines(home: Path) -> Path:
    """A source of five chunks for the app `tried`, which copies them."""
    write_app(home / "include", COPY, entrypoint="main.sh", template=LINES)
    path = home / "five.txt"
    path.write_text("a\nb\nc\nd\ne\n")
    return path


def test_a_job_without_a_source_is_refused_before_data_moves(home: Path) -> None:
    write_app(home / "include", COPY, entrypoint="main.sh", template=LINES)
    shown = call(*RUN)
    assert shown.exit_code == 4
    assert "dataSource: is missing" in shown.stderr
    assert not (home / "out").exists()
    assert not (home.parent / "cache").exists()


def test_it_may_be_allowed_and_then_says_that_there_was_nothing_to_do(home: Path) -> None:
    write_app(home / "include", COPY, entrypoint="main.sh", template={"partitioner": "rows"})
    done = call(*RUN, "-p", "config.allowEmpty=true")
    assert done.exit_code == 0, done.stderr
    assert "Nothing to do" in done.stderr


def test_the_example_of_app_new_runs(home: Path) -> None:
    (home / "include").mkdir()
    new = get_command(app_commands).commands["new"]  # type: ignore[attr-defined]  # click's Group, as Typer makes it
    made, ran = new.epilog.removeprefix("Example: triptych ").split(" && triptych ")
    assert call(*shlex.split(made)).exit_code == 0
    done = call(*shlex.split(ran), "--runner", "process", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["chunks"] == 3


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_no_chunk_of_bytes_is_an_error_and_of_an_empty_file_is_not(home: Path, text: str) -> None:
    write_app(home / "include", COPY, entrypoint="main.sh", template={"partitioner": "urls"})
    (home / "urls.txt").write_text(text)
    shown = call(*RUN, "--source", "urls.txt")
    if text:
        assert shown.exit_code == 7
        assert "urls@1.0: made no chunk of 1 source(s), 17 bytes" in shown.stderr
        shown = call(*RUN, "--source", "urls.txt", "-p", "config.allowEmpty=true")
    assert shown.exit_code == 0, shown.stderr
    assert "Nothing to do" in shown.stderr


def test_a_container_partitioner_that_ran_well_may_make_no_chunk(home: Path, five_lines: Path) -> None:
    write_engine(home / "include", "partitioner", "true")
    template = home / "include" / "apps" / "tried" / "template.json"
    template.write_text(json.dumps({"partitioner": "mine"}))
    done = call(*RUN, "--source", five_lines)
    assert done.exit_code == 0, done.stderr
    assert "Nothing to do" in done.stderr


def test_a_test_job_runs_every_chunk(five_lines: Path) -> None:
    done = call(*RUN, "--source", five_lines, "-p", "config.isTestJob=true", "--json")
    assert json.loads(done.stdout)["chunks"] == 5, done.stderr


@pytest.mark.parametrize(("sample", "chunks"), [(1, 1), (4, 4), (5, 5), (9, 5)])
def test_a_sample_runs_the_first_chunks_and_the_summary_says_so(
    home: Path, five_lines: Path, sample: int, chunks: int
) -> None:
    done = call(*RUN, "--source", five_lines, "-p", f"config.sample={sample}")
    assert done.exit_code == 0, done.stderr
    assert f"Done: {chunks} chunk(s) (a sample: config.sample is {sample})" in done.stderr
    told = f"A sample: {chunks} of at least {chunks + 1} chunks."
    assert (told in done.stderr) == (sample < 5)
    results = sorted(path.read_text() for path in (home / "out").glob("*r.txt"))
    assert results == [f"{letter}\n" for letter in "abcde"[:chunks]]
