"""A folder of a test's own in any of the stores that the suites run on."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from urllib.parse import unquote

import pytest

from triptych.storage import Store, WaitingUpload

MIB = 1 << 20
PART_MIB = 5
"""The size of a part in the stores of the suites: the smallest that S3 takes."""
BUCKET = "s3://tests"
GCS_BUCKET = "gs://tests"
CONTAINER = "abfs://tests"
BUCKETS = {"s3_moto": BUCKET, "s3_seaweed": BUCKET, "gcs": GCS_BUCKET, "azure": CONTAINER}
"""Where the tests of each server write."""
# moto looks and puts in two steps, between which another put may come; it ignores If-Match when an upload is completed,
# and answers 500 when it does not know one.
STRICT = pytest.mark.parametrize("place", ["file", "s3_seaweed", "gcs", "azure"], indirect=True)


@dataclasses.dataclass(frozen=True)
class Place:
    """A store, and an empty folder's URI in it, which ends in `/`."""

    store: Store
    root: str
    beside: Path | None = None
    """The folder that is served there, where the store alone cannot be written to."""

    def put(self, name: str, data: bytes) -> str:
        """Write an object by its name in URIs; its URI."""
        if self.beside is None:
            self.store.put(self.root + name, data)
        else:
            path = self.beside / unquote(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            # nginx's ETag is the size and the second of the last change.
            second = path.stat().st_mtime + 1 if path.exists() else 1_000_000_000
            path.write_bytes(data)
            os.utime(path, (second, second))
        return self.root + name

    def left(self, uri: str) -> list[WaitingUpload]:
        """Uploads to this URI that a clean-up forgot; none where the store alone removes them."""
        return list(self.store.waiting(uri)) if self.store.discards else []

    def names(self, prefix: str = "") -> list[str]:
        return [info.uri.removeprefix(self.root) for info in self.store.list(self.root + prefix)]
