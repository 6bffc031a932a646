"""Clients of job services, as /v1's facts have them: what each sends and looks at, in our own words, not their code."""

from __future__ import annotations

import io
import json
import subprocess
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from triptych.settings import PROJECT

NOT_YET = (202, 400, 404, 500)
MOST_S = 240
NODE = PROJECT / "tests" / "support" / "job_client.mjs"


@dataclass
class Api:
    """The API at `base`, as somebody with an API key."""

    base: str
    key: str

    def token(self) -> str:
        """By the key with the spaces that pasting brings."""
        answer = httpx.post(f"{self.base}/auth/access_token", json={"apiKey": f" {self.key}\n"}, timeout=60)
        assert answer.json()["expiresIn"] == "3600", answer.text
        return str(answer.json()["token"])

    def ask(self, method: str, path: str, token: str | None = None, **how: Any) -> httpx.Response:
        """One request with the token as it is."""
        how["headers"] = {"Authorization": token or self.token(), **how.get("headers", {})}
        return httpx.request(method, f"{self.base}{path}", timeout=60, **how)

    def good(self, method: str, path: str, token: str | None = None, **how: Any) -> Any:
        """The JSON of an answer that is no error."""
        answer = self.ask(method, path, token, **how)
        assert answer.status_code == 200, answer.text
        return answer.json()


def poll(ask: Callable[[], Any]) -> Any:
    """What it says when that is something."""
    end = time.monotonic() + MOST_S
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(1)
    raise AssertionError("The job did not end in time.")


def browser(api: Api) -> Mapping[str, bytes]:
    """Runs a template as it is, with numbers as texts, polls results alone, and unpacks what the bare link gives."""
    token = api.token()
    made = api.good("POST", "/customer/jobs", token, json={"templateId": "pictures", "name": "From a page"})
    job_id = made["job"]["id"]
    config = {"config": {"taskTimeout": "3600", "jobTimeout": "84200", "isTestJob": True}}
    api.good("POST", f"/customer/jobs/{job_id}/run", token, json=config)

    def found() -> Any:
        answer = api.ask("GET", f"/customer/jobs/{job_id}/results", token)
        if answer.status_code in NOT_YET:
            return None
        assert answer.status_code == 200, answer.text
        return answer.json().get("results")

    packed = httpx.get(poll(found)[0]["link"], follow_redirects=True, timeout=60)
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def python(api: Api, source: str) -> bytes:
    """Creates from a URL, runs without a body, polls the job until it is complete, and fetches what it made."""
    token = api.token()
    wanted = {
        "templateId": "count",
        "dataSource": {
            "dataSourceDescriptor": "url",
            "params": {"@type": "type.googleapis.com/bytenite.data_source.HttpDataSource", "url": source},
        },
        "dataDestination": {"dataSourceDescriptor": "bucket", "params": {}},
        "config": {"jobTimeout": "3600"},
    }
    job_id = api.good("POST", "/customer/jobs", token, json=wanted)["job"]["id"]
    api.good("POST", f"/customer/jobs/{job_id}/run", token)

    def is_complete() -> bool:
        job = api.good("GET", f"/customer/jobs/{job_id}", token)["job"]
        assert job["state"] != "JOB_STATE_FAILED", job["errorMessage"]
        return bool(job["state"] == "JOB_STATE_COMPLETE")

    poll(is_complete)
    (only,) = api.good("GET", f"/customer/jobs/{job_id}/results", token)["results"]
    return httpx.get(only["link"], follow_redirects=True, timeout=60).content


def node(api: Api, file: Path) -> Mapping[str, Any]:
    """Uploads a file to the signed address, says so, runs, waits for either end, and asks for results and logs."""
    done = subprocess.run(
        ["node", str(NODE), api.base, api.key, str(file)], capture_output=True, text=True, check=False, timeout=MOST_S
    )
    assert done.returncode == 0, done.stderr
    answer: Mapping[str, Any] = json.loads(done.stdout)
    return answer


def snippets(api: Api, source: str, folder: str) -> str:
    """Draft, then source, then parameters, then run with the config's fields by themselves, as the tutorials do."""
    token = api.token()
    job_id = api.good("POST", "/computing/jobs", token, json={"templateId": "count"})["job"]["id"]
    places = {"dataSource": source, "dataDestination": {"uri": folder, "conn_id": "store"}}
    api.good("PATCH", f"/computing/jobs/{job_id}/datasource", token, json=places)
    wrong = api.ask("PATCH", f"/computing/jobs/{job_id}/params", token, json={"app": {"twice": "yes"}})
    assert wrong.status_code == 400
    assert "params.app.twice" in wrong.json()["message"]
    changed = api.good("PATCH", f"/computing/jobs/{job_id}/params", token, json={"app": {"twice": True}})
    assert changed["job"]["params"]["app"] == {"twice": True}
    api.good("POST", f"/computing/jobs/{job_id}/run", token, json={"task_timeout": 3600, "jobTimeout": "84200"})
    (only,) = poll(lambda: api.good("GET", f"/computing/jobs/{job_id}/results", token)["results"])
    return str(only["link"])


def workflow(api: Api, source: str) -> str:
    """A step of a workflow: `Bearer`, lists to choose from, and the verb before the id."""
    token = f"Bearer {api.token()}"
    offered = api.good("GET", "/customer/jobs/templates", token, params={"limit": 100, "offset": 0})["data"]
    assert "count" in [each["id"] for each in offered]
    assert all(each["name"] for each in offered)
    job_id = api.good("POST", "/customer/jobs", token, json={"templateId": "count", "dataSource": source})["job"]["id"]
    listed = api.good("GET", "/customer/jobs", token, params={"limit": 100, "offset": 0})["data"]
    assert job_id in [each["id"] for each in listed]
    assert api.good("POST", f"/customer/jobs/run/{job_id}", token)["ok"] is True
    poll(lambda: api.good("GET", f"/customer/jobs/results/{job_id}", token)["results"])
    return str(job_id)


def notebook(api: Api, source: str) -> tuple[str, float]:
    """The notebooks of 2023: snake_case, old paths, a body in a GET; the job, and how long it took by its own times."""
    token = api.token()
    assert api.good("GET", "/auth/user", token)["user"]["id"]
    job_id = api.good("POST", "/customer/jobs", token, json={"name": "Notebook", "template_id": "count@v0.2"})["job"][
        "id"
    ]
    api.good(
        "POST", f"/customer/jobs/datasource/{job_id}", token, json={"data_source": source, "data_destination": None}
    )
    api.good("POST", f"/customer/jobs/params/{job_id}", token, json={"app": {"twice": False}})
    estimated = api.good("GET", f"/customer/jobs/estimation/{job_id}", token, content=b'{"x": 1}')
    assert int(estimated["estimation"]["totalEstimation"]) >= 0
    ran = api.good("POST", f"/customer/jobs/run/{job_id}", token, json={})
    assert ran == {"ok": True, "requestId": "", "message": "", "error": None}
    poll(lambda: api.good("GET", f"/customer/jobs/results/{job_id}", token, content=b"{}")["results"])
    job = api.good("GET", f"/customer/jobs/{job_id}", token)["job"]
    assert int(job["numChunks"]) == 1
    taken = datetime.fromisoformat(job["completedAt"]) - datetime.fromisoformat(job["startedAt"])
    return job_id, taken.total_seconds()
