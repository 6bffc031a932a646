"""An output is published whole by one attempt, whatever ends the attempts, on every store alike."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from tests.support.mortal import Killed, mortal
from tests.support.places import MIB, Place
from tests.support.published import FILES, LARGE, MORE, USED, Run, assert_whole, own, put, seen, stage
from triptych.errors import DestinationError, EngineError, StorageError
from triptych.jobs.locations import Location
from triptych.jobs.sources import resolve_sources
from triptych.stages.publishing import Existing, Records, Used
from triptych.stages.publishing.records import Making
from triptych.storage import Stores
from triptych.storage.files import FileStore


@pytest.fixture
def run(place: Place) -> Run:
    return Run(place)


def test_an_output_is_seen_when_it_is_whole(run: Run) -> None:
    def nothing_is_seen() -> None:
        assert seen(run.place) == {}

    assert run.attempt(before_end=nothing_is_seen) == "made"
    assert_whole(run)
    assert own(run.place) == ["out/_triptych/upper/manual__2026-11-26T04%3A00%3A00%2B00%3A00.json"]


def test_an_output_of_the_same_results_is_kept(run: Run) -> None:
    run.attempt()
    before = [info.etag for info in run.place.store.list(run.place.root)]
    assert run.attempt() == "kept"
    assert run.attempt(used=Used(0, {"0-3": [0, 1]})) == "kept"
    assert [info.etag for info in run.place.store.list(run.place.root)] == before


def test_more_results_make_the_output_again(run: Run) -> None:
    run.attempt()
    unchanged = run.place.store.stat(f"{run.place.root}out/a.txt")
    more = {"a.txt": b"small", "deep/er/b c.bin": LARGE[::-1], "new": b"new"}
    assert run.attempt(more, MORE) == "made"
    assert_whole(run, more)
    assert run.place.store.stat(f"{run.place.root}out/a.txt") == unchanged


def test_a_failed_attempt_leaves_the_earlier_output(run: Run) -> None:
    """It emptied the destination."""
    run.attempt()
    with pytest.raises(ZeroDivisionError):
        run.attempt({"a.txt": b"worse", "deep/er/b c.bin": LARGE[::-1]}, MORE, lambda: exec("1 / 0"))
    assert_whole(run)


def test_a_failed_attempt_leaves_nothing(run: Run) -> None:
    put(run.place, "theirs", b"theirs")
    with pytest.raises(ZeroDivisionError):
        run.attempt(before_end=lambda: exec("1 / 0"))
    assert run.place.names() == ["out/theirs"]
    assert run.place.left(f"{run.place.root}out/deep/er/b%20c.bin") == []


def test_a_failed_attempt_leaves_no_folder(tmp_path: Path) -> None:
    place = Place(FileStore([tmp_path]), f"{tmp_path.as_uri()}/")
    put(place, "theirs", b"theirs")
    with pytest.raises(ZeroDivisionError):
        Run(place).attempt(before_end=lambda: exec("1 / 0"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs"]


def test_a_name_that_is_taken_is_refused_before_it_is_published(run: Run) -> None:
    for name, data in (("a.txt", b"theirs"), ("deep/er/b%20c.bin", b"theirs, too")):
        info = put(run.place, name, data)
        with pytest.raises(DestinationError, match=f"{name}: a file that this job did not write is there"):
            run.attempt()
        assert run.place.names() == [f"out/{name}"]
        run.place.store.delete(info.uri)
    run.attempt()
    assert_whole(run)


def test_a_file_that_was_changed_by_others_is_not_ours(run: Run) -> None:
    run.attempt()
    put(run.place, "a.txt", b"mine!")  # As long as ours.
    with pytest.raises(DestinationError, match=r"a\.txt"):
        run.attempt({"a.txt": b"newer"}, MORE)
    assert seen(run.place) == {**FILES, "a.txt": b"mine!"}
    run.attempt({"b.txt": b"newer"}, MORE)
    assert seen(run.place) == {"b.txt": b"newer", "a.txt": b"mine!"}


def test_output_json_is_a_name_like_any_other(run: Run) -> None:
    """The user's own was overwritten, and an app's renamed."""
    put(run.place, "output.json", b"the user's")
    run.attempt()
    assert seen(run.place) == {**FILES, "output.json": b"the user's"}
    run.place.store.delete(f"{run.place.root}out/output.json")
    run.attempt({"output.json": b"the app's"}, MORE)
    assert_whole(run, {"output.json": b"the app's"})


def test_an_earlier_jobs_files_stay_with_a_word(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    Run(place, "first").attempt()
    Run(place, "second").attempt({"new": b"new"})
    assert seen(place) == {**FILES, "new": b"new"}
    assert "1 earlier output(s) stay beside this one" in caplog.text
    with pytest.raises(DestinationError, match="a file that this job did not write is there already"):
        Run(place, "third").attempt()


def test_replace_removes_what_the_template_wrote_and_nobody_changed(place: Place) -> None:
    Run(place, "first").attempt()
    Run(place, "other", dag_id="lower").attempt({"other": b"of another template"})
    put(place, "ü.txt", b"changed since")
    put(place, "theirs", b"theirs")
    second = Run(place, "second", existing=Existing.REPLACE)
    with pytest.raises(DestinationError, match="%C3%BC"):
        second.attempt({"ü.txt": b"new"})
    assert second.attempt({"a.txt": b"new", "b": b"new"}) == "made"
    kept = {"ü.txt": b"changed since", "theirs": b"theirs", "other": b"of another template"}
    assert seen(place) == {"a.txt": b"new", "b": b"new", **kept}
    assert own(place) == ["out/_triptych/lower/other.json", "out/_triptych/upper/second.json"]


def test_replace_does_not_believe_a_list_that_names_files_outside(place: Place) -> None:
    Run(place, "first").attempt()
    outside = place.store.stat(place.root + own(place)[0])
    listing = {"files": [{"name": name, "size": 1, "sha256": "", "etag": outside.etag} for name in ("../x", "/x")]}
    place.store.put(f"{place.root}out/_triptych/upper/forged.json", json.dumps(listing).encode())
    place.store.put(f"{place.root}out/_triptych/upper/broken.json", b"[1]")
    Run(place, "second", existing=Existing.REPLACE).attempt({"b": b"new"})
    assert seen(place) == {"b": b"new"}


def test_fail_refuses_any_other_file(place: Place) -> None:
    run = Run(place, existing=Existing.FAIL)
    put(place, "deep/theirs", b"theirs")
    with pytest.raises(DestinationError, match="deep/theirs: the destination is not empty"):
        run.attempt()
    place.store.delete(f"{place.root}out/deep/theirs")
    run.attempt()
    run.attempt({"a.txt": b"made again"}, MORE)
    assert_whole(run, {"a.txt": b"made again"})


@pytest.mark.parametrize("name", ["../a", "/a", "", "a/../b", "_triptych/a", "./a", "a//b"])
def test_a_name_that_leads_elsewhere_is_refused(run: Run, name: str) -> None:
    with pytest.raises(EngineError, match="not allowed"):
        run.attempt({name: b""})
    assert run.place.names() == []


@pytest.mark.parametrize("names", [("a", "a/b"), ("a/b", "a"), ("a", "a")])
def test_two_files_cannot_have_one_name(run: Run, names: tuple[str, str]) -> None:
    publisher = run.publisher()
    with publisher.staging() as output:
        with output.open(names[0]):
            pass
        with pytest.raises(EngineError, match="Give each file its own name"), output.open(names[1]):
            pass


def test_of_two_attempts_at_once_one_counts_and_both_succeed(run: Run) -> None:
    """The loser deleted two of the winner's three files."""
    assert run.attempt(before_end=lambda: _is(run.attempt(), "made")) == "made"
    assert_whole(run)
    assert len(run.records.makings()) == 1


def test_the_attempt_that_knows_more_goes_on_from_the_other(run: Run) -> None:
    more = {**FILES, "a.txt": b"more", "new": b"new"}
    first, second = run.publisher(), run.publisher(MORE)
    assert first.settled() is None
    with first.staging() as output:
        stage(output, FILES)
        assert second.settled() is None
        with second.staging() as other:
            stage(other, more)
            first.publish(output, {})
            second.publish(other, {})
    assert_whole(run, more)
    assert [making.used for making in run.records.makings()] == [USED, MORE]


def _is(found: str, expected: str) -> None:
    assert found == expected


@pytest.mark.parametrize("after", [False, True])
def test_an_attempt_that_ends_anywhere_is_gone_on_from(place: Place, after: bool) -> None:
    """The step before or after each of its writing requests, with nothing that it could still do."""
    ended = 0
    for step in range(40):
        run = Run(Place(place.store, f"{place.root}{step}/"), name=f"r{step}")
        with mortal(type(place.store), step, after) as life, suppress(Killed):
            run.attempt()
        if not life.is_over:
            break
        ended += 1
        _goes_on(run)
    assert ended > 8, "It ended at every step."


def _goes_on(run: Run) -> None:
    """What is seen was decided on; and the next attempt makes it whole."""
    files = seen(run.place)
    assert not files or run.records.makings()
    assert files.items() <= FILES.items()
    run.attempt()
    assert_whole(run)


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_sigkill_anywhere_loses_nothing(place: Place) -> None:
    """The same with processes that are killed in earnest."""
    for step in range(40):
        run = Run(Place(place.store, f"{place.root}{step}/"), name=f"r{step}")
        code = _code_of(partial(_killed_at, run, step))
        if code != -signal.SIGKILL:
            assert code == 0
            break
        _goes_on(run)
    assert step > 8, "It was killed at every step."


def _killed_at(run: Run, step: int) -> None:
    with mortal(type(run.place.store), step, die=lambda: os.kill(os.getpid(), signal.SIGKILL)):
        run.attempt()


def _code_of(work: Callable[[], None]) -> int:
    """The exit code of a child that does this."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_making_that_was_decided_is_finished_when_the_name_is_free_again(run: Run) -> None:
    """Somebody else's file came just before: it stays, and so does what was staged."""
    with pytest.raises(DestinationError, match=r"a\.txt: .*came there while the output was being published"):
        _publish_after(run, lambda: put(run.place, "a.txt", b"theirs"))
    assert seen(run.place)["a.txt"] == b"theirs"
    with pytest.raises(DestinationError, match=r"a\.txt"):
        run.attempt()
    run.place.store.delete(f"{run.place.root}out/a.txt")
    assert run.attempt() == "kept"
    assert_whole(run)


def _publish_after(run: Run, event: Callable[[], object]) -> None:
    """An attempt during which something happens right after it was decided on."""
    decide = Records.decide

    def decided(records: Records, making: Making) -> Making:
        won = decide(records, making)
        event()
        return won

    with mock.patch.object(Records, "decide", decided):
        run.attempt()


@pytest.mark.parametrize("place", ["file", "s3_seaweed", "gcs"], indirect=True)
def test_an_output_whose_staged_bytes_are_gone_is_made_again(run: Run) -> None:
    def lose() -> None:
        for making in run.records.makings():
            for file in making.files:
                if file.staged and file.file.size > MIB:
                    run.place.store.discard(file.staged)

    with pytest.raises(StorageError, match="what was staged of it is gone"):
        _publish_after(run, lose)
    assert run.attempt() == "made"
    assert_whole(run)
    assert [making.number for making in run.records.makings()] == [0, 1]


def test_a_folder_as_a_source_is_without_what_is_ours(place: Place) -> None:
    Run(place).attempt({"a.txt": b"data"})
    stores = mock.create_autospec(Stores, instance=True)
    stores.open.return_value = place.store
    for uri in (f"{place.root}out/", f"{place.root}out/*"):
        (entry,) = resolve_sources([Location(uri)], stores)
        assert entry.uri.endswith("/out/a.txt")
    assert len(resolve_sources([Location(f"{place.root}out/_triptych/")], stores)) == 1
