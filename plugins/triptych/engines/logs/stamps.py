"""Which lines of a log begin an entry, and when: where the file's timestamps stand, by one form or by several.

A time elsewhere, such as in a line of a trace, begins none. Where a form names no year, the year turns with the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines.arrays.aliases import Mask, Microseconds
from triptych.engines.arrays.text_columns import BytesColumn, TextColumn
from triptych.engines.logs.timestamps import AT_START, KNOWN, TimestampForm
from triptych.engines.times.zones import EPOCH, MICROSECOND

LEAP_YEAR = 2000
"""Any one: to compare days without a year, of which one may be the 29th of February."""
HALF_A_YEAR_US = timedelta(days=183) // MICROSECOND
SELDOM = 0.2
"""Of a file's timestamps: places that fewer have are places of times, not of timestamps."""
COMMON_LOG = r"^(?:\S+ \S+ \S+ )?"
"""Before a timestamp of Apache: host, identity and user."""
LEVELS = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "SEVERE", "FATAL", "CRITICAL")


@dataclass(frozen=True)
class Stamps:
    """Of lines: which have a timestamp; and what these say, in microseconds since 1970, UTC, with nanoseconds beyond.

    `readable` is false where one is no time after all, such as the 30th of February.
    """

    mask: Mask
    times: Microseconds
    nanoseconds: Microseconds
    readable: Mask


@dataclass
class Clock:
    """Reads the timestamps of one file, line by line in order: by its main form, and by others where they begin a line.

    `year` is that of the file's first time without one, or where `since` is given, the first in which it is not before.
    """

    forms: Sequence[TimestampForm]
    zone: tzinfo
    year: int
    since: datetime | None = None
    _last_us: int | None = field(default=None, init=False)

    def stamps(self, lines: BytesColumn) -> Stamps:
        """Of the lines that follow those before."""
        count = len(lines)
        mask, readable = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        times, nanoseconds = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for number, form in enumerate(self.forms):
            rest = np.flatnonzero(~mask)
            if not len(rest):
                break
            texts = form.texts(lines if len(rest) == count else lines.take(pa.array(rest)))
            found = rest[texts.is_valid().to_numpy(zero_copy_only=False)]
            columns = self._order(form, texts.drop_null())
            valid = columns[0].is_valid().to_numpy(zero_copy_only=False)
            # What only looks like another form than the file's own begins no entry.
            stamped = found if number == 0 else found[valid]
            mask[stamped], readable[found] = True, valid
            times[found], nanoseconds[found] = (each.fill_null(0).to_numpy() for each in columns)
        return Stamps(mask, times, nanoseconds, readable)

    def _order(self, form: TimestampForm, texts: TextColumn) -> list[pa.Int64Array]:
        if form.has_year or not len(texts):
            return form.parse(texts, self.year, self.zone).order(self.zone)
        years = self._years(form, texts)
        columns = [pa.array(np.zeros(len(texts), np.int64)) for _ in range(2)]
        for year in np.unique(years).tolist():
            of_year = pa.array(years == year)
            found = form.parse(texts.filter(of_year), year, self.zone).order(self.zone)
            columns = [pc.replace_with_mask(column, of_year, each) for column, each in zip(columns, found, strict=True)]
        return columns

    def _years(self, form: TimestampForm, texts: TextColumn) -> Microseconds:
        """Of each text: the next where a time goes back by more than half a year, and one back where it goes on so."""
        shown = form.parse(texts, LEAP_YEAR, UTC).utc(UTC)
        # What is no time stands where the one before does.
        days = pc.fill_null_forward(shown).fill_null(0).to_numpy(zero_copy_only=False)
        if self._last_us is None:
            self._last_us = int(days[0])
            if self.since is not None:
                first = EPOCH + self._last_us * MICROSECOND
                start = self.since.astimezone(UTC) - timedelta(days=1)
                is_before = (first.month, first.day) < (start.month, start.day)
                self.year = start.year + is_before
        steps = np.diff(days, prepend=self._last_us)
        years: Microseconds = self.year + np.cumsum(
            (steps < -HALF_A_YEAR_US).astype(np.int64) - (steps > HALF_A_YEAR_US)
        )
        self._last_us, self.year = int(days[-1]), int(years[-1])
        return years

    def count(self, lines: BytesColumn) -> int:
        """How many of these lines the main form reads; that the file goes on behind them is not assumed."""
        form = self.forms[0]
        texts = form.texts(lines).drop_null()
        return len(texts) - int(form.parse(texts, LEAP_YEAR, self.zone).utc(self.zone).null_count)


def fitted(form: TimestampForm, lines: BytesColumn, others: Sequence[TimestampForm]) -> list[TimestampForm]:
    """The form, where these first lines have its timestamps; and the others, where such begin a line."""
    # A number of ten digits may be anything.
    beside = [_beside(other, lines) for other in others if other is not form and other.name != "epoch"]
    main = form if form.name == "apache" else replace(form, before=_place(form.prefixes(lines)))
    return [main, *beside]


def _beside(form: TimestampForm, lines: BytesColumn) -> TimestampForm:
    """With the place of those that are not the main form's: known forms begin the line, declared ones do as here."""
    if form.name == "apache":
        return replace(form, before=COMMON_LOG)
    prefixes = [] if form in KNOWN else form.prefixes(lines)
    return replace(form, before=_place(prefixes) if prefixes else AT_START)


def _place(prefixes: Sequence[bytes]) -> str:
    """What stands before a timestamp: almost nothing, the beginning of a JSON object, or so many words as here.

    [b"INFO [main] ", b"WARN [main] "] -> two words, as the first timestamp has, or any that begin with a level.
    """
    starts = sum(re.fullmatch(AT_START.encode(), prefix) is not None for prefix in prefixes)
    if 2 * starts >= len(prefixes):
        return AT_START
    if 2 * sum(prefix.startswith(b"{") for prefix in prefixes) >= len(prefixes):
        return r"^\{.{0,200}?"
    counts = [len(re.findall(rb"\S+\s+", prefix)) for prefix in prefixes]
    usual = [count for count, times in Counter(counts).items() if times >= max(2, SELDOM * len(prefixes))]
    words_before = "|".join(rf"(?:\S+\s+){{{count}}}" for count in sorted({counts[0], *usual}))
    return rf"^(?:{words_before}|\W{{0,2}}(?:{'|'.join(LEVELS)})\b.{{0,200}}?)\S{{0,60}}?"
