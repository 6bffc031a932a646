"""Removing what attempts staged and nobody needs any more; what cannot be removed is told, and decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import quote, unquote

from triptych.stages.publishing.names import OWN_FOLDER
from triptych.stages.publishing.records import Making, Records, StagingRecord
from triptych.storage import Store

_log = logging.getLogger(__name__)


def clean_up(records: Records, store: Store, staging: Iterable[str], unfinished: Iterable[Making]) -> None:
    """Remove these objects of `staging/`, and what their records say was staged in the destination's store.

    Of uploads only those are aborted whose key is on record, that were not there before, and that no unfinished making
    waits for. Each step is tried, whatever became of those before it.
    """
    needed = {made.staged.handle for making in unfinished for made in making.files if made.staged}
    tokens = {making.token for making in unfinished}
    names = [name for name in staging if name.partition("-")[0] not in tokens]
    for name in names:
        if name.endswith(".json"):
            _try(name, partial(_discard_recorded, records, store, name, needed))
    for name in names:
        _try(name, partial(records.store.delete, records.staging_uri(name)))


def _discard_recorded(records: Records, store: Store, name: str, needed: set[str]) -> None:
    record = StagingRecord.from_json(records.store.read(records.staging_uri(name)))
    for upload, before in record.uploads.items():
        _try(name, partial(_abort, store, record.uri, upload, {*before, *needed}))
    if not store.uploads_wait:
        for info in list(store.list(f"{record.uri}{OWN_FOLDER}/{record.token}-")):
            if unquote(info.uri) not in map(unquote, needed):
                _try(name, partial(store.delete, info.uri))


def _abort(store: Store, folder: str, name: str, kept: set[str]) -> None:
    for staged in store.waiting(folder + quote(name)):
        if staged.handle not in kept:
            store.discard(staged)


def _try(name: str, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:
        _log.warning("staging/%s: what was staged could not be removed: %s", name, error)
