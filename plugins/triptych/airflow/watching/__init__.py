"""New files start jobs: a template with `on_new_files` is scheduled on an asset that a trigger of ours watches.

`trigger` runs in Airflow's triggerer and only says that there is something; which files are whose, the workspace knows
(`triptych.jobs.new_files`). So an event that comes twice, or late, starts a run that has nothing to do, and ends well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from triptych.blocks import Template
from triptych.jobs.locations import Location, read_sources
from triptych.jobs.new_files import Watch
from triptych.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

NOTHING_NEW = "nothing_new"
"""Of the XCom of `partition` by which `assemble` knows that the run's files were another run's already."""
EVERY_S = 60.0
"""Between two looks, where the template says nothing."""


def watched(template: Template) -> Asset:
    """The asset that stands for the template's new files."""
    # A triggerer, and a parse of such a template, need Airflow's triggers; no other parse does.
    from airflow.sdk import AssetWatcher

    from triptych.airflow.watching.trigger import NewFilesTrigger

    every_s = float((template.on_new_files or {}).get("every_s") or EVERY_S)
    trigger = NewFilesTrigger(template=template.id, source=template.data_source, every_s=every_s)
    return Asset(name_of(template.id), watchers=[AssetWatcher(name=name_of(template.id), trigger=trigger)])


def name_of(template: str) -> str:
    """Of the asset: by this name its events are known."""
    return f"{template}.new_files"


def is_of_new_files(context: Context) -> bool:
    """Whether new files started this run, and not somebody, or a schedule.

    Anybody who may create an event by Airflow's API may start such a run: it has no files but those that were found.
    """
    events: Any = context["triggering_asset_events"]
    name = name_of(context["dag_run"].dag_id)
    return any(event.asset.name == name for each in events.values() for event in each)


def new_sources(settings: Settings, template: Template, run: str, made: float) -> tuple[Location, ...]:
    """The files that are this run's, as they were found; none where other runs have them, or they are gone.

    `made` is when the run came to be, in seconds since the epoch.
    """
    (source,) = read_sources(template.data_source)
    watch = Watch(settings, template.id)
    return watch.still_there(watch.take(run, made), source)
