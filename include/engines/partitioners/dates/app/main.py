"""Records of one period of time into one chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines import Chunk, Source
from triptych.engines.arrays.text_columns import TextColumn
from triptych.engines.tables.group_by import group_by
from triptych.engines.tables.group_labels import NoLabelError
from triptych.engines.times.calendar import local_quarters
from triptych.engines.times.parsing import parse_iso8601_or_epoch, parse_strptime
from triptych.engines.times.zones import find_zone

UNPARSABLE = "unparsable"


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per period, in the order in which they first occur; each record is in exactly one."""
    zone = find_zone(params["time_zone"])
    begins = _period(params["freq"], params["hours"])

    def label(values: Sequence[TextColumn]) -> TextColumn:
        times = (
            parse_strptime(values[0], params["formats"], zone=zone)
            if params["formats"]
            else parse_iso8601_or_epoch(_whole_dates(values[0], params["freq"]), zone)
        )
        moments, codes = local_quarters(times, zone)
        if params["on_unparsable"] == "fail" and None in moments:
            is_missing = np.array([moment is None for moment in moments])[codes]
            if is_missing.any():
                raise _unparsable(values[0], int(is_missing.argmax()), params["column"])
        other = UNPARSABLE if params["on_unparsable"] == "own_chunk" else None
        labels = [other if moment is None else begins(moment) for moment in moments]
        return pa.array(labels, pa.large_string()).take(pa.array(codes))

    def metadata(label: str) -> dict[str, Any]:
        return (
            {} if label == UNPARSABLE else {"period": label, "freq": params["freq"], "time_zone": params["time_zone"]}
        )

    return group_by(sources, params, [params["column"]], label, metadata)


def _whole_dates(texts: TextColumn, freq: str) -> TextColumn:
    """Years and months by themselves as the date that they begin with, where no more is asked: 2026 -> 2026-01-01."""
    if freq in ("year", "month"):
        texts = pc.replace_substring_regex(texts, r"^(\d{4}-\d\d)$", r"\1-01")
    return pc.replace_substring_regex(texts, r"^(\d{4})$", r"\1-01-01") if freq == "year" else texts


def _unparsable(texts: TextColumn, index: int, column: str) -> NoLabelError:
    text = texts[index].as_py()
    number = " (a number counts seconds since 1970 from nine digits on)" if text and text.isdigit() else ""
    msg = (
        f"{text!r} in {column!r} is no date or time{number}. Declare its format in `formats`, "
        "or say in `on_unparsable` where such records go."
    )
    return NoLabelError(msg, index)


def _period(freq: str, hours: int) -> Callable[[datetime], str]:
    """The label of the period that a moment lies in: 2026-11-24, 2026-W48, 2026-11, 2026, 2026-11-24T06."""
    if freq == "hours":
        return lambda moment: f"{moment:%Y-%m-%d}T{moment.hour // hours * hours:02d}"
    if freq == "week":
        return lambda moment: "{}-W{:02d}".format(*moment.isocalendar())
    pattern = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[freq]
    return lambda moment: moment.strftime(pattern)
