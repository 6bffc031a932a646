"""How a local job goes, on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

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
from triptych.stages.stages import ChunkOutcome, Plan


class Progress:
    """Watches a job (`triptych.local.Watcher`); `chunks` is their number once it is known."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self._quiet, self._verbose = quiet, verbose
        self.chunks = 0
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
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def log(self, line: str) -> None:
        if self._verbose:
            echo(line)

    def planned(self, plan: Plan) -> None:
        self.chunks = plan.chunks
        self._bar.update(self._task, description="Chunks", total=plan.chunks)
        if not self._quiet:
            echo(f"{plan.chunks} chunk(s), {plan.bytes:,} bytes, in {len(plan.packs)} task(s).")

    def ended(self, outcome: ChunkOutcome) -> None:
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        if outcome.error:
            echo_error(outcome.error)

    def assembling(self) -> None:
        self._bar.update(self._task, description="Assembling", completed=self.chunks)
        if not self._quiet and not errors.is_terminal:
            echo(f"{self._done} chunk(s) run; assembling.")
