"""Whether what a job writes could be what it reads: by the locations alone, before any store is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triptych.errors import JobSpecError
from triptych.jobs.locations import Location
from triptych.storage.places import place_of, relation


def check_destination(reads: Mapping[str, Sequence[Location]], destination: Location | None) -> None:
    """JobSpecError when the destination is what the job reads, lies inside it, or holds it; by the job spec's keys.

    A glob counts for the objects that it could match. Local links are followed. Connections are not compared: two of
    them may well lead to one bucket.
    """
    if destination is None:
        return
    folder = place_of(destination.uri)
    for key, source in ((key, source) for key, sources in reads.items() for source in sources):
        lies = relation(place_of(source.uri), folder, is_folder=source.uri.endswith("/"))
        if lies:
            msg = (
                f"dataDestination {destination.uri} {lies} {key} {source.uri}: the job would write among what "
                "it reads. Name a folder that holds no source and lies in none."
            )
            raise JobSpecError(msg)
