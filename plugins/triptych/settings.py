"""The one place that reads configuration: section `[triptych]` of Airflow's (`AIRFLOW__TRIPTYCH__<KEY>`)."""

from __future__ import annotations

import configparser
import dataclasses
import ipaddress
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from triptych.errors import ConfigError
from triptych.machine_classes import MachineClass, read_classes
from triptych.options import OPTIONS, Option

_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
DAY_S = 86400
PROJECT = Path(__file__).resolve().parents[2]
_POD = "AIRFLOW_IS_K8S_EXECUTOR_POD"
"""Set by Airflow's KubernetesExecutor for each task that it begins."""


class Runner(StrEnum):
    """Where chunks run: in containers, or as plain processes without isolation."""

    DOCKER = "docker"
    PROCESS = "process"


@dataclass(frozen=True)
class Settings:
    """The configuration of this process; folders are absolute."""

    workspace: str
    workspace_conn_id: str | None
    include: tuple[Path, ...]
    scratch: Path
    cache: Path
    input_cache_bytes: int
    input_cache_s: int
    allowed_roots: tuple[Path, ...]
    runner: Runner
    docker_url: str
    docker_url_conn_id: str | None
    docker_files: str
    network: str
    allowed_networks: tuple[str, ...]
    allowed_connections: tuple[str, ...]
    allowed_addresses: tuple[str, ...]
    http_spool_bytes: int
    root_images: tuple[str, ...]
    pids_limit: int
    pool: str
    classes: tuple[MachineClass, ...]
    retries: int
    retry_delay_s: int
    part_bytes: int
    transfer_memory_bytes: int
    engine_memory_bytes: int
    max_expansion_ratio: int
    max_expanded_bytes: int
    max_line_bytes: int
    scratch_reserve_bytes: int
    max_result_files: int
    max_result_bytes: int
    result_cache_bytes: int
    result_cache_days: int
    whisper_model: str
    temporary_s: int
    price_core_hour: float | None
    price_gib_hour: float | None
    prefill_samples: bool
    max_tasks: int
    max_chunks: int
    maintenance_schedule: str
    keep_success_days: int
    keep_failure_days: int
    keep_outputs_days: int | None
    keep_uploads_days: int
    keep_published_days: int
    api_origins: tuple[str, ...]
    api_upload_bytes: int
    registry: str
    registry_conn_id: str | None
    pushed_engines: tuple[str, ...]
    is_own_machine: bool = False
    """Whether whoever launches jobs may name any folder and connection that this process can open: the command's user,
    whose machine it is. Callers of Airflow may not."""
    one_machine: bool = True
    """Whether each task runs on this machine: the command's do, and those of Airflow's LocalExecutor."""
    shared_folders: bool = True
    """Whether what one task wrote to a folder is there for the next."""


@cache
def get_settings() -> Settings:
    """What Airflow's configuration says; read once per process."""
    return configured_settings()


def configured_settings() -> Settings:
    """What Airflow's configuration says now."""
    values = {option.key: _lookup(option) for option in OPTIONS}
    settings = read_settings(values)
    one_machine = _executors() <= {"LocalExecutor"}
    is_left_open = values["shared_folders"] in ("", "auto")
    shared = one_machine if is_left_open else settings.shared_folders
    return dataclasses.replace(settings, one_machine=one_machine, shared_folders=shared)


def read_settings(values: Mapping[str, str]) -> Settings:
    """Settings from text values; keys that are missing have their default. Raises ConfigError."""
    text = {option.key: values.get(option.key) or option.default for option in OPTIONS}
    runner = Runner(_one_of(text, "runner", tuple(Runner)))
    scratch = Path(text["scratch"] or Path(tempfile.gettempdir(), "triptych")).absolute()
    shared = _one_of(text, "shared_folders", ("auto", "yes", "no"))
    return Settings(
        workspace=text["workspace"].rstrip("/"),
        workspace_conn_id=text["workspace_conn_id"] or None,
        include=_folders(text["include"]) or (default_include(),),
        scratch=scratch,
        cache=Path(text["cache"] or f"{scratch}-cache").absolute(),
        input_cache_bytes=_positive(text, "input_cache_gib") << 30,
        input_cache_s=_positive(text, "input_cache_days") * DAY_S,
        allowed_roots=_folders(text["allowed_roots"]),
        runner=runner,
        docker_url=text["docker_url"] or os.environ.get("DOCKER_HOST") or "unix://var/run/docker.sock",
        docker_url_conn_id=text["docker_url_conn_id"] or None,
        docker_files=_one_of(text, "docker_files", ("auto", "bind", "archive")),
        network=_network("network", text["network"]),
        allowed_networks=tuple(_network("allowed_networks", name) for name in _names(text["allowed_networks"])),
        allowed_connections=_names(text["allowed_connections"]),
        allowed_addresses=tuple(map(_address, _names(text["allowed_addresses"]))),
        http_spool_bytes=_positive(text, "http_spool_gib") << 30,
        root_images=_names(text["root_images"]),
        shared_folders=shared != "no",
        pids_limit=_positive(text, "pids_limit"),
        pool=text["pool"],
        classes=read_classes(text["classes"]),
        retries=_positive(text, "retries", least=0),
        retry_delay_s=_positive(text, "retry_delay", least=0),
        part_bytes=_positive(text, "part_mib", least=5) << 20,
        transfer_memory_bytes=_positive(text, "transfer_memory_mib", least=10) << 20,
        engine_memory_bytes=_positive(text, "engine_memory_mib", least=64) << 20,
        max_expansion_ratio=_positive(text, "max_expansion_ratio"),
        max_expanded_bytes=_positive(text, "max_expanded_gib") << 30,
        max_line_bytes=_positive(text, "max_line_mib") << 20,
        scratch_reserve_bytes=_positive(text, "scratch_reserve_mib", least=0) << 20,
        max_result_files=_positive(text, "max_result_files"),
        max_result_bytes=_positive(text, "max_result_gib") << 30,
        result_cache_bytes=_positive(text, "result_cache_gib", least=0) << 30,
        result_cache_days=_positive(text, "result_cache_days", least=0),
        whisper_model=text["whisper_model"],
        temporary_s=_positive(text, "temporary_seconds"),
        price_core_hour=_price(text, "price_core_hour"),
        price_gib_hour=_price(text, "price_gib_hour"),
        prefill_samples=_one_of(text, "prefill_samples", ("no", "yes")) == "yes",
        max_tasks=_positive(text, "max_tasks"),
        max_chunks=_positive(text, "max_chunks"),
        maintenance_schedule=text["maintenance_schedule"],
        keep_success_days=_positive(text, "keep_success_days"),
        keep_failure_days=_positive(text, "keep_failure_days"),
        keep_outputs_days=_positive(text, "keep_outputs_days") if text["keep_outputs_days"] else None,
        keep_uploads_days=_positive(text, "keep_uploads_days"),
        keep_published_days=_positive(text, "keep_published_days"),
        api_origins=_names(text["api_origins"]),
        api_upload_bytes=_positive(text, "api_upload_gib") << 30,
        registry=text["registry"].rstrip("/"),
        registry_conn_id=text["registry_conn_id"] or None,
        pushed_engines=_names(text["pushed_engines"]),
    )


def default_include() -> Path:
    """`include` beside `plugins` in a checkout; the working directory's where the package is installed."""
    return (PROJECT if (PROJECT / "plugins").is_dir() else Path.cwd()) / "include"


def _lookup(option: Option) -> str:
    if "airflow" in sys.modules:
        from airflow.sdk.configuration import conf

        return str(conf.get("triptych", option.key, fallback="") or "")
    from_environment = os.environ.get(f"AIRFLOW__TRIPTYCH__{option.key.upper()}")
    return from_environment or _config_file().get(option.key, "")


def _executors() -> set[str]:
    """Names of Airflow's executors, with the teams and aliases that they may have left out; none without Airflow."""
    if "airflow" not in sys.modules:
        return set()
    if os.environ.get(_POD):
        return {"KubernetesExecutor"}  # The official chart tells each pod that the executor is the LocalExecutor.
    from airflow.sdk.configuration import conf

    names = str(conf.get("core", "executor", fallback="")).replace(";", ",").split(",")
    return {re.split(r"[:=]", name.strip())[-1].rpartition(".")[2] for name in names if name.strip()}


@cache
def _config_file() -> Mapping[str, str]:
    """The section as airflow.cfg has it, for the CLI, which starts without Airflow."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(os.environ.get("AIRFLOW_CONFIG", home / "airflow.cfg"))
    return dict(parser["triptych"]) if parser.has_section("triptych") else {}


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part).expanduser().absolute() for part in text.split(":") if part)


def _names(text: str) -> tuple[str, ...]:
    """`a, b` -> `("a", "b")`."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _one_of(text: Mapping[str, str], key: str, known: Sequence[str]) -> str:
    if text[key] not in known:
        msg = f"[triptych] {key} = {text[key]!r} is none of {', '.join(known)}."
        raise ConfigError(msg)
    return text[key]


def _network(key: str, name: str) -> str:
    """A network's name as Docker has them: not the host's, nor that of another container."""
    if not _NETWORK.fullmatch(name) or name.lower() == "host":
        msg = f"[triptych] {key} = {name!r}: name a network of the engine, never the host's own or a container's."
        raise ConfigError(msg)
    return name


def _address(text: str) -> str:
    """A network whose bits beyond its mask are zero, an address, or a host's name, without scheme, port and path."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        if not _HOST.fullmatch(text) or re.fullmatch(r"[\d.]*", text):
            msg = (
                f"[triptych] allowed_addresses = {text!r}: name a network (10.1.0.0/16), an address, or a host without "
                "scheme, port and path."
            )
            raise ConfigError(msg) from None
    return text


def _positive(text: Mapping[str, str], key: str, least: int = 1) -> int:
    try:
        number = int(text[key])
    except ValueError:
        number = least - 1
    if number < least:
        msg = f"[triptych] {key} = {text[key]!r} must be a whole number of at least {least}."
        raise ConfigError(msg)
    return number


def _price(text: Mapping[str, str], key: str) -> float | None:
    """None where nothing is said."""
    try:
        price = float(text[key] or 0)
    except ValueError:
        price = -1.0
    if not 0 <= price < float("inf"):
        msg = f"[triptych] {key} = {text[key]!r} must be a number of at least 0, such as 0.04."
        raise ConfigError(msg)
    return price if text[key] else None
