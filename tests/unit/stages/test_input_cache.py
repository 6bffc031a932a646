"""A worker's cache of side inputs: fetched once, whole or not at all, and never taken from who uses it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from triptych.errors import IntegrityError, SourceError, StorageError
from triptych.jobs.locations import Location
from triptych.jobs.side_inputs import SideInput, resolve_inputs
from triptych.running import Stop
from triptych.settings import Settings
from triptych.stages.side_inputs import InputCache, freeze_inputs, held_inputs
from triptych.stages.side_inputs import held as held_module
from triptych.storage import Stores
from triptych.storage.paths import file_uri

WORKER = """
import sys
from pathlib import Path
from triptych.jobs.locations import Location
from triptych.settings import read_settings
from triptych.stages.side_inputs import freeze_inputs, held_inputs, held
from triptych.storage import Stores

scratch, roots, uri, asked, mode = sys.argv[1:]
settings = read_settings({"scratch": scratch, "allowed_roots": roots, "workspace": Path(roots, "ws").as_uri()})
real = held.fetch
def fetch(*args, **options):
    with open(asked, "a") as out:
        out.write("x")
    if mode == "dies":
        made = real(*args, **options)
        print("half", flush=True)  # Everything is there, but not under its name.
        sys.stdin.read()
    return real(*args, **options)
held.fetch = fetch
stores = Stores(settings)
frozen = freeze_inputs({"reference": [Location(uri)]}, stores, settings)
with held_inputs(frozen, stores, settings) as inputs:
    print(inputs.path("reference").read_text(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text("ACGT")
    return path


class Worker:
    """A process that freezes and holds the reference until it is let go."""

    def __init__(self, settings: Settings, reference: Path, mode: str = "") -> None:
        asked = reference.with_name("asked")
        command = [sys.executable, "-c", WORKER, str(settings.scratch), str(reference.parent), file_uri(reference)]
        self._process = subprocess.Popen(
            [*command, str(asked), mode],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self, number: signal.Signals | None = None) -> None:
        if number:
            self._process.send_signal(number)
        self._process.communicate()


@contextmanager
def _workers(count: int, settings: Settings, reference: Path, mode: str = "") -> Iterator[list[Worker]]:
    workers = [Worker(settings, reference, mode) for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()


def _frozen(settings: Settings, *uris: str) -> SideInput:
    (side,) = freeze_inputs({"reference": [Location(uri) for uri in uris]}, Stores(settings), settings)
    return side


def _entries(settings: Settings) -> set[str]:
    return {path.name for path in (settings.cache / "inputs").iterdir() if path.suffix not in (".lock", ".json")}


def test_of_several_processes_one_fetches_and_the_others_wait(settings: Settings, reference: Path) -> None:
    with _workers(4, settings, reference) as workers:
        assert [worker.line() for worker in workers] == ["ACGT"] * 4
        assert reference.with_name("asked").read_text() == "x"
        with InputCache(settings).hold(_frozen(settings, file_uri(reference)), _never) as path:
            assert path.read_text() == "ACGT"


def test_a_fetch_that_is_killed_midway_leaves_nothing_half(settings: Settings, reference: Path) -> None:
    with _workers(1, settings, reference, "dies") as (dying,):
        assert dying.line() == "half"
        with _workers(1, settings, reference) as (waiting,):
            assert not [name for name in _entries(settings) if not name.startswith(".new-")]
            dying.end(signal.SIGKILL)
            assert waiting.line() == "ACGT"
    assert reference.with_name("asked").read_text() == "xx"
    assert _entries(settings) == {hashlib.sha256(b"ACGT").hexdigest()}


def test_what_a_dead_process_left_is_removed_by_the_next_eviction(settings: Settings, reference: Path) -> None:
    with _workers(1, settings, reference, "dies") as (dying,):
        assert dying.line() == "half"
        InputCache(settings).evict()
        assert _entries(settings), "it was taken from one who is alive"
        dying.end(signal.SIGKILL)
    InputCache(settings).evict()
    assert [path.name for path in (settings.cache / "inputs").iterdir()] == []


def test_what_is_in_use_is_never_evicted(settings: Settings, reference: Path, tmp_path: Path) -> None:
    small = dataclasses.replace(settings, input_cache_bytes=1, input_cache_s=0)
    (tmp_path / "other").write_text("other")
    with _workers(1, settings, reference) as (worker,):
        assert worker.line() == "ACGT"
        other = _frozen(settings, file_uri(tmp_path / "other"))
        dry = InputCache(small).evict(is_dry_run=True)
        assert (dry.removed, dry.removed_bytes, dry.kept, dry.kept_bytes) == (1, 5, 1, 4)
        assert other.key in _entries(settings)
        assert InputCache(small).evict() == dry
        assert _entries(settings) == {hashlib.sha256(b"ACGT").hexdigest()}
    assert InputCache(small).evict().removed == 1
    assert list((settings.cache / "inputs").iterdir()) == []


def test_the_longest_unused_goes_first(settings: Settings, tmp_path: Path) -> None:
    sides = []
    for number in range(3):
        path = tmp_path / f"{number}"
        path.write_text(f"{number}" * 10)
        sides.append(_frozen(settings, file_uri(path)))
    for number, side in enumerate(sides):
        os.utime(settings.cache / "inputs" / f"{side.key}.lock", (1e9 + number, 1e9 + number))
    with InputCache(settings).hold(sides[0], _never):
        pass
    InputCache(dataclasses.replace(settings, input_cache_bytes=25, input_cache_s=10**10)).evict()
    assert _entries(settings) == {sides[0].key, sides[2].key}
    InputCache(dataclasses.replace(settings, input_cache_s=1000)).evict()
    assert _entries(settings) == {sides[0].key}


def test_a_fetch_makes_room_for_itself(settings: Settings, tmp_path: Path) -> None:
    small = dataclasses.replace(settings, input_cache_bytes=12)
    for name in ("first", "second"):
        (tmp_path / name).write_text(name * 2)
        _frozen(small, file_uri(tmp_path / name))
    assert _entries(settings) == {hashlib.sha256(b"secondsecond").hexdigest()}


def test_a_version_that_was_read_is_not_read_again(
    settings: Settings, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _frozen(settings, file_uri(reference))
    assert first.digest == hashlib.sha256(b"ACGT").hexdigest()
    InputCache(dataclasses.replace(settings, input_cache_bytes=1)).evict()
    with monkeypatch.context() as patched:
        patched.setattr(held_module, "fetch", _never)
        assert _frozen(settings, file_uri(reference)) == first
    reference.write_text("ACGTT")
    assert _frozen(settings, file_uri(reference)).digest == hashlib.sha256(b"ACGTT").hexdigest()


def test_a_source_that_changed_after_it_was_frozen_is_told(settings: Settings, reference: Path) -> None:
    side = _frozen(settings, file_uri(reference))
    reference.write_text("TTTT")
    stores = Stores(settings)
    with held_inputs([side], stores, settings) as held:
        assert held.path("reference").read_text() == "ACGT", "the cache has what was frozen"
    InputCache(dataclasses.replace(settings, input_cache_bytes=1)).evict()
    with held_inputs([side], stores, settings) as held, pytest.raises(SourceError, match="changed"):
        held.path("reference")
    assert _entries(settings) == set()


def test_other_bytes_under_the_same_etag_are_refused(settings: Settings, reference: Path) -> None:
    side = resolve_inputs({"reference": [Location(file_uri(reference))]}, Stores(settings))[0]
    wrong = dataclasses.replace(side, files=(dataclasses.replace(side.files[0], sha256="0" * 64),))
    with (
        held_inputs([wrong], Stores(settings), settings) as held,
        pytest.raises(IntegrityError, match="its store mixes versions"),
    ):
        held.path("reference")
    assert _entries(settings) == set()


def test_what_was_written_to_is_fetched_anew(settings: Settings, reference: Path) -> None:
    side = _frozen(settings, file_uri(reference))
    path = settings.cache / "inputs" / side.key / "data"
    path.chmod(0o644)
    path.write_text("TTTT")
    with held_inputs([side], Stores(settings), settings) as held:
        assert held.path("reference").read_text() == "ACGT"
        path.chmod(0o644)
        path.write_text("TTTT")
        with (
            held_inputs([side], Stores(settings), settings) as other,
            pytest.raises(IntegrityError, match="was written to, and is used by a job"),
        ):
            other.path("reference")


def test_a_stop_ends_a_wait(settings: Settings, reference: Path) -> None:
    with _workers(1, settings, reference, "dies") as (fetching,):
        assert fetching.line() == "half"
        stop = Stop()
        side = resolve_inputs({"reference": [Location(file_uri(reference))]}, Stores(settings))[0]
        timer = threading.Timer(0.2, stop.ask)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            InputCache(settings, stop).freeze(side, _never)
        timer.join()


def test_a_full_disk_is_the_settings_affair(settings: Settings, reference: Path) -> None:
    def fetch(side: SideInput, target: Path) -> SideInput:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    side = resolve_inputs({"reference": [Location(file_uri(reference))]}, Stores(settings))[0]
    with pytest.raises(StorageError, match=r"\[triptych\] cache = .*: No space left on device\. .* make room"):
        InputCache(settings).freeze(side, fetch)
    assert list((settings.cache / "inputs").iterdir()) == []


def test_a_file_is_not_taken_for_a_folder_of_that_listing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("1")
    listing = f"{hashlib.sha256(b'1').hexdigest()}  a\n"
    (tmp_path / "listing").write_text(listing)
    folder, file = (
        _frozen(settings, file_uri(tmp_path / name) + end) for name, end in (("folder", "/"), ("listing", ""))
    )
    assert folder.digest == file.digest == hashlib.sha256(listing.encode()).hexdigest()
    with held_inputs([folder], Stores(settings), settings) as held:
        assert (held.path("reference") / "a").read_text() == "1"
    with held_inputs([file], Stores(settings), settings) as held:
        assert held.path("reference").read_text() == listing


def _never(side: SideInput, target: Path) -> SideInput:
    raise AssertionError(f"{side.name} was fetched")
