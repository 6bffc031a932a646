"""Retention on every store: by its own listing and its own times; a removal that breaks off is ended by the next."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote, unquote

import pytest

from tests.support.include_folders import write_app
from tests.support.places import BUCKETS, MIB, PART_MIB
from triptych.errors import StorageError
from triptych.jobs.temporary import temporary_area
from triptych.registry import open_registry
from triptych.retention.planning import RetentionPlan, What, planned
from triptych.retention.removal import remove_all
from triptych.retention.running_runs import NoAirflow
from triptych.settings import Settings, read_settings
from triptych.storage import StagedObject, Store, Stores

DAY_S = 86400
SUCCESS, FAILURE = "manual__2026-10-01T09:00:00+00:00", "manual__2026-10-02T09:00:00+00:00"
BROKEN_OFF_AFTER = 3


@dataclasses.dataclass
class Own:
    """An Airflow in which these runs run."""

    running: set[str] = dataclasses.field(default_factory=set)

    def unfinished(self, dag: str, runs: Sequence[str]) -> set[str]:
        return self.running & set(runs)


@dataclasses.dataclass(frozen=True)
class Site:
    """A workspace of a test's own in a real store."""

    settings: Settings
    stores: Stores

    @property
    def store(self) -> Store:
        return self.stores.workspace()

    def put(self, name: str, data: bytes = b"{}") -> None:
        self.store.put(f"{self.settings.workspace}/{quote(name)}", data)

    def run(self, name: str, *, output: bool) -> None:
        """What a run of the app `tried` leaves."""
        parts = [
            "code/0a.tar",
            "job/1b.json",
            "plans/0.json",
            "chunks/1b.jsonl",
            "results/0/0-1/1b-1",
            "logs/0/0-1/1b-1",
        ]
        for part in [*parts, *(["publish/0.json", "output/0.json"] if output else [])]:
            self.put(f"tried/{name}/{part}")

    def names(self) -> list[str]:
        start = unquote(f"{self.settings.workspace}/")
        return sorted(unquote(info.uri).removeprefix(start) for info in self.store.list(f"{self.settings.workspace}/"))

    def after(self, days: float, airflow: Own | NoAirflow | None = None) -> RetentionPlan:
        return planned(self.settings, self.stores, airflow or Own(), now=time.time() + days * DAY_S)

    def clean(self, days: float, airflow: Own | None = None) -> list[str]:
        plan = self.after(days, airflow)
        return [failure.error for failure in remove_all(self.settings, self.stores, airflow or Own(), plan)]


@pytest.fixture(params=["file", "s3_seaweed", "gcs", "azure"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    folder = tmp_path / "a place"
    folder.mkdir()
    of_test = folder.as_uri().removeprefix("file://")
    own = {"scratch": str(tmp_path / "scratch"), "part_mib": str(PART_MIB)}
    if request.param == "file":
        settings = read_settings({**own, "workspace": folder.as_uri()})
    else:
        conn_id: str = request.getfixturevalue(request.param)
        workspace = f"{BUCKETS[request.param]}{of_test}"
        settings = read_settings({**own, "workspace": workspace, "workspace_conn_id": conn_id})
    return Site(settings, Stores(settings))


def test_each_thing_has_its_age(site: Site) -> None:
    site.run(SUCCESS, output=True)
    site.run(FAILURE, output=False)
    short = temporary_area(site.settings, DAY_S)
    site.store.put(f"{short.uri}a%20b.csv", b"12345")
    site.put("outputs/tried/x/r.txt", b"1")
    site.put("_cache/tried/entries/x", b"1")

    assert site.after(0.9).removes == []
    [area] = site.after(1.1).removes
    assert (area.what, area.bytes) == (What.TEMPORARY, 5)
    assert [each.what for each in site.after(7.1).removes] == [What.RUN, What.TEMPORARY]
    assert site.after(7.1).removes[0].why == "it succeeded more than 7 days ago"
    found = site.after(30.1)
    assert sorted((each.run, each.why) for each in found.removes if each.what is What.RUN) == [
        (SUCCESS, "it succeeded more than 7 days ago"),
        (FAILURE, "it ended without an output more than 30 days ago"),
    ]
    assert [each.why for each in site.after(31, NoAirflow()).stays] == [
        f"{why} more than {days} days ago, but only Airflow knows whether it runs: the DAG `triptych_maintenance`, "
        "or `--airflow URL`, asks it"
        for why, days in (("it succeeded", 7), ("it ended without an output", 30))
    ]

    before = site.names()
    assert site.clean(31, Own({SUCCESS, FAILURE})) == []
    assert site.names() == [name for name in before if "_temporary" not in name]
    assert site.clean(31, Own({FAILURE})) == []
    assert [name for name in site.names() if SUCCESS in name] == [f"tried/{SUCCESS}/removed.json"]
    assert len([name for name in site.names() if FAILURE in name]) == 6
    assert site.clean(1000) == []
    # Outputs have no age of their own here, and the cache is not ours to judge.
    assert site.names() == [
        "_cache/tried/entries/x",
        "outputs/tried/x/r.txt",
        f"tried/{FAILURE}/removed.json",
    ]


def test_what_nobody_publishes_any_more_goes_from_the_registry(site: Site, tmp_path: Path) -> None:
    uri, conn_id = f"{site.settings.workspace}-registry", site.settings.workspace_conn_id
    settings = dataclasses.replace(site.settings, registry=uri, registry_conn_id=conn_id)
    site = Site(settings, Stores(settings))
    registry = open_registry(site.settings, site.stores)
    (tmp_path / "include").mkdir()
    block = write_app(tmp_path / "include", "first").app
    pushed = [registry.push_block(block, "ann").publication.content.sha256]
    (block.code / "main.py").write_text("second")
    pushed.append(registry.push_block(block, "ann").publication.content.sha256)
    assert site.after(89).removes == []
    [old] = site.after(91).removes
    assert (old.what, old.where.rpartition("/")[2]) == (What.PUBLISHED, pushed[0])
    assert site.clean(91) == []
    assert site.after(91).removes == []
    assert b"".join(registry.blocks_of(pushed[1]))
    (record,) = (each.uri for each in site.stores.registry().list(f"{site.settings.registry}/tags/"))
    site.stores.registry().put(record, b"none")
    assert site.after(91).removes == []
    [stays] = site.after(91).stays
    assert stays.why.startswith("contents that no tag means, but the registry's record of app tried@1.0 is none")


def test_what_changed_since_the_plan_stays(site: Site) -> None:
    site.run(FAILURE, output=False)
    plan = site.after(31)
    later = dataclasses.replace(plan, removes=[dataclasses.replace(each, age_s=32 * DAY_S) for each in plan.removes])
    before = site.names()
    assert remove_all(site.settings, site.stores, Own(), later) == []
    assert site.names() == before
    # What runs by now is not touched at all: its stages may begin at any moment.
    with mock.patch.object(site.store, "delete") as deleted:
        assert remove_all(site.settings, site.stores, Own({FAILURE}), plan) == []
    deleted.assert_not_called()
    assert site.names() == before


@dataclasses.dataclass
class Begins:
    """An Airflow in which a run begins while it is being removed; it says so, or cannot be reached."""

    site: Site
    error: str = ""
    stages_found_a_plan: bool | None = None

    def unfinished(self, dag: str, runs: Sequence[str]) -> set[str]:
        names = self.site.names()
        if f"tried/{FAILURE}/removed.json" not in names:
            return set()
        self.stages_found_a_plan = f"tried/{FAILURE}/plans/0.json" in names
        if self.error:
            raise StorageError(self.error)
        return {*runs}


@pytest.mark.parametrize("error", ["", "no answer"])
def test_a_run_that_begins_while_it_is_removed_is_as_it_was(site: Site, error: str) -> None:
    """What begins before its plans go is seen by asking after that; what begins later finds none."""
    site.run(FAILURE, output=False)
    plan = f"{site.settings.workspace}/tried/{quote(FAILURE)}/plans/0.json"
    site.store.put(plan, b'{"the": "plan"}')
    before, airflow, gone = site.names(), Begins(site, error), list[str]()
    failed = remove_all(site.settings, site.stores, airflow, site.after(31), lambda finding: gone.append(finding.where))
    assert airflow.stages_found_a_plan is False
    assert ([each.error for each in failed], gone) == ([error] if error else [], [])
    assert site.names() == before
    assert site.store.read(plan) == b'{"the": "plan"}'
    assert site.clean(31) == []
    assert site.names() == [f"tried/{FAILURE}/removed.json"]


def test_a_removal_that_breaks_off_is_known_and_ended(site: Site) -> None:
    site.run(FAILURE, output=False)
    store = site.store
    calls: list[str] = []
    delete = store.delete

    def break_off(uri: str) -> None:
        calls.append(uri)
        if len(calls) > BROKEN_OFF_AFTER:
            msg = "the worker was killed"
            raise StorageError(msg)
        delete(uri)

    with mock.patch.object(store, "delete", break_off):
        assert site.clean(31) == ["the worker was killed"]
    # The plans went first: no stage begins on what is left.
    assert calls[0].endswith("/plans/0.json")
    left = site.names()
    assert f"tried/{FAILURE}/removed.json" in left
    assert 1 < len(left) < 7
    # However young it is now.
    assert [each.why for each in site.after(0).removes] == ["its removal was broken off"]
    assert site.clean(0, Own({FAILURE})) == []
    assert site.names() == left
    assert site.clean(0) == []
    assert site.names() == [f"tried/{FAILURE}/removed.json"]


def test_uploads_that_nobody_can_complete_are_ended(site: Site) -> None:
    if not (site.store.uploads_wait and site.store.discards):
        assert list(site.store.waiting(f"{site.settings.workspace}/")) == []
        assert not [each for each in site.after(1000).removes if each.what is What.UPLOAD]
        return
    orphan = f"{site.settings.workspace}/tried/{FAILURE}/results/0/0-1/1b-1-0"
    wanted = f"{site.settings.workspace}/outputs/tried/{FAILURE}/r.bin"
    staged: dict[str, StagedObject] = {}
    for uri in (orphan, wanted):
        with site.store.stage(uri, uri) as out:
            out.write(bytes(6 * MIB))
        staged[uri] = out.staged
    site.run(FAILURE, output=False)
    file: dict[str, Any] = {"file": {"name": "r.bin", "size": 6 * MIB, "sha256": ""}, "replaces": None, "packed": None}
    file["staged"] = dataclasses.asdict(staged[wanted])
    used = {"generation": 0, "positions": {}}
    making = {"number": 0, "token": "1b", "used": used, "uri": "x", "files": [file], "removes": [], "old_lists": []}
    site.put(f"tried/{FAILURE}/publish/0.json", json.dumps({**making, "summary": {}}).encode())

    assert [each for each in site.after(6.9).removes if each.what is What.UPLOAD] == []
    plan = site.after(7.1)
    assert [each.upload.handle for each in plan.removes if each.upload] == [staged[orphan].handle]
    assert [each.why for each in plan.stays if each.upload] == [
        f"it was begun more than 7 days ago and not completed, but the output of tried/{FAILURE} waits for it"
    ]
    assert site.clean(7.1) == []
    assert [each.handle for each in site.store.waiting(f"{site.settings.workspace}/")] == [staged[wanted].handle]
    # When the run itself goes, nothing waits for it any more.
    assert site.clean(31) == []
    assert site.clean(38) == []
    assert list(site.store.waiting(f"{site.settings.workspace}/")) == []
