"""Templates that new files start, and the triggerer that looks for these: read from Airflow's database."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.blocks import Catalog
from triptych.checkup import Finding, Standing


def check_triggerer(catalog: Catalog) -> Iterator[Finding]:
    """One that lives, where a template needs it; nothing where the database does not answer, which the pools tell."""
    watching = sorted(template.id for template in catalog.templates if template.on_new_files is not None)
    if not watching:
        return
    from airflow.jobs.job import most_recent_job
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            latest = most_recent_job("TriggererJob", session=session)
            lives = latest is not None and latest.is_alive()
    except SQLAlchemyError:
        return
    names = f"{', '.join(watching[:3])}{' ...' if watching[3:] else ''}"
    if lives:
        yield Finding("triggerer", Standing.OK, f"A triggerer looks for new files of {names}.")
    else:
        said = f"New files are to start {names}, and no triggerer looks for any."
        yield Finding("triggerer", Standing.WARNING, said, "Start one: airflow triggerer.")
