"""What a pack does beside a chunk that runs: each waits for the other here, and would wait for ever in turn."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from tests.support.workspaces import counted
from triptych.errors import StorageError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.pack_log import PackLog
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import Workspace
from triptych.settings import Settings
from triptych.stages.partition import partition
from triptych.stages.run_pack import ChunkOutcome, Launch, run_pack
from triptych.storage import Writer
from triptych.storage.files import FileStore
from triptych.storage.paths import file_path

LONGEST_S = 30.0
"""For which anything waits here."""
WORDS = ("one", "two", "three")
LARGE = 1 << 20
WAITS = """
import os, time
from pathlib import Path
number, seen = int(os.environ["CHUNK_NUMBER"]), Path(os.environ["USER_CACHE_DIR"])
(seen / f"began-{number}").touch()
end = time.monotonic() + 30
while number < 2 and not (seen / f"read-{number + 1}").exists():
    assert time.monotonic() < end, "the next chunk is not read while this one runs"
    time.sleep(0.01)
word = Path(os.environ["TASK_DIR"], "data.bin").read_text()
Path(os.environ["TASK_RESULTS_DIR"], "r.txt").write_text(word * SIZE)
print("said", word)
"""


class Watching(FileStore):
    """Tells in the folder `seen` which chunk was read; keeps the first large result when the next chunk has begun."""

    def __init__(self, folder: Path, seen: Path) -> None:
        super().__init__([folder])
        self._seen = seen
        self._is_first = True

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        yield from super().stream(uri, offset, length, etag)
        if "/chunks/" in uri and not uri.endswith(".jsonl"):
            (self._seen / f"read-{uri.rpartition('/')[2]}").touch()

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        if "/results/" in uri and self._is_first:
            self._is_first = False
            end = time.monotonic() + LONGEST_S
            while not (self._seen / "began-1").exists():
                if time.monotonic() > end:
                    msg = f"{uri}: no chunk began while this result is kept."
                    raise StorageError(msg)
                time.sleep(0.01)
        with super().writer(uri) as out:
            yield out


def _job(settings: Settings, size: int) -> PlannedJob:
    """Three stored chunks in one pack, whose results are `size` words."""
    root = settings.scratch.parent
    (root / "apps").mkdir()
    engine = root / "engines" / "words"
    (engine / "app").mkdir(parents=True)
    (engine / "manifest.json").write_text(
        '{"name": "words", "version": "1.0", "type": "partitioner", "platform": "python", "needs_source": false}'
    )
    (engine / "app" / "main.py").write_text(
        "from triptych.engines import Chunk\n"
        f"def partition(sources, params):\n    return (Chunk.of_bytes(w.encode()) for w in {WORDS!r})\n"
    )
    template = write_app(root, WAITS.replace("SIZE", str(size)), template={"partitioner": "words"})
    spec = build_job_spec(template, {"config": {"chunksPerTask": 3, "maxTaskRetries": 0}})
    done = partition(new_job(settings, template, spec, template.id, "run"))
    job = load_job(settings, template.id, "run", done.ref)
    seen = settings.cache / "apps" / template.app.name
    seen.mkdir(parents=True)
    settings.cache.chmod(0o700)
    watching = Watching(file_path(settings.workspace), seen)
    return dataclasses.replace(job, workspace=Workspace(watching, job.workspace.root))


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """With a cache of the test's own, and parts of a MiB: a file of so much is an object."""
    return dataclasses.replace(settings, cache=tmp_path / "cache", part_bytes=LARGE)


def test_the_next_chunk_is_read_and_the_last_one_kept_while_one_runs(own: Settings) -> None:
    job = _job(own, LARGE)
    assert run_pack(job, 0, Launch("1")) == 3
    done = PackLog(job.workspace, job.plan, job.plan.packs[0]).read().done
    for number, word in enumerate(WORDS):
        (file,) = done[number].files
        assert file_path(job.workspace.uri(file.object)).read_text() == word * LARGE
        log = done[number].log
        assert log is not None
        said = file_path(job.workspace.uri(log.object)).read_bytes()
        assert said[log.offset : log.offset + log.length] == f"said {word}\n".encode()
    assert not list(own.scratch.glob("attempt-*"))


def test_what_ran_is_in_the_log_when_the_attempt_is_interrupted(own: Settings) -> None:
    job = _job(own, 1)
    heard: list[ChunkOutcome] = []

    def ends_at_the_second(outcome: ChunkOutcome) -> None:
        heard.append(outcome)
        if len(heard) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pack(job, 0, Launch("1"), ends_at_the_second)
    assert {0, 1} <= set(counted(file_path(job.workspace.root)))
    assert not list(own.scratch.glob("attempt-*"))
