"""Any CSV that RFC 4180 allows is cut into the rows that Python's csv reads, each chunk with the header."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.inputs import MemoryInput
from triptych.engines.dialects.opening import opened
from triptych.engines.dialects.record_ends import Limit, record_runs
from triptych.engines.runtime.resources import Resources, using

VALUES = st.text(st.sampled_from('ab1 ,;|\t"\n\r#é'), max_size=5)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.booleans(),
    st.integers(1, 3),
    st.integers(1, 9),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_rows_put_back_together_are_the_source(
    table: list[list[str]], end: str, quoting: int, ended: bool, rows: int, block: int
) -> None:
    # Without CRLF Python's writer leaves the other line end in a value without quotes.
    quoting = quoting if end == "\r\n" else csv.QUOTE_ALL
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(table)  # type: ignore[arg-type]  # One of two.
    whole = text.getvalue()
    data = (whole if ended else whole.removesuffix(end)).encode()
    truth = list(csv.reader(io.StringIO(data.decode(), newline="")))
    with tempfile.TemporaryDirectory() as scratch, using(Resources(Path(scratch), 1 << 24)):
        found = opened(MemoryInput(data, block), {}, format="csv")
        runs = list(record_runs(found.item, Limit(records=rows), found.dialect, first=found.body))
    assert data[: found.body] + b"".join(data[run.offset : run.offset + run.length] for run in runs) == data
    read: list[list[str]] = []
    for run in runs:
        piece = found.header + data[run.offset : run.offset + run.length]
        header, *body = (row for row in csv.reader(io.StringIO(piece.decode(), newline="")) if row)
        assert header == next(row for row in truth if row)
        read += body
    assert read == [row for row in truth if row][1:]
