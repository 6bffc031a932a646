"""An Airflow of two teams with jobs of each, and its users as clients of the Jobs API."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.bundles import team_bundle
from tests.support.include_folders import write_app
from tests.support.job_clients import Api
from tests.support.servers import Server
from triptych.api.prefix import PREFIX
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

USERS = {"ann": "user:team_a", "vic": "viewer:team_a", "bob": "user:team_b", "trigger_t": "viewer:team_a"}
TEAMS = {"team_a": ("count", "pictures", "fails", "waits"), "team_b": ("other",)}
COUNT = """
words=$(wc -w < "$TASK_DIR/data.bin"); echo "counted $words"
case "$APP_PARAMS" in *true*) words=$((words * 2));; esac
echo $words > "$TASK_RESULTS_DIR/words.txt"
"""
PICTURES = 'printf "picture %s" "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/$CHUNK_NUMBER.png"'
TWICE = {
    "type": "object",
    "properties": {"twice": {"type": "boolean", "default": False}},
    "additionalProperties": False,
}
REPLICAS = {"partitioner": "replicate", "dataSource": {"dataSourceDescriptor": "bypass"}}
ORIGIN = "https://pages.example"
TEXT = "one two three four five"


@dataclass(frozen=True)
class World:
    """The Airflow, what its users come by, and what its jobs read."""

    airflow: EmbeddedAirflow
    apis: Mapping[str, Api]
    tokens: Mapping[str, str]
    page: str
    file: Path

    @property
    def ann(self) -> Api:
        return self.apis["ann"]

    @property
    def base(self) -> str:
        return f"{self.airflow.url}{PREFIX}"

    @property
    def signing_key(self) -> bytes:
        """As docs/reference/jobs-api.md says that it follows from Airflow's."""
        secret = self.airflow.env["AIRFLOW__API_AUTH__JWT_SECRET"].encode()
        return hmac.new(secret, b"triptych/jobs-api", hashlib.sha256).digest()

    def create(self, who: str, **wanted: Any) -> str:
        """A draft's id."""
        return str(self.apis[who].good("POST", "/customer/jobs", json=wanted)["job"]["id"])

    def state(self, job_id: str) -> str:
        """As ann sees it."""
        return str(self.ann.good("GET", f"/customer/jobs/{job_id}")["job"]["state"])


def _write_blocks(home: Path) -> list[dict[str, Any]]:
    bundles = []
    for team, names in TEAMS.items():
        include = home / f"include-{team}"
        for name in names:
            script = {"pictures": PICTURES, "fails": "echo sorry >&2; exit 3", "waits": "exec tail -f /dev/null"}
            template: dict[str, Any] = {**REPLICAS, "params": {"partitioner": {"replicas": 2}}, "assembler": "zip"}
            template |= {"dataDestination": {"dataSourceDescriptor": "bucket"}}
            more: dict[str, Any] = {"template": template, "manifest": {"retries": 0}}
            if name not in script:
                more = {"schema": TWICE, "template": {"connections": ["store"]}}
            write_app(include, script.get(name, COUNT), name=name, entrypoint="main.sh", **more)
        bundles.append(team_bundle(home, team, include))
    return bundles


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(TEXT)))
        self.end_headers()
        self.wfile.write(TEXT.encode())

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Not on the tests' output."""


@contextmanager
def text_page() -> Iterator[str]:
    """The address of a page that is TEXT."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/words.txt"
        server.shutdown()


@contextmanager
def jobs_api_world(home: Path, store: Server) -> Iterator[World]:
    """Two teams in an Airflow of their own; the connection `store` is known to it."""
    bundles = _write_blocks(home)
    include = ":".join(str(home / f"include-{team}") for team in TEAMS)
    airflow = EmbeddedAirflow(
        home,
        PROJECT,
        {
            "AIRFLOW__CORE__MULTI_TEAM": "true",
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.auth_manager.TriggerOnlyAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
                ["admin:admin", *(f"{name}:{about}" for name, about in USERS.items())]
            ),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "AIRFLOW__TRIPTYCH__INCLUDE": include,
            "AIRFLOW__TRIPTYCH__RUNNER": "process",
            "AIRFLOW__TRIPTYCH__ALLOWED_ADDRESSES": "127.0.0.1",
            "AIRFLOW__TRIPTYCH__API_ORIGINS": ORIGIN,
            "AIRFLOW_CONN_STORE": store.connection,
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
        },
    )
    for arguments in (["db", "migrate"], *(["teams", "create", team] for team in TEAMS)):
        command = [sys.executable, "-m", "airflow", *arguments]
        subprocess.run(command, env=airflow.env, cwd=home, check=True, capture_output=True)
    file = home / "words.txt"
    file.write_text(TEXT)
    with text_page() as page, airflow:
        for names in TEAMS.values():
            for name in names:
                airflow.client.wait_for_dag(name)
        passwords = json.loads((home / "passwords.json").read_text())
        tokens = {name: login(airflow, name, passwords[name]) for name in USERS}
        apis = {name: Api(f"{airflow.url}{PREFIX}", _key(airflow, name, tokens[name])) for name in USERS}
        yield World(airflow, apis, tokens, page, file)


def login(airflow: EmbeddedAirflow, name: str, password: str) -> str:
    """A token of Airflow's own."""
    login = httpx.post(f"{airflow.url}/auth/token", json={"username": name, "password": password}, timeout=60)
    return str(login.json()["access_token"])


def _key(airflow: EmbeddedAirflow, name: str, token: str) -> str:
    """By the command, as its user has it."""
    command = [sys.executable, "-m", "triptych", "api-key", "create", "--airflow", airflow.url, "--name", f"of {name}"]
    done = subprocess.run(
        command, env={**airflow.env, "AIRFLOW_TOKEN": token}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
