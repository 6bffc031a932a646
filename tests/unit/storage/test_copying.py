"""Who waits for a long transfer is told how far it is; of short ones nothing is said."""

from __future__ import annotations

import hashlib
import io
import logging
import random
import threading
from collections.abc import Iterator

import pytest

from triptych.storage import copying, digests

BLOCK = bytes(10 << 20)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.LogCaptureFixture]:
    """What is said, by a clock on which each block takes 20 s: it is looked at once a block, and when it was said."""
    times = iter(range(0, 10_000, 20))
    monkeypatch.setattr(copying, "monotonic", lambda: float(next(times)))
    with caplog.at_level(logging.INFO):
        yield caplog


def test_what_comes_is_told_each_half_minute(told: pytest.LogCaptureFixture) -> None:
    sha256 = hashlib.sha256(BLOCK * 4).hexdigest()
    for _ in copying.checked([BLOCK] * 4, 40 << 20, sha256, "s3://a/b"):
        pass
    assert told.messages == ["s3://a/b: 20 of 40 MiB so far, 0.5 MiB/s.", "s3://a/b: 40 of 40 MiB so far, 0.5 MiB/s."]


def test_what_goes_is_told_without_the_size_that_it_will_have(told: pytest.LogCaptureFixture) -> None:
    out = copying.HashingWriter(io.BytesIO(), "all.csv")
    for _ in range(3):
        out.write(BLOCK)
    assert told.messages == ["all.csv: 20 MiB so far, 0.5 MiB/s."]
    assert out.sha256 == hashlib.sha256(BLOCK * 3).hexdigest()


def test_of_short_transfers_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        for _ in copying.checked([BLOCK] * 4, None, None, "s3://a/b"):
            pass
    assert caplog.messages == []


@pytest.mark.parametrize("sizes", [[1 << 20] * 9, [7, 5 << 20, 3, 1 << 20, 1 << 20, 0, 100], [6 << 20], []])
def test_blocks_of_any_size_have_the_digest_of_all(sizes: list[int]) -> None:
    blocks = [random.Random(size).randbytes(size) for size in sizes]
    written, out = io.BytesIO(), hashlib.sha256(b"".join(blocks)).hexdigest()
    hashing = copying.HashingWriter(written)
    for block in blocks:
        hashing.write(block)
        assert hashing.sha256 == hashlib.sha256(written.getvalue()).hexdigest()
    assert b"".join(copying.checked(blocks, sum(sizes), out, "a")) == written.getvalue()


def test_what_its_writer_changes_afterwards_is_hashed_as_it_was() -> None:
    hashing, buffer, digest = copying.HashingWriter(io.BytesIO()), bytearray(1 << 20), hashlib.sha256()
    for number in range(9):
        buffer[:] = bytes([number]) * len(buffer)
        digest.update(buffer)
        hashing.write(buffer)  # type: ignore[arg-type]  # As `io.BufferedWriter` does, whose buffer is its own.
    assert hashing.sha256 == digest.hexdigest()


def test_a_long_stream_is_hashed_while_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest that ends with a block only once that is written."""
    written = threading.Event()

    class Waiting:
        def update(self, block: bytes) -> None:
            assert len(block) < digests.BESIDE_BYTES or written.wait(60)

        def hexdigest(self) -> str:
            return "done"

    class Out:
        def write(self, data: bytes, /) -> int:
            written.set()
            return len(data)

    monkeypatch.setattr(hashlib, "sha256", Waiting)
    hashing = copying.HashingWriter(Out())
    hashing.write(bytes(digests.BESIDE_BYTES))
    assert hashing.sha256 == "done"
    written.clear()
    for _ in copying.checked([bytes(digests.BESIDE_BYTES)], None, "done", "a"):
        written.set()
