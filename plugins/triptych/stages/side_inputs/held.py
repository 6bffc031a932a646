"""The side inputs of a job while one of its stages runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from triptych.errors import SourceError
from triptych.harmless import harmless_logger
from triptych.jobs.locations import Location
from triptych.jobs.side_inputs import InputFile, SideInput, resolve_inputs
from triptych.running import MountedInput, Stop
from triptych.settings import Settings
from triptych.stages.side_inputs.cache import Fetch, InputCache
from triptych.stages.side_inputs.fetching import fetch
from triptych.stages.sources import plain_name
from triptych.storage import OBJECTS_AT_ONCE, Stores
from triptych.storage.copying import file_blocks

_log = harmless_logger(__name__)


def freeze_inputs(
    inputs: Mapping[str, Sequence[Location]], stores: Stores, settings: Settings
) -> tuple[SideInput, ...]:
    """Each with versions and digests of its files; those that this worker has not read yet are read into its cache."""
    if not inputs:
        return ()
    cache, fetch_ = InputCache(settings), _fetch(stores, Stop())
    frozen = tuple(cache.freeze(side, fetch_) for side in resolve_inputs(inputs, stores))
    for side in frozen:
        what = f"{len(side.files):,} file(s), " if side.is_folder else ""
        _log.info("Input %s: %s%s bytes, SHA-256 %s.", side.name, what, f"{side.size:,}", side.digest)
    return frozen


@contextmanager
def held_inputs(
    inputs: Sequence[SideInput], stores: Stores, settings: Settings, stop: Stop | None = None
) -> Iterator[HeldInputs]:
    """The frozen side inputs: each is brought into the cache when it is first used, and held until the context ends."""
    with ExitStack() as stack:
        yield HeldInputs(inputs, stores, settings, stop or Stop(), stack)


class HeldInputs(Mapping[str, Sequence["InputObject"]]):
    """By name, the files of each as engines see them, in order of their paths."""

    def __init__(
        self, inputs: Sequence[SideInput], stores: Stores, settings: Settings, stop: Stop, stack: ExitStack
    ) -> None:
        self._inputs = {side.name: side for side in inputs}
        self._settings, self._stop, self._stack = settings, stop, stack
        self._fetch = _fetch(stores, stop)
        self._lock = threading.Lock()
        self._paths: dict[str, Path] = {}

    def __getitem__(self, name: str) -> Sequence[InputObject]:
        side = self._inputs[name]
        return [InputObject(index, side, file, self) for index, file in enumerate(side.files)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def path(self, name: str) -> Path:
        """Where it lies in the cache, for reading only; it is fetched now, if nobody did."""
        with self._lock:
            if name not in self._paths:
                cache = InputCache(self._settings, self._stop)
                self._paths[name] = self._stack.enter_context(cache.hold(self._inputs[name], self._fetch))
            return self._paths[name]

    def mounted(self) -> tuple[MountedInput, ...]:
        """All of them, for a script."""
        sides = self._inputs.values()
        return tuple(MountedInput(side.name, side.key, side.size, self.path(side.name)) for side in sides)


class InputObject:
    """One file of a side input (`triptych.engines.Source`); it is fetched when it is first read."""

    def __init__(self, index: int, side: SideInput, file: InputFile, held: HeldInputs) -> None:
        self.index = index
        self.path = self.relative_path = file.path
        self.name = plain_name(file.source.uri)
        self.uri = self.label = file.source.uri
        self.size = file.source.size
        self._side, self._held = side, held

    def open(self) -> BinaryIO:
        """As `Input.open`."""
        return self.local_path().open("rb")

    def stream(self) -> Iterator[bytes]:
        """As `Input.stream`."""
        return file_blocks(self.local_path())

    def local_path(self) -> Path:
        """As `Input.local_path`, but of the worker's own: others read it, too, and nobody writes to it."""
        path = self._held.path(self._side.name)
        return path / self.path if self._side.is_folder else path

    def error(self, text: str) -> SourceError:
        """As `Input.error`."""
        return SourceError(f"{self.label}: {text}")


def _fetch(stores: Stores, stop: Stop) -> Fetch:
    return partial(fetch, stores=stores, parallelism=OBJECTS_AT_ONCE, stop=stop)
