"""Templates of other services as they are, by REST and by the command line, with real stores and a web server.

The services of Airflow have what docker-compose.yaml says, with its object store as workspace.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.support.compose import needed, services_of
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, Server, s3_client
from triptych.airflow.rest import poll
from triptych.demo.embedded import TRIGGERER, EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = pytest.mark.airflow
X = "type.googleapis.com/bytenite.data_source."
NAME = "/vids/a b#1 \u00e4.txt"
SAME = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/out.txt"; printf "%s" "$CHUNK_NUMBER" >> "$TASK_RESULTS_DIR/out.txt"'
ELSEWHERE = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "PYTHONPATH",
}
SIGNED = "X-Amz-Signature"
WAIT_S = 60


def _s3(name: str) -> dict[str, str]:
    about = {"@type": f"{X}S3DataSource", "name": name, "bucketName": "media", "cloudRegion": "us-east-2"}
    return {**about, "secret_id": "my_aws_secret"}


def _templates(site: str) -> dict[str, dict[str, Any]]:
    """As public ones have them: made from nothing, from a bucket to a bucket, from the web."""
    replicas = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}
    return {
        "drawn": {
            **replicas,
            "dataSource": {"dataSourceDescriptor": "bypass"},
            "dataDestination": {"dataSourceDescriptor": "bucket", "params": {}},
        },
        "moved": {
            "dataSource": {"dataSourceDescriptor": "aws", "params": _s3(NAME)},
            "dataDestination": {"data_source_descriptor": "aws", "params": _s3("/done")},
        },
        "fetched": {
            "dataSource": {
                "dataSourceDescriptor": "url",
                "params": {"@type": f"{X}HttpDataSource", "url": f"{site}/page.txt", "username": "", "password": ""},
            },
            "dataDestination": {"dataSourceDescriptor": "bypass"},
        },
    }


@dataclass(frozen=True)
class Service:
    """An Airflow whose workspace is in the store, and a client of the store that is not ours."""

    airflow: EmbeddedAirflow
    bucket: Any

    def read(self, uri: str) -> bytes:
        """An object of the store."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        data: bytes = self.bucket.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def by_command(self, template: str, **env: str) -> Mapping[str, Any]:
        """What `triptych run TEMPLATE --json` says."""
        path = os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)])
        done = subprocess.run(
            [sys.executable, "-m", "triptych", "run", template, "--json", "--quiet"],
            env={**self.airflow.env, "PYTHONPATH": path, **env},
            cwd=self.airflow.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        # Airflow's own warnings come before it.
        said: Mapping[str, Any] = json.loads(done.stdout[done.stdout.index("{\n") :])
        return said


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server of one page."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "page.txt").write_text("from the web")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _as_in_compose(store: Server, home: Path) -> dict[str, str]:
    """What docker-compose.yaml has every service know, but where it names other containers, and paths inside them."""
    asked = {"TRIPTYCH_WORKSPACE": "s3://media/jobs", "TRIPTYCH_WORKSPACE_CONN_ID": "seaweedfs"}
    asked |= {"TRIPTYCH_SCRATCH": str(home / "scratch"), "SEAWEEDFS_SECRET_KEY": PASSWORD}
    asked |= {"FERNET_KEY": Fernet.generate_key().decode(), "JWT_SECRET": "0" * 64, "API_SECRET_KEY": "1" * 64}
    stated: dict[str, str] = services_of({**needed(), **asked})["scheduler"]["environment"]
    connection = stated["AIRFLOW_CONN_SEAWEEDFS"].replace("http://seaweedfs:8333", store.endpoint)
    # The store has one login for all tests.
    stated["AIRFLOW_CONN_SEAWEEDFS"] = connection.replace('"login": "triptych"', f'"login": "{LOGIN}"')
    return {key: value for key, value in stated.items() if key not in ELSEWHERE}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, store: Server, site: str) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("service")
    for name, template in _templates(site).items():
        write_app(home / "include", SAME, name=name, entrypoint="main.sh", template=template)
    env = {
        **_as_in_compose(store, home),
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # Three runs at once begin beside everything else.
        "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "include"),
        "AIRFLOW__TRIPTYCH__RUNNER": "process",
        "AIRFLOW__TRIPTYCH__RETRIES": "0",
        "AIRFLOW__TRIPTYCH__ALLOWED_ADDRESSES": "127.0.0.1",
        "AIRFLOW_CONN_MY_AWS_SECRET": store.connection,
    }
    with s3_client(store, "media") as bucket, EmbeddedAirflow(home, PROJECT, env) as airflow:
        bucket.put_object(Bucket="media", Key=NAME[1:], Body=b"a film")
        airflow.restart(TRIGGERER)  # The one service of docker-compose.yaml that is not there yet.
        for name in _templates(site):
            airflow.client.wait_for_dag(name)
        yield Service(airflow, bucket)


@pytest.fixture(scope="module")
def runs(service: Service) -> Mapping[str, str]:
    """A run of each template, launched by REST with nothing but its id, that has ended well."""
    client = service.airflow.client
    started = {name: client.trigger(name, {}) for name in _templates("")}
    for name, run_id in started.items():
        assert client.wait_for_run(name, run_id) == "success", client.log(name, run_id, "partition")
    return started


def _said_by_airflow(service: Service, template: str, run_id: str) -> Mapping[str, Any]:
    path = f"dags/{template}/dagRuns/{run_id}/taskInstances/assemble/xcomEntries/return_value"
    value = service.airflow.client.get(path)["value"]
    said: Mapping[str, Any] = json.loads(value) if isinstance(value, str) else value
    return said


def test_a_job_from_nothing_gives_links_to_all_that_it_made(service: Service, runs: Mapping[str, str]) -> None:
    """By REST: anybody fetches them; Airflow is told of the folder alone."""
    run_id = runs["drawn"]
    said = _said_by_airflow(service, "drawn", run_id)
    assert said["uri"].startswith("s3://media/jobs/_temporary/")
    listing = json.loads(service.read(f"s3://media/jobs/drawn/{run_id}/output/0.json"))
    links = {file["name"]: file["link"] for file in listing["files"]}
    fetched = {name: httpx.get(link, timeout=60).content for name, link in links.items()}
    assert fetched == {"000000_out.txt": b"0", "000001_out.txt": b"1"}
    assert {name: service.read(said["uri"] + name) for name in links} == fetched
    shown = json.dumps(said) + service.airflow.client.log("drawn", run_id, "assemble")
    assert SIGNED in links["000000_out.txt"]
    assert SIGNED not in shown


def test_the_command_shows_links(service: Service) -> None:
    links = service.by_command("drawn")["links"]
    assert {name: httpx.get(link, timeout=60).content for name, link in links.items()} == {
        "000000_out.txt": b"0",
        "000001_out.txt": b"1",
    }


def test_links_end_when_they_should(service: Service) -> None:
    """Until then they work, as the others do, which differ in nothing else."""
    links = service.by_command("drawn", AIRFLOW__TRIPTYCH__TEMPORARY_SECONDS="1")["links"].values()
    assert poll(lambda: all(httpx.get(link, timeout=60).status_code == 403 for link in links), WAIT_S, 0.2)
    assert all("expired" in httpx.get(link, timeout=60).text for link in links)


@pytest.mark.parametrize("how", ["rest", "command"])
def test_from_a_bucket_to_a_bucket_by_a_secrets_id(service: Service, runs: Mapping[str, str], how: str) -> None:
    """The file of the first goes before the second, which does not touch another job's."""
    if how == "command":
        service.bucket.delete_object(Bucket="media", Key="done/out.txt")
        assert service.by_command("moved")["uri"] == "s3://media/done/"
    assert service.read("s3://media/done/out.txt") == b"a film0"


@pytest.mark.parametrize("how", ["rest", "command"])
def test_from_the_web_into_the_workspace(service: Service, runs: Mapping[str, str], how: str) -> None:
    said = _said_by_airflow(service, "fetched", runs["fetched"]) if how == "rest" else service.by_command("fetched")
    run_id = runs["fetched"] if how == "rest" else said["run"]
    assert said["uri"] == f"s3://media/jobs/outputs/fetched/{run_id.replace('+', '%2B').replace(':', '%3A')}/"
    assert service.read(f"s3://media/jobs/outputs/fetched/{run_id}/out.txt") == b"from the web0"


def test_every_service_is_well_by_what_compose_tells_it(service: Service, runs: Mapping[str, str]) -> None:
    def states() -> set[str]:
        return {str(about["status"]) for about in service.airflow.client.get("monitor/health").values()}

    assert poll(lambda: states() == {"healthy"}, WAIT_S, 0.5), states()
    assert service.airflow.ended() == []
    assert service.airflow.env["AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID"] == "seaweedfs"
