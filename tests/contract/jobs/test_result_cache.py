"""Results of a cacheable app that later jobs take: told by a word of chance that each run of its script writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app

pytestmark = pytest.mark.docker

SCRIPT = """
printf '%s %s\\n' "$(cat "$TASK_DIR/data.bin")" "$(cat /proc/sys/kernel/random/uuid)" > "$TASK_RESULTS_DIR/out.txt"
"""
TEMPLATE: dict[str, Any] = {
    "partitioner": "rows",
    "assembler": "concat",
    "params": {"partitioner": {"items_per_chunk": 1}},
}


class Lines:
    """A job of a chunk for each line, whose output says which run of the script made what of it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._runs = 0
        self.app = home / "include" / "apps" / "tried"
        schema = {"type": "object", "properties": {"x": {"type": "integer", "default": 1}}}
        about = {"cacheable": True}
        write_app(home / "include", SCRIPT, entrypoint="main.sh", schema=schema, manifest=about, template=TEMPLATE)

    def run(self, lines: list[str], *options: str) -> tuple[dict[str, str], dict[str, Any]]:
        """By line, the word of chance; and what the command said as JSON."""
        text, said = self.output(lines, 100, *options)
        words = dict(line.rsplit(" ", 1) for line in text.splitlines())
        assert list(words) == lines
        return words, said

    def output(self, lines: list[str], in_pack: int, *options: str) -> tuple[str, dict[str, Any]]:
        """What was joined of them, and what the command said."""
        self._runs += 1
        source, out = self._home / "in.txt", self._home / f"out-{self._runs}"
        source.write_text("".join(f"{line}\n" for line in lines))
        launch = ["run", "tried", "-s", str(source), "-d", str(out), "-p", f"config.chunksPerTask={in_pack}"]
        done = call(*launch, "--workers", "2", "--explain", "--json", *options)
        assert done.exit_code == 0, done.stderr
        return (out / "output.txt").read_text(), json.loads(done.stdout)


@pytest.fixture
def job(home: Path) -> Lines:
    return Lines(home)


def test_200_chunks_run_once_and_then_only_what_changed(job: Lines) -> None:
    lines = [f"line {number}" for number in range(200)]
    first, _ = job.run(lines)
    assert len(set(first.values())) == 200
    again, _ = job.run(lines)
    assert again == first
    changed = ["another line" if line == "line 17" else line for line in lines]
    words, said = job.run(changed)
    assert [line for line in changed if words[line] != first.get(line)] == ["another line"]
    assert said["cache"] == {"hits": 199, "ran": {"bytes": [17]}}
    # One more at the front shifts every chunk, its number and its pack.
    more, _ = job.run(["in front", *changed])
    assert {line for line in more if more[line] != words.get(line)} == {"in front"}


def test_a_job_can_take_nothing_and_later_ones_take_what_it_made(job: Lines) -> None:
    lines = ["one", "two", "three"]
    before, _ = job.run(lines)
    anew, said = job.run(lines, "--no-cache")
    assert said["cache"] == {"hits": 0, "ran": {"no cache": [0, 1, 2]}}
    assert not set(anew.values()) & set(before.values())
    after, _ = job.run(lines)
    assert after == anew


def test_a_script_is_given_the_same_whichever_chunk_and_job_it_is(job: Lines) -> None:
    script = "env | grep -v ^HOSTNAME= | sort; ls /triptych; echo ===="
    (job.app / "app" / "main.sh").write_text(f'{{ {script}; }} > "$TASK_RESULTS_DIR/out.txt"')
    texts = [job.output([line, f"{line} more"], in_pack=1)[0] for line in ("one", "two")]
    seen = [part for text in texts for part in text.split("====\n") if part]
    assert len(seen) == 4
    assert len(set(seen)) == 1
    names = {line.partition("=")[0] for line in seen[0].splitlines()}
    assert {"TASK_DIR", "TASK_RESULTS_DIR", "APP_PARAMS"} <= names
    assert not {name for name in names if name.startswith("CHUNK_") or name.endswith("CACHE_DIR") or name == "JOB_ID"}


def test_a_miss_says_what_differs_from_the_nearest(job: Lines) -> None:
    def ran(*lines: str, **options: str) -> Any:
        return job.run(
            list(lines), *(part for name, value in options.items() for part in ("-p", f"app.{name}={value}"))
        )

    script = job.app / "app" / "main.sh"
    first, said = ran("a", "b")
    assert said["cache"] == {"hits": 0, "ran": {"nothing kept": [0, 1]}}
    script.write_text(f"{SCRIPT}# Mended.")
    _, said = ran("a", "c")
    assert said["cache"] == {"hits": 0, "ran": {"code": [0], "code, bytes": [1]}}
    _, said = ran("a", "b", x="2")
    assert said["cache"] == {"hits": 0, "ran": {"params": [0], "params, bytes": [1]}}
    script.write_text(SCRIPT)
    again, said = ran("a", "b")
    assert (again, said["cache"]) == (first, {"hits": 2, "ran": {}})
