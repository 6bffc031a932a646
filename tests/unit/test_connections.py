"""Connections of Airflow: what blocks and stores get of them, and what is said when there is none."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from triptych.blocks import Block, Role
from triptych.connections import gcs_client, registry_login, s3_client, secret_environment
from triptych.errors import ManifestError, StorageAccessError, TriptychError
from triptych.schemas.services import Service

BLOCK = Block(Role.APP, "captions", "1.0", Path("/apps/captions"), secrets=("missing",), docker_conn_id="missing")
ASK: list[Any] = [
    pytest.param(lambda: secret_environment(BLOCK), ManifestError, "captions@1.0", "generic", id="secret"),
    pytest.param(lambda: registry_login(BLOCK), ManifestError, "captions@1.0", "docker", id="registry"),
    pytest.param(lambda: s3_client("missing"), StorageAccessError, "store", "aws", id="s3"),
    pytest.param(lambda: gcs_client("missing"), StorageAccessError, "store", "google_cloud_platform", id="gcs"),
]


@pytest.fixture(scope="module", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Airflow writes a configuration into its home when it is first imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        yield


@pytest.mark.parametrize(("ask", "kind", "user", "conn_type"), ASK)
def test_a_missing_connection_is_one_sentence_with_the_command(
    ask: Callable[[], Any], kind: type[TriptychError], user: str, conn_type: str
) -> None:
    with pytest.raises(kind, match=f"`airflow connections add missing --conn-type {conn_type} ") as caught:
        ask()
    assert user in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("ask", "kind", "user", "conn_type"), ASK[:2])
def test_without_airflow_the_extra_is_named(
    ask: Callable[[], Any], kind: type[TriptychError], user: str, conn_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("airflow", "airflow.sdk"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(kind, match=r"pip install 'triptych\[airflow\]'") as caught:
        ask()
    assert user in str(caught.value)


def test_login_and_password_reach_script_and_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MISSING", json.dumps({"conn_type": "generic", "login": "me", "password": "pw"}))
    assert secret_environment(BLOCK) == {"missing_ACCESS_KEY": "me", "missing_SECRET_KEY": "pw", "missing": "pw"}
    assert registry_login(BLOCK) == {"username": "me", "password": "pw"}


def test_ids_become_names_that_a_shell_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    for conn_id in ("my-key.1", "2nd", "my_key_1"):
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "generic", "password": "secret"})
        )
    block = dataclasses.replace(BLOCK, secrets=("my-key.1", "2nd"))
    assert [name for name in secret_environment(block) if name.endswith("_SECRET_KEY")] == [
        "my_key_1_SECRET_KEY",
        "_2nd_SECRET_KEY",
    ]
    with pytest.raises(ManifestError, match=r"'my_key_1' .* is the variable my_key_1, and so is another"):
        secret_environment(dataclasses.replace(BLOCK, secrets=("my-key.1", "my_key_1")))


def test_an_optional_secret_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    block = dataclasses.replace(BLOCK, secrets=(), optional_secrets=("missing", "there"))
    monkeypatch.setenv("AIRFLOW_CONN_THERE", json.dumps({"conn_type": "generic", "password": "secret"}))
    assert secret_environment(block) == {"there": "secret", "there_SECRET_KEY": "secret", "there_ACCESS_KEY": ""}


def test_a_password_that_is_too_short_to_mask_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MISSING", json.dumps({"conn_type": "generic", "password": "1234"}))
    secret_environment(BLOCK)
    assert ["shorter than 5 characters" in message for message in caplog.messages] == [True]
    assert "1234" not in caplog.text


def test_a_block_without_either_asks_nobody() -> None:
    block = Block(Role.APP, "plain", "1.0", Path("/apps/plain"))
    assert (secret_environment(block), registry_login(block)) == ({}, None)


@pytest.mark.parametrize(
    ("extra", "service", "endpoint", "region"),
    [
        ({}, Service("wasabi", "eu-central-1"), "https://s3.eu-central-1.wasabisys.com", "eu-central-1"),
        ({"region_name": "eu-west-1"}, Service("storj", "global"), "https://gateway.storjshare.io", "us-east-1"),
        ({"region_name": "eu-west-1"}, Service("s3", "us-east-2"), "https://s3.us-east-2.amazonaws.com", "us-east-2"),
        ({"region_name": "eu-west-1"}, None, "https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        (
            {"region_name": "eu-west-1", "endpoint_url": "http://127.0.0.1:9"},
            Service("wasabi", "eu-central-1"),
            "http://127.0.0.1:9",
            "eu-west-1",
        ),
        (
            {"region_name": "eu-west-1", "service_config": {"s3": {"endpoint_url": "http://127.0.0.1:8"}}},
            Service("gcp"),
            "http://127.0.0.1:8",
            "eu-west-1",
        ),
    ],
)
def test_a_connections_own_endpoint_goes_before_the_services(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], service: Service | None, endpoint: str, region: str
) -> None:
    about = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SERVED", json.dumps(about))
    client = s3_client("served", service)
    assert (client.meta.endpoint_url, client.meta.region_name) == (endpoint, region)
    own = "endpoint_url" in json.dumps(extra) or not service or service.name == "s3"
    assert client.meta.config.request_checksum_calculation == ("when_supported" if own else "when_required")


@pytest.mark.parametrize(("said", "expected"), [({}, 32), ({"retries": {"total_max_attempts": 7}}, 32), (None, 5)])
def test_an_s3_client_keeps_as_many_connections_as_assemble_reads_with(
    said: dict[str, Any] | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"max_pool_connections": 5} if said is None else said
    extra = {"region_name": "us-east-1", "config_kwargs": config}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_POOLED", json.dumps(connection))
    client = s3_client("pooled")
    assert client.meta.config.max_pool_connections == expected
    if said:
        assert client.meta.config.retries["total_max_attempts"] == 7
    client.close()


@pytest.mark.parametrize(
    ("extra", "said"),
    [({"keyfile_dict": "{"}, "Invalid key JSON"), ({"key_path": "/none.json"}, "/none.json"), ({}, "credentials")],
)
def test_google_credentials_that_are_none_are_one_sentence(
    extra: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_DEFAULT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    connection = {"conn_type": "google_cloud_platform", "extra": {"project": "tests", **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(connection))
    with pytest.raises(StorageAccessError, match=f"'google'.*{said}"):
        gcs_client("google")


def test_an_environment_without_google_credentials_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"NO_GCE_CHECK": "true", "CLOUDSDK_CONFIG": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageAccessError, match="The environment has no credentials"):
        gcs_client(None)
