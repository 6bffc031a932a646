"""Every kind of store as somebody else sees it: by clients that are not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.support.servers import AZURE_KEY, Server, s3_client


@dataclass(frozen=True)
class Site:
    """A place with a name for it in URIs, `root`, which ends in `/`; `conn_id` is Airflow's connection to it.

    `put` writes an object, `read` gives all below a folder; their names are as they are, without escapes.
    """

    root: str
    conn_id: str | None
    put: Callable[[str, bytes], object]
    read: Callable[[str], Mapping[str, bytes]]

    def at(self, folder: str) -> object:
        """What a job says to name the folder as its source or its destination."""
        return {"uri": f"{self.root}{quote(folder)}/", **({"conn_id": self.conn_id} if self.conn_id else {})}

    def output(self, folder: str) -> Mapping[str, bytes]:
        """All below the folder but the list of it."""
        return {name: data for name, data in self.read(folder).items() if not name.startswith("_triptych/")}


class WebSite(Site):
    """A source alone, which nobody lists."""

    def at(self, folder: str) -> object:
        """As `Site.at`: the URL of each file there."""
        return [f"{self.root}{quote(f'{folder}/{name}')}" for name in sorted(self.read(folder))]


def folder_site(folder: Path) -> Site:
    """Files of this machine."""

    def put(name: str, data: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def read(below: str) -> Mapping[str, bytes]:
        top = folder / below
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}

    return Site(f"{folder.as_uri()}/", None, put, read)


def web_site(server: Server, folder: Path) -> Site:
    """What a web server has of this folder, in which the files are put past it."""
    files = folder_site(folder)
    return WebSite(f"{server.endpoint}/", None, files.put, files.read)


@contextmanager
def s3_site(server: Server, bucket: str, conn_id: str) -> Iterator[Site]:
    """A new bucket; the client is boto3's."""
    with s3_client(server, bucket) as client:

        def read(below: str) -> Mapping[str, bytes]:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{below}/")
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
            bodies = {key: client.get_object(Bucket=bucket, Key=key)["Body"] for key in keys}
            return {key.removeprefix(f"{below}/"): body.read() for key, body in bodies.items()}

        yield Site(
            f"s3://{bucket}/", conn_id, lambda name, data: client.put_object(Bucket=bucket, Key=name, Body=data), read
        )


@contextmanager
def gcs_site(endpoint: str, conn_id: str) -> Iterator[Site]:
    """The bucket `tests`; the client is Google's."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    options = {"api_endpoint": endpoint}
    with closing(Client("tests", AnonymousCredentials(), client_options=options)) as client:
        bucket = client.bucket("tests")

        def put(name: str, data: bytes) -> None:
            bucket.blob(name).upload_from_string(data)

        def read(below: str) -> Mapping[str, bytes]:
            blobs = bucket.list_blobs(prefix=f"{below}/")
            return {blob.name.removeprefix(f"{below}/"): blob.download_as_bytes() for blob in blobs}

        yield Site("gs://tests/", conn_id, put, read)


@contextmanager
def azure_site(endpoint: str, conn_id: str) -> Iterator[Site]:
    """The container `tests`; the client is Azure's."""
    from azure.storage.blob import ContainerClient

    with ContainerClient(endpoint, "tests", credential=AZURE_KEY) as client:

        def read(below: str) -> Mapping[str, bytes]:
            names = [blob.name for blob in client.list_blobs(name_starts_with=f"{below}/")]
            return {name.removeprefix(f"{below}/"): client.download_blob(name).readall() for name in names}

        yield Site("abfs://tests/", conn_id, lambda name, data: client.upload_blob(name, data), read)
