"""Removing what attempts staged and nobody needs any more; what cannot be removed is told, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from urllib.parse import quote, unquote

from triptych.errors import StorageError
from triptych.harmless import harmless_logger
from triptych.jobs.locations import OWN_FOLDER
from triptych.stages.publishing.records import Making, Records, StagingRecord
from triptych.storage import StagedObject, Store

_log = harmless_logger(__name__)


def clean_up(records: Records, store: Store, staging: Iterable[str], unfinished: Sequence[Making]) -> None:
    """Remove these objects of `staging/`, and what their records say was staged in the destination's store.

    Of uploads only those are aborted whose key is on record, that were not there before, and that no unfinished making
    waits for. Each step is tried, whatever became of those before it; a record stays until all that it says is gone.
    """
    needed = {made.staged.handle for making in unfinished for made in making.files if made.staged}
    tokens = {making.token for making in unfinished}
    for name in staging:
        if name.partition("-")[0] in tokens:
            continue
        is_done = not name.endswith(".json") or _discard_recorded(records, store, name, needed)
        if is_done:
            tried(f"staging/{name}", partial(records.store.delete, records.staging_uri(name)))


def tried(what: str, step: Callable[[], None]) -> bool:
    """Whether a step of a clean-up went well; when not, it is told, and nothing else comes of it."""
    try:
        step()
    except Exception as error:
        _log.warning("%s could not be removed: %s", what, error)
        return False
    return True


def all_tried(what: str, steps: Iterable[Callable[[], None]]) -> bool:
    """Whether all steps went well, each of which is tried whatever became of those before it."""
    outcomes = [tried(what, step) for step in steps]
    return all(outcomes)


def end_uploads(store: Store, root: str) -> None:
    """Abort what is uploaded below a run's own root, once its output holds every chunk: nothing more can count there.

    Attempts that were killed began it, and a client that asked again when the answer to its first request was lost.
    """
    tried(f"{root}: what is uploaded", lambda: _abort(store, root, set()))


def _discard_recorded(records: Records, store: Store, name: str, needed: set[str]) -> bool:
    """Whether nothing is left of what this record says."""
    steps: list[Callable[[], None]] = []

    def look() -> None:
        record = StagingRecord.from_json(records.store.read(records.staging_uri(name)), records.staging_uri(name))
        for upload, before in record.uploads.items():
            steps.append(partial(_abort, store, record.uri + quote(upload), {*before, *needed}))
        if not store.uploads_wait:
            for info in store.list(f"{record.uri}{OWN_FOLDER}/{record.token}-"):
                if unquote(info.uri) not in map(unquote, needed):
                    steps.append(partial(store.discard, StagedObject(info.uri, info.size, info.uri)))

    found = tried(f"staging/{name}: what it says", look)
    return all_tried(f"staging/{name}: what was staged", steps) and found


def _abort(store: Store, uri: str, kept: set[str]) -> None:
    uploads = [staged for staged in store.waiting(uri) if staged.handle not in kept]
    if not all_tried(uri, [partial(store.discard, staged) for staged in uploads]):
        msg = "an upload is left."
        raise StorageError(msg)
