"""Uploads to a run's own workspace that nobody will complete: their ids are lost with the worker, or the answer."""

from __future__ import annotations

import logging

from triptych.storage import Store

_log = logging.getLogger(__name__)


def end_uploads(store: Store, root: str) -> None:
    """Abort what is uploaded below a run's own root, once its output holds every chunk: nothing more can count there.

    Attempts that were killed began it, and a client that asked again when the answer to its first request was lost.
    """
    try:
        for staged in store.waiting(root):
            store.discard(staged)
    except Exception as error:  # A clean-up decides nothing.
        _log.warning("%s: unfinished uploads could not be removed: %s", root, error)
