"""The parts of the page, each a card; one that has nothing to say is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from triptych.pages import escaped, table
from triptych.reports.amounts import NOTHING, duration, moment, number, percent, plural, size
from triptych.reports.charts import columns
from triptych.reports.model import Failed, FailureGroup, Report
from triptych.reports.ranks import Histogram, Spread
from triptych.reports.timeline import MOST_WORKERS

SHOWN_GROUPS = 20
SHOWN_WORKERS = 50
FEW_SLOW = 5
"""So many of the slowest are told where none of them is a straggler."""
Told = Callable[[float], str]
"""How an amount is told."""
_ALIKE = "Numbers, paths, hexadecimal digits and a chunk's own name keep no messages apart."
_CONTROLS = (
    '<p id="unscripted">The timeline needs JavaScript; all else does not.</p>'
    '<div class="scripted" id="scripted" hidden>'
    '<div class="controls"><button type="button" id="in">Closer</button>'
    '<button type="button" id="out">Farther</button><button type="button" id="all">Whole</button>'
    '<label for="chunk">Chunk</label><input id="chunk" inputmode="numeric" autocomplete="off" placeholder="number">'
    '<button type="button" id="find">Find</button></div>'
    '<p id="found" role="status"></p><div class="drawn"><canvas id="timeline" tabindex="0" role="img" '
    'aria-label="When each try ran, a row for each slot; tables below tell the slowest, the failed and the workers">'
    '</canvas><div class="tip" id="tip" hidden></div></div></div>'
)
_SPREAD = ("least", "median", "90 %", "95 %", "99 %", "most", "mean")


def failures(report: Report) -> Iterator[str]:
    """Chunks without a result, by message, with logs."""
    groups = [group for group in report.failures if group.chunks_failed]
    if not groups:
        return
    yield '<section class="card bad" id="failures"><h2>Failures</h2>'
    count = plural(report.counts.failed, "chunk")
    yield f"<p>{escaped(count)} without a result, by the message of the last try. {_ALIKE}</p>"
    for place, group in enumerate(groups[:SHOWN_GROUPS]):
        count = escaped(plural(group.chunks_failed, "chunk"))
        yield _group(group, f'<span class="count">{count}</span>', is_open=place == 0)
    yield from _more(len(groups), SHOWN_GROUPS, "messages")
    yield "</section>"


def retries(report: Report) -> Iterator[str]:
    """Failures that another try mended, by message."""
    groups = sorted((each for each in report.failures if each.chunks_mended), key=lambda each: -each.chunks_mended)
    if not groups:
        return
    yield '<section class="card" id="retries"><h2>Retries</h2>'
    yield f"<p>Chunks that failed and have a result by another try. {_ALIKE}</p>"
    for group in groups[:SHOWN_GROUPS]:
        count = escaped(plural(group.chunks_mended, "chunk"))
        about = f"; {plural(group.tries, 'try', 'tries')}, {duration(group.seconds)}"
        yield _group(group, f'<span class="count mended">{count}</span>', is_open=False, about=about)
    yield from _more(len(groups), SHOWN_GROUPS, "messages")
    yield "</section>"


def _group(group: FailureGroup, count: str, *, is_open: bool, about: str = "") -> str:
    code = f" (exit code {group.exit_code})" if group.exit_code is not None and "exit code" not in group.message else ""
    parts = [f"<details{' open' if is_open else ''}><summary>{count}<code>{escaped(group.message)}</code>"]
    parts.append(f"<small>{escaped(code + about)}</small></summary>")
    first, *others = group.examples
    parts += [f"<h3>{escaped(_where(first))}</h3>", _printed(first)]
    parts += [f"<details><summary>{escaped(_where(each))}</summary>{_printed(each)}</details>" for each in others]
    return "".join((*parts, "</details>"))


def _where(failed: Failed) -> str:
    return (
        f"Chunk {failed.chunk} ({failed.name}), {moment(failed.started)}, {duration(failed.seconds)}, {failed.worker}"
    )


def _printed(failed: Failed) -> str:
    """Why it failed, and what it printed: its log, else what the reason repeats of it."""
    reason, _, repeated = failed.reason.partition("\n")
    printed = failed.log_tail or repeated
    log = f'<pre tabindex="0">{escaped(printed)}</pre>' if printed else "<p>It printed nothing.</p>"
    return f"<p>{escaped(reason)}</p>{log}"


def timeline(report: Report) -> Iterator[str]:
    """The canvas that the script draws on, with what it needs around it."""
    told, counts = report.timeline, report.counts
    yield '<section class="card" id="when"><h2>Timeline</h2>'
    if not counts.tries:
        yield "<p>No try has ended yet.</p></section>"
        return
    rows = f"{plural(len(told.slots), 'slot')} of {plural(len(report.workers), 'worker')}"
    merged = " Neighbours that no screen can tell apart are one bar." if len(told.bars.slot) < counts.tries else ""
    many = f" With more than {MOST_WORKERS} workers, slots are of no worker." if told.slots[0].worker == "" else ""
    gaps = f" Left out: {plural(len(told.gaps), 'time')} without any try." if told.gaps else ""
    about = (
        f"{plural(counts.tries, 'try', 'tries')} on {rows}, over {duration(told.length_seconds)} from "
        f"{moment(told.origin)} on.{merged}{many}{gaps} Drag to look closer, double-click for the whole; keys: arrows, "
        "+ and -, Home."
    )
    yield f"<p>{escaped(about)}</p>{_CONTROLS}"
    labels = ["done", "from the cache", "failed, then done", "failed", "straggler"]
    items = "".join(f'<li class="l{place}">{label}</li>' for place, label in enumerate(labels))
    yield f'<ul class="legend">{items}</ul></section>'


def progress(report: Report) -> Iterator[str]:
    """How much ended, and ran, as time went by."""
    told, width = report.timeline, report.timeline.bucket_seconds
    if width <= 0:
        return

    def axis(share: float) -> str:
        return duration(share * told.length_seconds) if share else "0"

    def when(bucket: int) -> str:
        return f"{duration(bucket * width)} to {duration((bucket + 1) * width)}"

    rates = [count / width for count in told.done]
    label = f"Chunks done per second over {len(rates)} equal times, at most {number(max(rates))}"
    yield '<section class="card"><h2>Throughput</h2><p>Chunks done per second.</p>'
    yield columns(
        label,
        rates,
        lambda at: f"{when(at)}: {plural(told.done[at], 'chunk')}, {number(rates[at])}/s",
        axis,
        number,
        "done",
    )
    yield '</section><section class="card"><h2>At once</h2><p>Tries that ran at the same time, on average.</p>'
    label = f"Tries at once over {len(told.running)} equal times, at most {number(max(told.running))}"
    yield columns(
        label, told.running, lambda at: f"{when(at)}: {number(told.running[at])} at once", axis, number, "ran"
    )
    yield "</section>"


def distributions(report: Report) -> Iterator[str]:
    """Durations and memory."""
    if report.durations_seconds and report.durations_histogram_seconds:
        yield '<section class="card"><h2>Durations</h2><p>Of tries with a result.</p>'
        yield _histogram(
            "Chunks by duration",
            report.durations_histogram_seconds,
            duration,
            "done",
            "chunk",
            report.durations_seconds,
        )
        yield table(_SPREAD, [_spread(report.durations_seconds, duration)], ())
        yield "</section>"
    if report.memory_bytes and report.memory_histogram_bytes:
        limit = report.use.limit_memory_bytes
        told = f", against the limit of {size(limit)}" if limit else "; the app has no limit"
        yield f'<section class="card"><h2>Memory</h2><p>Peak of each try{escaped(told)}.</p>'
        yield _histogram(
            "Tries by peak of memory", report.memory_histogram_bytes, size, "peak", "try", report.memory_bytes, limit
        )
        yield table(_SPREAD, [_spread(report.memory_bytes, size)], ())
        yield "</section>"


def _histogram(
    label: str, histogram: Histogram, told: Told, tone: str, word: str, spread: Spread, limit: float | None = None
) -> str:
    more = "tries" if word == "try" else ""
    counts: Sequence[int] = histogram.counts
    end = histogram.start + histogram.width * len(counts)

    def bar(at: int) -> str:
        begin = histogram.start + at * histogram.width
        is_last = at == len(counts) - 1
        until = spread.most if is_last else begin + histogram.width
        return f"{told(begin)} to {told(until)}: {plural(counts[at], word, more)}"

    def axis(share: float) -> str:
        beyond = "≥ " if share == 1 and spread.most > end * 1.001 else ""
        return beyond + told(histogram.start + share * (end - histogram.start))

    mark = None
    if limit and end > histogram.start and histogram.start <= limit <= end:
        mark = ((limit - histogram.start) / (end - histogram.start), "limit")
    return columns(f"{label}: half within {told(spread.p50)}", counts, bar, axis, number, tone, mark)


def _spread(spread: Spread, told: Told) -> list[str]:
    return [
        told(each) for each in (spread.least, spread.p50, spread.p90, spread.p95, spread.p99, spread.most, spread.mean)
    ]


def stragglers(report: Report) -> Iterator[str]:
    """The slowest chunks, and how many are too slow by the rule."""
    told = report.stragglers
    if not told.slowest:
        return
    found = "No chunk is a straggler."
    if told.count:
        beyond = f"together {duration(told.excess_seconds)} beyond the median"
        found = f"{plural(told.count, 'chunk')} above {duration(told.threshold_seconds)}, {beyond}."
    yield '<section class="card" id="stragglers"><h2>Stragglers</h2>'
    yield f"<p>{escaped(found)} A straggler is {escaped(told.rule)}.</p>"
    rows = [
        [
            str(each.chunk),
            duration(each.seconds),
            f"{each.times_median:.1f} x",
            size(each.bytes_in),
            NOTHING if each.bytes_times_median is None else f"{each.bytes_times_median:.1f} x",
            each.worker,
        ]
        for each in told.slowest[: max(FEW_SLOW, told.count)]
    ]
    yield table(["chunk", "took", "of the median", "bytes in", "of the median", "worker"], rows, (0, 5))
    yield "</section>"


def workers(report: Report) -> Iterator[str]:
    """Who ran how much."""
    if not report.workers:
        return
    yield '<section class="card" id="workers"><h2>Workers</h2>'
    yield "<p>Busy: the share of its slots' time, from its first try to the end of its last, in which tries ran.</p>"
    rows = [
        [
            each.worker,
            f"{each.slots:,}",
            f"{each.tries:,}",
            f"{each.failed:,}",
            duration(each.median_seconds),
            duration(each.busy_seconds),
            percent(each.busy_seconds / (each.present_seconds * each.slots)) if each.present_seconds else NOTHING,
        ]
        for each in report.workers[:SHOWN_WORKERS]
    ]
    yield table(["worker", "slots", "tries", "failed", "median", "in tries", "busy"], rows)
    yield from _more(len(report.workers), SHOWN_WORKERS, "workers")
    yield "</section>"


def use(report: Report) -> Iterator[str]:
    """Core-hours, GiB-hours and their price."""
    used = report.use
    cores = (
        f"{number(used.limit_cores)} cores a chunk (min_cpu)"
        if used.limit_cores
        else "one core a chunk, as it has no min_cpu"
    )
    memory = (
        f"{size(used.limit_memory_bytes)} a chunk (min_memory)"
        if used.limit_memory_bytes
        else "by each try's peak, as the app has no min_memory"
    )
    price = "no price is set" if used.price is None else number(used.price)
    rows = {
        "In tries": f"{duration(used.tries_seconds)}, of which {duration(used.failed_seconds)} in failed ones",
        "Core-hours": f"{number(used.core_hours)} reserved: {cores}",
        "CPU used": f"{number(used.cpu_core_hours)} core-hours, {percent(used.cpu_share)} of those reserved",
        "GiB-hours": f"{number(used.gib_hours)} reserved: {memory}",
        "Price": f"{price} (core-hour {number(used.price_core_hour)}, GiB-hour {number(used.price_gib_hour)})",
    }
    rest = "<p>What containers wait between tries is in none of these.</p>"
    yield f'<section class="card"><h2>What it took</h2>{_list(rows)}{rest}</section>'


def facts(report: Report) -> Iterator[str]:
    """Which job this is, in full."""
    job = report.job
    output = job.output
    before = None if job.first_try is None else max(0.0, job.first_try - job.launched)
    after = None if job.ended is None or job.last_try_ended is None else max(0.0, job.ended - job.last_try_ended)
    rows = {
        "Template": job.template,
        "Run": job.run,
        **{
            role.capitalize(): f"{block['tag']}{_image(block['image'], block['digest'])}"
            for role, block in job.blocks.items()
        },
        "Sources": plural(job.sources, "object"),
        "Before the first try": f"{duration(before)} (cutting, and waiting for a worker)",
        "After the last": f"{duration(after)} (joining)",
        "Rounds": f"{job.rounds:,} (a launch, and repairs)",
        "Tolerated failures": f"{number(job.tolerated_percent)} %",
        "Output": f"{plural(output.files, 'file')}, {size(output.bytes)}, in {output.uri}"
        if output
        else "none is in place",
        "Workspace": job.workspace,
        "Plan": f"{job.plan}, SHA-256 {job.plan_sha256}, of Triptych {job.package}",
    }
    yield f'<section class="card"><h2>The job</h2>{_list(rows)}</section>'


def _image(image: str | None, digest: str | None) -> str:
    return f", {image}{f' ({digest})' if digest else ''}" if image else ""


def _list(rows: dict[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>' for name, text in rows.items())}</dl>"


def _more(count: int, shown: int, what: str) -> Iterator[str]:
    if count > shown:
        yield f"<p>{count - shown:,} more {what} are in report.json.</p>"
