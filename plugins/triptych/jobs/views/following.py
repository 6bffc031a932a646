"""A job looked at again and again while it runs: what is new in its records since the last look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from triptych.jobs.pack_log import Attempted, States, read_states
from triptych.jobs.plan import Plan, newest_plan, read_plan
from triptych.jobs.workspace import Workspace


@dataclass(frozen=True)
class Seen:
    """What a look saw: how many chunks there are, how many have a result, and how many have failures and none."""

    chunks: int
    done: int
    failed: int
    tries: int
    new: Sequence[Attempted] = field(default=(), repr=False)
    """The tries that the look before did not see, in the order of their end; in the first look all."""

    @property
    def left(self) -> int:
        """Those that were not tried yet, or of whose try nobody has told yet."""
        return self.chunks - self.done - self.failed


class Follower:
    """Looks at one job. A look is a listing, and an object for each pack that has changed since the last one."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._plan: tuple[Sequence[str], Plan] | None = None
        self._states: States = {}
        self._known: set[tuple[str, int]] = set()

    def look(self) -> Seen | None:
        """What there is now; None while the job has no plan."""
        plan = self._newest()
        if plan is None:
            return None
        self._states = read_states(self.workspace, plan, known=self._states)
        states = [state for _, state in self._states.values()]
        done = sum(len(state.done) for state in states)
        failed = sum(len({each.chunk for each in state.failures} - state.done.keys()) for state in states)
        tries = [each for state in states for each in (*state.failures, *state.done.values())]
        new = sorted((each for each in tries if each.key not in self._known), key=_end)
        self._known |= {each.key for each in new}
        return Seen(plan.chunks, done, failed, len(tries), new)

    def _newest(self) -> Plan | None:
        names = self.workspace.names("plans/")
        if self._plan is None or self._plan[0] != names:
            ref = newest_plan(self.workspace)
            if ref is None:
                return None
            # A repair's plan has the same chunks, and what counts of their logs may be less.
            self._plan, self._states = (names, read_plan(self.workspace, ref)), {}
        return self._plan[1]


def _end(tried: Attempted) -> float:
    return tried.started + tried.seconds
