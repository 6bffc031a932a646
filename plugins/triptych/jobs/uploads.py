"""What `triptych upload` put into a temporary area of the workspace, as jobs name it: `upload://<area>/<name>`.

Whoever knows an area's name may read there, and no connection is needed: its token is what lets a caller in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from triptych.errors import JobSpecError
from triptych.jobs.locations import Location
from triptych.jobs.spec import JobSpec
from triptych.jobs.temporary import area_named
from triptych.settings import Settings

SCHEME = "upload://"


def with_uploads(spec: JobSpec, settings: Settings) -> JobSpec:
    """The job with each upload that it reads as the place in the workspace where it lies.

    JobSpecError for what is no upload's name, and for one that has expired.
    """
    return replace(
        spec,
        sources=_found(spec.sources, settings),
        inputs={name: _found(source, settings) for name, source in spec.inputs.items()},
    )


def _found(locations: Iterable[Location], settings: Settings) -> tuple[Location, ...]:
    return tuple(_place(each, settings) if each.uri.startswith(SCHEME) else each for each in locations)


def _place(location: Location, settings: Settings) -> Location:
    name, _, path = location.uri.removeprefix(SCHEME).partition("/")
    area = area_named(settings, name)
    if area.expires <= datetime.now(UTC):
        msg = f"{location.uri}: this upload expired at {area.expires:%Y-%m-%d %H:%M:%S} UTC. Upload the files again."
        raise JobSpecError(msg)
    return Location(f"{area.uri}{path}", settings.workspace_conn_id)
