"""Records of one period of time into one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.grouping import grouped
from triptych.engines.timestamps import time_zone
from triptych.errors import SourceError

UNPARSABLE = "unparsable"
LATEST_S = 100_000_000_000
"""Larger numbers (beyond the year 5138) are milliseconds."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per period, in the order in which they first occur; each record is in exactly one."""
    zone = time_zone(params["time_zone"])
    begins = _period(params["unit"], params["hours"])

    def label(values: Sequence[str]) -> str | None:
        try:
            moment = _parsed(values[0], params["formats"], zone)
        except (ValueError, OverflowError) as error:
            if params["unparsable"] == "fail":
                msg = (
                    f"{values[0]!r} in {params['column']!r} is no date or time. Declare its format in `formats`, "
                    "or say in `unparsable` where such records go."
                )
                raise SourceError(msg) from error
            return UNPARSABLE if params["unparsable"] == "own_chunk" else None
        return begins(moment)

    def about(label: str) -> dict[str, Any]:
        return (
            {} if label == UNPARSABLE else {"period": label, "unit": params["unit"], "time_zone": params["time_zone"]}
        )

    return grouped(sources, params["format"], [params["column"]], label, about)


def _parsed(text: str, formats: Sequence[str], zone: tzinfo) -> datetime:
    """In the zone; ValueError when no format fits."""
    if formats:
        moment = _declared(text, formats)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            number = float(text)
            moment = EPOCH + timedelta(seconds=number if abs(number) < LATEST_S else number / 1000)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)


def _declared(text: str, formats: Sequence[str]) -> datetime:
    for form in formats:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(text)


def _period(unit: str, hours: int) -> Callable[[datetime], str]:
    """The label of the period that a moment lies in: 2026-11-24, 2026-W48, 2026-11, 2026, 2026-11-24T06."""
    if unit == "hours":
        return lambda moment: f"{moment:%Y-%m-%d}T{moment.hour // hours * hours:02d}"
    if unit == "week":
        return lambda moment: "{}-W{:02d}".format(*moment.isocalendar())
    form = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[unit]
    return lambda moment: moment.strftime(form)
