"""Names that scripts choose: those of a container partitioner's chunks, and those of results in folders."""

from __future__ import annotations

from pathlib import Path

from tests.support.command import call
from tests.support.include_folders import write_app, write_engine

CUTS = """
for name in data_10.bin data_9.bin page-10.txt page-2.txt "Zeile 1" part/1/a.txt; do
  mkdir -p "$(dirname "$CHUNKS_DIR/$name")"
  printf %s "$name" > "$CHUNKS_DIR/$name"
done
"""
TELLS = """
printf '%s %s <%s>' "$CHUNK_NUMBER" "$CHUNK_NAME" "$(cat "$TASK_DIR/data.bin")" > "$TASK_RESULTS_DIR/r.txt"
"""
NESTS = """
mkdir -p "$TASK_RESULTS_DIR/a/$CHUNK_NUMBER"
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/a/$CHUNK_NUMBER/x.txt"
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/a/same.txt"
"""


def test_a_container_partitioner_names_its_chunks_as_it_likes(home: Path) -> None:
    write_engine(home / "include", "partitioner", CUTS)
    write_app(home / "include", TELLS, entrypoint="main.sh", template={"partitioner": "mine"})
    done = call("run", "tried", "-d", "out", "--runner", "process")
    assert done.exit_code == 0, done.stderr
    told = [path.read_text() for path in sorted((home / "out").glob("*r.txt"))]
    assert told == [
        "0 chunk_0 <data_9.bin>",
        "1 chunk_1 <data_10.bin>",
        "2 Zeile 1 <Zeile 1>",
        "3 page-2.txt <page-2.txt>",
        "4 page-10.txt <page-10.txt>",
        "5 part/1/a.txt <part/1/a.txt>",
    ]


def test_passthrough_keeps_the_folders_of_results(home: Path) -> None:
    replicas = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}
    write_app(home / "include", NESTS, entrypoint="main.sh", template=replicas)
    done = call("run", "tried", "-d", "out", "--runner", "process")
    assert done.exit_code == 0, done.stderr
    found = {str(path.relative_to(home / "out")): path.read_text() for path in (home / "out").rglob("*.txt")}
    assert found == {
        "a/0/x.txt": "0\n",
        "a/1/x.txt": "1\n",
        "a/000000_same.txt": "0\n",
        "a/000001_same.txt": "1\n",
    }
