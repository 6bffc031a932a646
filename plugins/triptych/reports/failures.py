"""Groups of failures as a report tells them, each with the end of what a few of its scripts printed."""

from __future__ import annotations

from triptych.errors import TriptychError
from triptych.harmless import harmless, one_line
from triptych.jobs.pack_log import Attempted
from triptych.jobs.workspace import Workspace
from triptych.reports.model import Failed, FailureGroup
from triptych.reports.reading import Example, Failures, Tally

MOST_TOLD = 100
WITH_LOGS = 20
"""Groups for whose examples logs are read."""
TAIL_BYTES = 16 << 10
TAIL_LINES = 30
LINE_LETTERS = 400


def groups_of(workspace: Workspace, tally: Tally) -> tuple[FailureGroup, ...]:
    """Those that left the most chunks without a result first; a part of the workspace's logs is read."""
    found = sorted(tally.failures.values(), key=lambda each: (-each.chunks_failed, -each.tries, each.first))
    return tuple(_told(workspace, group, has_logs=place < WITH_LOGS) for place, group in enumerate(found[:MOST_TOLD]))


def tail(printed: bytes, *, is_whole: bool = True) -> str:
    """The last lines of it, long ones cut, without what steers a terminal; of a part the first line is left out."""
    lines = printed.decode("utf-8", "replace").rstrip("\n").split("\n")
    if not is_whole and len(lines) > 1:
        lines = lines[1:]
    shown = [line if len(line) <= LINE_LETTERS else f"{line[:LINE_LETTERS]} ..." for line in lines[-TAIL_LINES:]]
    return harmless("\n".join(shown))


def _told(workspace: Workspace, group: Failures, *, has_logs: bool) -> FailureGroup:
    examples = tuple(_failed(workspace, each, has_logs=has_logs) for each in group.examples)
    return FailureGroup(
        message=one_line(group.message),
        exit_code=group.exit_code,
        tries=group.tries,
        chunks_failed=group.chunks_failed,
        chunks_mended=group.chunks_mended,
        seconds=group.seconds,
        examples=examples,
    )


def _failed(workspace: Workspace, example: Example, *, has_logs: bool) -> Failed:
    tried = example.tried
    return Failed(
        chunk=example.chunk,
        name=one_line(example.name),
        worker=one_line(tried.worker),
        started=tried.started,
        seconds=tried.seconds,
        reason=tail(example.reason.encode("utf-8", "replace")),
        log_tail=_log_tail(workspace, tried) if has_logs else "",
    )


def _log_tail(workspace: Workspace, tried: Attempted) -> str:
    """The end of its log; empty without one, and where it is gone: the reason repeats some of it."""
    if tried.log is None:
        return ""
    length = min(TAIL_BYTES, tried.log.length)
    start = tried.log.offset + tried.log.length - length
    try:
        printed = b"".join(workspace.store.stream(workspace.uri(tried.log.object), start, length))
    except TriptychError:
        return ""
    return tail(printed, is_whole=length == tried.log.length)
