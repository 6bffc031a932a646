"""Whether the locations that a template names can be read: before a job comes to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from triptych.blocks import Diagnostic, Template
from triptych.blocks.run_names import fill
from triptych.errors import JobSpecError
from triptych.jobs.locations import listed, read_sources

SOME_RUN = {
    "ds": "2026-01-02",
    "ds_nodash": "20260102",
    "ts": "2026-01-02T03:04:05+00:00",
    "ts_nodash": "20260102T030405",
    "logical_date": "2026-01-02 03:04:05+00:00",
    "data_interval_start": "2026-01-01 03:04:05+00:00",
    "data_interval_end": "2026-01-02 03:04:05+00:00",
    "upstream.uri": "s3://bucket/output/",
    "upstream.dag_id": "other",
    "upstream.run_id": "scheduled__2026-01-02T03:04:05+00:00",
}
"""The names that a template's text may use, with the values of some run."""


def check_locations(template: Template) -> Iterator[Diagnostic]:
    """What is wrong with the default source, destination and side inputs, whatever the run."""
    own = {"$.dataSource": template.data_source, "$.dataDestination": template.data_destination}
    own |= {f"$.inputs.{name}": source for name, source in template.inputs.items()}
    for location, each in (placed for place, value in own.items() for placed in _placed(place, value)):
        try:
            read_sources(fill(each, SOME_RUN))
        except JobSpecError as error:
            yield Diagnostic(template.path, location, str(error))
            return
    if template.on_new_files is not None and (reason := _unwatchable(template)):
        yield Diagnostic(template.path, "$.onNewFiles", reason)


def _unwatchable(template: Template) -> str:
    """Why nobody can say what is new in the template's source, as the end of a sentence; empty where one can."""
    if template.schedule is not None:
        return "stands beside `schedule`: new files start the jobs, or a schedule does. Leave out one of them."
    source = template.data_source
    locations = read_sources(source) if source and fill(source, SOME_RUN) == source else ()
    if len(locations) != 1 or isinstance(source, list):
        return "needs a `dataSource` of one place, without dates and outputs: a folder or a glob that files come to."
    (location,) = locations
    if location.is_manifest or location.uri.partition(":")[0] in ("http", "https"):
        return f"needs a store that lists its files: {location.uri} does not."
    if not location.uri.endswith("/") and not any(each in location.uri for each in "*?["):
        return f"needs a folder, ending in '/', or a glob, and {location.uri} is one file."
    return ""


def _placed(place: str, value: Any) -> list[tuple[str, Any]]:
    """Each location of a value, and where it stands."""
    if isinstance(value, list):
        return [(f"{place}.{index}", each) for index, each in enumerate(value)]
    return [(place, each) for each in listed(value)]
