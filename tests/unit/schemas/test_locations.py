"""Descriptors and URIs that are wrong are named by place, and no secret in them is shown."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from triptych.schemas.descriptors import DESCRIPTORS, Side
from triptych.schemas.locations import connection_of, location_errors, meaning_of
from triptych.schemas.services import Service

SECRET = "hunter2-hunter2"


def _said(value: Any, side: Side = Side.SOURCE) -> str:
    return "\n".join(f"{'.'.join(map(str, path))}: {text}" for path, text in location_errors(value, side))


def _descriptor(descriptor: str, /, **params: Any) -> dict[str, Any]:
    return {"dataSourceDescriptor": descriptor, "params": params}


_s3 = partial(_descriptor, "s3")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (_s3(bucket="b", keey="k"), "params.keey: is unknown. Did you mean 'key'?"),
        (_s3(bucketNam="b", key="k"), "params.bucketNam: is unknown. Did you mean 'bucketName'?"),
        (_s3(bucket_nam="b", key="k"), "params.bucket_nam: is unknown. Did you mean 'bucket_name'?"),
        (_s3(bucket="b", key="k", secrt_id="x"), "params.secrt_id: is unknown. Did you mean 'secret_id'?"),
        (_s3(bucket="b", key="k", zzz="eu"), "Known: @type, bucketName, cloudRegion, key, name, prefix, secret_id."),
        (_s3(bucket="b"), "params.name: name one object"),
        (_s3(bucket="b", key="k", prefix="p/"), "params.prefix: name one object"),
        (_s3(bucket="b", key="k", name="/k"), "params.key: name one object"),
        (_s3(key="k"), "params.bucketName: is missing."),
        (_s3(bucket="", key="k"), "params.bucketName: is missing."),
        (_s3(bucket="b/c", key="k"), "params.bucketName: is the name of a bucket"),
        (_s3(bucket="b", key="k", region="x.example.com/?"), "params.cloudRegion: must be the name of a region"),
        (_descriptor("backblaze", bucketName="b", name="/k"), "params.cloudRegion: is missing."),
        (_s3(bucketName="b", bucket="c", key="k"), "params.bucket: is the same as bucketName: give one of them."),
        (_s3(**{"@type": "S3DataSource"}, bucket="b", key="k"), "params.@type: must be like `type.googleapis.com/"),
        (_descriptor("bypass", name="/k"), "params.name: is unknown. Known: @type."),
        ([_descriptor("bypass"), "s3://b/k"], "0.dataSourceDescriptor: stands for a whole source"),
        (
            _descriptor("bucket"),
            "'bucket' is no descriptor of dataSource. Known: aws, azure, backblaze, bypass,",
        ),
        (_s3(bucket=["b"], key="k"), "params.bucket: must be text."),
        (_s3(bucket="b", key="k", conn_id={"a": 1}), "params.conn_id: must be text."),
        (_s3(bucket="b", key="k", conn_id="a", connId="b"), "params.connId: is the same as conn_id"),
        ({"dataSourceDescriptor": "wasaby"}, "'wasaby' is no descriptor. Did you mean 'wasabi'?"),
        ({"data_source_descriptor": "ftp"}, "data_source_descriptor: 'ftp' is no descriptor. Known: aws, azure,"),
        (
            {"dataSourceDescriptor": "http", "params": {"uri": "https://a/b"}},
            "params.uri: is unknown. Did you mean 'url'?",
        ),
        ({"dataSourceDescriptor": "azure", "params": {"key": "k"}}, "params.bucketName: is missing."),
        (["s3://b/k", _s3(bucket="b", nam="k")], "1.params.nam: is unknown."),
    ],
)
def test_a_descriptor_says_what_is_wrong_with_it(value: Any, words: str) -> None:
    assert words in _said(value)


@pytest.mark.parametrize("key", ["dataSourceDescriptor", "data_source_descriptor", "params", "uri", "manifest"])
@pytest.mark.parametrize("odd", [None, True, 1, 1.5, [], ["s3"], {}, {"s3": 1}], ids=repr)
def test_what_has_no_shape_is_left_to_its_schema(key: str, odd: Any) -> None:
    values: list[Any] = [{key: odd}, {**_s3(bucket="b", key="k"), key: odd}]
    for value in (*values, *([value, "s3://b/k"] for value in values)):
        assert all(path and text for path, text in location_errors(value, Side.SOURCE))


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
        _descriptor("url", url="https://host/", username="me", password=SECRET),
        _descriptor("storj", bucket_name="b", name="/k", access_key=SECRET, secret_key=SECRET, cloud_region="us1"),
    ],
    ids=json.dumps,
)
def test_credentials_are_refused_and_not_shown(value: Any) -> None:
    said = _said(value)
    assert "airflow connections add" in said or "must be the id of an Airflow connection" in said
    assert SECRET not in said


def test_a_login_at_a_web_server_comes_with_its_host() -> None:
    # One without a host would be sent to any server that a job names, and is refused.
    assert "--conn-type http --conn-host https://HOST --conn-login" in _said("https://u:p@host/")
    assert "--conn-host" not in _said("s3://u:p@host/")


@pytest.mark.parametrize(
    ("value", "uri", "conn_id", "opened_by"),
    [
        ("S3://b/Key?", "s3://b/Key?", None, "@environment"),
        ("file:///a/b@c", "file:///a/b@c", None, None),
        ("https://host/a?b=c", "https://host/a?b=c", None, None),
        ({"uri": "s3://b/a:b@c", "conn_id": "store"}, "s3://b/a:b@c", "store", "store"),
        (_s3(bucket="b", key="in/*.csv", connId="store"), "s3://b/in/*.csv", "store", "store"),
        (_s3(bucket="b", prefix=""), "s3://b/", None, "@environment"),
        (
            _s3(bucketName="b", name="/in/a b#1*[%41].csv"),
            "s3://b/in/a%20b%231%2A%5B%2541%5D.csv",
            None,
            "@environment",
        ),
        (_s3(bucketName="b", name="in/"), "s3://b/in/", None, "@environment"),
        ({"dataSourceDescriptor": "GCS", "params": {"bucket": "b", "key": "k"}}, "gs://b/k", None, "@environment"),
        ("abfs://container@account/key", "abfs://container@account/key", None, "@environment"),
        (_descriptor("azure", container="c", name="/in/"), "abfs://c/in/", None, "@environment"),
        (_descriptor("file", path="/a"), "file:///a", None, None),
        (_descriptor("url", url="https://host/a", secret_id="web"), "https://host/a", "web", "web"),
        (_descriptor("url", url="https://host/a", name="", username="", password=""), "https://host/a", None, None),
        ({"data_source_descriptor": "http", "params": {"url": "http://host/"}}, "http://host/", None, None),
    ],
)
def test_a_sound_one_is_a_uri_and_a_connection(
    value: Any, uri: str, conn_id: str | None, opened_by: str | None
) -> None:
    assert _said(value) == ""
    means = meaning_of(value)
    assert (means.uri, means.conn_id, means.place) == (uri, conn_id, None)
    assert connection_of(value) == opened_by


ENDPOINTS = {
    "aws": None,
    "s3": None,
    "gcp": "https://storage.googleapis.com",
    "storj": "https://gateway.eu1.storjshare.io",
    "wasabi": "https://s3.eu1.wasabisys.com",
    "backblaze": "https://s3.eu1.backblazeb2.com",
}
"""As each service's manual has them."""


@pytest.mark.parametrize(
    "names", [("bucketName", "cloudRegion", "secretId"), ("bucket_name", "cloud_region", "secret_id")]
)
@pytest.mark.parametrize("name", ENDPOINTS)
def test_the_endpoint_follows_from_descriptor_and_region(name: str, names: tuple[str, str, str]) -> None:
    bucket, region, secret = names
    message = {"@type": "type.googleapis.com/bytenite.data_source.S3DataSource"}
    value = _descriptor(name, **{**message, "name": "/vids/a.mp4", bucket: "b", region: "eu1", secret: "mine"})
    for side in Side:
        assert _said(value, side) == ""
    means = meaning_of(value)
    assert (means.uri, means.conn_id) == ("s3://b/vids/a.mp4", "mine")
    assert means.service is not None
    assert means.service.endpoint == ENDPOINTS[name]
    assert means.service.signing_region == {"gcp": "auto", "storj": "us-east-1"}.get(name, "eu1")


def test_services_without_a_region_have_their_own() -> None:
    assert Service("storj", "global").endpoint == Service("storj").endpoint == "https://gateway.storjshare.io"
    assert Service("wasabi").endpoint == "https://s3.wasabisys.com"
    assert meaning_of(_s3(bucket="b", key="k")).service is None


def test_a_destination_may_be_a_whole_bucket() -> None:
    for params in ({}, {"name": "/"}, {"name": ""}, {"prefix": ""}):
        assert _said(_s3(bucketName="b", **params), Side.DESTINATION) == ""
        assert meaning_of(_s3(bucketName="b", **params)).uri == "s3://b/"


@pytest.mark.parametrize("name", ["url", "http"])
def test_what_is_read_only_is_no_destination(name: str) -> None:
    assert "is no descriptor of dataDestination" in _said(_descriptor(name, url="https://h/"), Side.DESTINATION)


@pytest.mark.parametrize("params", [{"params": None}, {"params": {}}, {}], ids=str)
def test_descriptors_without_parameters(params: dict[str, Any]) -> None:
    for name, side in (("bypass", Side.SOURCE), ("bypass", Side.DESTINATION), ("bucket", Side.DESTINATION)):
        value = {"dataSourceDescriptor": name, **params}
        assert _said(value, side) == ""
        assert connection_of(value) is None


def test_the_table_has_the_descriptors_of_the_services() -> None:
    wanted = "bypass bucket url file s3 aws gcp storj wasabi backblaze azure http gcs"
    assert set(DESCRIPTORS) == set(wanted.split())
