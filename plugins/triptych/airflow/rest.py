"""A small client of Airflow's REST API (v2), on httpx, which comes with Airflow; Airflow itself is not imported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from triptych.errors import TriptychError
from triptych.schemas.diagnostics import Json

DONE = frozenset({"success", "failed"})
"""States of a run that has ended."""
UNFINISHED = frozenset(
    ["scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule", "deferred", "awaiting_input"]
)
"""States of an instance that runs, or will without anybody's doing."""
PAGE = 100
"""Airflow's own cap on `limit`."""
ATTEMPTS = 5
"""For requests that a busy SQLite answers with 5xx."""
_nap = threading.Event().wait


class AirflowError(TriptychError):
    """Airflow refused a request, or did not reach a state in time; `status` is the HTTP status, if any."""

    retryable = True

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _Token(httpx.Auth):
    """The token of one user, fetched when first needed and when it is refused."""

    requires_response_body = True

    def __init__(self, url: str, user: str, password: str) -> None:
        self._login = httpx.Request("POST", f"{url}/auth/token", json={"username": user, "password": password})
        self._header: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx's protocol: each request that is yielded is sent, and its response comes back."""
        if self._header is not None:
            request.headers["Authorization"] = self._header
            response = yield request
            if response.status_code not in (401, 403):  # Airflow answers 403 to a token that has expired.
                return
        token = yield self._login
        if token.is_error:
            return  # The login's own answer is the answer.
        self._header = request.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        yield request


class _Given(httpx.Auth):
    """A token that the caller has."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx's protocol: each request that is yielded is sent."""
        request.headers["Authorization"] = self._header
        yield request


class AirflowClient:
    """Speaks to one api-server as one user, known by name and password or by a token."""

    def __init__(self, url: str, user: str = "", password: str = "", token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._auth = _Given(token) if token else _Token(self.url, user, password)
        # No connection is kept: there is nothing to close, and none that a restarted server has forgotten.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=f"{self.url}/api/v2/", timeout=30, limits=limits, trust_env=False)

    def get(self, path: str, **query: Any) -> Any:
        """The decoded JSON of `/api/v2/<path>`."""
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Any:
        """One request under `/api/v2/`; a GET is repeated on 5xx. AirflowError has the answer's text."""
        for left in reversed(range(ATTEMPTS if method == "GET" else 1)):
            try:
                return self._send(method, path, body, query, self._auth)
            except AirflowError as error:
                if left == 0 or (error.status is not None and error.status < 500):
                    raise
                _nap(0.5)
        raise AssertionError

    def health(self) -> Mapping[str, str]:
        """State per component (`metadatabase`, `scheduler`, `dag_processor`); empty when nothing answers."""
        try:
            answer = self._send("GET", "monitor/health", None, None, None)
        except AirflowError:
            return {}
        return {name: str(part.get("status")) for name, part in answer.items() if part}

    def dags(self) -> list[dict[str, Any]]:
        """Every DAG that the DAG processor has stored."""
        return self._pages("dags", "dags")

    def import_errors(self) -> list[dict[str, Any]]:
        """What the DAG processor could not import: `filename` and `stack_trace` of each."""
        return self._pages("importErrors", "import_errors")

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Unpause the DAG and start a run; returns the run's id."""
        self.pause(dag_id, paused=False)
        run = self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf)})
        return str(run["dag_run_id"])

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Pause a DAG, so that its schedule starts nothing; or let it go on."""
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Every run of the DAG, oldest first, as Airflow lists them."""
        return self._pages(f"dags/{dag_id}/dagRuns", "dag_runs")

    def set_state(self, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> None:
        """Mark one task instance; a running one is killed."""
        self.call("PATCH", f"{_run(dag_id, run_id)}/taskInstances/{task_id}/{map_index}", {"new_state": state})

    def dags_of_run(self, run_id: str) -> list[str]:
        """The DAGs that have a run of this id."""
        found = self._pages("dags/~/dagRuns", "dag_runs", run_id_pattern=run_id)
        return sorted(run["dag_id"] for run in found if run["dag_run_id"] == run_id)

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """End a run: what runs is killed and failed, what waits is skipped."""
        self.call("PATCH", _run(dag_id, run_id), {"state": "failed"})

    def set_xcom(self, dag_id: str, run_id: str, task_id: str, key: str, value: Json) -> None:
        """Replace an XCom of a task that is not mapped; AirflowError with status 404 when there is none."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        self.call("PATCH", path, {"value": value, "map_index": -1})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self.get(_run(dag_id, run_id))["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of the run; mapped ones have `map_index` from 0, others -1."""
        return self._pages(f"{_run(dag_id, run_id)}/taskInstances", "task_instances")

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str | tuple[str, int]] = (),
        *,
        only_failed: bool = True,
        downstream: bool = False,
    ) -> list[dict[str, Any]]:
        """Clear task instances so that they run again; a pair is (task, map index). Returns those cleared."""
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": run_id,
            "only_failed": only_failed,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        if task_ids:
            body["task_ids"] = list(task_ids)
        return list(self.call("POST", f"dags/{dag_id}/clearTaskInstances", body)["task_instances"])

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, attempt: int = 1) -> str:
        """The text of one attempt's log, one event per line."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{attempt}"
        content = self.get(path, map_index=map_index, full_content=True)["content"]
        return content if isinstance(content, str) else "\n".join(map(_log_line, content))

    def wait_for_dag(self, dag_id: str, timeout_s: float = 120) -> None:
        """Until the DAG processor has stored the DAG; AirflowError names import errors."""
        if not poll(lambda: any(dag["dag_id"] == dag_id for dag in self.dags()), timeout_s, 1.0):
            broken = "\n".join(f"{each['filename']}: {each['stack_trace']}" for each in self.import_errors())
            msg = f"The DAG {dag_id!r} is not there after {timeout_s:.0f} s. {broken or 'No import errors.'}"
            raise AirflowError(msg)

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        timeout_s: float = 600,
        on_poll: Callable[[], None] = lambda: None,
    ) -> str:
        """Until the run has ended: `success` or `failed`. `on_poll` is called about once a second."""

        def ended() -> bool:
            on_poll()
            return self.run_state(dag_id, run_id) in DONE

        if not poll(ended, timeout_s, 1.0):
            msg = f"The run {run_id} of {dag_id} did not end within {timeout_s:.0f} s."
            raise AirflowError(msg)
        return self.run_state(dag_id, run_id)

    def _pages(self, path: str, key: str, **query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=PAGE, offset=len(rows), **query)
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        auth: httpx.Auth | None,
    ) -> Any:
        try:
            answer = self._http.request(method, path, json=body, params=query, auth=auth)
        except httpx.HTTPError as error:
            msg = f"{method} {self._http.base_url}{path}: {error}. Is the api-server running?"
            raise AirflowError(msg) from error
        if answer.is_error:
            msg = f"{method} {path}: HTTP {answer.status_code}: {answer.text[:2000]}"
            raise AirflowError(msg, answer.status_code)
        return answer.json() if answer.content else None


def poll(condition: Callable[[], bool], timeout_s: float, interval_s: float) -> bool:
    """Whether `condition` became true in time; it is asked at least once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        _nap(interval_s)
    return True


def _run(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _log_line(item: Json) -> str:
    """One structured event as text, with the error's message, which Airflow keeps apart."""
    if not isinstance(item, dict):
        return str(item)
    details = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in item.get("error_detail") or ()]
    return "\n".join([str(item.get("event", "")), *details])
