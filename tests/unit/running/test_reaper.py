"""What an engine may answer to a reaper, real ones being rarely so unkind: none of it ends a job."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import requests
from docker.errors import APIError, NotFound

from triptych.running.reaper import EXPIRES, expiry_label, reap

if TYPE_CHECKING:
    import pytest

NOW = datetime(2031, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
"""By the engine's clock, which is years from ours."""


def _error(kind: type[APIError], status: int) -> APIError:
    response = requests.Response()
    response.status_code = status
    return kind("refused", response=response, explanation="refused")


class Engine:
    """Containers by id, with the second of the engine's clock at which each expires, and answers to removals."""

    def __init__(self, **containers: float | Exception) -> None:
        self.containers_by_id = containers
        self.removed: list[str] = []
        self.filters: Mapping[str, Sequence[str]] = {}

    def info(self) -> dict[str, str]:
        return {"SystemTime": NOW.isoformat().replace("+00:00", "789Z")}  # Nanoseconds, as Go prints them.

    def containers(self, *, all: bool, filters: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
        assert all
        self.filters = filters
        return [
            {"Id": name, "State": "running", "Labels": {EXPIRES: self._expires(what)}}
            for name, what in self.containers_by_id.items()
        ]

    def _expires(self, what: float | Exception) -> str:
        return (NOW + timedelta(seconds=what if isinstance(what, float) else -1)).isoformat()

    def remove_container(self, container: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        what = self.containers_by_id[container]
        if isinstance(what, Exception):
            raise what
        self.removed.append(container)


def test_a_removal_that_is_refused_hinders_no_other(caplog: pytest.LogCaptureFixture) -> None:
    engine: Any = Engine(
        gone=_error(NotFound, 404), going=_error(APIError, 409), stuck=_error(APIError, 500), over=-5.0, needed=5.0
    )
    assert reap(engine) == 1
    assert engine.removed == ["over"]
    assert engine.filters == {"label": [EXPIRES]}
    assert [("stuck" in text, "refused" in text) for text in caplog.messages] == [(True, True)]


def test_an_engine_that_does_not_answer_ends_no_job(caplog: pytest.LogCaptureFixture) -> None:
    class Silent(Engine):
        def info(self) -> dict[str, str]:
            raise requests.ConnectionError("no engine")

    engine: Any = Silent()
    assert reap(engine) == 0
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_label_that_is_no_time_is_left_alone() -> None:
    class Odd(Engine):
        def _expires(self, what: float | Exception) -> str:
            return "soon"

    engine: Any = Odd(odd=-5.0)
    assert reap(engine) == 0


def test_a_container_expires_by_the_engines_clock_ten_minutes_after_its_time() -> None:
    engine: Any = Engine()
    assert datetime.fromisoformat(expiry_label(engine, 60)[EXPIRES]) == NOW + timedelta(seconds=660)
