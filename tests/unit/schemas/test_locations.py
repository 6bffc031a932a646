"""Descriptors and URIs that are wrong are named by place, and no secret in them is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triptych.schemas.locations import connection_of, location_errors, uri_and_connection

SECRET = "hunter2-hunter2"


def _said(value: Any) -> str:
    return "\n".join(f"{'.'.join(map(str, path))}: {text}" for path, text in location_errors(value))


def _s3(**params: Any) -> dict[str, Any]:
    return {"dataSourceDescriptor": "s3", "params": params}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (_s3(bucket="b", key="k", secret_id="x"), "params.secret_id: is unknown. Did you mean 'conn_id'?"),
        (_s3(bucket="b", name="k.csv"), "params.name: is unknown. Did you mean 'key'?"),
        (_s3(bucket="b", keey="k"), "params.keey: is unknown. Did you mean 'key'?"),
        (_s3(bucket="b", key="k", region="eu"), "Known: bucket, conn_id, key, prefix."),
        (_s3(bucket="b"), "params.key: name one object"),
        (_s3(bucket="b", key="k", prefix="p/"), "params.key: name one object"),
        (_s3(key="k"), "params.bucket: is missing."),
        (_s3(bucket="", key="k"), "params.bucket: is missing."),
        (_s3(bucket=["b"], key="k"), "params.bucket: must be text."),
        (_s3(bucket="b", key="k", conn_id={"a": 1}), "params.conn_id: must be text."),
        (_s3(bucket="b", key="k", conn_id="a", connId="b"), "params.connId: is the same as conn_id"),
        ({"dataSourceDescriptor": "s4"}, "'s4' is no descriptor. Known: azure, file, gcs, http, s3."),
        (
            {"dataSourceDescriptor": "http", "params": {"uri": "https://a/b"}},
            "params.uri: is unknown. Did you mean 'url'?",
        ),
        ({"dataSourceDescriptor": "azure", "params": {"key": "k"}}, "params.container: is missing."),
        (["s3://b/k", _s3(bucket="b", nam="k")], "1.params.nam: is unknown."),
    ],
)
def test_a_descriptor_says_what_is_wrong_with_it(value: Any, words: str) -> None:
    assert words in _said(value)


@pytest.mark.parametrize(
    "value",
    [
        f"s3://AKIAIOSFODNN7EXAMPLE:{SECRET}@bucket/key",
        f"s3://{SECRET}@bucket/key",
        f"s3://key%3A{SECRET}%40bucket/key",
        f"https://user:{SECRET}@host/file",
        f"https://host/file?x=1&X-Amz-Signature={SECRET}",
        f"https://host/file?AWSAccessKeyId={SECRET}",
        f"https://account.blob.core.windows.net/c/k?sv=1&sig={SECRET}",
        f"gs://bucket/key?access_token={SECRET}",
        f"abfs://user:{SECRET}@account/key",
        {"uri": f"s3://a:{SECRET}@bucket/key", "conn_id": "store"},
        {"uri": "s3://bucket/key", "password": SECRET},
        {"uri": "s3://bucket/key", "aws_secret_access_key": SECRET},
        {"uri": "s3://bucket/key", "conn_id": f"aws://AKIA:{SECRET}@"},
        _s3(bucket="b", key="k", access_key=SECRET),
        _s3(bucket="b", key="k", secretKey=SECRET),
        _s3(bucket="b", key="k", aws_access_key_id=SECRET),
        _s3(bucket="b", key="k", aws_session_token=SECRET),
        _s3(bucket="b", key="k", password=SECRET),
        _s3(bucket=f"a:{SECRET}@b", key="k"),
        _s3(bucket="b", key="k", conn_id=f"aws://AKIA:{SECRET}@"),
        {"dataSourceDescriptor": "azure", "params": {"container": "c", "key": "k", "sas_token": SECRET}},
        {"dataSourceDescriptor": "azure", "params": {"container": "c", "key": "k", "connection_string": SECRET}},
        {"dataSourceDescriptor": "gcs", "params": {"bucket": "c", "key": "k", "credentials": {"private_key": SECRET}}},
        {"dataSourceDescriptor": "http", "params": {"url": f"https://u:{SECRET}@host/"}},
    ],
    ids=json.dumps,
)
def test_credentials_are_refused_and_not_shown(value: Any) -> None:
    said = _said(value)
    assert "airflow connections add" in said or "must be the id of an Airflow connection" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("value", "uri", "conn_id", "opened_by"),
    [
        ("S3://b/Key?", "s3://b/Key?", None, "@environment"),
        ("file:///a/b@c", "file:///a/b@c", None, None),
        ("https://host/a?b=c", "https://host/a?b=c", None, None),
        ({"uri": "s3://b/a:b@c", "conn_id": "store"}, "s3://b/a:b@c", "store", "store"),
        (_s3(bucket="b", key="in/*.csv", connId="store"), "s3://b/in/*.csv", "store", "store"),
        (_s3(bucket="b", prefix=""), "s3://b/", None, "@environment"),
        ({"dataSourceDescriptor": "GCS", "params": {"bucket": "b", "key": "k"}}, "gs://b/k", None, "@environment"),
        ("abfs://container@account/key", "abfs://container@account/key", None, "@environment"),
        ({"dataSourceDescriptor": "file", "params": {"path": "/a"}}, "file:///a", None, None),
    ],
)
def test_a_sound_one_is_a_uri_and_a_connection(
    value: Any, uri: str, conn_id: str | None, opened_by: str | None
) -> None:
    assert _said(value) == ""
    assert uri_and_connection(value) == (uri, conn_id)
    assert connection_of(value) == opened_by
