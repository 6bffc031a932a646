"""Answers as clients expect them: JSON that any client can read, and errors in both shapes at once."""

from __future__ import annotations

import json
from typing import Any

from fastapi.responses import JSONResponse

from triptych.errors import (
    ConfigError,
    JobSpecError,
    ManifestError,
    ObjectNotFoundError,
    SourceError,
    StorageAccessError,
    TriptychError,
)
from triptych.harmless import harmless

PRIVATE = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}
"""Headers of whatever a job wrote: it is what it is said to be, for these eyes alone, and its address goes nowhere."""
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 9, 413: 3, 500: 13, 503: 14}
"""What gRPC's status codes are for these of HTTP."""
_BY_KIND: tuple[tuple[type[TriptychError], int], ...] = (
    (JobSpecError, 400),
    (SourceError, 400),
    (ManifestError, 400),
    (ObjectNotFoundError, 404),
    (StorageAccessError, 403),
    (ConfigError, 503),
)


class ApiError(Exception):
    """What a caller is told, and its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Answer(JSONResponse):
    """JSON in ASCII: also what is half a character has an answer."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def done() -> dict[str, Any]:
    """The answer of what has nothing else to say."""
    return {"ok": True, "requestId": "", "message": "", "error": None}


def refused(status: int, message: str) -> Answer:
    """An error: gRPC's status (`code`, `message`, `details`) and the generic answer (`ok`, `error`) in one object."""
    text = harmless(message)
    about = {"code": status, "message": text, "description": ""}
    body = {"code": _RPC_CODES.get(status, 2), "details": [], "ok": False, "requestId": "", "error": about}
    return Answer({"message": text, **body}, status)


def of_failure(error: TriptychError) -> Answer:
    """The answer to a failure of ours: a caller's mistake, or what may be mended elsewhere (503)."""
    status = next((status for kind, status in _BY_KIND if isinstance(error, kind)), 503 if error.retryable else 400)
    return refused(status, str(error))
