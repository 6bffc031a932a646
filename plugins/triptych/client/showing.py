"""How far a job is, where somebody looks: a bar in a notebook or on a terminal, elsewhere nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Counts:
    """The state of a job in a word, and its chunks, as far as they are known."""

    state: str
    chunks: int
    done: int
    failed: int
    has_ended: bool

    def told(self) -> str:
        """`running: 117 of 1,000 chunks done, 3 failed`."""
        if not self.chunks:
            return self.state
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.state}: {self.done:,} of {self.chunks:,} chunks done{failed}"


Show = Callable[[Counts], None]


@contextmanager
def shown(job: str, wanted: bool | None) -> Iterator[Show]:
    """What to tell of each change; None means where somebody looks."""
    if wanted is False:
        yield _nothing
    elif _is_notebook():
        yield _in_notebook(job)
    elif wanted or sys.stderr.isatty():
        with _on_terminal(job) as show:
            yield show
    else:
        yield _nothing


def _nothing(counts: Counts) -> None:
    """Nobody looks."""


def _is_notebook() -> bool:
    """A kernel of Jupyter's, which has IPython loaded; IPython on a terminal has none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def _in_notebook(job: str) -> Show:
    """A bar of HTML that is made once and changed: it needs no widgets, and stays in the notebook as it ended."""
    from IPython.display import display

    def content(counts: Counts) -> dict[str, str]:
        bar = f'<progress max="{counts.chunks or 1}" value="{counts.done}" style="vertical-align: middle"></progress>'
        return {"text/plain": counts.told(), "text/html": f"{bar} {escape(counts.told())}"}

    handle = display({"text/plain": "queued"}, raw=True, display_id=f"triptych-{job}")

    def show(counts: Counts) -> None:
        handle.update(content(counts), raw=True)

    return show


@contextmanager
def _on_terminal(job: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{job}: queued", total=None)

        def show(counts: Counts) -> None:
            bar.update(task, description=counts.told(), total=counts.chunks or None, completed=counts.done)

        yield show
