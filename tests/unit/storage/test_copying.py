"""Who waits for a long transfer is told how far it is; of short ones nothing is said."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator

import pytest

from triptych.storage import copying

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
