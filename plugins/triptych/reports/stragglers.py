"""Chunks that took much longer than the others, by a rule that the report states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triptych.reports.ranks import nearest_rank
from triptych.reports.reading import Ending, Tally

TIMES = 3.0
LEAST_S = 1.0
FEWEST = 4
"""Of fewer chunks none is told to be slow."""
RULE = (
    f"a chunk whose successful try took more than {TIMES:g} times as long as the median, and {LEAST_S:g} s longer; "
    "the rule that Spark's speculative execution has by default, which also asks for 3 times the median"
)
SHOWN = 20
TAIL_SHARE = 0.95


@dataclass(frozen=True)
class Straggler:
    """One chunk; `times_median` and `bytes_times_median` are its seconds and bytes against the median chunk's."""

    chunk: int
    seconds: float
    times_median: float
    bytes_in: int
    bytes_times_median: float | None
    worker: str


@dataclass(frozen=True)
class Stragglers:
    """`count` chunks above `threshold_seconds`; `slowest` are the first of all chunks, whether they are stragglers."""

    rule: str
    threshold_seconds: float | None
    count: int
    excess_seconds: float
    """What they took beyond the median."""
    tail_seconds: float | None
    """From when 95 % of the chunks that are done were done until all were; None where a repair lies between."""
    slowest: tuple[Straggler, ...]


def stragglers_of(tally: Tally, ends: Sequence[float]) -> Stragglers:
    """`ends` are the moments at which tries ended, on the axis as it is shown."""
    done = [index for index in range(tally.tries) if tally.ending[index] == Ending.DONE]
    if not done:
        return Stragglers(RULE, None, 0, 0.0, None, ())
    ordered = sorted(tally.seconds[index] for index in done)
    median = nearest_rank(ordered, 50)
    usual_bytes = nearest_rank(sorted(tally.bytes_in[index] for index in done), 50)
    threshold = max(TIMES * median, median + LEAST_S)
    slow = [each for each in ordered if each > threshold] if len(done) >= FEWEST else []
    names = list(tally.workers)
    finished = sorted(ends[index] for index in done)
    return Stragglers(
        rule=RULE,
        threshold_seconds=threshold if len(done) >= FEWEST else None,
        count=len(slow),
        excess_seconds=sum(slow) - median * len(slow),
        tail_seconds=finished[-1] - nearest_rank(finished, 100 * TAIL_SHARE),
        slowest=tuple(
            Straggler(
                chunk=tally.chunk[index],
                seconds=tally.seconds[index],
                times_median=tally.seconds[index] / median if median else 0.0,
                bytes_in=int(tally.bytes_in[index]),
                bytes_times_median=tally.bytes_in[index] / usual_bytes if usual_bytes else None,
                worker=names[tally.worker[index]],
            )
            for index in sorted(done, key=lambda each: -tally.seconds[each])[:SHOWN]
        ),
    )
