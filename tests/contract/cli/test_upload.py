"""`triptych upload`, and jobs that read what was uploaded: over a folder as workspace, and over an object store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from tests.support.servers import LOGIN, PASSWORD, Server
from triptych.airflow.rest import poll
from triptych.errors import JobSpecError, StorageAccessError
from triptych.jobs.locations import Location
from triptych.jobs.spec import JobSpec, source_locations
from triptych.jobs.temporary import temporary_area
from triptych.jobs.uploads import with_uploads
from triptych.local.upload import files_of, upload
from triptych.settings import Settings, get_settings, read_settings
from triptych.storage import Stores

ODD = "a #b ü.txt"
LARGE = bytes(range(256)) * 50_000
TOKEN = "0" * 32


@pytest.fixture(params=["file", "s3"])
def stored(
    request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], dict[str, bytes]]:
    """What lies in the temporary areas of the workspace, by its name there, read by another client than ours."""
    if request.param == "file":
        workspace = tmp_path / "workspace"
        monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE", workspace.as_uri())
        areas = workspace / "_temporary"
        return lambda: {str(path.relative_to(areas)): path.read_bytes() for path in areas.rglob("*") if path.is_file()}
    server: Server = request.getfixturevalue("store")
    keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD}
    client = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **keys)
    bucket = f"uploads-{abs(hash(tmp_path))}"
    client.create_bucket(Bucket=bucket)
    root = "jobs/_temporary/"
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE", f"s3://{bucket}/jobs")
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID", "uploads")
    monkeypatch.setenv("AIRFLOW_CONN_UPLOADS", server.connection)

    def objects() -> dict[str, bytes]:
        found = client.list_objects_v2(Bucket=bucket, Prefix=root).get("Contents", [])
        keys = [each["Key"] for each in found]
        return {key.removeprefix(root): client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    return objects


def test_what_is_uploaded_is_what_a_job_reads(stored: Callable[[], dict[str, bytes]], home: Path) -> None:
    (home / ODD).write_bytes(b"one two\n")
    before = datetime.now(UTC)
    shown = call("upload", ODD)
    assert shown.exit_code == 0, shown.stderr
    uri = shown.stdout.strip()
    (name,) = stored()
    area = name.partition("/")[0]
    assert stored() == {f"{area}/{ODD}": b"one two\n"}
    assert uri == f"upload://{area}/a%20%23b%20%C3%BC.txt"
    expires = datetime.strptime(area.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert timedelta(0) <= expires - before.replace(microsecond=0) - timedelta(hours=48) < timedelta(minutes=5)
    write_app(home / "include", 'tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/o"', entrypoint="main.sh")
    ran = call("run", "tried", "--runner", "process", "-s", uri, "-d", "out", "--quiet")
    assert ran.exit_code == 0, ran.stderr
    assert [path.read_text() for path in (home / "out").iterdir() if path.is_file()] == ["ONE TWO\n"]


def test_folders_and_files_lie_in_one_area(stored: Callable[[], dict[str, bytes]], home: Path) -> None:
    (home / "in" / "deep").mkdir(parents=True)
    (home / "in" / "deep" / ODD).write_bytes(LARGE)
    (home / "in" / "empty").touch()
    (home / "b").write_bytes(b"b")
    shown = call("upload", "in", home / "b", "--json", "--expires", "1")
    assert shown.exit_code == 0, shown.stderr
    told = json.loads(shown.stdout)
    area = told["source"].removeprefix("upload://").rstrip("/")
    expected = {f"in/deep/{ODD}": LARGE, "in/empty": b"", "b": b"b"}
    assert stored() == {f"{area}/{name}": data for name, data in expected.items()}
    assert {(file["name"], file["size"], file["sha256"]) for file in told["files"]} == {
        (name, len(data), hashlib.sha256(data).hexdigest()) for name, data in expected.items()
    }
    assert datetime.fromisoformat(told["expires"]) < datetime.now(UTC) + timedelta(hours=1)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_an_upload_that_is_stopped_leaves_nothing(
    stored: Callable[[], dict[str, bytes]], home: Path, stop: type[BaseException]
) -> None:
    """Of what is half there, and of the small file that is whole by then."""
    sizes = {"0": 1, "1": len(LARGE), "2": len(LARGE), "3": len(LARGE)}
    for name, size in sizes.items():
        (home / name).write_bytes(LARGE[:size])

    def is_one_whole() -> bool:
        with suppress(FileNotFoundError):  # It gets its name as we look.
            return LARGE[:1] in stored().values()
        return False

    def hear(count: int) -> None:
        if count > 1:
            assert poll(is_one_whole, 60, 0.05)
            raise stop

    with pytest.raises(stop):
        upload(get_settings(), files_of([home / name for name in sizes]), 60, hear)
    assert stored() == {}


def test_mistakes_are_told_before_anything_is_sent(home: Path) -> None:
    (home / "a").mkdir()
    (home / "b").mkdir()
    (home / "a" / "x").touch()
    (home / "b" / "x").touch()
    for arguments, text in {
        ("nowhere",): "there is no such file or folder",
        ("/dev/null",): "is no file and no folder",
        ("a/x", "b/x"): "has the name 'x' in the upload already",
    }.items():
        shown = call("upload", *arguments)
        assert (shown.exit_code, shown.stdout) == (5, "")
        assert text in shown.stderr
    (home / "a" / "x").unlink()
    assert "holds no file" in call("upload", "a").stderr
    assert call("upload").exit_code == 2


def _spec(uri: str) -> JobSpec:
    return JobSpec("t", "t", (Location(uri),), None, {})


def test_an_upload_that_has_expired_is_no_source(settings: Settings) -> None:
    area = temporary_area(settings, 60)
    (found,) = with_uploads(_spec(f"upload://{area.name}/a%20b"), settings).sources
    assert found == Location(f"{area.uri}a%20b", settings.workspace_conn_id)
    named = {"dataSourceDescriptor": "file", "params": {"path": f"upload://{area.name}/"}}
    assert source_locations(named) == (Location(f"upload://{area.name}/"),)
    old = temporary_area(settings, -2)
    with pytest.raises(JobSpecError, match=re.escape(f"upload://{old.name}/a: this upload expired at")):
        with_uploads(_spec(f"upload://{old.name}/a"), settings)
    for name in ("", "outputs/theirs", "../outputs"):
        with pytest.raises(JobSpecError, match="no name of an upload"):
            with_uploads(_spec(f"upload://{name}/a"), settings)


@pytest.mark.parametrize(
    "path", ["", f"20261128T120000Z-{TOKEN}", "*/a", f"20261128T120000Z-{'?' * 32}/a", f"x/20261128T120000Z-{TOKEN}/a"]
)
def test_without_its_name_no_caller_finds_an_area(path: str, tmp_path: Path) -> None:
    settings = read_settings({"workspace": (tmp_path / "ws").as_uri(), "allowed_roots": str(tmp_path)})
    (tmp_path / "ws").mkdir()
    with pytest.raises(StorageAccessError, match="of Triptych's own"):
        Stores(settings).open(f"{settings.workspace}/_temporary/{path}")


@pytest.mark.parametrize("path", ["../../outputs/a", "..%2F..%2Foutputs/a", "./a"])
def test_no_way_leads_out_of_an_area(path: str, tmp_path: Path) -> None:
    settings = read_settings({"workspace": (tmp_path / "ws").as_uri(), "allowed_roots": str(tmp_path)})
    area = temporary_area(settings, 60)
    Stores(settings).workspace().put(f"{area.uri}a", b"mine")
    assert Stores(settings).open(f"{area.uri}a").read(f"{area.uri}a") == b"mine"
    with pytest.raises(StorageAccessError, match="of Triptych's own"):
        Stores(settings).open(f"{area.uri}{path}")
