"""The report as one page of HTML: what one wants to know first stands first. Only the timeline needs a script."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from triptych.pages import document, escaped
from triptych.reports import sections
from triptych.reports.amounts import NOTHING, duration, moment, number, percent, plural, size
from triptych.reports.model import JobState, Report, plain
from triptych.reports.remarks import remarks

_STATES = {
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed-state",
    JobState.UNFINISHED: "unfinished",
}
"""The style of each."""
_MS = 1000


def page(report: Report) -> str:
    """The whole file. Whatever comes from data, an app's log, a chunk's name, is escaped text."""
    return document(
        f"{report.job.name}: report", _file("page.css"), _body(report), _file("page.js"), {"data": _data(report)}
    )


def _data(report: Report) -> dict[str, Any]:
    told = plain(report.timeline)
    for key in ("running", "done", "bucket_seconds"):
        del told[key]  # They are charts by now.
    slow_s = report.stragglers.threshold_seconds
    return {"timeline": told, "slow_ms": None if slow_s is None else slow_s * _MS}


def _body(report: Report) -> Iterator[str]:
    yield "<main>"
    yield from _header(report)
    yield from _tiles(report)
    found = list(remarks(report))
    if found:
        yield f'<section class="card note"><h2>What stands out</h2><ul class="remarks">{_items(found)}</ul></section>'
    yield from sections.failures(report)
    yield from sections.timeline(report)
    yield f'<div class="two">{"".join(sections.progress(report))}</div>'
    yield f'<div class="two">{"".join(sections.distributions(report))}</div>'
    yield from sections.stragglers(report)
    yield from sections.retries(report)
    yield from sections.workers(report)
    yield f'<div class="two">{"".join((*sections.use(report), *sections.facts(report)))}</div>'
    yield (
        f"<footer>Made {escaped(moment(report.made))} from the plan and the logs of the job's workspace. "
        "Times of tries are by their workers' clocks.</footer></main>"
    )


def _header(report: Report) -> Iterator[str]:
    job = report.job
    yield f'<header><span class="state {_STATES[job.state]}">{escaped(_state(report))}</span>'
    yield f"<h1>{escaped(job.name)}</h1><p>{escaped(job.run)}</p>"
    ended = f", ended {moment(job.ended)}" if job.ended else ""
    yield f"<p>Launched {escaped(moment(job.launched))}{escaped(ended)}</p></header>"
    if job.error:
        yield f'<section class="card bad"><h2>Why it failed</h2><pre>{escaped(job.error)}</pre></section>'


def _state(report: Report) -> str:
    missing = report.counts.failed + report.counts.waiting
    if report.job.state is JobState.SUCCEEDED and missing:
        return f"succeeded without {plural(missing, 'chunk')}"
    return report.job.state.value


def _tiles(report: Report) -> Iterator[str]:
    counts, use, spread = report.counts, report.use, report.durations_seconds
    yield '<div class="tiles">'
    missing = [(counts.failed, "failed"), (counts.waiting, "not run"), (counts.cached, "from the cache")]
    about = [f"of {counts.chunks:,}", *(f"{count:,} {what}" for count, what in missing if count)]
    yield _tile("Chunks done", f"{counts.done:,}", ", ".join(about))
    yield _tile("Wall time", duration(_wall(report)), f"tries ran for {duration(report.timeline.length_seconds)} of it")
    rate = report.chunks_per_second
    yield _tile(
        "Throughput", f"{number(rate)}/s" if rate else NOTHING, f"chunks; {size(report.bytes_in_per_second)}/s in"
    )
    if spread:
        yield _tile(
            "Median chunk", duration(spread.p50), f"95 % within {duration(spread.p95)}, longest {duration(spread.most)}"
        )
    mended = f", {counts.tries_retried:,} of these at chunks that are done" if counts.tries_retried else ""
    yield _tile("Tries", f"{counts.tries:,}", f"{counts.tries_failed:,} failed{mended}")
    cpu = f"{percent(use.cpu_share)} of the CPU was used" if use.cpu_share is not None else "CPU time was not told"
    yield _tile("Core-hours", number(use.core_hours), cpu)
    limit = f"of a limit of {size(use.limit_memory_bytes)}" if use.limit_memory_bytes else "no limit"
    limit = "nothing told it" if use.peak_memory_bytes is None else limit
    yield _tile("Peak memory", size(use.peak_memory_bytes), limit)
    yield _tile("Bytes in", size(counts.bytes_in), f"{size(counts.bytes_out)} out")
    if use.price is not None:
        yield _tile(
            "Price", number(use.price), f"{number(use.gib_hours)} GiB-hours, {number(use.core_hours)} core-hours"
        )
    yield "</div>"


def _wall(report: Report) -> float | None:
    end = report.job.ended or report.job.last_try_ended
    return None if end is None else max(0.0, end - report.job.launched)


def _tile(name: str, figure: str, about: str) -> str:
    return f'<section class="tile"><h2>{escaped(name)}</h2><b>{escaped(figure)}</b><p>{escaped(about)}</p></section>'


def _items(lines: list[str]) -> str:
    return "".join(f"<li>{escaped(line)}</li>" for line in lines)


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
