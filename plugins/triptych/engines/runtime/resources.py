"""What a running engine may use: a scratch folder and an amount of memory."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from triptych.engines.api import Input, Source
from triptych.errors import EngineError, TriptychError
from triptych.free_space import Reserve
from triptych.settings import Settings, get_settings

MIB = 1 << 20
LINE_SHARE = 1 / 8
"""A line is held up to four times while its end is looked for."""


@dataclass(frozen=True)
class Share:
    """How much of an engine's memory one thing may take: `what` begins the sentence that refuses more."""

    bytes: int
    what: str
    setting: str = "engine_memory_mib"
    """What bounds it, and is to be raised."""

    def check(self, size: int, owner: Input, advice: str = "") -> None:
        """Raises the owner's error when `size`, in bytes, is beyond the share; `advice` is a sentence of its own."""
        if size > self.bytes:
            raise self.exceeded(owner, advice)

    def exceeded(self, owner: Input, advice: str = "") -> TriptychError:
        """`<label>: <what> is longer than N MiB. <advice> Raise [triptych] <setting>.`"""
        raise_it = f"{advice} Or raise" if advice else "Raise"
        return owner.error(
            f"{self.what} is longer than {self.bytes / MIB:.3g} MiB. {raise_it} [triptych] {self.setting}."
        )


class Tally:
    """A sum that several threads add to."""

    def __init__(self) -> None:
        self._lock, self._sum = threading.Lock(), 0

    def add(self, number: int) -> int:
        """The sum with this number."""
        with self._lock:
            self._sum += number
            return self._sum


@dataclass(frozen=True)
class Resources:
    """`scratch` is removed when the stage ends; `memory_bytes` bounds what an engine keeps in memory at once.

    `settings` are those of the stage, for an engine that has some of its own.
    """

    scratch: Path
    memory_bytes: int
    settings: Settings = field(default_factory=get_settings)
    unpacked: Tally = field(default_factory=Tally)
    """How many bytes the stage has unpacked."""
    inputs: Mapping[str, Sequence[Source]] = field(default_factory=dict)
    """The job's side inputs by name: the files of each by `path`, fetched when one is first read."""

    def side_input(self, name: str) -> Sequence[Source]:
        """The files of a side input that the engine cannot do without; EngineError where the job has none such."""
        if name not in self.inputs:
            msg = (
                f"The job has no side input {name!r}: name it in `inputs` of the template, or by `--input {name}=URI`."
            )
            raise EngineError(msg)
        return self.inputs[name]

    def share(self, fraction: float, what: str = "") -> Share:
        """So much of `memory_bytes` for `what` ("the record at byte 7"), and the error for what needs more."""
        return Share(int(self.memory_bytes * fraction), what)

    def longest_line(self, what: str = "") -> Share:
        """Of one line or record: LINE_SHARE of the memory, or `max_line_mib` of the settings where that is less."""
        share, most = self.share(LINE_SHARE, what), self.settings.max_line_bytes
        return share if share.bytes <= most else Share(most, what, "max_line_mib")

    def check_room(self, owner: Input, size: int = 0) -> None:
        """Raises the owner's error where `size` bytes more in `scratch` leave less free than the settings want."""
        if shortage := Reserve(self.scratch, self.settings.scratch_reserve_bytes).shortage(size):
            msg = f"what it unpacks to fills the disk: {shortage}"
            raise owner.error(msg)

    def new_folder(self) -> Path:
        """An empty folder in `scratch`."""
        return Path(tempfile.mkdtemp(dir=self.scratch))


_current: ContextVar[Resources] = ContextVar("triptych_resources")


def resources() -> Resources:
    """Those of the stage that runs the engine."""
    return _current.get()


@contextmanager
def using(available: Resources) -> Iterator[None]:
    token = _current.set(available)
    try:
        yield
    finally:
        _current.reset(token)
