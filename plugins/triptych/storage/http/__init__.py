"""`http://` and `https://`: files of web servers, as sources, through the session that Airflow's HttpHook gives.

`addresses` says what may be reached, `guard` holds every connection to that, `client` follows redirects, `answers`
reads what comes, `spool` keeps what a server gives only as a whole. `connect` makes the store.
"""

from __future__ import annotations

from triptych.connections import http_access
from triptych.settings import Settings
from triptych.storage.base import Store


def connect(conn_id: str | None, settings: Settings) -> Store:
    """A store over this Airflow connection, or one that logs in nowhere when it is None."""
    # An engine of files alone needs no `requests`, which takes a while to import.
    from triptych.storage.http.addresses import Reach
    from triptych.storage.http.spool import Spools
    from triptych.storage.http.store import HttpStore

    reach = Reach(settings.allowed_addresses)
    spools = Spools(settings.scratch, settings.http_spool_bytes)
    return HttpStore(http_access(conn_id), reach, spools, trusts_caller=settings.is_own_machine)
