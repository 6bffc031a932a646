"""The client: templates, and jobs that are launched or picked up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from triptych.client.jobs import PREFIX, Job, JobStatus, State, status_of
from triptych.client.login import find_login
from triptych.client.refusals import ClientError, RefusedError
from triptych.client.session import Session
from triptych.errors import SourceError

Params = Mapping[str, Mapping[str, Any]]
"""By role: `{"app": {"lower": True}}`."""
_PAGE = 100


@dataclass(frozen=True)
class Template:
    """What can be launched."""

    id: str
    description: str


class Client:
    """Speaks to the Jobs API of one Airflow, as one user."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        token: str | None = None,
        profile: str | None = None,
    ) -> None:
        """By argument, else by TRIPTYCH_URL and TRIPTYCH_API_KEY, else by a profile, named here or by TRIPTYCH_PROFILE.

        `token` is one of Airflow's own, in place of a key. Nothing is asked of the server yet. ConfigError says what
        is missing.
        """
        self._session = Session(find_login(url, api_key, token, profile))
        self.url = self._session.url

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def user(self) -> str:
        """Who one is to that Airflow: a question that shows whether address and key are good."""
        return str(self._session.ask("GET", "/auth/user")["user"]["id"])

    def templates(self) -> list[Template]:
        """What one may launch, as far as one sees it."""
        rows = self._rows("/customer/jobs/templates")
        return [Template(str(row["id"]), str(row.get("description") or "")) for row in rows]

    def launch(
        self,
        template: str,
        *,
        source: str | Path | Mapping[str, Any] | None = None,
        destination: str | Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        params: Params | None = None,
        config: Mapping[str, Any] | None = None,
        name: str = "",
        description: str = "",
    ) -> Job:
        """Start a job; what is left out comes from the template. `job.wait()` waits for its end.

        `source` is a URI, a descriptor, or a Path on this machine, which is uploaded. `params` are by role,
        `config` as a job's (docs/reference/job-spec.md). RefusedError says what is wrong with them, before any data
        moves; nothing is left behind then.
        """
        body: dict[str, Any] = {"templateId": template, "name": name, "description": description}
        parts = {"dataDestination": destination, "inputs": inputs, "params": params, "config": config}
        body |= {key: value for key, value in parts.items() if value is not None}
        if isinstance(source, Path):
            _check(source)
            body["dataSource"] = {"dataSourceDescriptor": "file", "params": {"name": source.name}}
        elif source is not None:
            body["dataSource"] = _remote(source)
        about = self._session.ask("POST", "/customer/jobs", body).get("job")
        job = Job(self._session, status_of(about).id)
        path = f"/customer/jobs/{quote(job.id, safe='')}"
        try:
            if isinstance(source, Path) and isinstance(about, dict):
                self._session.put(about["dataSource"]["params"]["tempUrl"], source)
                self._session.ask("PATCH", f"{path}/uploadcompleted")
            self._session.ask("POST", f"{path}/run")
        except RefusedError:
            with suppress(ClientError):
                self._session.ask("DELETE", path)
            raise
        return job

    def job(self, identity: str) -> Job:
        """One that was launched before, here or elsewhere: `DAG~RUN` names any run of a template's DAG."""
        return Job(self._session, identity)

    def jobs(
        self, *, template: str = "", state: State | None = None, text: str = "", most: int = 20
    ) -> list[JobStatus]:
        """The newest, one's own drafts first: all, or of a template, in a state, with a text in name, note or id."""
        named = {"templateId": template, "state": f"{PREFIX}{state.upper()}" if state else "", "text": text}
        filters = {key: value for key, value in named.items() if value}
        return [status_of(row) for row in islice(self._rows("/customer/jobs/filter", {"filters": filters}), most)]

    def _rows(self, path: str, body: Mapping[str, Any] | None = None) -> Iterator[Mapping[str, Any]]:
        """Of a list, page after page: by a GET, or with a body by a POST."""
        seen = 0
        while True:
            span = {"limit": _PAGE, "offset": seen}
            if body is None:
                page = self._session.ask("GET", path, query=span)
            else:
                page = self._session.ask("POST", path, {**body, "pagination": span})
            rows = page.get("data")
            if not isinstance(rows, list):
                msg = f"{path}: the answer holds no list. Is {self.url} an Airflow with Triptych?"
                raise ClientError(msg)
            yield from rows
            seen += len(rows)
            if not rows or not page.get("pagination", {}).get("hasNext"):
                return


def _check(source: Path) -> None:
    if not source.is_file():
        kind = "is a folder: pack it, or upload it to a store" if source.is_dir() else "is no file here"
        msg = f"source {source}: {kind}."
        raise SourceError(msg)


def _remote(source: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    """As it is, but for a path of this machine, which would be one of the server's."""
    if isinstance(source, str) and "://" not in source:
        msg = f"source {source!r}: is no URI. A file of this machine is uploaded as pathlib.Path({source!r})."
        raise SourceError(msg)
    return source
