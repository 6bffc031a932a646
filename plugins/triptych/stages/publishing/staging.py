"""The output as an engine writes it: each file whole and hashed, and none of them seen yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeGuard

from triptych.engines import OutputWriter, Result
from triptych.engines.api import Input
from triptych.errors import EngineError, IntegrityError
from triptych.jobs.locations import OWN_FOLDER
from triptych.stages.publishing.cleaning import all_tried, tried
from triptych.stages.publishing.names import Names, allowed_name, folders_of
from triptych.stages.publishing.records import MadeFile, Packed, Records, StagingRecord
from triptych.stages.results import ResultObject
from triptych.storage import FileEntry, Stage
from triptych.storage.copying import HashingWriter, behind, file_blocks

KEYS_PER_RECORD = 100
"""A record is written anew for each upload: one for all would grow with the square of their number."""
CHECKS_AT_ONCE = 4


class StagedOutput:
    """The output's files (`triptych.engines.Output`) as one attempt stages them."""

    def __init__(self, names: Names, records: Records, token: str) -> None:
        self.files: list[MadeFile] = []
        self._names, self._store = names, names.store
        self._records = records
        self._token = token
        self._taken: set[str] = set()
        self._folders: set[str] = set()
        self._lock = threading.Lock()
        self._places = _Places(names, records, token)
        self._pack = _Pack(records, token, self._store.one_put_bytes)
        self._pool = ThreadPoolExecutor(CHECKS_AT_ONCE)
        self._checks: dict[str, Future[str | None]] = {}
        self._asked: deque[Future[str | None]] = deque()

    @contextmanager
    def open(self, name: str) -> Iterator[OutputWriter]:
        """As `Output.open`."""
        with self._claimed(name) as check, ExitStack() as stack:
            sink = _Sink(self._store.one_put_bytes, lambda: stack.enter_context(self._stage(name, check)))
            out = _HashedWriter(sink, name, self._is_copied_by_store)
            yield out
            stack.close()
            file = FileEntry(name, out.size, out.sha256)
            if sink.stage is not None:
                self.files.append(MadeFile(file, staged=sink.stage.staged))
            else:
                with self._lock:
                    self.files.append(MadeFile(file, packed=self._pack.add(bytes(sink.kept))))

    def put_file(self, path: Path, name: str) -> None:
        """As `Output.put_file`; OSError where `path` is a link."""
        with self.open(name) as out:
            for block in file_blocks(path):
                out.write(block)

    def copy(self, result: Result, name: str) -> None:
        """As `Output.copy`: the store copies by itself what lies in it alone, unless it is small."""
        if not self._is_copied_by_store(result):
            with self.open(name) as out:
                for block in result.stream():
                    out.write(block)
            return
        with self._claimed(name) as check:
            check.result()
            size = result.store.stat(result.uri).size  # The workspace is closed to the destination's own store.
            if size != result.size:
                msg = f"{result.uri}: {result.label} has {size} bytes here and not {result.size}."
                raise IntegrityError(msg)
            aside = self._places.new(name)
            staged = self._store.stage_copy(result.uri, size, self._names.uri_of(name), aside)
            self.files.append(MadeFile(FileEntry(name, result.size, result.sha256), staged=staged))

    def complete(self) -> list[MadeFile]:
        """All files, every byte of which is stored by now, and whose names may be taken; DestinationError otherwise."""
        self._pack.flush()
        return [replace(made, replaces=self._checks[made.file.name].result()) for made in self.files]

    def close(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(cancel_futures=True)

    @property
    def objects(self) -> list[str]:
        """Names of all that this attempt has put below `staging/`."""
        return [*self._places.records, *self._pack.objects]

    def take_back(self) -> None:
        """Drop all that was staged, as far as it can be; no error ends it.

        Where something is left, the records stay, and whoever finishes an output of this run cleans up.
        """
        files = [partial(self._store.discard, each.staged) for each in self.files if each.staged]
        packs = [partial(self._records.store.delete, self._records.staging_uri(name)) for name in self._pack.objects]
        if all_tried("what was staged", [*files, *packs]):
            tried("staging/: the record", self._places.remove)

    def _is_copied_by_store(self, item: Input) -> TypeGuard[ResultObject]:
        is_large = item.size >= self._store.one_put_bytes
        return is_large and isinstance(item, ResultObject) and item.is_object and self._store.copies_from(item.store)

    @contextmanager
    def _stage(self, name: str, check: Future[str | None]) -> Iterator[Stage]:
        check.result()  # Before the first byte leaves.
        with self._store.stage(self._names.uri_of(name), self._places.new(name)) as stage:
            yield stage

    @contextmanager
    def _claimed(self, name: str) -> Iterator[Future[str | None]]:
        """Whether the name may be taken, asked meanwhile; it is free again when the context ends with an error."""
        allowed_name(name)
        while self._asked and self._asked[0].done():
            self._asked.popleft().result()
        with self._lock:
            if name in self._taken:
                msg = f"Output name {name!r} is written twice. Give each file its own name."
                raise EngineError(msg)
            if name in self._folders or not self._taken.isdisjoint(folders_of(name)):
                msg = f"Output name {name!r} is both a file and a folder. Give each file its own name."
                raise EngineError(msg)
            self._taken.add(name)
            self._folders.update(folders_of(name))
        check = self._pool.submit(self._names.check, name)
        try:
            yield check
        except BaseException:
            self._taken.remove(name)
            raise
        self._checks[name] = check
        self._asked.append(check)


class _Sink:
    """Keeps a small file in memory, and stages it once it is `most` bytes or more."""

    def __init__(self, most: int, begin: Callable[[], Stage]) -> None:
        self.kept = bytearray()
        self.stage: Stage | None = None if most else begin()
        self._most, self._begin = most, begin

    def write(self, data: bytes, /) -> int:
        if self.stage is not None or len(self.kept) + len(data) >= self._most:
            return self.begun().write(data)
        self.kept += data
        return len(data)

    def begun(self) -> Stage:
        """The stage, with all that was kept."""
        if self.stage is None:
            self.stage = self._begin()
            self.stage.write(bytes(self.kept))
            self.kept.clear()
        return self.stage


class _HashedWriter(HashingWriter):
    """One file of the output (`triptych.engines.OutputWriter`)."""

    def __init__(self, sink: _Sink, name: str, is_copied: Callable[[Input], TypeGuard[ResultObject]]) -> None:
        super().__init__(sink, name)
        self._sink, self._is_copied = sink, is_copied

    def append(self, item: Input, first: int = 0, prefix: bytes = b"") -> bytes:
        """As `OutputWriter.append`; each byte is hashed, whoever moves it."""
        blocks = behind(item.stream(), first, len(prefix))
        head = next(blocks, b"")
        rest = head.removeprefix(prefix)
        begin, last = first + len(head) - len(rest), b""

        def passed() -> Iterator[bytes]:
            nonlocal last
            for block in chain((rest,), blocks):
                last = block[-1:] or last
                yield block

        if rest and self._is_copied(item):
            self._sink.begun().copy(item.uri, begin, item.size, map(self._counted, passed()))
        else:
            for block in passed():
                self.write(block)
        return last

    def _counted(self, block: bytes) -> bytes:
        self.count(block)
        return block


class _Places:
    """Where an attempt stages; each place is on record in the workspace before anything is there."""

    def __init__(self, names: Names, records: Records, token: str) -> None:
        self._names, self._store = names, names.store
        self._records, self._token = records, token
        self._uploads: dict[str, list[str]] = {}
        self._count = 0
        self._lock = threading.Lock()

    def new(self, name: str) -> str:
        """A URI for bytes that lie aside; the file may also be uploaded to its own."""
        with self._lock:
            if self._store.uploads_wait:
                before = self._store.waiting(self._names.uri_of(name))
                self._uploads[name] = [staged.handle for staged in before]
                self._write(self._count // KEYS_PER_RECORD)
            elif self._count == 0:
                self._write(0)
            self._count += 1
            return f"{self._names.uri}{OWN_FOLDER}/{self._token}-{self._count}"

    @property
    def records(self) -> list[str]:
        """The names of the records that were written."""
        return [self._record(number) for number in range(-(-self._count // KEYS_PER_RECORD))]

    def remove(self) -> None:
        """Remove the records, unless there is an upload that they are about, and that somebody can discard."""
        for name, before in self._uploads.items() if self._store.discards else ():
            # Of ours, when the answer that told its id was lost; or of another attempt, which may be alive.
            if {each.handle for each in self._store.waiting(self._names.uri_of(name))} - set(before):
                return
        for name in self.records:
            self._records.store.delete(self._records.staging_uri(name))

    def _write(self, number: int) -> None:
        first = number * KEYS_PER_RECORD
        uploads = dict(list(self._uploads.items())[first:])
        record = StagingRecord(self._token, self._names.uri, uploads)
        self._records.store.put(self._records.staging_uri(self._record(number)), record.to_json())

    def _record(self, number: int) -> str:
        return f"{self._token}-{number}.json"


class _Pack:
    """Small files of an attempt, together in objects of the workspace of at most one part each."""

    def __init__(self, records: Records, token: str, most: int) -> None:
        self._records, self._token, self._most = records, token, most
        self._data = bytearray()
        self._number = 0

    def add(self, data: bytes) -> Packed:
        """Where these bytes will lie once the pack is flushed."""
        if self._data and len(self._data) + len(data) >= self._most:
            self.flush()
        offset = len(self._data)
        self._data += data
        return Packed(f"staging/{self._token}-{self._number}", offset)

    def flush(self) -> None:
        """Store what is in memory; what comes next goes to another object."""
        if self._data:
            self._records.store.put(self._records.staging_uri(f"{self._token}-{self._number}"), bytes(self._data))
            self._data.clear()
            self._number += 1

    @property
    def objects(self) -> list[str]:
        """The names of those that were stored."""
        return [f"{self._token}-{number}" for number in range(self._number)]
