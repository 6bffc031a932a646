"""The one module that asks Airflow for a connection: a block's secrets, a registry's login, a store's or an engine's
credentials.

A connection that is missing, and Airflow itself where it is not installed, are one sentence with the command to run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

from triptych.blocks import Block
from triptych.errors import ConfigError, ManifestError, StorageAccessError, TriptychError
from triptych.harmless import harmless_logger
from triptych.masking import HANDED_OUT, SHORTEST
from triptych.schemas.services import Service

if TYPE_CHECKING:
    import requests
    from airflow.sdk import Connection
    from botocore.client import BaseClient
    from botocore.model import OperationModel

_log = harmless_logger(__name__)

STORE_CONNECTIONS = 32
"""So many a client keeps open, unless its Airflow connection says another number: `assemble` reads 16 objects at once,
and botocore throws away, with a warning, what is beyond its own 10."""

_S3_CALLS = ("PutObject", "CreateMultipartUpload", "CopyObject", "GetObject")
"""Requests that have between them all that can be said of an object."""
_AZURE_TRANSPORT = {"connection_timeout": 20, "read_timeout": 60, "connection_data_block_size": 256 << 10}
"""As azure.storage.blob has them for a transport of its own making; azure.core reads 4 KiB at once, with 300 s."""


_CHECKSUMS = ("request_checksum_calculation", "response_checksum_validation")


def secret_environment(block: Block) -> dict[str, str]:
    """`<id>_ACCESS_KEY` (login), `<id>_SECRET_KEY` and `<id>` (password) of each secret, for the shell.

    A character of an id that no variable's name has is `_`. Passwords are masked from here on, logins are not.
    Optional ones whose connection is missing are left out. Raises ManifestError when another's is missing, and when two
    ids are one name.
    """
    environment: dict[str, str] = {}
    for conn_id in (*block.secrets, *block.optional_secrets):
        label = f"{block.folder / 'manifest.json'}: the secret {conn_id!r} of {block.tag}"
        make = "--conn-type generic --conn-login KEY --conn-password SECRET"
        try:
            login, password = _login(_connection(conn_id, label, make, ManifestError))
        except ManifestError as error:
            if conn_id in block.optional_secrets and _is_missing(error):
                continue
            raise
        name = variable_name(conn_id)
        if name in environment:
            msg = f"{label} is the variable {name}, and so is another secret. Name its connection otherwise."
            raise ManifestError(msg)
        if 0 < len(password) < SHORTEST:
            _log.warning("%s is shorter than %d characters: nothing masks it.", label, SHORTEST)
        environment |= {f"{name}_ACCESS_KEY": login, f"{name}_SECRET_KEY": password, name: password}
    return environment


def _is_missing(error: ManifestError) -> bool:
    """Whether nobody has such a connection; one that cannot be read is another matter. (No Airflow has none.)"""
    return type(error.__cause__).__name__ in ("AirflowNotFoundException", "ModuleNotFoundError")


def variable_name(conn_id: str) -> str:
    """`my-key` -> `my_key`, `2nd` -> `_2nd`: no shell exports another name."""
    name = re.sub("[^A-Za-z0-9_]", "_", conn_id)
    return f"_{name}" if name[:1].isdigit() else name


def registry_login(block: Block) -> dict[str, str] | None:
    """`username` and `password` for the registry of the block's image, as Docker's API takes them.

    None when the manifest names no `docker_conn_id`; ManifestError when there is no such connection.
    """
    if not block.docker_conn_id:
        return None
    label = f"{block.folder / 'manifest.json'}: the docker_conn_id {block.docker_conn_id!r} of {block.tag}"
    make = "--conn-type docker --conn-host REGISTRY --conn-login USER --conn-password ..."
    login, password = _login(_connection(block.docker_conn_id, label, make, ManifestError))
    return {"username": login, "password": password}


@dataclass(frozen=True)
class EngineCredentials:
    """What a connection says of a Docker engine that is reached by TLS or SSH; empty text where it says nothing.

    Certificates and keys are their files' text. `host_key` has lines as `known_hosts` has them, without the host.
    """

    login: str = ""
    ca_cert: str = ""
    client_cert: str = ""
    private_key: str = field(default="", repr=False)
    private_key_passphrase: str = field(default="", repr=False)
    host_key: str = ""


def engine_credentials(conn_id: str) -> EngineCredentials:
    """Those of the connection; keys are masked from here on. ConfigError when it is missing, or asks for no checks.

    Its extra has the names of Airflow's SSH connections: these are what Airflow shows nobody.
    """
    label = f"The connection {conn_id!r} of [triptych] docker_url_conn_id"
    make = """--conn-type docker --conn-extra '{"ca_cert": ..., "client_cert": ..., "private_key": ...}'"""
    connection = _connection(conn_id, label, make, ConfigError)
    login, password = _login(connection)
    extra = connection.extra_dejson
    if password or extra.get("no_host_key_check"):
        refused = "a password" if password else "no_host_key_check"
        msg = f"{label} has {refused}, which no engine is reached with: give private_key, and host_key, in its extra."
        raise ConfigError(msg)
    names = [each.name for each in fields(EngineCredentials) if each.name != "login"]
    if unknown := sorted(set(extra) - set(names)):
        msg = f"{label}: its extra says {', '.join(unknown)}, which is none of {', '.join(names)}."
        raise ConfigError(msg)
    said = {name: str(extra.get(name) or "") for name in names}
    for name in ("private_key", "private_key_passphrase"):
        _mask(said[name])
    return EngineCredentials(login, **said)


def s3_client(conn_id: str | None, service: Service | None = None) -> Any:
    """botocore's client by Airflow's own hook, over this connection, or the environment's credentials when it is None.

    A connection's own endpoint, and its region with it, go before those of `service`. StorageAccessError when the
    connection is missing: the hook would take the worker's own credentials then. ModuleNotFoundError without Amazon's
    provider.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    if conn_id is not None:
        _connection(conn_id, f"The connection {conn_id!r} of a store", "--conn-type aws ...", StorageAccessError)
    hook = S3Hook(aws_conn_id=conn_id)
    endpoint, region = hook.conn_config.get_service_endpoint_url("s3"), hook.region_name
    config = Config(max_pool_connections=STORE_CONNECTIONS)
    if service and not endpoint:
        endpoint, region = service.endpoint, service.signing_region or region
        if endpoint:
            # Not every one of them takes the checksums that Amazon's client sends of its own accord since 2025.
            config = config.merge(Config(**dict.fromkeys(_CHECKSUMS, "when_required")))
    # As the hook's own `get_conn`, but for its user agent, for which it looks through the stack for 0.4 s. What the
    # connection says of the configuration comes last.
    session = hook.get_session(region_name=region)
    client = session.client("s3", endpoint_url=endpoint, config=config.merge(hook.config), verify=hook.verify)
    _send_always(client, hook.service_config.get("extra_args") or {}, conn_id)
    return client


def _send_always(client: BaseClient, said: Mapping[str, str], conn_id: str | None) -> None:
    """Send what a connection's extra says in `service_config.s3.extra_args` with each request that takes it.

    The words are boto3's ExtraArgs: ServerSideEncryption, SSEKMSKeyId, ACL, RequestPayer, StorageClass ... A link for
    others has RequestPayer only: what else is signed they would have to send.
    """
    known = {name for call in _S3_CALLS for name in client.meta.service_model.operation_model(call).input_shape.members}
    if unknown := sorted(set(said) - known):
        msg = (
            f"The connection {conn_id!r} of a store: its extra says {', '.join(unknown)} in "
            f"service_config.s3.extra_args, which no request to S3 has. {_did_you_mean(unknown[0], known)}"
        )
        raise StorageAccessError(msg)

    # What is copied was written with the same key of the customer's, which has a name of its own there.
    always = {**said, **{f"CopySource{name}": said[name] for name in said if name.startswith("SSECustomer")}}

    def add(params: dict[str, object], model: OperationModel, context: Mapping[str, object], **_: object) -> None:
        for name, value in always.items():
            is_sent = name == "RequestPayer" or not context.get("is_presign_request")
            if is_sent and name in model.input_shape.members:
                params.setdefault(name, value)

    client.meta.events.register("provide-client-params.s3", add)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"Did you mean {near[0]}?" if near else "They are boto3's ExtraArgs."


def gcs_client(conn_id: str | None) -> Any:
    """google.cloud.storage's client by Airflow's own hook, over this connection, or the environment's credentials.

    STORAGE_EMULATOR_HOST names another endpoint, as it does for the hook. StorageAccessError when the connection is
    missing, and when no credentials can be made of it. ModuleNotFoundError without Google's provider.
    """
    from google.cloud.storage import Client

    if conn_id is None:
        label = "The environment"
        make: Callable[[], Any] = partial(Client, project=None)
    else:
        from airflow.providers.google.cloud.hooks.gcs import GCSHook

        label = f"The connection {conn_id!r} of a store"
        _connection(conn_id, label, "--conn-type google_cloud_platform ...", StorageAccessError)
        make = GCSHook(gcp_conn_id=conn_id).get_conn
    try:
        return make()
    except ModuleNotFoundError:
        raise
    except Exception as error:  # Of a key file that is not there, is no JSON, lacks a field; whatever a key may lack.
        msg = f"{label} has no credentials that Google's client can use: {error}"
        raise StorageAccessError(msg) from error


def azure_client(conn_id: str | None, part_bytes: int) -> Any:
    """Azure's BlobServiceClient by Airflow's own hook, over this connection, or over `wasb_default` when it is None.

    It asks for ranges of `part_bytes` in one request, unless the connection's extra says another size. Without a
    connection nobody knows the account: StorageAccessError. ModuleNotFoundError without Microsoft's provider.
    """
    import requests
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import BlobServiceClient

    conn_id = conn_id or WasbHook.default_conn_name
    make = "--conn-type wasb --conn-login ACCOUNT --conn-password KEY"
    connection = _connection(conn_id, f"The connection {conn_id!r} of a store", make, StorageAccessError)
    client = WasbHook(wasb_conn_id=conn_id).get_conn()
    session = requests.Session()
    keep_connections(session)
    ours = {"max_single_get_size": part_bytes, "max_chunk_get_size": part_bytes, **_AZURE_TRANSPORT}
    # As the hook makes it, extra and all, but for what cannot be changed later.
    given = {**ours, **(connection.extra_dejson or {})}
    given["transport"] = RequestsTransport(session=session, **given)
    return BlobServiceClient(client.url, credential=client.credential, **given)


@dataclass(frozen=True)
class HttpAccess:
    """How a web server is asked: by a `requests` session with login, headers, trust and proxies of a connection.

    `base_url` is the server that it is for, empty where that is all of them; then the session holds no secret.
    `timeout` is in seconds, None where the connection says none.
    """

    session: requests.Session
    base_url: str = ""
    timeout: float | None = None
    follows_redirects: bool = True


def http_access(conn_id: str | None) -> HttpAccess:
    """The session of Airflow's own HttpHook over this connection, or one without any login when it is None.

    StorageAccessError when the connection is missing, and when it holds what any host could ask for.
    ModuleNotFoundError without Airflow's provider for HTTP, where a connection is named.
    """
    import requests

    if conn_id is None:
        return HttpAccess(requests.Session())
    from airflow.providers.http.hooks.http import HttpHook

    label = f"The connection {conn_id!r} of a web server"
    make = "--conn-type http --conn-host https://HOST --conn-login USER --conn-password ..."
    connection = _connection(conn_id, label, make, StorageAccessError)
    extra = connection.extra_dejson
    if extra.get("srv_lookup"):
        msg = f"{label} asks for srv_lookup, which sources do not do: name the host itself."
        raise StorageAccessError(msg)
    hook = HttpHook(http_conn_id=conn_id, tcp_keep_alive=False)
    plain = len(requests.Session().headers)
    session = hook.get_conn()
    login, password = _login(connection)
    if login:
        # The hook's are Latin-1, in which not every password can be written (RFC 7617 has UTF-8).
        session.auth = (login.encode(), password.encode())
    if not connection.host and (login or session.cert or len(session.headers) > plain):
        msg = f"{label} holds a login, a certificate or headers, and names no host: give it the one that they are for."
        raise StorageAccessError(msg)
    return HttpAccess(
        session,
        hook.base_url if connection.host else "",
        hook.merged_extra.get("timeout"),
        bool(hook.merged_extra.get("allow_redirects", True)),
    )


def keep_connections(session: requests.Session) -> None:
    """Let it keep STORE_CONNECTIONS: of its own it throws away, with a warning, what is beyond 10."""
    from requests.adapters import HTTPAdapter

    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=STORE_CONNECTIONS))


def _login(connection: Connection) -> tuple[str, str]:
    """Login and password, empty where there is none; the password is masked from here on."""
    password = connection.password or ""
    _mask(password)
    return connection.login or "", password


def _mask(secret: str) -> None:
    """From here on, by Airflow, which gave the connection, and by us; nothing is an empty one."""
    from airflow.sdk.log import mask_secret

    mask_secret(secret)
    HANDED_OUT.hide(secret)


def _connection(conn_id: str, label: str, make: str, kind: type[TriptychError]) -> Connection:
    """Airflow's connection of this id; `make` is what `airflow connections add` wants for one of its type."""
    try:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException
    except ModuleNotFoundError as error:
        msg = f"{label} is an Airflow connection, and Airflow is not installed here: pip install 'triptych[airflow]'."
        raise kind(msg) from error
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        msg = f"{label} has no Airflow connection. Make it with `airflow connections add {conn_id} {make}`."
        raise kind(msg) from error
    except Exception as error:  # A secrets backend may raise anything.
        msg = f"{label}: Airflow cannot read the connection {conn_id!r}: {error}."
        raise kind(msg) from error
