"""How a local job goes, on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from triptych.cli.console import echo, echo_error, errors
from triptych.jobs.plan import Plan, PlannedPack
from triptych.jobs.views.rate import Rate
from triptych.stages.run_pack import ChunkOutcome

LINE_S = 5.0
"""Where there is no terminal, a line about chunks in the middle of a pack is told so often."""
_logger = logging.getLogger("triptych")


class _LogLines(logging.Handler):
    """Log records as lines beside the progress: warnings and errors; also what scripts print, where that is wanted."""

    def emit(self, record: logging.LogRecord) -> None:
        """One record as a line on standard error, above the bar."""
        if record.levelno >= logging.ERROR:
            echo_error(record.getMessage())
        else:
            warning = "warning: " if record.levelno >= logging.WARNING else ""
            echo(f"{warning}{record.getMessage()}")


class Progress:
    """Hears how a job goes (`triptych.local.runner.JobListener`); `chunks` is their number once it is known."""

    def __init__(self, *, quiet: bool, verbose: bool, by_pack: bool = False) -> None:
        self._quiet = quiet
        self._packs = _Packs() if by_pack and not quiet else None
        self._rate = Rate()
        self._log = _LogLines(logging.INFO if verbose else logging.CRITICAL if quiet else logging.WARNING)
        self.chunks = 0
        self.cache: dict[int, str] = {}
        """Of each chunk of a cacheable app, what `ChunkOutcome.cache` says."""
        self._done = 0
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(
            *columns,
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=quiet or not errors.is_terminal,
        )
        self._task = self._bar.add_task("Partitioning", total=None)
        self._told_at = 0.0
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        self._bar.start()
        _logger.addHandler(self._log)
        self._before = _logger.level, _logger.propagate
        _logger.setLevel(self._log.level)
        _logger.propagate = False  # Airflow, once a connection is asked for, has a handler of its own above.
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        _logger.level, _logger.propagate = self._before
        _logger.removeHandler(self._log)
        self._bar.stop()

    def on_planned(self, plan: Plan) -> None:
        """Say how many chunks there are, and start to count them."""
        self.chunks = plan.chunks
        self._bar.update(self._task, description="Chunks", total=plan.chunks)
        self._rate.saw(0, plan.chunks)
        if self._packs:
            self._packs.plan = plan
        if not self._quiet:
            echo(f"{plan.chunks} chunk(s), {plan.size:,} bytes, in {len(plan.packs)} task(s).")

    def on_chunk(self, outcome: ChunkOutcome) -> None:
        """Count a chunk that has ended; the log says at once why one failed."""
        with self._one_at_a_time:  # Packs run in threads of their own.
            self._done += 1
            if outcome.cache:
                self.cache[outcome.number] = outcome.cache
            self._bar.update(self._task, completed=self._done)
            if self._packs:
                self._watch(self._packs, outcome)

    def on_assembling(self) -> None:
        """Say that all chunks were tried and their results are being joined."""
        self._bar.update(self._task, description="Assembling", completed=self.chunks)
        if not self._quiet and not errors.is_terminal:
            echo(f"{self._done} chunk(s) run; assembling.")

    def on_pack(self, first: int) -> None:
        """Say what came of a pack that is over, where packs are watched."""
        with self._one_at_a_time:
            pack = self._packs.drop(first) if self._packs else None
            if pack is None:
                return
            if pack.bar is not None:
                self._bar.remove_task(pack.bar)
            if not errors.is_terminal:
                speed = self._rate.saw(self._done, self.chunks - self._done).told()
                echo(f"{pack.label}: {pack.ended} chunk(s) run. {self._done} of {self.chunks} in all{speed}.")
                self._told_at = time.monotonic()

    def _watch(self, packs: _Packs, outcome: ChunkOutcome) -> None:
        """The pack of a chunk that has ended: on a terminal its bar; elsewhere now and then a line about all."""
        pack = packs.count(outcome)
        speed = self._rate.saw(self._done, self.chunks - self._done).told()
        self._bar.update(self._task, description=f"Chunks{speed}")
        if pack.bar is None:
            pack.bar = self._bar.add_task(pack.label, total=pack.pack.count)
        self._bar.update(pack.bar, completed=pack.ended, description=pack.label)
        now = time.monotonic()
        if not errors.is_terminal and now - self._told_at >= LINE_S:
            echo(f"{self._done} of {self.chunks} chunk(s){speed}.")
            self._told_at = now


@dataclass
class _Pack:
    """How far a pack is that is being run."""

    pack: PlannedPack
    ended: int = 0
    failed: int = 0
    bar: TaskID | None = None

    @property
    def label(self) -> str:
        """`chunks 0-15, 2 failed`."""
        last = self.pack.first + self.pack.count - 1
        span = f"chunk {self.pack.first}" if last == self.pack.first else f"chunks {self.pack.first}-{last}"
        return f"{span}, {self.failed} failed" if self.failed else span


class _Packs:
    """Those of which a chunk has ended, and not yet all."""

    def __init__(self) -> None:
        self.plan: Plan | None = None
        self._open: dict[int, _Pack] = {}

    def count(self, outcome: ChunkOutcome) -> _Pack:
        """The chunk's pack, with it."""
        assert self.plan is not None  # Chunks end after the plan was told.
        pack = self.plan.pack_of(outcome.number)
        assert pack is not None  # It is a chunk of the plan.
        found = self._open.setdefault(pack.first, _Pack(pack))
        found.ended += 1
        found.failed += outcome.error is not None
        return found

    def drop(self, first: int) -> _Pack | None:
        """The pack that begins with this chunk is over; None where no chunk of it has ended."""
        return self._open.pop(first, None)
