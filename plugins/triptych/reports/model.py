"""The figures of a report: `report.json` is these, key by key (docs/how-to/read-a-report.md)."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from triptych.harmless import harmless_json
from triptych.jobs.workspace import to_json
from triptych.reports.ranks import Histogram, Spread
from triptych.reports.stragglers import Stragglers
from triptych.reports.timeline import Timeline

FORMAT = 1
"""Of report.json; a key that goes, or means something else, makes it 2. New keys do not."""


class JobState(StrEnum):
    """What became of the job, as its records tell it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNFINISHED = "not finished"
    """It runs, or was stopped: nothing in the records tells which."""


@dataclass(frozen=True)
class Prices:
    """What an hour costs of one core, and of one GiB of memory, in whatever money; None where nobody says."""

    core_hour: float | None = None
    gib_hour: float | None = None

    def of(self, core_hours: float, gib_hours: float | None) -> float | None:
        """What it comes to; None where neither has a price, or one that has is not known."""
        if (self.core_hour is None and self.gib_hour is None) or (self.gib_hour is not None and gib_hours is None):
            return None
        return core_hours * (self.core_hour or 0.0) + (gib_hours or 0.0) * (self.gib_hour or 0.0)


@dataclass(frozen=True)
class Output:
    """The newest output that is in place."""

    uri: str
    files: int
    bytes: int


@dataclass(frozen=True)
class About:
    """Which job this is; times in seconds since the epoch, None of what has not happened."""

    template: str
    name: str
    run: str
    workspace: str
    state: JobState
    error: str | None
    launched: float
    first_try: float | None
    last_try_ended: float | None
    ended: float | None
    plan: int
    plan_sha256: str
    package: str
    rounds: int
    """The launch, and repairs that ran something."""
    tolerated_percent: float
    blocks: Mapping[str, Mapping[str, str | None]]
    sources: int
    output: Output | None


@dataclass(frozen=True)
class Counts:
    """Chunks by state; `cached` of those that are done; tries, and those that failed."""

    chunks: int
    done: int
    failed: int
    waiting: int
    cached: int
    tries: int
    tries_failed: int
    tries_retried: int
    """Of these, those at chunks that are done."""
    bytes_in: int
    """Of the chunks that are done; so with bytes_out."""
    bytes_out: int


@dataclass(frozen=True)
class Use:
    """What all tries used; a core-hour is one core for an hour.

    Reserved is the app's `min_cpu` (one core without it) and `min_memory`, for as long as tries ran; where there is no
    limit of memory, each try's own peak. What containers wait between tries is in neither.
    """

    tries_seconds: float
    failed_seconds: float
    limit_cores: float | None
    limit_memory_bytes: int | None
    core_hours: float
    cpu_core_hours: float | None
    """Of CPU time used; None where no try tells."""
    cpu_share: float | None
    """Of reserved cores, those that were busy, over the tries that tell."""
    gib_hours: float | None
    peak_memory_bytes: int | None
    price_core_hour: float | None
    price_gib_hour: float | None
    price: float | None


@dataclass(frozen=True)
class Worker:
    """One worker; `busy_seconds` over its slots, `present_seconds` from its first try to the end of its last."""

    worker: str
    slots: int
    tries: int
    failed: int
    busy_seconds: float
    present_seconds: float
    median_seconds: float


@dataclass(frozen=True)
class Failed:
    """One failed try; `log_tail` is the end of what it printed, empty where it printed nothing."""

    chunk: int
    name: str
    worker: str
    started: float
    seconds: float
    reason: str
    log_tail: str


@dataclass(frozen=True)
class FailureGroup:
    """All failed tries of one message and exit code; in `message` stands `{n}` and its like for what varies."""

    message: str
    exit_code: int | None
    tries: int
    chunks_failed: int
    """Chunks whose last try is one of these, and that have no result."""
    chunks_mended: int
    """Chunks that failed so, and have a result by another try."""
    seconds: float
    examples: tuple[Failed, ...]


@dataclass(frozen=True)
class Report:
    """All of it; `failures` with the most chunks without a result first, then by tries."""

    format: int
    made: float
    """Seconds since the epoch; so are all moments in it."""
    job: About
    counts: Counts
    durations_seconds: Spread | None
    """Of tries with a result that came from no cache."""
    durations_histogram_seconds: Histogram | None
    memory_bytes: Spread | None
    """Peaks of all tries that tell."""
    memory_histogram_bytes: Histogram | None
    chunks_per_second: float | None
    """While tries ran; so with bytes_in_per_second."""
    bytes_in_per_second: float | None
    use: Use
    stragglers: Stragglers
    workers: tuple[Worker, ...]
    """The busiest first; at most 1,000."""
    failures: tuple[FailureGroup, ...]
    failure_messages: int
    """How many groups there are; `failures` has the first of them."""
    timeline: Timeline

    def to_json(self) -> bytes:
        """The object `report.json`; no text in it steers a terminal."""
        return harmless_json(to_json(plain(self)).decode()).encode()


def plain(part: Report | Timeline) -> dict[str, Any]:
    """As JSON has it: arrays as lists."""
    return asdict(part, dict_factory=lambda items: {key: _listed(value) for key, value in items})


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, array) else value
