"""Bytes as answers: ranges as RFC 9110 has them, and a stream cut without reading on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from triptych.api.console.serving import Served, cut, served

if TYPE_CHECKING:
    from starlette.responses import Response

DATA = bytes(range(100))


def _answer(range_: str, data: bytes = DATA) -> tuple[Response, bytes]:
    headers = [(b"range", range_.encode())] if range_ else []
    request = Request({"type": "http", "method": "GET", "headers": headers})

    def stream(offset: int, length: int) -> Iterator[bytes]:
        yield from (data[at : at + 1] for at in range(offset, offset + length))

    async def whole() -> tuple[Response, bytes]:
        answer = await served(request, Served("a/b ü.txt", len(data), stream))
        parts = getattr(answer, "body_iterator", None)
        return answer, b"".join([part async for part in parts]) if parts else bytes(answer.body)

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 100),
        ("bytes=-7", 93, 100),
        ("bytes=95-400", 95, 100),
        ("bytes=-999", 0, 100),
    ],
)
def test_one_range_is_answered_with_it(asked: str, begin: int, end: int) -> None:
    answer, body = _answer(asked)
    assert (answer.status_code, body) == (206, DATA[begin:end])
    assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/100"
    assert answer.headers["content-length"] == str(end - begin)


@pytest.mark.parametrize(
    "asked", ["", "bytes=", "bytes=-", "lines=1-2", "bytes=1-2,4-5", "bytes=a-b", "bytes=" + "9" * 30 + "-"]
)
def test_what_is_no_range_asks_for_all(asked: str) -> None:
    answer, body = _answer(asked)
    assert (answer.status_code, body) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=9-8", "bytes=-0"])
def test_a_range_that_is_not_there_is_refused(asked: str) -> None:
    answer, body = _answer(asked)
    assert (answer.status_code, body, answer.headers["content-range"]) == (416, b"", "bytes */100")


def test_nothing_is_an_answer_too() -> None:
    answer, body = _answer("bytes=0-9", b"")
    assert (answer.status_code, body) == (200, b"")


def test_whatever_it_is_it_is_data_to_be_saved() -> None:
    for asked in ("", "bytes=0-1", "bytes=100-"):
        headers = _answer(asked)[0].headers
        assert headers["content-type"] == "application/octet-stream"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("sandbox;")
    assert _answer("")[0].headers["content-disposition"] == "attachment; filename*=UTF-8''b%20%C3%BC.txt"


@pytest.mark.parametrize(("offset", "length"), [(0, 5), (3, 4), (4, 4), (7, 2), (0, 12), (11, 5), (0, 0)])
def test_a_stream_is_cut_and_not_read_on(offset: int, length: int) -> None:
    read = []

    def blocks() -> Iterator[bytes]:
        for block in (b"abcd", b"efgh", b"ijkl"):
            read.append(block)
            yield block

    assert b"".join(cut(blocks(), offset, length)) == b"abcdefghijkl"[offset : offset + length]
    assert len(read) <= (offset + max(1, length) + 3) // 4
