"""From the registry to workspace and DAG processor: what its bundle does in `refresh`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

from triptych.blocks import Block
from triptych.errors import IntegrityError, ObjectNotFoundError
from triptych.harmless import harmless_logger
from triptych.registry.mirror import Mirror
from triptych.registry.resolving import Index, Unit, resolve
from triptych.registry.store import Registry
from triptych.registry.units import Fetch, forget_units, make_unit, published_tags
from triptych.storage.copying import save

_log = harmless_logger(__name__)


def sync(
    registry: Registry, mirror: Mirror, units: Path, built_in: Sequence[Block], taken: Collection[str] = ()
) -> Index:
    """Bring what is active to the workspace and into `units`, then the index, whose contents are all there by then.

    A template that cannot be brought has its reasons in the index; StorageError, and no new index, when a store fails.
    `taken` are ids of templates that lie in include folders: those go on having their DAGs.
    """
    found = resolve(registry.publications(), built_in, partial(published_tags, registry))
    for name in sorted(found.keys() & set(taken)):
        _log.warning("Template %s is published, and lies in an include folder, too: that one has the DAG.", name)
    there = mirror.contents()
    index = {name: _brought(unit, registry, mirror, units, there) for name, unit in found.items() if name not in taken}
    mirror.publish(index)
    forget_units(units, [unit.digest for unit in index.values()])
    return index


def _brought(unit: Unit, registry: Registry, mirror: Mirror, units: Path, there: set[str]) -> Unit:
    """The unit once it is in workspace and folder, or what stands for it with the reasons why it cannot be."""
    if unit.reasons:
        return unit
    try:
        for sha256 in {unit.template, *unit.blocks.values()} - there:
            mirror.take(sha256, registry.blocks_of(sha256))
            there.add(sha256)
        make_unit(units / unit.digest, unit, _from_registry(registry))
    except (IntegrityError, ObjectNotFoundError) as error:
        return dataclasses.replace(unit, reasons=tuple(str(error).splitlines()))
    return unit


def _from_registry(registry: Registry) -> Fetch:
    def fetch(sha256: str, path: Path) -> None:
        save(registry.blocks_of(sha256), path)

    return fetch
