"""Records of one period of time into one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from triptych.engines import Chunk, Source
from triptych.engines.tables.group_by import grouped
from triptych.engines.tables.group_labels import FaultyValueError
from triptych.engines.times.calendar import local_quarters
from triptych.engines.times.parsing import parse_iso8601_or_epoch, parse_strptime
from triptych.engines.times.zones import find_zone

UNPARSABLE = "unparsable"


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per period, in the order in which they first occur; each record is in exactly one."""
    zone = find_zone(params["time_zone"])
    begins = _period(params["unit"], params["hours"])

    def label(values: Sequence[Any]) -> Any:
        times = parse_strptime(values[0], params["formats"]) if params["formats"] else parse_iso8601_or_epoch(values[0])
        moments, codes = local_quarters(times, zone)
        if params["unparsable"] == "fail" and None in moments:
            is_missing = np.array([moment is None for moment in moments])[codes]
            if is_missing.any():
                raise _unparsable(values[0], int(is_missing.argmax()), params["column"])
        other = UNPARSABLE if params["unparsable"] == "own_chunk" else None
        labels = [other if moment is None else begins(moment) for moment in moments]
        return pa.array(labels, pa.large_string()).take(pa.array(codes))

    def about(label: str) -> dict[str, Any]:
        return (
            {} if label == UNPARSABLE else {"period": label, "unit": params["unit"], "time_zone": params["time_zone"]}
        )

    return grouped(sources, params["format"], [params["column"]], label, about)


def _unparsable(texts: Any, at: int, column: str) -> FaultyValueError:
    msg = (
        f"{texts[at].as_py()!r} in {column!r} is no date or time. Declare its format in `formats`, "
        "or say in `unparsable` where such records go."
    )
    return FaultyValueError(msg, at)


def _period(unit: str, hours: int) -> Callable[[datetime], str]:
    """The label of the period that a moment lies in: 2026-11-24, 2026-W48, 2026-11, 2026, 2026-11-24T06."""
    if unit == "hours":
        return lambda moment: f"{moment:%Y-%m-%d}T{moment.hour // hours * hours:02d}"
    if unit == "week":
        return lambda moment: "{}-W{:02d}".format(*moment.isocalendar())
    form = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[unit]
    return lambda moment: moment.strftime(form)
