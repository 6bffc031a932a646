"""Spellings of times that neither Arrow nor `datetime` reads: nanoseconds, a blank before the offset, zones' names.

They become what both read; what is not understood stays as it is, for the caller to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.text_columns import TextColumn, any_true, by_unique, scalar

OFFSETS: Mapping[str, str] = {
    **dict.fromkeys(("UTC", "GMT", "UT", "WET"), "+00:00"),
    **{"EST": "-05:00", "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00"},
    **{"MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00"},
    **{"WEST": "+01:00", "CET": "+01:00", "CEST": "+02:00", "MET": "+01:00", "MEST": "+02:00"},
    **{"EET": "+02:00", "EEST": "+03:00", "MSK": "+03:00", "SAST": "+02:00"},
    **{"JST": "+09:00", "KST": "+09:00", "HKT": "+08:00", "AWST": "+08:00", "ACST": "+09:30", "ACDT": "+10:30"},
    **{"AEST": "+10:00", "AEDT": "+11:00", "NZST": "+12:00", "NZDT": "+13:00", "HST": "-10:00"},
    **{"AKST": "-09:00", "AKDT": "-08:00"},
}
"""Of RFC 5322, 4.3, and names that one zone has alone. Others mean two: only the declared zone tells which."""
AMBIGUOUS = ("BST", "IST")
ZONE_NAMES = "|".join((*OFFSETS, *AMBIGUOUS))
_NANOSECONDS = r"[.,]\d{7,}"
_ZONED = r"\d ?[A-Z][A-Za-z]{1,4}$"


def plain_spelling(texts: TextColumn, zone: tzinfo) -> tuple[TextColumn, pa.Int64Array | None]:
    """As ISO 8601 with at most six digits and an offset in numbers; and the nanoseconds beyond, None where all are 0.

    ["2026-01-02 03:04:05,678901234 CET"] -> ["2026-01-02 03:04:05.678901+01:00"], [234]. `zone` is the declared one,
    whose own names (IST of Asia/Kolkata) count before others.
    """
    texts, nanoseconds = without_nanoseconds(texts)
    if any_true(pc.match_substring_regex(texts, r":\d\d,\d")):
        texts = pc.replace_substring_regex(texts, r"(:\d\d),(\d)", r"\1.\2")
    if any_true(pc.match_substring_regex(texts, r":\d\d(?:\.\d+)? [+-]\d\d(?::?\d\d)?$")):
        texts = pc.replace_substring_regex(texts, r" ([+-]\d\d(?::?\d\d)?)$", r"\1")
    zoned = pc.match_substring_regex(texts, _ZONED).fill_null(False)
    if any_true(zoned):
        fields = pc.extract_regex(texts.filter(zoned), r"^(?P<time>.*\d) ?(?P<name>[A-Za-z]+)$")
        times, names = (pc.struct_field(fields, [field]) for field in ("time", "name"))
        offsets = by_unique(names, lambda name: offset_of_name(name, zone) or f" {name}")
        spelled = pc.binary_join_element_wise(times, offsets, scalar(""))
        texts = pc.replace_with_mask(texts, zoned, spelled)
    return texts, nanoseconds


def without_nanoseconds(texts: TextColumn) -> tuple[TextColumn, pa.Int64Array | None]:
    """With at most six digits of a fraction, and what the next three say: [".1234567"] -> [".123456"], [700]."""
    long = pc.match_substring_regex(texts, _NANOSECONDS).fill_null(False)
    if not any_true(long):
        return texts, None
    fields = pc.extract_regex(texts, r"^(?P<head>.*?)(?P<mark>[.,])(?P<us>\d{6})(?P<ns>\d+)(?P<tail>.*)$")
    parts = {name: pc.struct_field(fields, [name]) for name in ("head", "mark", "us", "ns", "tail")}
    short = pc.binary_join_element_wise(parts["head"], parts["mark"], parts["us"], parts["tail"], scalar(""))
    digits = pc.utf8_rpad(pc.utf8_slice_codeunits(parts["ns"], 0, 3), 3, "0")
    nanoseconds = pc.if_else(long, digits, "0").cast(pa.int64())
    return pc.if_else(long, short, texts), nanoseconds


@lru_cache(maxsize=1024)
def offset_of_name(name: str, zone: tzinfo) -> str | None:
    """`CET` -> `+01:00`; None for a name that means none, or two and neither of the declared zone."""
    return _own_names(zone).get(name) or OFFSETS.get(name)


@lru_cache(maxsize=64)
def _own_names(zone: tzinfo) -> Mapping[str, str]:
    """The zone's short names in this century, with their offsets."""
    moments = [datetime(2000, 1, 15, tzinfo=zone) + timedelta(days=30 * month) for month in range(12 * 35)]
    return {name: f"{moment:%z}" for moment in moments if (name := moment.tzname()) and name.isalpha()}
