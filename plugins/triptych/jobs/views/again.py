"""A job's spec as the conf of a new job: the same once more, with what is changed of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from triptych.jobs.locations import Location
from triptych.jobs.spec import JobSpec

TEMPORARY = {"dataSourceDescriptor": "bucket"}
"""The destination of a job whose output is temporary."""


def conf_of(spec: JobSpec) -> dict[str, Any]:
    """What `build_job_spec` makes the same job of, but for the services of locations (`unchanged`)."""
    return {
        "name": spec.name,
        "params": {role.value: dict(params) for role, params in spec.params.items()},
        "config": {key: value for key, value in spec.config.items() if value is not None},
        "dataSource": [_written(each) for each in spec.sources],
        "dataDestination": TEMPORARY if spec.temporary else _written(spec.destination) if spec.destination else None,
        "inputs": {name: [_written(each) for each in source] for name, source in spec.inputs.items()},
    }


def unchanged(new: JobSpec, old: JobSpec) -> JobSpec:
    """The new spec, with each location that is where the old one's was as that had it, its service with it."""
    known = {(each.uri, each.conn_id): each for source in old.reads.values() for each in source}
    if old.destination:
        known[old.destination.uri, old.destination.conn_id] = old.destination

    def same(location: Location) -> Location:
        return known.get((location.uri, location.conn_id), location)

    return dataclasses.replace(
        new,
        sources=tuple(map(same, new.sources)),
        inputs={name: tuple(map(same, source)) for name, source in new.inputs.items()},
        destination=same(new.destination) if new.destination else None,
    )


def _written(location: Location) -> Mapping[str, str | None] | str:
    key = "manifest" if location.is_manifest else "uri"
    if location.conn_id is None and not location.is_manifest:
        return location.uri
    return {key: location.uri, "conn_id": location.conn_id}
