"""Where an app's history lies in the workspace: `_history/<dag>/<app>.json`, written by each job's `assemble`.

Of two jobs that end at once one may be lost: what is kept is a guess, and a guess at the next job's packs is all that
hangs on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from triptych.errors import IntegrityError, ObjectNotFoundError, TriptychError
from triptych.harmless import harmless_logger
from triptych.jobs.history.pace import Pace
from triptych.jobs.records import read_record
from triptych.jobs.workspace import Workspace, history_root
from triptych.settings import Settings
from triptych.storage import Store

_log = harmless_logger(__name__)


def read_pace(settings: Settings, store: Store, dag_id: str, app: str) -> Pace | None:
    """What is known of the app in this DAG; None where nothing is, or it cannot be read."""
    place = Workspace(store, history_root(settings, dag_id))
    uri = place.uri(_name(app))
    try:
        return read_record(store.read(uri), uri, _pace)
    except ObjectNotFoundError:
        return None
    except TriptychError as error:
        _log.warning("How long chunks took before is not known: %s", error)
        return None


def note_pace(settings: Settings, store: Store, dag_id: str, app: str, pace: Pace) -> None:
    """Keep it for later jobs, with what was known before; what hinders that hinders no job."""
    place = Workspace(store, history_root(settings, dag_id))
    older = None
    with suppress(IntegrityError, ObjectNotFoundError):
        older = read_record(store.read(place.uri(_name(app))), place.uri(_name(app)), _pace)
    place.put_json(_name(app), pace.after(older).to_json())


def _name(app: str) -> str:
    return f"{app}.json"


def _pace(data: Mapping[str, Any]) -> Pace:
    pace = Pace(**data)
    if not pace.is_known:
        msg = "no such sums"
        raise ValueError(msg)
    return pace
