"""The workspace as this machine reaches it, and the other machines that have looked at it of late.

Each look leaves a mark, `_doctor/<token>.json`, which says who and when; so that one look on each machine shows that
they all see one workspace, with clocks that agree and one version.
"""

from __future__ import annotations

import json
import platform
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from triptych import __version__
from triptych.checkup.findings import Finding, Standing
from triptych.errors import ConfigError, StorageError
from triptych.jobs.workspace import MARKS, Workspace
from triptych.running.rights.private_folders import NAMED, make_private
from triptych.settings import Settings
from triptych.stages.preflight import check_conditions
from triptych.storage import Store, Stores

HOUR_S = 3600
KEPT_S = 24 * HOUR_S
"""For so long a mark tells of its machine; older ones are removed by the next look."""
SKEW_S = 5.0
"""Clocks that differ by more make times in logs and reports lie, and links end too early."""
_MOST_MARK_BYTES = 10_000
_MOST_MARKS = 200


@dataclass(frozen=True)
class Mark:
    """What a look leaves: the machine's name, the version there, and the time by its own clock (seconds).

    `identity` tells machines of one name apart; empty where the machine could not keep one.
    """

    machine: str
    version: str
    written: float
    identity: str = ""

    def is_of(self, other: Mark) -> bool:
        """Whether both may be of one machine."""
        is_told = self.identity and other.identity
        return self.machine == other.machine and (not is_told or self.identity == other.identity)


def look_at_workspace(settings: Settings) -> Iterator[Finding]:
    """Whether it can be read, written and locked by conditions; its clock against ours; who else was here."""
    root = settings.workspace
    store = Stores(settings).workspace()
    check_conditions(Workspace(store, f"{root}/{MARKS}"))
    own = Mark(platform.node(), __version__, time.time(), _identity(settings.cache))
    uri = f"{root}/{MARKS}/{secrets.token_hex(8)}.json"
    started = time.monotonic()
    store.put(uri, json.dumps(asdict(own)).encode())
    store.read(uri, _MOST_MARK_BYTES)
    took = time.monotonic() - started
    yield Finding("workspace", Standing.OK, f"{root}: written and read in {took * 1000:.0f} ms; heeds conditions.")
    infos = list(store.list(f"{root}/{MARKS}/"))
    now = next((info.modified for info in infos if info.uri == uri), None)
    if now is not None:
        yield _clock(now - own.written, took)
    seen = _others(store, [info.uri for info in infos if info.uri != uri and info.uri.endswith(".json")][:_MOST_MARKS])
    yield from _told(seen, own, is_alone=settings.one_machine)


def _identity(cache: Path) -> str:
    """A random name in the cache folder, which each machine has of its own; empty where it cannot be kept there.

    Host names repeat where machines are made from one image, and so do the ids that systems give them.
    """
    kept = cache / NAMED
    try:
        make_private(cache)
        with suppress(FileExistsError), kept.open("x", encoding="ascii") as file:
            file.write(secrets.token_hex(8))
        return kept.read_text(encoding="ascii")
    except (OSError, ConfigError, UnicodeError):
        return ""


def _clock(ahead_s: float, took_s: float) -> Finding:
    """Of our clock against the store's, which said when the mark was written."""
    if abs(ahead_s) <= SKEW_S + took_s:
        return Finding("clock", Standing.OK, f"This machine's and the store's differ by less than {SKEW_S:.0f} s.")
    which = "behind" if ahead_s > 0 else "ahead of"
    said = f"This machine's clock is {abs(ahead_s):.0f} s {which} the store's."
    return Finding("clock", Standing.WARNING, said, "Let both keep time by NTP.")


def _others(store: Store, uris: Sequence[str]) -> list[Mark]:
    """The marks at these places that are young; older ones, and what is no mark, are removed."""
    young = []
    for uri in uris:
        try:
            mark = Mark(**json.loads(store.read(uri, _MOST_MARK_BYTES)))
            is_young = time.time() - float(mark.written) < KEPT_S
            is_young &= all(isinstance(each, str) for each in (mark.machine, mark.version, mark.identity))
        except (ValueError, TypeError):
            is_young = False
        except StorageError:
            continue  # Another look has removed it.
        if is_young:
            young.append(mark)
        else:
            store.delete(uri)
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
