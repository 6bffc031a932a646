"""Clean-up never decides an outcome: whatever the engine answers to a removal, `Container.remove` returns."""

from __future__ import annotations

import logging
import socket
from typing import Any

import pytest
import requests
from docker.errors import APIError, NotFound

from triptych.running.container import Container


class RefusingEngine:
    """An engine that answers a removal with this error. A real one does so only when two removals meet, or it dies."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.asked: list[str] = []

    def remove_container(self, container_id: str, **_: Any) -> None:
        self.asked.append(container_id)
        raise self._error


def _refusal(kind: type[APIError], status: int, text: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return kind(text, response=response, explanation=text)


GONE = _refusal(NotFound, 404, "No such container: c0ffee")
UNDER_WAY = _refusal(APIError, 409, "removal of container c0ffee is already in progress")


def _remove(error: Exception) -> list[str]:
    ours, engines = socket.socketpair()
    engines.close()  # The engine hung up first.
    engine = RefusingEngine(error)
    Container(engine, "c0ffee", ours).remove()  # type: ignore[arg-type]  # stands for a client
    assert ours.fileno() == -1
    return engine.asked


@pytest.mark.parametrize("error", [GONE, UNDER_WAY], ids=["gone", "under way"])
def test_a_container_that_somebody_else_removes_is_removed(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert _remove(error) == ["c0ffee"]
    assert caplog.messages == []


@pytest.mark.parametrize(
    "error",
    [_refusal(APIError, 500, "driver failed to remove root filesystem"), requests.ConnectionError("engine is gone")],
    ids=["refused", "no engine"],
)
def test_a_container_that_stays_is_told_and_fails_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    assert _remove(error) == ["c0ffee"]
    assert [(record.levelno, str(error) in record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, True)
    ]
