"""Answers of S3 that were cut short: botocore passes on what arrived, and a header that did not is only not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEEDED: Mapping[str, tuple[str, ...]] = {
    "GetObject": ("ContentLength", "ETag"),
    "HeadObject": ("ContentLength", "ETag"),
    "PutObject": ("ETag",),
    "CreateMultipartUpload": ("UploadId",),
    "UploadPart": ("ETag",),
    "CompleteMultipartUpload": ("ETag",),
}
"""What we read of an answer, by operation; S3 always says it."""


def refuse_cut_answers(client: Any) -> None:
    """From now on the client raises botocore's HTTPClientError for an answer that lacks what we need."""
    client.meta.events.register("after-call.s3", _check)


def _check(model: Any, parsed: Mapping[str, Any], **_: object) -> None:
    from botocore.exceptions import HTTPClientError

    missing = [name for name in NEEDED.get(model.name, ()) if name not in parsed]
    if missing and parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) < 300:
        raise HTTPClientError(error=f"the answer to {model.name} was cut short: it has no {' and no '.join(missing)}")
