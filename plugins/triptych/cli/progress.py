"""How a local job goes, on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from triptych.cli.console import echo, echo_error, errors
from triptych.jobs.plan import Plan
from triptych.stages.run_pack import ChunkOutcome

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

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet = quiet
        self._log = _LogLines(logging.INFO if verbose else logging.CRITICAL if quiet else logging.WARNING)
        self.chunks = 0
        self.cache: dict[int, str] = {}
        """Of each chunk of a cacheable app, what `ChunkOutcome.cache` says."""
        self._done = 0
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._bar = Bar(
            *columns,
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=quiet or not errors.is_terminal,
        )
        self._task = self._bar.add_task("Partitioning", total=None)

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
        if not self._quiet:
            echo(f"{plan.chunks} chunk(s), {plan.size:,} bytes, in {len(plan.packs)} task(s).")

    def on_chunk(self, outcome: ChunkOutcome) -> None:
        """Count a chunk that has ended; the log says at once why one failed."""
        self._done += 1
        if outcome.cache:
            self.cache[outcome.number] = outcome.cache
        self._bar.update(self._task, completed=self._done)

    def on_assembling(self) -> None:
        """Say that all chunks were tried and their results are being joined."""
        self._bar.update(self._task, description="Assembling", completed=self.chunks)
        if not self._quiet and not errors.is_terminal:
            echo(f"{self._done} chunk(s) run; assembling.")
