"""The slots of pools, beside what tasks want of them and what the machine has: read from Airflow's database."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from triptych.airflow.pools import UNLIMITED, slots_of, too_few
from triptych.blocks import Catalog
from triptych.blocks.placement import pool_of, slots_per_task
from triptych.checkup import Finding, Standing
from triptych.settings import Settings
from triptych.stages import Stage


def check_slots(settings: Settings, catalog: Catalog, slots: Mapping[str, int] | None) -> Iterator[Finding]:
    """Of each pool that apps run in, by `slots_of_pools`; skipped where that could not be told, as on a worker."""
    wanted = _wanted(catalog, settings)
    if slots is None:
        remedy = "Run it where Airflow's scheduler runs."
        yield Finding("pools", Standing.SKIPPED, "Airflow's database does not answer here.", remedy)
        return
    missing = {each.pool: each.name for each in settings.classes if each.pool and each.pool not in slots}
    for pool, name in missing.items():
        remedy = f"airflow pools set {pool} SLOTS 'cores for apps', with all cores of the class."
        yield Finding("pools", Standing.WRONG, f"[triptych] classes.{name}: there is no pool {pool!r}.", remedy)
    for reason in too_few({key: count for key, count in wanted.items() if key[0] not in missing}, slots):
        yield Finding("pools", Standing.WRONG, reason)
    for pool, count in sorted(slots.items()):
        yield _beside_cores(settings, pool, count)


def slots_of_pools(settings: Settings, catalog: Catalog) -> dict[str, int] | None:
    """By name of each pool that apps run in, or may; None where the database does not answer."""
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    pools = {each.pool for each in settings.classes if each.pool}
    try:
        with create_session() as session:
            return slots_of({settings.pool, *pools, *(pool for pool, _ in _wanted(catalog, settings))}, session)
    except SQLAlchemyError:
        return None


def _wanted(catalog: Catalog, settings: Settings) -> dict[tuple[str, str], int]:
    """Slots by pool and task, of each template's app."""
    return {
        (pool_of(template, settings.classes, settings.pool), f"{template.id}.{Stage.APP}"): slots_per_task(
            template.app, settings.classes
        )
        for template in catalog.templates
    }


def _beside_cores(settings: Settings, pool: str, count: int) -> Finding:
    """A pool that has more slots than there are cores lets apps wait for each other's, with their timeouts running."""
    cores = os.cpu_count() or 1
    told = "no limit" if count == UNLIMITED else f"{count} slots"
    if settings.one_machine and not 0 < count <= cores:
        said = f"The pool {pool!r} has {told}, one per core of an app, and this machine has {cores} cores."
        return Finding("pools", Standing.WARNING, said, f"airflow pools set {pool} {cores} 'cores for apps'")
    return Finding("pools", Standing.OK, f"The pool {pool!r} has {told}.")
