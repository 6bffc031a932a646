"""What `stores.py` measures: one large object and many small ones, by our stores and by each vendor's own means."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from triptych.settings import read_settings
from triptych.storage import Store, Stores
from triptych.storage.copying import checked, copy_stream, file_blocks, save

PART_BYTES = 8 << 20
PARTS_AT_ONCE = 4
OBJECTS_AT_ONCE = 16


class Side(Protocol):
    """One way to move the inputs below a folder (`large`, `small/`) to a store and back."""

    def warm(self) -> None: ...
    def up(self) -> None: ...
    def down(self) -> None: ...
    def many_up(self) -> None: ...
    def many_down(self) -> None: ...


class _Side:
    """`prefix` keeps the sides apart, in the store and among what comes back."""

    def __init__(self, work: Path, prefix: str) -> None:
        self.prefix = prefix
        self.large = work / "large"
        self.small = sorted((work / "small").iterdir())
        self.back = work / f"{prefix}back"
        self.back.mkdir()

    def warm(self) -> None:
        """Once, what is not measured: connections, imports."""
        large, self.large = self.large, self.small[0]
        self.up()
        self.down()
        self.large = large
        self.many_up()

    def each(self, move: Callable[[Path], object]) -> None:
        with ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
            list(pool.map(move, self.small))

    def up(self) -> None: ...
    def down(self) -> None: ...
    def many_up(self) -> None: ...


class _ByObject(_Side):
    """A side that has no more for many objects than for one."""

    def send(self, path: Path) -> None: ...
    def fetch(self, path: Path) -> None: ...

    def up(self) -> None:
        self.send(self.large)

    def down(self) -> None:
        self.fetch(self.large)

    def many_up(self) -> None:
        self.each(self.send)

    def many_down(self) -> None:
        self.each(self.fetch)


class Ours(_ByObject):
    """As a job's stages do it: each byte hashed on its way, each file compared with what is known of it."""

    def __init__(self, uri: str, work: Path, prefix: str) -> None:
        super().__init__(work, prefix)
        settings = read_settings({"allowed_roots": str(work)})
        conn_id = None if uri.startswith("file:") else "bench"
        self.root = f"{uri}{work}/store" if uri == "file://" else uri
        self.store: Store = Stores(settings).open(self.root, conn_id)
        self.sent: dict[Path, tuple[int, str]] = {}

    def uri(self, path: Path) -> str:
        return f"{self.root}/{self.prefix}{path.name}"

    def send(self, path: Path) -> None:
        made = copy_stream(file_blocks(path), self.store, self.uri(path))
        self.sent[path] = made.size, made.sha256

    def fetch(self, path: Path) -> None:
        uri = self.uri(path)
        save(checked(self.store.stream(uri), *self.sent[path], uri), self.back / path.name)


class Files(_Side):
    """The standard library's copy, which stays in the kernel and knows no checksum."""

    def __init__(self, work: Path, prefix: str) -> None:
        super().__init__(work, prefix)
        self.store = work / f"{prefix}store"
        self.store.mkdir()

    def copy(self, source: Path, target: Path) -> None:
        shutil.copyfile(source, target)

    def up(self) -> None:
        self.copy(self.large, self.store / self.large.name)

    def down(self) -> None:
        self.copy(self.store / self.large.name, self.back / self.large.name)

    def many_up(self) -> None:
        self.each(lambda path: self.copy(path, self.store / path.name))

    def many_down(self) -> None:
        self.each(lambda path: self.copy(self.store / path.name, self.back / path.name))


class HashedFiles(Files):
    """The same, and a SHA-256 of what was copied: what `cp` and `sha256sum` do, without a process for each."""

    def copy(self, source: Path, target: Path) -> None:
        super().copy(source, target)
        with target.open("rb") as copied:
            hashlib.file_digest(copied, "sha256")


class Boto3(_Side):
    """s3transfer, as boto3's `upload_file` and `download_file` use it, over the client of Airflow's hook."""

    def __init__(self, work: Path, prefix: str) -> None:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        from boto3.s3.transfer import TransferConfig

        super().__init__(work, prefix)
        self.client = S3Hook(aws_conn_id="bench").get_conn()
        self.config = TransferConfig(
            multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=PARTS_AT_ONCE
        )

    def send(self, path: Path) -> None:
        self.client.upload_file(str(path), "tests", self.prefix + path.name, Config=self.config)

    def fetch(self, path: Path) -> None:
        self.client.download_file("tests", self.prefix + path.name, str(self.back / path.name), Config=self.config)

    def up(self) -> None:
        self.send(self.large)

    def down(self) -> None:
        self.fetch(self.large)

    def _many(self, ask: Callable[[Any, Path], Any]) -> None:
        """By one manager for all, which is how s3transfer means it."""
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        config = TransferConfig(max_concurrency=OBJECTS_AT_ONCE, multipart_threshold=PART_BYTES)
        with create_transfer_manager(self.client, config) as manager:
            for future in [ask(manager, path) for path in self.small]:
                future.result()

    def many_up(self) -> None:
        self._many(lambda manager, path: manager.upload(str(path), "tests", self.prefix + path.name))

    def many_down(self) -> None:
        self._many(lambda manager, path: manager.download("tests", self.prefix + path.name, str(self.back / path.name)))


class Google(_Side):
    """google.cloud.storage.transfer_manager, in threads, over the client of Airflow's hook."""

    def __init__(self, work: Path, prefix: str) -> None:
        from airflow.providers.google.cloud.hooks.gcs import GCSHook
        from google.cloud.storage import transfer_manager

        super().__init__(work, prefix)
        self.manager = transfer_manager
        self.bucket = GCSHook(gcp_conn_id="bench").get_conn().bucket("tests")
        self.large_options = {
            "chunk_size": PART_BYTES,
            "max_workers": PARTS_AT_ONCE,
            "worker_type": transfer_manager.THREAD,
        }
        self.small_options: Mapping[str, Any] = {
            "max_workers": OBJECTS_AT_ONCE,
            "worker_type": transfer_manager.THREAD,
            "raise_exception": True,
            "blob_name_prefix": prefix,
        }

    def up(self) -> None:
        blob = self.bucket.blob(self.prefix + self.large.name)
        self.manager.upload_chunks_concurrently(str(self.large), blob, **self.large_options)

    def down(self) -> None:
        blob = self.bucket.blob(self.prefix + self.large.name)
        self.manager.download_chunks_concurrently(blob, str(self.back / self.large.name), **self.large_options)

    def many_up(self) -> None:
        names = [path.name for path in self.small]
        folder = str(self.small[0].parent)
        self.manager.upload_many_from_filenames(self.bucket, names, source_directory=folder, **self.small_options)

    def many_down(self) -> None:
        names = [path.name for path in self.small]
        self.manager.download_many_to_path(
            self.bucket, names, destination_directory=str(self.back), **self.small_options
        )


class Azure(_ByObject):
    """azure.storage.blob with `max_concurrency`, over the connection of Airflow's hook; it has nothing for many."""

    def __init__(self, work: Path, prefix: str) -> None:
        from azure.storage.blob import BlobServiceClient

        from tests.support.servers import AZURE_KEY

        super().__init__(work, prefix)
        sizes = ("max_block_size", "max_single_put_size", "max_single_get_size", "max_chunk_get_size")
        options: dict[str, Any] = dict.fromkeys(sizes, PART_BYTES)
        client = BlobServiceClient(os.environ["BENCH_ENDPOINT"], credential=AZURE_KEY, **options)
        self.container = client.get_container_client("tests")

    def send(self, path: Path) -> None:
        with path.open("rb") as source:
            self.container.upload_blob(self.prefix + path.name, source, overwrite=True, max_concurrency=PARTS_AT_ONCE)

    def fetch(self, path: Path) -> None:
        with (self.back / path.name).open("wb") as out:
            self.container.download_blob(self.prefix + path.name, max_concurrency=PARTS_AT_ONCE).readinto(out)


SIDES: Mapping[tuple[str, str], Callable[[Path, str], Side]] = {
    ("files", "ours"): partial(Ours, "file://"),
    ("files", "vendor"): Files,
    ("hashed-files", "ours"): partial(Ours, "file://"),
    ("hashed-files", "vendor"): HashedFiles,
    ("s3", "ours"): partial(Ours, "s3://tests"),
    ("s3", "vendor"): Boto3,
    ("gcs", "ours"): partial(Ours, "gs://tests"),
    ("gcs", "vendor"): Google,
    ("azure", "ours"): partial(Ours, "abfs://tests"),
    ("azure", "vendor"): Azure,
}
