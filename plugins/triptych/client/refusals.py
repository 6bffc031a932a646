"""What a client is refused: each with the server's sentence and what to do next, and with Python's own kind beside."""

from __future__ import annotations

from typing import ClassVar

from triptych.errors import TriptychError


class ClientError(TriptychError):
    """Base of all. `status` is that of HTTP, where a server answered."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LoginError(ClientError, PermissionError):
    """Nobody is known by what was given: no key or token, a wrong one, or one that has ended."""


class NotAllowedError(ClientError, PermissionError):
    """The user may not do this."""


class NotFoundError(ClientError, LookupError):
    """There is no such job, template or file, or none for these eyes."""


class RefusedError(ClientError, ValueError):
    """What was asked is wrong as it stands: a parameter, a source, or the state of the job."""


class UnreachableError(ClientError, ConnectionError):
    """The server did not answer, or only that it cannot now: trying again may help."""

    retryable = True


class StillRunningError(ClientError, TimeoutError):
    """The job goes on; only the time that one wanted to wait for it is over."""

    retryable = True


_REMEDIES = {
    401: "`triptych api-key create --airflow {url}` makes a key; give it as `api_key`, or by TRIPTYCH_API_KEY.",
    403: "Ask who operates {url} for the right, or use the key of somebody who has it.",
}
_KINDS: dict[int, type[ClientError]] = {401: LoginError, 403: NotAllowedError, 404: NotFoundError}


def refusal(status: int, sentence: str, url: str) -> ClientError:
    """The error for an answer of this status; `sentence` is the server's, `url` the address of its Airflow.

    The server's sentence says what to do about a wrong request; about a login and a right, this does.
    """
    kind = _KINDS.get(status, RefusedError if status < 500 else UnreachableError)
    remedy = _REMEDIES.get(status, "")
    text = sentence if not remedy or "triptych api-key" in sentence else f"{sentence} {remedy.format(url=url)}"
    return kind(text, status)
