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


def _placed(place: str, value: Any) -> list[tuple[str, Any]]:
    """Each location of a value, and where it stands."""
    if isinstance(value, list):
        return [(f"{place}.{index}", each) for index, each in enumerate(value)]
    return [(place, each) for each in listed(value)]
