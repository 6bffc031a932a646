"""What stands out in a report, in sentences: each by a rule with a number, and with what can be done."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.reports.amounts import duration, number, percent, plural, size
from triptych.reports.model import Report

FULL_SHARE, EMPTY_SHARE = 0.9, 0.25
"""Of a limit: what comes so near to it may fail with the next input; what uses so little of it keeps others out."""
LONG_TAIL_SHARE = 0.2
WASTED_SHARE = 0.05
FEW_S = 60.0
"""Of a job with less work nothing is worth a word."""
SHORT_S = 0.5
MANY_SHORT = 1000


def remarks(report: Report) -> Iterator[str]:
    """The most important first."""
    yield from _failures(report)
    yield from _memory(report)
    if report.use.tries_seconds >= FEW_S:
        yield from _cpu(report)
        yield from _time(report)


def _failures(report: Report) -> Iterator[str]:
    counts = report.counts
    if counts.failed and report.failures:
        worst, reasons = report.failures[0], sum(1 for group in report.failures if group.chunks_failed)
        most = (
            f"of {reasons:,} reasons the most frequent, of {worst.chunks_failed:,} chunks"
            if reasons > 1
            else "for one reason"
        )
        yield f"{plural(counts.failed, 'chunk')} of {counts.chunks:,} failed, {most}: {worst.message}"
    wasted = report.use.failed_seconds
    if report.use.tries_seconds and wasted / report.use.tries_seconds > WASTED_SHARE:
        share = percent(wasted / report.use.tries_seconds)
        yield f"Tries that failed took {duration(wasted)}, {share} of all the work."


def _memory(report: Report) -> Iterator[str]:
    limit, peak = report.use.limit_memory_bytes, report.use.peak_memory_bytes
    if not limit or not peak:
        return
    share = peak / limit
    told = f"The peak of memory was {size(peak)}, {percent(share)} of the limit of {size(limit)}"
    if share >= FULL_SHARE:
        yield f"{told}: a somewhat larger chunk would be killed. Raise min_memory in the app's manifest."
    elif share <= EMPTY_SHARE and report.use.tries_seconds >= FEW_S:
        yield f"{told}: with a lower min_memory in the app's manifest more tasks fit on a worker."


def _cpu(report: Report) -> Iterator[str]:
    share, cores = report.use.cpu_share, report.use.limit_cores
    if share is None:
        return
    if share <= EMPTY_SHARE:
        reserved = f"{number(cores)} that each chunk may use" if cores else "one core a chunk"
        yield f"Chunks used {percent(share)} of the CPU ({reserved}): they wait, for a disk, a network or each other."
    elif cores and share >= FULL_SHARE:
        yield f"Chunks used {percent(share)} of the {number(cores)} cores that each may use: more might be faster."


def _time(report: Report) -> Iterator[str]:
    slow, length_s = report.stragglers, report.timeline.length_seconds
    if slow.count:
        yield (
            f"{plural(slow.count, 'straggler')}: more than {duration(slow.threshold_seconds)} each, together "
            f"{duration(slow.excess_seconds)} more than the median would have taken."
        )
    if slow.tail_seconds and slow.tail_seconds > LONG_TAIL_SHARE * length_s and not report.timeline.gaps:
        share = percent(slow.tail_seconds / length_s)
        yield (
            f"The last 5 % of the chunks took {duration(slow.tail_seconds)}, {share} of the time, while most slots "
            "were empty: smaller chunks, or smaller packs (config.chunksPerTask), end together."
        )
    durations = report.durations_seconds
    if durations and durations.p50 < SHORT_S and durations.count > MANY_SHORT:
        yield (
            f"Half of the chunks took less than {duration(durations.p50)}: with larger ones less of the time goes into "
            "starting them."
        )
