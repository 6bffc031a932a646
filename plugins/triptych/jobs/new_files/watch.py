"""The watch over a template's source: looks, batches, and whose they are."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, unquote

from triptych.errors import ObjectNotFoundError, SourceError
from triptych.jobs.locations import Location
from triptych.jobs.new_files.known import Known, Version
from triptych.jobs.records import read_record
from triptych.jobs.sources import resolve_sources
from triptych.jobs.workspace import WATCH, folder_name, make_workspace, to_json, workspace_uri
from triptych.settings import DAY_S, Settings
from triptych.storage import OBJECTS_AT_ONCE, Stores

MOST_BYTES = 256 << 20
CLOCKS_APART_S = DAY_S
"""By so much at most the clocks of a store and of Airflow differ."""
COMPACTED_S = DAY_S
"""Between two looks of one watch at what could go."""
FEW_BATCHES = 500
"""So many are left as they are."""


@dataclass(frozen=True)
class NewFile:
    """One file as it was when it was found."""

    uri: str
    etag: str
    size: int

    @property
    def version(self) -> Version:
        """By which it is told from what came before."""
        return self.uri, self.etag


@dataclass(frozen=True)
class Batch:
    """What one look found."""

    number: int
    files: tuple[NewFile, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Batch:
        """What `asdict` made of one."""
        return cls(data["number"], tuple(NewFile(**file) for file in data["files"]))


class Watch:
    """The watch over the sources of one template. It may be killed at any moment: what is written says all."""

    def __init__(self, settings: Settings, template: str, stores: Stores | None = None) -> None:
        self._settings = settings
        self._stores = stores or Stores(settings)
        self._root = f"{workspace_uri(settings)}/{WATCH}/{quote(folder_name(template), safe='')}"
        self._read: set[int] = set()
        self._known = Known()
        self._last: frozenset[Version] = frozenset()
        self._compacted = 0.0

    def look(self, source: Location) -> Batch | None:
        """The next batch, written, when files are there that no batch has; else None.

        Of files on disks, which grow while they are written, those count that the look before this one saw the same.
        StorageError and others as a listing raises; nothing is written then.
        """
        there = _there(source, self._stores)
        seen = frozenset(file.version for file in there)
        before, self._last = self._last, seen
        numbers = self._catch_up()
        if there and len(numbers) > FEW_BATCHES and time.time() - self._compacted > COMPACTED_S:
            self._compact(numbers, seen)
        new = [file for file in there if file.version not in self._known.gone and _is_whole(file, before)]
        if not new:
            return None
        batch = Batch(max(self._read, default=-1) + 1, tuple(new))
        make_workspace(self._settings)
        if not self._stores.workspace().put_if_absent(self._uri("batches", batch.number), to_json(asdict(batch))):
            # Another triggerer came first; or the answer to our own put was lost, and it was made twice.
            batch = self._batch(batch.number)
        self._learn([batch])
        return batch

    def _catch_up(self) -> list[int]:
        """Learn of what others have written, or an earlier watch; the numbers of the batches that are listed."""
        numbers = self._numbers("batches")
        self._learn(self._batches([number for number in numbers if number not in self._read]))
        # Whose number is below another's, and is not listed, came while the list was made, or was removed: as known,
        # maybe just now, or by hand.
        for _ in range(2):
            missing = set(range(self._known.floor, max(numbers, default=-1) + 1)) - self._read
            if missing:
                _, known = self._newest_known()
                self._known = Known(known.floor, {**self._known.gone, **known.gone})
                self._learn(self._batches([number for number in missing if number >= known.floor]))
        self._read |= missing
        return numbers

    def _learn(self, batches: Sequence[Batch]) -> None:
        self._read.update(batch.number for batch in batches)
        self._known.gone.update((file.version, None) for batch in batches for file in batch.files)

    def _newest_known(self) -> tuple[int, Known]:
        """Its number, and what it says; -1 where there is none."""
        while numbers := self._numbers("known"):
            uri = self._uri("known", numbers[-1])
            try:
                data = self._stores.workspace().read(uri, MOST_BYTES)
            except ObjectNotFoundError:
                continue  # A newer one has come meanwhile.
            return numbers[-1], read_record(data, uri, Known.from_json)
        return -1, Known()

    def _compact(self, numbers: Sequence[int], there: frozenset[Version]) -> None:
        """Write what is known, and remove the first batches, as far as runs that may be repaired have none of them."""
        store, now = self._stores.workspace(), time.time()
        self._compacted, kept_s = now, self._settings.keep_failure_days * DAY_S
        ended = set(self._numbers("taken")).difference(self._numbers("taken", now - kept_s - CLOCKS_APART_S))
        # The last one stays, for the next to be numbered by.
        floor = next(number for number in numbers if number not in ended or number == numbers[-1])
        if floor - numbers[0] < FEW_BATCHES // 2:
            return
        newest, known = self._newest_known()
        known = known.updated(floor, self._known.gone, there, now, kept_s)
        data = to_json(known.to_json())
        if len(data) > MOST_BYTES or not store.put_if_absent(self._uri("known", newest + 1), data):
            return
        self._known = known
        self._read = {number for number in self._read if number >= floor}
        for folder, those in (
            ("known", [number for number in self._numbers("known") if number <= newest]),
            ("batches", [number for number in numbers if number < floor]),
            ("taken", [number for number in ended if number < floor]),  # After its batch, which would be had again.
        ):
            with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
                list(pool.map(store.delete, [self._uri(folder, number) for number in those]))

    def waiting(self) -> list[int]:
        """The batches that are no run's yet."""
        taken = set(self._numbers("taken"))
        return [number for number in self._numbers("batches") if number not in taken]

    def take(self, run: str, made: float) -> list[NewFile]:
        """The files of the batches that are this run's: those that were no run's until now, and those it has already.

        So a run that is tried again has the same ones; of two that begin at once each batch is one's. `made` is when
        the run came to be (seconds since the epoch): what was taken before then is not looked into.
        """
        store = self._stores.workspace()
        for number in self.waiting():
            store.put_if_absent(self._uri("taken", number), to_json({"run": run}))
        recent = self._numbers("taken", made - CLOCKS_APART_S)
        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            takers = list(pool.map(self._taker, recent))
        own = [number for number, taker in zip(recent, takers, strict=True) if taker == run]
        return [file for batch in self._batches(own) for file in batch.files]

    def still_there(self, files: Sequence[NewFile], source: Location) -> tuple[Location, ...]:
        """Those that are as they were when they were found, each once, by the connection of the source."""
        store = self._stores.open(source.uri, source.conn_id, source.service)

        def stat(file: NewFile) -> bool:
            try:
                return store.stat(file.uri).etag == file.etag
            except ObjectNotFoundError:
                return False

        last = list({file.uri: file for file in files}.values())
        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            kept = list(pool.map(stat, last))
        return tuple(
            Location(file.uri, source.conn_id, source.service)
            for file, is_kept in zip(last, kept, strict=True)
            if is_kept
        )

    def _batch(self, number: int) -> Batch:
        uri = self._uri("batches", number)
        return read_record(self._stores.workspace().read(uri, MOST_BYTES), uri, Batch.from_json)

    def _batches(self, numbers: Sequence[int]) -> list[Batch]:
        """Those of them that are not gone by now."""

        def batch(number: int) -> Batch | None:
            try:
                return self._batch(number)
            except ObjectNotFoundError:
                return None

        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            return [each for each in pool.map(batch, numbers) if each is not None]

    def _taker(self, number: int) -> str | None:
        """The run that has the batch; None where that is no longer known."""
        uri = self._uri("taken", number)
        try:
            return read_record(self._stores.workspace().read(uri), uri, lambda data: str(data["run"]))
        except ObjectNotFoundError:
            return None

    def _numbers(self, folder: str, since: float = 0.0) -> list[int]:
        """Of those that were written since then, or of which the store does not tell."""
        infos = self._stores.workspace().list(f"{self._root}/{folder}/")
        recent = (info for info in infos if info.modified is None or info.modified >= since)
        names = (unquote(info.uri).rpartition("/")[2] for info in recent)
        return sorted(int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdigit())

    def _uri(self, folder: str, number: int) -> str:
        return f"{self._root}/{folder}/{number}.json"


def _there(source: Location, stores: Stores) -> list[NewFile]:
    """What is there now: of a folder that is empty, or not there yet, nothing."""
    try:
        found = resolve_sources([source], stores)
    except (SourceError, ObjectNotFoundError):
        return []
    return [NewFile(entry.uri, entry.etag, entry.size) for entry in found]


def _is_whole(file: NewFile, before: frozenset[tuple[str, str]]) -> bool:
    return not file.uri.startswith("file:") or file.version in before
