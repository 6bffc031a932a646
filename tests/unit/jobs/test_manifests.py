"""Manifests: what their lines may name, by which connection, and how a line that may not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.errors import JobSpecError, SourceError
from triptych.jobs.job import new_job
from triptych.jobs.locations import Location
from triptych.jobs.manifests import MOST_BYTES, manifest_locations
from triptych.jobs.sources import resolve_sources
from triptych.jobs.spec import JobSpec, build_job_spec
from triptych.settings import read_settings
from triptych.stages.partition import partition
from triptych.storage import ObjectInfo, Store, Stores
from triptych.storage.http.store import HttpStore


class _Serving(HttpStore):
    """A store of one text, whatever is asked for."""

    def __init__(self, text: str) -> None:
        self._data = text.encode()

    def stat(self, uri: str) -> ObjectInfo:
        return ObjectInfo(uri, len(self._data), "")

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None):  # type: ignore[no-untyped-def]  # As its base.
        yield self._data


def _locations(manifest: Location, text: str) -> list[Location]:
    store: Store = _Serving(text)
    schemes = ("file", "s3", "gs", "abfs", "https")
    stores = Stores(read_settings({}), {scheme: lambda conn_id, settings, service: store for scheme in schemes})
    return list(manifest_locations(manifest, stores, "dataSource"))


@pytest.mark.parametrize(
    ("manifest", "conn_id", "listed", "by"),
    [
        ("s3://b/list", "mine", "s3://other/a", "mine"),
        ("s3://b/list", None, "S3://other/a", None),
        ("abfs://c/list", "mine", "azure://c/a/*.csv", "mine"),
        ("file:///d/list", None, "file:///d/folder/", None),
        ("file:///d/list", "mine", "gs://b/a", "mine"),
        ("s3://b/list", "mine", "https://example.com/a?b=c", None),
        ("https://example.com/list", "mine", "https://example.com/a", "mine"),
        ("https://example.com/list", "mine", "https://other.example.com/a", None),
    ],
)
def test_a_line_is_opened_by_the_manifests_connection_or_none(
    manifest: str, conn_id: str | None, listed: str, by: str | None
) -> None:
    (found,) = _locations(Location(manifest, conn_id, is_manifest=True), f"# one\n\n{listed}\n")
    assert found == Location(listed.replace("S3", "s3"), by)


@pytest.mark.parametrize(
    ("manifest", "conn_id", "line", "says"),
    [
        ("https://example.com/list", None, "file:///etc/passwd", "not of the manifest's own store"),
        ("s3://b/list", "mine", "file:///etc/passwd", "not of the manifest's own store"),
        ("s3://b/list", "mine", "gs://b/a", "not of the manifest's own store"),
        ("file:///d/list", None, "s3://b/a", "not of the manifest's own store"),
        ("s3://b/list", "mine", "data/a.csv", "is a path, and no URI"),
        ("s3://b/list", "mine", "https://user:pass@example.com/a", "holds credentials"),
        ("s3://b/list", "mine", "https://[::1/a", "is no URI"),
        ("s3://b/list", "mine", "s3://b/\x01", "a URI holds no"),
    ],
)
def test_a_line_that_may_not_be_is_named(manifest: str, conn_id: str | None, line: str, says: str) -> None:
    with pytest.raises(SourceError, match=rf"dataSource {manifest}: line 3: .*{says}"):
        _locations(Location(manifest, conn_id, is_manifest=True), f"\n\n{line}\n")


def test_data_named_as_a_manifest_is_told(tmp_path: Path) -> None:
    stores = Stores(read_settings({"allowed_roots": str(tmp_path)}))
    (tmp_path / "binary").write_bytes(b"file:///a\n\xff")
    with pytest.raises(SourceError, match="byte 10 is no UTF-8"):
        list(manifest_locations(Location((tmp_path / "binary").as_uri(), is_manifest=True), stores, "dataSource"))
    with (tmp_path / "large").open("wb") as out:
        out.truncate(MOST_BYTES + 1)
    with pytest.raises(SourceError, match=r"16,777,217 bytes, and a manifest at most.*`uri`"):
        list(manifest_locations(Location((tmp_path / "large").as_uri(), is_manifest=True), stores, "dataSource"))
    with pytest.raises(SourceError, match="there is no such object"):
        resolve_sources([Location((tmp_path / "none").as_uri(), is_manifest=True)], stores)


def test_a_job_names_manifests_among_its_sources_and_no_destination(tmp_path: Path) -> None:
    template = write_app(tmp_path, "")
    source = [{"manifest": "S3://b/list", "conn_id": "mine"}, "file:///a"]
    spec = build_job_spec(template, {"dataSource": source}, allowed_connections=None)
    assert spec.sources == (Location("s3://b/list", "mine", is_manifest=True), Location("file:///a"))
    assert JobSpec.from_json(spec.to_json()) == spec
    with pytest.raises(JobSpecError, match=r"dataDestination.manifest: lists sources"):
        build_job_spec(template, {"dataDestination": {"manifest": "file:///list"}}, allowed_connections=None)
    with pytest.raises(JobSpecError, match="connection 'mine' is none that a caller may name"):
        build_job_spec(template, {"dataSource": source})


def test_a_destination_among_what_a_manifest_lists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("a")
    (tmp_path / "list").write_text((tmp_path / "data" / "a").as_uri())
    template = write_app(tmp_path / "include", "")
    values = {"workspace": (tmp_path / "w").as_uri(), "allowed_roots": str(tmp_path), "runner": "process"}
    settings = read_settings({**values, "scratch": str(tmp_path / "scratch")})
    data = (tmp_path / "data").as_uri()
    spec = build_job_spec(
        template, {"dataSource": {"manifest": (tmp_path / "list").as_uri()}, "dataDestination": f"{data}/"}
    )
    with pytest.raises(JobSpecError, match="the job would write among what it reads"):
        partition(new_job(settings, template, spec, "tried", "run"))
