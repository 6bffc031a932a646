"""Bytes that a job read or wrote, as an answer: all, a range, or a table's first rows; to no browser more than data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from triptych.api.answers import PRIVATE, Answer
from triptych.api.threads import blocks_in_threads, in_thread, in_thread_of_preview
from triptych.engines.previews.asking import first_rows

if TYPE_CHECKING:
    from fastapi import Request

AS_DATA = {
    **PRIVATE,
    "Content-Type": "application/octet-stream",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Content-Encoding": "identity",
    "Accept-Ranges": "bytes",
}
"""What a script wrote is no page of Airflow's, whose cookies it would see; and Airflow does not
pack it, for its length says how much comes."""
Preview = Annotated[
    Literal["", "table"],
    Query(description="`table`: the first rows of Parquet or a workbook, or a zip's list, in JSON; 400 for others."),
]
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?")


@dataclass(frozen=True)
class Served:
    """`size` bytes under a name; `stream` gives `length` of them from an offset on."""

    name: str
    size: int
    stream: Callable[[int, int], Iterator[bytes]]


async def served(request: Request, what: Served, preview: Preview = "") -> Response:
    """The answer to a request for it, as RFC 9110 has it: 206 for one range, 416 for one that is not there.

    Or its first rows: SourceError where it is no table that can be looked at.
    """
    if preview:
        found = await in_thread_of_preview(first_rows, what.name, what.size, what.stream)
        return Answer({"rows": found.rows, "about": found.about, "isPart": found.is_part}, headers=PRIVATE)
    span = _span(request.headers.get("Range", ""), what.size)
    about = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(what.name.rpartition('/')[2])}"}
    if span is None:
        return Response(status_code=416, headers={**AS_DATA, "Content-Range": f"bytes */{what.size}"})
    offset, length, is_part = span
    if is_part:
        about["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{what.size}"
    blocks = what.stream(offset, length) if length else iter(())
    # The first before the headers: what cannot be read is a sentence then, and no answer that breaks off.
    first = await in_thread(next, blocks, b"")
    return StreamingResponse(
        blocks_in_threads(chain([first], blocks)),
        206 if is_part else 200,
        headers={**AS_DATA, **about, "Content-Length": str(length)},
    )


def cut(blocks: Iterator[bytes], offset: int, length: int) -> Iterator[bytes]:
    """Of a stream that only begins at its beginning: `length` bytes from `offset` on; what comes later is not read."""
    skip, left = offset, length
    for block in blocks:
        part = block[skip : skip + left]
        skip = max(0, skip - len(block))
        left -= len(part)
        if part:
            yield part
        if left <= 0:
            return


def _span(header: str, size: int) -> tuple[int, int, bool] | None:
    """(offset, length, whether it is a part) that a header `Range` asks for; None for one beyond the end.

    Several ranges, and what is no range, ask for all of it: a server may ignore the header.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or not (found[1] or found[2]) or size == 0:
        return 0, size, False
    if found[1] is None:
        length = min(int(found[2]), size)
        return (size - length, length, True) if length else None
    first, last = int(found[1]), min(int(found[2]) if found[2] else size - 1, size - 1)
    return (first, last - first + 1, True) if first <= last else None
