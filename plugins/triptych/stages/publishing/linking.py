"""Links to the files of an output, by which anybody fetches them for a while. They are rights: no log has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from triptych.errors import UnsupportedError
from triptych.harmless import harmless_logger
from triptych.stages.publishing.names import Names

SIGNED_AT_ONCE = 4
"""Some stores are asked for each signature."""
_log = harmless_logger(__name__)


def linked(files: Sequence[Mapping[str, Any]], names: Names, lifetime_s: int) -> dict[str, Any]:
    """`files` of an output's list, each with its `link`, and when these end: `links_expire`, in ISO 8601.

    Where the store signs none, or not for so long, the files are as they were, and the log says why.
    """
    expires = datetime.now(UTC) + timedelta(seconds=lifetime_s)

    def link(file: Mapping[str, Any]) -> str:
        return names.store.signed_url(names.uri_of(file["name"]), "GET", lifetime_s)

    try:
        with ThreadPoolExecutor(SIGNED_AT_ONCE) as pool:
            links = list(pool.map(link, files))
    except UnsupportedError as error:
        _log.warning("The output has no links: %s", error)
        return {"files": files}
    made = [{**file, "link": url} for file, url in zip(files, links, strict=True)]
    return {"files": made, "links_expire": expires.isoformat(timespec="seconds")}
