"""Whether an output is still what its lists say: every file is read and hashed, nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from triptych.errors import IntegrityError, ObjectNotFoundError, SourceError
from triptych.jobs.locations import OWN_FOLDER
from triptych.stages.publishing.records import read_listing
from triptych.storage import Store
from triptych.storage.copying import checked

FILES_AT_ONCE = 4
_LIST = re.compile(rf"{OWN_FOLDER}/[^/]+/[^/]+\.json")


@dataclass(frozen=True)
class Verification:
    """What was found below `uri`: `files` and `bytes` were listed; names of those of which something is wrong.

    `extra` files are in no list; they need not be ours.
    """

    uri: str
    lists: int
    files: int
    bytes: int
    missing: list[str]
    changed: list[str]
    extra: list[str]

    @property
    def is_sound(self) -> bool:
        """Whether all that was listed is there as it was."""
        return not self.missing and not self.changed


def verify(store: Store, uri: str) -> Verification:
    """Compare all below `uri`, which ends in `/`, with the lists of the jobs that wrote there.

    SourceError when there is no list; IntegrityError for a list that is none.
    """
    start = unquote(uri)
    found = {unquote(info.uri).removeprefix(start): info for info in store.list(uri)}
    lists = [info.uri for name, info in found.items() if _LIST.fullmatch(name)]
    if not lists:
        msg = f"{uri}: holds no list of an output, {OWN_FOLDER}/<template>/<run>.json. Name the folder a job wrote to."
        raise SourceError(msg)
    listed = [file for each in lists for file in read_listing(store, each)["files"]]
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        states = list(pool.map(lambda file: _state(store, uri, file), listed))
    names = {file["name"] for file in listed}
    extra = [name for name in found if name not in names and not name.startswith(f"{OWN_FOLDER}/")]
    return Verification(
        uri,
        len(lists),
        len(listed),
        sum(file["size"] for file in listed),
        _of_state("missing", listed, states),
        _of_state("changed", listed, states),
        sorted(name for name in extra if name and not name.endswith("/")),
    )


def _of_state(wanted: str, listed: list[Mapping[str, Any]], states: list[str]) -> list[str]:
    return sorted({file["name"] for file, state in zip(listed, states, strict=True) if state == wanted})


def _state(store: Store, uri: str, file: Mapping[str, Any]) -> str:
    where = f"{uri}{quote(file['name'])}"
    try:
        info = store.stat(where)
        if info.size != file["size"]:
            return "changed"
        for _ in checked(store.stream(where, etag=info.etag), file["size"], file["sha256"], where):
            pass
    except ObjectNotFoundError:
        return "missing"
    except IntegrityError:
        return "changed"
    return "sound"
