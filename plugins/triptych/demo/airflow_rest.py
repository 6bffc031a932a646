"""A small client of Airflow's REST API (v2): what the demo, the tests and the benchmarks need."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from triptych.errors import TriptychError

DONE = frozenset({"success", "failed"})
PAGE = 100  # Airflow's own cap on `limit`.
ATTEMPTS = 5  # For requests that a busy SQLite answers with 5xx.
_nap = threading.Event().wait


class AirflowError(TriptychError):
    """Airflow refused a request, or did not reach a state in time; `status` is the HTTP status, if any."""

    retryable = True

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowClient:
    """Speaks to one api-server as one user; the token is fetched when first needed and after a 401."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._token: str | None = None

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
        tail = f"?{urllib.parse.urlencode(query, doseq=True)}" if query else ""
        tries = ATTEMPTS if method == "GET" else 1
        for left in reversed(range(tries)):
            try:
                return self._authorized(method, f"/api/v2/{path}{tail}", body)
            except AirflowError as error:
                if left == 0 or (error.status is not None and error.status < 500):
                    raise
                _nap(0.5)
        raise AssertionError

    def health(self) -> Mapping[str, str]:
        """State per component (`metadatabase`, `scheduler`, `dag_processor`); empty when nothing answers."""
        try:
            answer = self._send("GET", "/api/v2/monitor/health", None, token=None)
        except AirflowError:
            return {}
        return {name: str(part.get("status")) for name, part in answer.items() if part}

    def dags(self) -> list[dict[str, Any]]:
        return self._pages("dags", "dags")

    def import_errors(self) -> list[dict[str, Any]]:
        return self._pages("importErrors", "import_errors")

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Unpause the DAG and start a run; returns the run's id."""
        self.pause(dag_id, paused=False)
        run = self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": dict(conf)})
        return str(run["dag_run_id"])

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": paused})

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return self._pages(f"dags/{dag_id}/dagRuns", "dag_runs")

    def set_state(self, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> None:
        """Mark one task instance; a running one is killed."""
        path = f"dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/{map_index}"
        self.call("PATCH", path, {"new_state": state})

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.get(f"dags/{dag_id}/dagRuns/{_quoted(run_id)}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of the run; mapped ones have `map_index` from 0, others -1."""
        return self._pages(f"dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances", "task_instances")

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
            body["task_ids"] = [list(item) if isinstance(item, tuple) else item for item in task_ids]
        answer = self.call("POST", f"dags/{dag_id}/clearTaskInstances", body)
        return list(answer["task_instances"])

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, attempt: int = 1) -> str:
        """The text of one attempt's log, one event per line."""
        path = f"dags/{dag_id}/dagRuns/{_quoted(run_id)}/taskInstances/{task_id}/logs/{attempt}"
        content = self.get(path, map_index=map_index, full_content="true")["content"]
        if isinstance(content, str):
            return content
        return "\n".join(_log_line(item) for item in content)

    def wait_for_dag(self, dag_id: str, timeout_s: float = 120) -> None:
        """Until the DAG processor has stored the DAG; AirflowError names import errors."""

        def known() -> bool:
            return any(dag["dag_id"] == dag_id for dag in self.dags())

        if not poll(known, timeout_s, 1.0):
            broken = "\n".join(f"{e['filename']}: {e['stack_trace']}" for e in self.import_errors())
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

    def _pages(self, path: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self.get(path, limit=PAGE, offset=len(rows))
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows

    def _authorized(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        fresh = self._token is None
        if self._token is None:
            self._token = str(self._send("POST", "/auth/token", self._login, token=None)["access_token"])
        try:
            return self._send(method, path, body, self._token)
        except AirflowError as error:
            if error.status != 401 or fresh:
                raise
            self._token = None
            return self._authorized(method, path, body)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str | None) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read().decode(errors="replace")[:2000]
            msg = f"{method} {path}: HTTP {error.code}: {detail}"
            raise AirflowError(msg, error.code) from None
        except OSError as error:
            msg = f"{method} {self.url}{path}: {error}. Is the api-server running?"
            raise AirflowError(msg) from error


def poll(condition: Callable[[], bool], timeout_s: float, interval_s: float) -> bool:
    """Whether `condition` became true in time; it is asked at least once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        _nap(interval_s)
    return True


def _quoted(run_id: str) -> str:
    return urllib.parse.quote(run_id, safe="")


def _log_line(item: Any) -> str:
    """One structured event as text, with the error's message, which Airflow keeps apart."""
    if not isinstance(item, dict):
        return str(item)
    lines = [str(item.get("event", ""))]
    for fault in item.get("error_detail") or ():
        lines.append(f"{fault.get('exc_type')}: {fault.get('exc_value')}")
    return "\n".join(lines)
