"""A job whose source, workspace and destination are Google's, by the command."""

from __future__ import annotations

import random
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from tests.support.command_line import command_line
from tests.support.google_rules import google_rules
from tests.support.include_folders import write_app
from tests.support.places import MIB, PART_MIB
from tests.support.servers import GCS_CONNECTION, fake_gcs_server
from triptych.settings import PROJECT

COPY = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/$CHUNK_NAME"'
FILES = {
    "large.bin": random.Random(14).randbytes(2 * PART_MIB * MIB + 7),
    "empty.txt": b"",
    "two words #1 ü.txt": b"small",
}


def test_bytes_go_from_google_to_google(tmp_path: Path) -> None:
    template = {"partitioner": "passthrough", "assembler": "passthrough"}
    write_app(tmp_path / "include", COPY, name="copied", entrypoint="main.sh", template=template)
    launch = ["run", "copied", "--quiet", "--runner", "process", "--workers", "2", "--connection", "store"]
    launch += ["--source", "gs://tests/in/", "--destination", "gs://tests/out/"]
    with fake_gcs_server(tmp_path) as server, google_rules(server.endpoint) as rules:
        # Before the proxy, so that what we do is not what we look at it with.
        options = {"api_endpoint": server.endpoint}
        client = Client(project="tests", credentials=AnonymousCredentials(), client_options=options)
        bucket = client.bucket("tests")
        for name, data in FILES.items():
            bucket.blob(f"in/{name}").upload_from_string(data)
        env = {
            "AIRFLOW__TRIPTYCH__WORKSPACE": "gs://tests/ws",
            "AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID": "store",
            "AIRFLOW__TRIPTYCH__PART_MIB": str(PART_MIB),
            "AIRFLOW__TRIPTYCH__SCRATCH": str(tmp_path / "scratch"),
            "AIRFLOW_CONN_STORE": GCS_CONNECTION,
            "STORAGE_EMULATOR_HOST": rules.endpoint,
            "TRIPTYCH_INCLUDE": f"{tmp_path / 'include'}:{PROJECT / 'include'}",
        }
        with command_line(env, tmp_path) as command:
            ended = command(*launch)
        assert ended.code == 0, ended.text
        names = [blob.name.removeprefix("out/") for blob in client.list_blobs("tests", prefix="out/")]
        found = {name: bucket.blob(f"out/{name}").download_as_bytes() for name in names if name[:1] != "_"}
        client.close()
    assert found == FILES
    (listing,) = set(names) - set(FILES)
    assert listing.startswith("_triptych/")
    assert rules.open_sessions == []
    assert not any(upload.is_open for upload in rules.uploads.values())
    assert [each for each in rules.asked if "/rewriteTo/" in each], "The store copies what is large by itself."
