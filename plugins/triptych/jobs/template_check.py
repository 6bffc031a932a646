"""Whether the locations that a template names can be read: before a job comes to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from triptych.blocks import Diagnostic, Template
from triptych.blocks.date_names import fill
from triptych.errors import JobSpecError
from triptych.jobs.locations import listed, read_location

SOME_RUN = {
    "ds": "2026-01-02",
    "ds_nodash": "20260102",
    "ts": "2026-01-02T03:04:05+00:00",
    "ts_nodash": "20260102T030405",
    "logical_date": "2026-01-02 03:04:05+00:00",
    "data_interval_start": "2026-01-01 03:04:05+00:00",
    "data_interval_end": "2026-01-02 03:04:05+00:00",
}
"""The names that a template's text may use, with the values of some run."""


def check_locations(template: Template) -> Iterator[Diagnostic]:
    """What is wrong with the default source and destination, whatever the run."""
    sources = [(f"$.dataSource.{index}", each) for index, each in enumerate(listed(template.data_source))]
    if not isinstance(template.data_source, list):
        sources = [("$.dataSource", each) for _, each in sources]
    given: list[tuple[str, Any]] = [*sources]
    given += [("$.dataDestination", template.data_destination)] if template.data_destination else []
    for location, each in given:
        try:
            read_location(fill(each, SOME_RUN))
        except JobSpecError as error:
            yield Diagnostic(template.path, location, str(error))
