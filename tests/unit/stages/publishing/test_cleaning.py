"""Cleaning up: each step is tried, whatever became of those before it, and none decides anything."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from triptych.errors import StorageError
from triptych.stages.publishing.cleaning import end_uploads
from triptych.storage import StagedObject, Store

if TYPE_CHECKING:
    import pytest

ROOT = "s3://b/w/dag/run/"


class Uploads:
    """What of a store is asked here: three uploads, of which the second cannot be aborted."""

    def __init__(self) -> None:
        self.left = ["one", "two", "three"]

    def waiting(self, uri: str) -> Sequence[StagedObject]:
        assert uri == ROOT
        return [StagedObject(f"{uri}results/{handle}", 0, handle) for handle in self.left]

    def discard(self, staged: StagedObject) -> None:
        if staged.handle == "two":
            msg = f"{staged.uri}: the store is away."
            raise StorageError(msg)
        self.left.remove(staged.handle)


def test_an_upload_that_cannot_be_ended_keeps_no_other(caplog: pytest.LogCaptureFixture) -> None:
    uploads = Uploads()
    with caplog.at_level(logging.WARNING):
        end_uploads(cast("Store", uploads), ROOT)
    assert uploads.left == ["two"]
    assert "the store is away" in caplog.text
