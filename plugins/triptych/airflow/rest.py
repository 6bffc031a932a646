"""A small client of Airflow's REST API (v2), on httpx, which comes with Airflow; Airflow itself is not imported.

What answers is taken for what it says it is, an Airflow, only as far as its answers have the fields that one's have.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from triptych.airflow.exchange import AirflowError, AnswerLimits, Exchange, Login
from triptych.errors import ConfigError
from triptych.schemas.diagnostics import Json

__all__ = ["DONE", "UNFINISHED", "AirflowClient", "AirflowError", "poll"]
API = "/api/v2/"
DONE = frozenset({"success", "failed"})
"""States of a run that has ended."""
UNFINISHED = frozenset(
    ["scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule", "deferred", "awaiting_input"]
)
"""States of an instance that runs, or will without anybody's doing."""
PAGE = 100
"""Airflow's own cap on `limit`."""
Fields = Mapping[str, type | tuple[type, ...]]
_TEXT = (str, type(None))
_INSTANCE: Fields = {"task_id": str, "map_index": int}
ATTEMPTS = 5
"""For requests that a busy SQLite answers with 5xx."""
_nap = threading.Event().wait


class AirflowClient:
    """Speaks to one api-server as one user, known by name and password or by a token."""

    def __init__(
        self,
        url: str,
        user: str = "",
        password: str = "",
        token: str | None = None,
        limits: AnswerLimits | None = None,
    ) -> None:
        """ConfigError for what is no URL of a server, holds a login, or for a token that cannot be one."""
        self._limits = limits or AnswerLimits()
        self._exchange = Exchange(url, Login(user, password, token), self._limits)
        self.url = self._exchange.url

    def get(self, path: str, **query: Any) -> Any:
        """The decoded JSON of `/api/v2/<path>`."""
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        repeated: bool = False,
    ) -> Any:
        """One request under `/api/v2/`; a GET, and what may be `repeated`, is sent again on 5xx.

        AirflowError has the answer's text.
        """
        for left in reversed(range(ATTEMPTS if repeated or method == "GET" else 1)):
            try:
                return self._exchange.ask(method, f"{API}{path}", body, query)
            except AirflowError as error:
                if left == 0 or (error.status is not None and error.status < 500):
                    raise
                _nap(0.5)
        raise AssertionError

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The decoded JSON of one request to any path of the server, such as a plugin's; AirflowError likewise."""
        return self._exchange.ask(method, path, body, None)

    def health(self) -> Mapping[str, str]:
        """State per component (`metadatabase`, `scheduler`, `dag_processor`); empty when nothing answers."""
        try:
            answer = self._exchange.send("GET", f"{API}monitor/health", None, None, None)
        except AirflowError:
            return {}
        return {name: str(part.get("status")) for name, part in (answer or {}).items() if isinstance(part, dict)}

    def dags(self, *tags: str) -> list[dict[str, Any]]:
        """Every DAG that the DAG processor has stored, or those with one of these tags."""
        return self._pages("dags", "dags", {"dag_id": str}, **({"tags": list(tags)} if tags else {}))

    def import_errors(self) -> list[dict[str, Any]]:
        """What the DAG processor could not import: `filename` and `stack_trace` of each."""
        return self._pages("importErrors", "import_errors", {})

    def is_paused(self, dag_id: str) -> bool:
        """Whether what is triggered of the DAG waits."""
        return bool(_fields(self.get(_dag(dag_id)), {"is_paused": bool}, _dag(dag_id))["is_paused"])

    def trigger(self, dag_id: str, conf: Mapping[str, Any], *, unpause: bool = True) -> str:
        """Unpause the DAG, unless it is to stay as it is, and start a run, one, also on 5xx; returns the run's id."""
        if unpause:
            self.pause(dag_id, paused=False)
        path = f"{_dag(dag_id)}/dagRuns"
        # Named here, so that a request whose answer got lost can be sent again and starts no second run.
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        try:
            run = self.call("POST", path, body, repeated=True)
        except AirflowError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            return run_id
        return str(_fields(run, {"dag_run_id": str}, path)["dag_run_id"])

    def pause(self, dag_id: str, *, paused: bool = True) -> None:
        """Pause a DAG, so that its schedule starts nothing; or let it go on."""
        self.call("PATCH", _dag(dag_id), {"is_paused": paused}, repeated=True)

    def runs(self, dag_id: str, states: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Every run of the DAG, or those in one of these states, oldest first, as Airflow lists them."""
        return self._pages(f"{_dag(dag_id)}/dagRuns", "dag_runs", {"dag_run_id": str}, state=list(states))

    def newest_runs(
        self, dag_ids: Sequence[str], states: Sequence[str], since: str | None, most: int | None
    ) -> tuple[list[dict[str, Any]], int]:
        """At most so many runs of these DAGs, the last begun first, and how many there are.

        `since` is a time as Airflow writes it: what was due before is left out. Of no states every run is.
        """
        path = "dags/~/dagRuns/list"
        wanted: Fields = {"dag_id": str, "dag_run_id": str, "state": str}
        body: dict[str, Any] = {"dag_ids": list(dag_ids), "order_by": "-run_after"}
        body |= {"states": list(states)} if states else {}
        body |= {"run_after_gte": since} if since else {}
        rows: list[dict[str, Any]] = []
        for _ in range(self._limits.pages):
            limit = PAGE if most is None else min(PAGE, most - len(rows))
            page = self.call("POST", path, {**body, "page_offset": len(rows), "page_limit": limit})
            found = _rows(page, "dag_runs", wanted, path)
            rows += found
            total = int(_fields(page, {"total_entries": int}, path)["total_entries"])
            if not found or len(rows) >= (total if most is None else min(most, total)):
                return rows, total
        msg = f"POST {path}: the list has more than {self._limits.pages} pages."
        raise AirflowError(msg)

    def set_state(self, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> None:
        """Mark one task instance; a running one is killed."""
        self.call("PATCH", f"{_run(dag_id, run_id)}/taskInstances/{task_id}/{map_index}", {"new_state": state})

    def dags_of_run(self, run_id: str) -> list[str]:
        """The DAGs that have a run of this id."""
        wanted = {"dag_id": str, "dag_run_id": str}
        found = self._pages("dags/~/dagRuns", "dag_runs", wanted, run_id_pattern=run_id)
        return sorted(run["dag_id"] for run in found if run["dag_run_id"] == run_id)

    def fail_run(self, dag_id: str, run_id: str) -> None:
        """End a run: what runs is killed and failed, what waits is skipped."""
        self.call("PATCH", _run(dag_id, run_id), {"state": "failed"})

    def set_xcom(self, dag_id: str, run_id: str, task_id: str, key: str, value: Json) -> None:
        """Replace an XCom of a task that is not mapped; AirflowError with status 404 when there is none."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        self.call("PATCH", path, {"value": value, "map_index": -1})

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Json:
        """An XCom of a task that is not mapped; None when there is none."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            answer: dict[str, Json] = _fields(self.get(path), {}, path)
        except AirflowError as error:
            if error.status != 404:
                raise
            return None
        return answer.get("value")

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run as Airflow tells it: `state`, `conf`, when it was queued, began and ended."""
        path = _run(dag_id, run_id)
        return _fields(self.get(path), {"state": str}, path)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """`queued`, `running`, `success` or `failed`."""
        return str(self.run(dag_id, run_id)["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Every task instance of the run; mapped ones have `map_index` from 0, others -1."""
        return self._pages(f"{_run(dag_id, run_id)}/taskInstances", "task_instances", {**_INSTANCE, "state": _TEXT})

    def count_tasks(self, dag_id: str, run_id: str, task_id: str, *states: str) -> int:
        """How many instances a task of the run has, of all or in one of these states; no more of them is asked."""
        path = f"{_run(dag_id, run_id)}/taskInstances"
        page = self.get(path, task_id=task_id, limit=1, **({"state": list(states)} if states else {}))
        return int(_fields(page, {"total_entries": int}, path)["total_entries"])

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str | tuple[str, int]] = (),
        *,
        only_failed: bool = True,
        downstream: bool = False,
        dry_run: bool = False,
    ) -> list[dict[str, Any]]:
        """Clear task instances so that they run again; a pair is (task, map index). Returns those cleared.

        With `dry_run` nothing is cleared: those that would be, or AirflowError for who may not.
        """
        body: dict[str, Any] = {
            "dry_run": dry_run,
            "dag_run_id": run_id,
            "only_failed": only_failed,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        if task_ids:
            body["task_ids"] = list(task_ids)
        path = f"{_dag(dag_id)}/clearTaskInstances"
        return _rows(self.call("POST", path, body), "task_instances", _INSTANCE, path)

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, attempt: int = 1) -> str:
        """The text of one attempt's log, one event per line."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{attempt}"
        answer = self.get(path, map_index=map_index, full_content=True)
        content = _fields(answer, {"content": (str, list)}, path)["content"]
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

    def _pages(self, path: str, key: str, wanted: Fields, **query: str | list[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for _ in range(self._limits.pages):
            page = self.get(path, limit=PAGE, offset=len(rows), **query)
            found = _rows(page, key, wanted, path)
            rows += found
            if not found or len(rows) >= _fields(page, {"total_entries": int}, path)["total_entries"]:
                return rows
        msg = f"GET {path}: the list has more than {self._limits.pages} pages."
        raise AirflowError(msg)


def poll(condition: Callable[[], bool], timeout_s: float, interval_s: float) -> bool:
    """Whether `condition` became true in time; it is asked at least once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        _nap(interval_s)
    return True


def _dag(dag_id: str) -> str:
    return f"dags/{_part(dag_id)}"


def _run(dag_id: str, run_id: str) -> str:
    return f"{_dag(dag_id)}/dagRuns/{_part(run_id)}"


def _part(identity: str) -> str:
    """An id as one part of a path; ConfigError for those that would make it another path, whatever their spelling."""
    if identity in (".", ".."):
        msg = f"{identity!r} is the id of no DAG and no run."
        raise ConfigError(msg)
    return quote(identity, safe="")


def _rows(answer: Json, key: str, wanted: Fields, path: str) -> list[dict[str, Any]]:
    """The list under this key, each item with these fields."""
    return [_fields(row, wanted, path) for row in _fields(answer, {key: list}, path)[key]]


def _fields(answer: Json, wanted: Fields, path: str) -> dict[str, Any]:
    """The object, which has these fields of these types; AirflowError for what some other server says."""
    if isinstance(answer, dict) and all(isinstance(answer.get(key), types) for key, types in wanted.items()):
        return answer
    msg = f"{path}: the answer lacks {', '.join(wanted) or 'an object'}. Is this the URL of an Airflow 3?"
    raise AirflowError(msg)


def _log_line(item: Json) -> str:
    """One structured event as text, with the error's message, which Airflow keeps apart."""
    if not isinstance(item, dict):
        return str(item)
    details = [f"{each.get('exc_type')}: {each.get('exc_value')}" for each in item.get("error_detail") or ()]
    return "\n".join([str(item.get("event", "")), *details])
