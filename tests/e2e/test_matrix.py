"""From each store to each other, with each as workspace, through one real Airflow: the same files come out."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.azure_rules import AzureRules
from tests.support.google_rules import GoogleRules
from tests.support.include_folders import write_app
from tests.support.servers import GCS_CONNECTION, Server, azure_connection, nginx
from tests.support.sites import Site, azure_site, folder_site, gcs_site, s3_site, web_site
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
PART = 5 << 20
CONNECTIONS = {"s3": "store", "gs": "google", "azure": "blobs"}
WORKSPACES = {"s3": "s3://matrix/workspace", "gs": "gs://tests/workspace", "azure": "abfs://tests/workspace"}
KINDS = ("file", "s3", "gs", "azure")
FILES = {"two parts.bin": random.Random(14).randbytes(PART + 1), "empty": b"", "a file #1 ü.txt": b"small\n"}
LINES = b"".join(f"line {number}\n".encode() for number in range(200))
COPY = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/$CHUNK_NAME"'
UPPER = 'tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/line"'
BY_LINE = {
    "partitioner": "rows",
    "assembler": "concat",
    "params": {"partitioner": {"items_per_chunk": 1}},
    "config": {"chunksPerTask": 100},
}
DAG_FILE = """
import os
os.environ.update({settings!r})
from triptych.airflow.factory import build_dags  # airflow, dag
globals().update(build_dags())
"""
SOURCES = (*KINDS, "http")
# Each pair of source and destination, and with five jobs for each workspace each pair with that, too.
JOBS = [(source, to, KINDS[(i + j) % 4]) for i, source in enumerate(SOURCES) for j, to in enumerate(KINDS)]


@dataclass(frozen=True)
class Matrix:
    """The Airflow, with an app `copy_<workspace>` and one `upper_<workspace>` for each of KINDS, and the sites."""

    airflow: EmbeddedAirflow
    sites: Mapping[str, Site]

    def run(self, dag_id: str, source: object, destination: object) -> None:
        """A job, over REST, to its good end."""
        client = self.airflow.client
        run_id = client.trigger(dag_id, {"dataSource": source, "dataDestination": destination})
        state = client.wait_for_run(dag_id, run_id)
        assert state == "success", [client.log(dag_id, run_id, task) for task in ("partition", "assemble")]


def _write_bundle(airflow: EmbeddedAirflow, kind: str) -> Mapping[str, Any]:
    """One DAG file, whose jobs have their workspace in this kind of store."""
    include = airflow.home / f"include-{kind}"
    write_app(include, COPY, name=f"copy_{kind}", entrypoint="main.sh", template={"config": {"chunksPerTask": 3}})
    write_app(include, UPPER, name=f"upper_{kind}", entrypoint="main.sh", template=BY_LINE)
    settings = {"AIRFLOW__TRIPTYCH__INCLUDE": f"{PROJECT / 'include' / 'engines'}:{include}"}
    if kind != "file":
        settings["AIRFLOW__TRIPTYCH__WORKSPACE"] = WORKSPACES[kind]
        settings["AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID"] = CONNECTIONS[kind]
    folder = airflow.home / "bundles" / kind
    folder.mkdir(parents=True)
    (folder / "triptych_jobs.py").write_text(DAG_FILE.format(settings=settings))
    return {
        "name": kind,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }


@pytest.fixture(scope="module")
def matrix(
    tmp_path_factory: pytest.TempPathFactory, store: Server, gcs_rules: GoogleRules, azure_proxy: AzureRules
) -> Iterator[Matrix]:
    home = tmp_path_factory.mktemp("matrix")
    env = {
        "AIRFLOW__TRIPTYCH__ALLOWED_CONNECTIONS": ",".join(CONNECTIONS.values()),
        "AIRFLOW__TRIPTYCH__ALLOWED_ADDRESSES": "127.0.0.1",
        "AIRFLOW__TRIPTYCH__PART_MIB": str(PART >> 20),
        "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
        "AIRFLOW_CONN_STORE": store.connection,
        "AIRFLOW_CONN_GOOGLE": GCS_CONNECTION,
        "AIRFLOW_CONN_BLOBS": azure_connection(azure_proxy.endpoint),
        "STORAGE_EMULATOR_HOST": gcs_rules.endpoint,
        "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
    }
    airflow = EmbeddedAirflow(home, PROJECT, env)
    bundles = [_write_bundle(airflow, kind) for kind in KINDS]
    airflow.env["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(bundles)
    with ExitStack() as stack:
        sites = {
            "file": folder_site(home / "data"),
            "s3": stack.enter_context(s3_site(store, "matrix", CONNECTIONS["s3"])),
            "gs": stack.enter_context(gcs_site(gcs_rules.endpoint, CONNECTIONS["gs"])),
            "azure": stack.enter_context(azure_site(azure_proxy.endpoint, CONNECTIONS["azure"])),
            "http": web_site(stack.enter_context(nginx(home)), home / "files"),
        }
        for site in sites.values():
            for name, data in FILES.items():
                site.put(f"in/{name}", data)
            site.put("lines/lines.txt", LINES)
        stack.enter_context(airflow)
        for dag_id in (f"{app}_{kind}" for app in ("copy", "upper") for kind in KINDS):
            airflow.client.wait_for_dag(dag_id)
            airflow.client.pause(dag_id, paused=False)  # All before the first job: its tasks keep SQLite busy.
        yield Matrix(airflow, sites)


@pytest.mark.parametrize(("source", "destination", "workspace"), JOBS)
def test_files_of_any_store_reach_any_other(matrix: Matrix, source: str, destination: str, workspace: str) -> None:
    out = f"out from {source}"
    matrix.run(f"copy_{workspace}", matrix.sites[source].at("in"), matrix.sites[destination].at(out))
    assert matrix.sites[destination].output(out) == FILES


@pytest.mark.parametrize("kind", SOURCES)
def test_two_hundred_chunks_through_one_store(matrix: Matrix, kind: str) -> None:
    """Of a web server as far as it goes: each chunk is a range of a page; the output is a folder's."""
    to, out = (matrix.sites["file"], "from the web") if kind == "http" else (matrix.sites[kind], "upper")
    workspace = "file" if kind == "http" else kind
    matrix.run(f"upper_{workspace}", matrix.sites[kind].at("lines"), to.at(out))
    assert list(to.output(out).values()) == [LINES.upper()]
