"""The workspace as this machine reaches it, and the other machines that have looked at it of late.

Each look leaves a mark, which says who and when; so that one look on each machine shows that they all see one
workspace, with clocks that agree and one version. So it is with the folders of `file://` that they share.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from triptych.checkup.findings import Finding, Standing
from triptych.errors import StorageError
from triptych.jobs.workspace import MARKS, Workspace
from triptych.settings import Settings
from triptych.stages.preflight import check_conditions
from triptych.stages.preflight.machines import (
    MOST_MARK_BYTES,
    Mark,
    leave_mark,
    marks_below,
    marks_in,
    own_mark,
    shared_roots,
)
from triptych.storage import Store, Stores
from triptych.storage.paths import file_path

HOUR_S = 3600
KEPT_S = 24 * HOUR_S
"""For so long a mark tells of its machine; older ones are removed by the next look."""
SKEW_S = 5.0
"""Clocks that differ by more make times in logs and reports lie, and links end too early."""


def look_at_workspace(settings: Settings) -> Iterator[Finding]:
    """Whether it can be read, written and locked by conditions; its clock against ours; who else was here."""
    root = settings.workspace
    store = Stores(settings).workspace()
    check_conditions(Workspace(store, f"{root}/{MARKS}"))
    own, folder = own_mark(settings), marks_below(settings, root)
    started = time.monotonic()
    uri = leave_mark(store, folder, own)
    store.read(uri, MOST_MARK_BYTES)
    took = time.monotonic() - started
    yield Finding("workspace", Standing.OK, f"{root}: written and read in {took * 1000:.0f} ms; heeds conditions.")
    now = next((info.modified for info in store.list(folder) if info.uri == uri), None)
    if now is not None:
        yield _clock(now - own.written, took)
    yield from _told(_young(store, folder, own), own, is_alone=settings.one_machine)


def look_at_shared(settings: Settings) -> Iterator[Finding]:
    """Of each folder that the tasks of several machines write to: who else has been seen there."""
    stores = Stores(settings)
    for root in shared_roots(settings):
        yield _seen(settings, stores, root)


def _seen(settings: Settings, stores: Stores, root: str) -> Finding:
    if not file_path(root).is_dir():
        remedy = "Mount it, if tasks run on this machine."
        return Finding("shared files", Standing.SKIPPED, f"{root}: there is no such folder here.", remedy)
    own, folder = own_mark(settings), marks_below(settings, root)
    store = stores.workspace() if root == settings.workspace else stores.open(folder)
    hindrance = ""
    try:
        leave_mark(store, folder, own)
        _young(store, folder, own)
    except StorageError as error:
        hindrance = f" A mark for them cannot be left: {error}"
    others = sorted({mark.machine for _, mark in marks_in(store, folder) if mark and mark.shows_shared(own)})
    if others:
        return Finding("shared files", Standing.OK, f"{root}: {', '.join(others)} see it, too.")
    said = f"{root}: nobody but {own.machine} has been seen there, and jobs that write there are refused.{hindrance}"
    remedy = "Run `triptych doctor` on another worker, too; if it is a folder of one machine, name an object store."
    return Finding("shared files", Standing.WARNING, said, remedy)


def _clock(ahead_s: float, took_s: float) -> Finding:
    """Of our clock against the store's, which said when the mark was written."""
    if abs(ahead_s) <= SKEW_S + took_s:
        return Finding("clock", Standing.OK, f"This machine's and the store's differ by less than {SKEW_S:.0f} s.")
    which = "behind" if ahead_s > 0 else "ahead of"
    said = f"This machine's clock is {abs(ahead_s):.0f} s {which} the store's."
    return Finding("clock", Standing.WARNING, said, "Let both keep time by NTP.")


def _young(store: Store, folder: str, own: Mark) -> list[Mark]:
    """The marks there that tell of the last day; older ones, and what is no mark, are removed.

    The newest of another machine stays, whatever its age: it shows that the folder is shared.
    """
    young: list[Mark] = []
    is_shown = False
    for uri, mark in sorted(marks_in(store, folder), key=lambda each: each[1].written if each[1] else 0, reverse=True):
        if mark and time.time() - mark.written < KEPT_S:
            young.append(mark)
        elif not mark or is_shown or not mark.shows_shared(own):
            store.delete(uri)
        is_shown |= mark is not None and mark.shows_shared(own)
    return young


def _told(seen: Sequence[Mark], own: Mark, *, is_alone: bool) -> Iterator[Finding]:
    """A line for the other machines, and one for each version that is not ours."""
    by_age = sorted((mark for mark in seen if not mark.is_of(own)), key=lambda mark: mark.written)
    newest = {(mark.machine, mark.identity): mark for mark in by_age}
    if not newest and is_alone:
        return
    if not newest:
        remedy = "Run `triptych doctor` on each worker, too, with the same settings: each sees the others then."
        yield Finding("machines", Standing.SKIPPED, "No other machine has looked at this workspace for a day.", remedy)
        return
    called = {key: f"another {own.machine}" if key[0] == own.machine else key[0] for key in newest}
    ago = {key: max(0, own.written - mark.written) / 60 for key, mark in newest.items()}
    listed = ", ".join(f"{called[key]} ({minutes:.0f} min ago)" for key, minutes in sorted(ago.items()))
    yield Finding("machines", Standing.OK, f"The same workspace was seen from {listed}.")
    for key, mark in sorted(newest.items()):
        if _minor(mark.version) != _minor(own.version):
            said = f"{called[key]} has Triptych {mark.version}, this machine {own.version}."
            remedy = "A job needs one minor version for all its tasks: upgrade the older (docs/how-to/operate.md)."
            yield Finding("machines", Standing.WRONG, said, remedy)


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
