"""Rolling a decided making forward: by any attempt, from any point, to the same files."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from triptych.errors import DestinationError, ObjectConflictError, ObjectNotFoundError, StorageError
from triptych.harmless import harmless_logger
from triptych.stages.publishing.linking import linked
from triptych.stages.publishing.names import KnownFile, Names, holds
from triptych.stages.publishing.records import Listing, MadeFile, Making, Records, listing_text
from triptych.storage import OBJECTS_AT_ONCE, ObjectInfo

_log = harmless_logger(__name__)


class StagedNoMoreError(StorageError):
    """What was staged of a file is gone, and the file is not in place: the output has to be made again."""


def roll_forward(making: Making, names: Names, records: Records, list_uri: str, links_s: int | None = None) -> Listing:
    """Put every file of the making in place, remove what it replaces, write its lists; the list that counts.

    `names` knows as ours the files of the earlier makings. What is in place already is left as it is. Raises
    DestinationError where somebody else's file came between, and StagedNoMoreError. With `links_s` the list has links.
    """
    with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
        etags = list(pool.map(lambda file: _put_in_place(file, names, records), making.files))
        list(pool.map(lambda old: _remove(names, old.name, old.etag), making.removes))
    files = [{**asdict(made.file), "etag": etag} for made, etag in zip(making.files, etags, strict=True)]
    listing = {**making.summary, **({"files": files} if links_s is None else linked(files, names, links_s))}
    names.store.put(list_uri, listing_text(listing))
    for uri in making.old_lists:
        _remove_list(names, uri)
    return records.finish(making.number, listing)


def _put_in_place(made: MadeFile, names: Names, records: Records) -> str:
    """The etag that the file has at its final URI."""
    name = made.file.name
    there = names.look(name)
    if there and _is_it(there, made, names):
        return there.etag
    replaces = _replaced(there, made, names)
    try:
        return _write(made, replaces, names, records)
    except (ObjectConflictError, ObjectNotFoundError) as error:
        # By another attempt that rolls forward, or by this one, when the answer was lost and the client asked again.
        there = names.look(name)
        if there and _is_it(there, made, names):
            return there.etag
        if isinstance(error, ObjectConflictError):
            raise _in_the_way(names, name) from error
        msg = f"{names.uri_of(name)}: what was staged of it is gone. Clear `assemble` to make the output again."
        raise StagedNoMoreError(msg) from error


def _is_it(there: ObjectInfo, made: MadeFile, names: Names) -> bool:
    """Whether the file is in place: by its etag, or by its bytes where the store makes an etag of its own."""
    is_kept = made.staged is None and made.packed is None
    if there.etag == made.replaces:
        return is_kept
    expected = made.staged.etag if made.staged else None
    return holds(names.store, there, KnownFile(made.file.size, made.file.sha256, expected))


def _replaced(there: ObjectInfo | None, made: MadeFile, names: Names) -> str | None:
    """The etag to replace, which may be of an earlier making that another attempt finished meanwhile."""
    if there is None:
        return None
    if there.etag == made.replaces or names.is_ours(made.file.name, there):
        return there.etag
    raise _in_the_way(names, made.file.name)


def _write(made: MadeFile, replaces: str | None, names: Names, records: Records) -> str:
    if made.staged:
        return names.store.release(made.staged, replaces)
    if made.packed is None:
        msg = f"{names.uri_of(made.file.name)}: it was unchanged, and is not there any more."
        raise ObjectNotFoundError(msg)
    data = b""
    if made.file.size:
        data = records.store.read_range(f"{records.root}/{made.packed.object}", made.packed.offset, made.file.size)
    return names.store.put_replacing(names.uri_of(made.file.name), data, replaces)


def _in_the_way(names: Names, name: str) -> DestinationError:
    msg = (
        f"{names.uri_of(name)}: a file that this job did not write came there while the output was being published. "
        "Move it away, then clear `assemble`: the rest is put in place then."
    )
    return DestinationError(msg)


def _remove(names: Names, name: str, etag: str) -> None:
    try:
        names.store.delete_version(names.uri_of(name), etag)
    except StorageError as error:
        _log.warning("A file of an earlier output stays beside this one: %s", error)


def _remove_list(names: Names, uri: str) -> None:
    try:
        names.store.delete(uri)
    except StorageError as error:
        _log.warning("The list of an earlier output stays: %s", error)


def known_files(makings: list[Making], listings: Mapping[int, Listing]) -> dict[str, list[KnownFile]]:
    """By name, the versions that these makings wrote or were to write; with etags where a list has them."""
    known: dict[str, list[KnownFile]] = {}
    for making in makings:
        listed = {file["name"]: file["etag"] for file in listings.get(making.number, {}).get("files", ())}
        for made in making.files:
            etag = listed.get(made.file.name, made.staged.etag if made.staged else None)
            known.setdefault(made.file.name, []).append(KnownFile(made.file.size, made.file.sha256, etag))
    return known
