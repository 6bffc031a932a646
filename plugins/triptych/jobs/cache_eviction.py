"""What of the cached results goes: those beyond their age, and the oldest of those beyond the size of all.

What is evicted is run again when it is next wanted: no job's own results lie here. Indices go before what they name, so
that a job that looks while this runs finds a result or none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from triptych.jobs.result_cache import written
from triptych.jobs.workspace import CACHE
from triptych.settings import DAY_S, Settings
from triptych.storage import OBJECTS_AT_ONCE, ObjectInfo, Store

_ENTRIES, _CONTEXTS = "entries", "contexts"


@dataclass(frozen=True)
class Evicted:
    """What goes, or would: so many objects, of so many bytes."""

    objects: tuple[ObjectInfo, ...]

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(each.size for each in self.objects)


def evict(store: Store, settings: Settings, *, dry_run: bool = False, now: float | None = None) -> Evicted:
    """Remove from the workspace's cache what the settings do not let stay; with `dry_run` say only what that is.

    One listing; what is no object of a cache is left alone. Results are as old as their names say.
    """
    now = time.time() if now is None else now
    evicted = _evictable(store.list(f"{settings.workspace}/{CACHE}/"), settings, now)
    if not dry_run:
        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            for is_index in (True, False):
                chosen = [each.uri for each in evicted.objects if each.uri.endswith(".json") is is_index]
                list(pool.map(store.delete, chosen))
    return evicted


@dataclass
class _Folder:
    """What an attempt kept together."""

    context: str
    written: float
    objects: list[ObjectInfo]

    @property
    def size(self) -> int:
        return sum(each.size for each in self.objects)


def _evictable(listed: Iterable[ObjectInfo], settings: Settings, now: float) -> Evicted:
    folders: dict[str, _Folder] = {}
    descriptions: list[tuple[str, float, ObjectInfo]] = []
    for info in listed:
        *parts, last = info.uri.rsplit("/", 4)
        if len(parts) == 4 and parts[1] == _ENTRIES and (made := written(parts[3])) is not None:
            folder = folders.setdefault("/".join(parts), _Folder(f"{parts[0]} {parts[2]}", made, []))
            folder.objects.append(info)
        elif len(parts) == 4 and parts[3] == _CONTEXTS and (made := written(last)) is not None:
            dag, context = f"{parts[0]}/{parts[1]}/{parts[2]}", last.removesuffix(".json").partition("_")[2]
            descriptions.append((f"{dag} {context}", made, info))
    oldest = now - settings.result_cache_days * DAY_S
    gone = [folder for folder in folders.values() if folder.written < oldest]
    stays = sorted((each for each in folders.values() if each.written >= oldest), key=lambda each: each.written)
    beyond = sum(each.size for each in stays) - settings.result_cache_bytes
    while beyond > 0:
        gone.append(stays.pop(0))
        beyond -= gone[-1].size
    used = {folder.context for folder in stays}
    # Who has just described a context may not have come to keep anything of it.
    unused = [info for context, made, info in descriptions if context not in used and made < now - DAY_S]
    return Evicted((*(info for folder in gone for info in folder.objects), *unused))
