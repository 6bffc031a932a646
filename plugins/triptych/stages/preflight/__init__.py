"""What would end a job later, found before any data moves: the destination, the workspace, images and resources."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from triptych.blocks import Block, Role
from triptych.blocks.networks import network_of
from triptych.errors import ConfigError, StorageError, UnsupportedError
from triptych.jobs.workspace import Workspace
from triptych.running import checked_images
from triptych.stages.publishing import Existing, Names, check_destination

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triptych.jobs.spec import JobSpec
    from triptych.settings import Settings
    from triptych.storage import Stores

PROBE = "probe"
"""An object of each workspace, empty, that tells whether its store heeds conditions."""


def preflight(
    settings: Settings, spec: JobSpec, blocks: Mapping[Role, Block], workspace: Workspace, stores: Stores
) -> dict[Role, str | None]:
    """Raise what would end this job for sure, with the error that is permanent; else each role's image digest.

    Two requests to the workspace, one to the destination, three to the container engine and, for an image that is
    not there, one to its registry; the job needs each right that they ask for.
    """
    for block in blocks.values():
        network_of(block, settings)
    for key, source in ((key, source) for key, sources in spec.reads.items() for source in sources):
        with _named(f"{key} {source.uri}: cannot be read."):
            stores.open(source.uri, source.conn_id, source.service)
    check_destination(spec.reads, spec.destination)
    # With many machines, the app's engine is another one: the first pack that finds it too small ends the job there.
    here = tuple(Role) if settings.one_machine else (Role.PARTITIONER,)
    images = checked_images(blocks, settings, here)
    check_conditions(workspace)
    if spec.destination is not None:
        uri = spec.destination.uri.rstrip("/") + "/"
        with _named(f"dataDestination {uri}: cannot be written to."):
            store = stores.open(uri, spec.destination.conn_id, spec.destination.service)
            store.check_writable(uri)
        if spec.config["existing"] == Existing.FAIL:
            Names(store, uri, {}).check_nothing_else()
    return images


def check_conditions(workspace: Workspace) -> None:
    """ConfigError when the workspace's store lets a second put-if-absent of one key through, or knows none."""
    uri = f"{workspace.root}/{PROBE}"
    try:
        workspace.store.put_if_absent(uri, b"")
        is_heeded = not workspace.store.put_if_absent(uri, b"")
        reason = "a second put of one key that was to be refused went through"
    except UnsupportedError as error:
        is_heeded, reason = False, str(error)
    if not is_heeded:
        msg = (
            f"[triptych] workspace {workspace.root}: its store cannot be a workspace: {reason}. By such puts results "
            "count. Take a store that heeds `If-None-Match: *` (Amazon S3, MinIO, SeaweedFS ...), Google Cloud "
            "Storage, Azure Blob or a shared folder."
        )
        raise ConfigError(msg)


@contextmanager
def _named(place: str) -> Iterator[None]:
    """A store's refusal with the place in the job spec that asked for it."""
    try:
        yield
    except StorageError as error:
        msg = f"{place} {error}"
        raise type(error)(msg) from error
