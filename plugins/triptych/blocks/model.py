"""Building blocks and templates as data, and the catalog that finds them by tag."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from triptych.blocks.versions import highest_match
from triptych.errors import ManifestError
from triptych.harmless import harmless, one_line
from triptych.schemas.diagnostics import did_you_mean


class Role(StrEnum):
    """What a building block does in a job, in the order in which it is its turn."""

    PARTITIONER = "partitioner"
    APP = "app"
    ASSEMBLER = "assembler"

    @property
    def is_engine(self) -> bool:
        """Whether blocks of this role are engines, which may run inside the worker: all but apps."""
        return self is not Role.APP


class Platform(StrEnum):
    """Where a block's script runs: in a container of its image, or, engines only, in the worker's own Python."""

    DOCKER = "docker"
    PYTHON = "python"


class Notifier(StrEnum):
    """By what somebody is told, each through Airflow's own notifier of that name."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    SLACK = "slack"


@dataclass(frozen=True)
class Notice:
    """One who is told, over an Airflow connection (None: Airflow's default for e-mail)."""

    notifier: Notifier
    connection: str | None = None
    endpoint: str | None = None
    """Of a webhook: what follows the connection's host."""
    to: tuple[str, ...] = ()
    """Addresses of an e-mail."""


class Isolation(StrEnum):
    """What has a container of its own: a pack of chunks, one after the other, or each chunk."""

    PACK = "pack"
    CHUNK = "chunk"


@dataclass(frozen=True)
class Block:
    """An app or an engine: one manifest, one schema, one folder of code."""

    role: Role
    name: str
    version: str
    folder: Path
    description: str = ""
    entrypoint: str = "main.py"
    platform: Platform = Platform.DOCKER
    image: str | None = None
    docker_conn_id: str | None = None
    secrets: tuple[str, ...] = ()
    optional_secrets: tuple[str, ...] = ()
    network: str | None = None
    force_pull: bool = False
    min_cpu: float | None = None
    min_memory_gib: float | None = None
    gpu: int | tuple[str, ...] | None = None
    retries: int | None = None
    task_timeout_s: int | None = None
    cacheable: bool = False
    chunks_per_task: int | None = None
    parallel: int = 1
    """Of an app: so many containers of one task at once, each with one chunk, and with its cores, memory and GPUs."""
    isolation: Isolation = Isolation.PACK
    writable_root: bool = False
    """Whether its script may write to the image's own folders, as far as their modes allow it."""
    joins_with: tuple[str, ...] | None = None
    """Of an assembler: the partitioners whose chunks it can join, `*` for any letters; any when None."""
    needs_source: bool = False
    """Of a partitioner: whether it has nothing to cut without a source."""
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})

    @property
    def task_cores(self) -> float:
        """Of one task: those of all its containers, of each one at least where nothing is asked for."""
        return (self.min_cpu or 1) * self.parallel

    @property
    def task_memory_gib(self) -> float:
        """Of one task; 0 where nothing is asked for."""
        return (self.min_memory_gib or 0) * self.parallel

    @property
    def tag(self) -> str:
        """Name and whole version, by which a template may mean just this block: `rows@1.0`."""
        return f"{self.name}@{self.version}"

    def joins(self, partitioner: Block) -> bool:
        """Whether this assembler can join what an app makes of that partitioner's chunks, as its manifest says."""
        return self.joins_with is None or any(fnmatch.fnmatchcase(partitioner.name, name) for name in self.joins_with)

    @property
    def code(self) -> Path:
        """The folder that the script runs from, mounted read-only in containers."""
        return self.folder / "app"


@dataclass(frozen=True)
class Template:
    """One partitioner, one app and one assembler with default parameters: one DAG."""

    id: str
    description: str
    blocks: Mapping[Role, Block]
    params: Mapping[Role, Mapping[str, Any]]
    data_source: Any
    data_destination: Any
    config: Mapping[str, Any]
    schedule: Any
    path: Path
    keep_success_days: int | None = None
    keep_failure_days: int | None = None
    """For how long retention keeps its runs' workspaces; None: as the settings say."""
    connections: tuple[str, ...] = ()
    """Those that callers may name, beside those of its own locations and the operator's."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Default sources of its side inputs by name; None for one that each job must name itself. It has no others."""
    on_success: tuple[Notice, ...] = ()
    on_failure: tuple[Notice, ...] = ()
    """Who is told of its jobs' ends."""
    owner: str = "triptych"
    tags: tuple[str, ...] = ()
    """For Airflow's lists, beside those of the blocks."""
    pool: str | None = None
    """Of its app's tasks; None: as the settings say."""
    on_new_files: Mapping[str, Any] | None = None
    """New files of its source start jobs of those alone, when it is given."""
    max_active_runs: int | None = None
    max_cores: float | None = None
    max_chunks: int | None = None
    """Most jobs at once, cores at once over all of them, and chunks of one; None: as Airflow and the settings say."""

    @property
    def app(self) -> Block:
        """The block of the role `app`, whose name and description the template has by default."""
        return self.blocks[Role.APP]


@dataclass(frozen=True)
class Diagnostic:
    """One thing that is wrong, or odd: the file, the location in it (JSON path, or line and column), and what to do."""

    path: Path
    location: str
    message: str

    def __str__(self) -> str:
        return f"{one_line(str(self.path))}: {one_line(self.location)}: {harmless(self.message)}"


@dataclass(frozen=True)
class Catalog:
    """Everything found below the include folders; `errors` do not hide the sound rest."""

    blocks: tuple[Block, ...]
    templates: tuple[Template, ...]
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]
    broken: Mapping[str, tuple[Diagnostic, ...]] = field(default_factory=dict)
    """The same errors, by the id of the template that cannot be used for them."""

    @cached_property
    def _versions(self) -> Mapping[tuple[Role, str], Mapping[str, Block]]:
        """The blocks of one role and name by version."""
        versions: dict[tuple[Role, str], dict[str, Block]] = {}
        for block in self.blocks:
            versions.setdefault((block.role, block.name), {})[block.version] = block
        return versions

    def find(self, role: Role, tag: str) -> Block:
        """The highest version that matches the tag; ManifestError with a suggestion when there is none."""
        named = self._versions.get((role, name_of(tag)), {})
        version = highest_match(tag, named)
        if version is None:
            raise ManifestError(self._missing(role, tag, named))
        return named[version]

    def template(self, name: str) -> Template:
        """By the template's id, or by its app's tag; ManifestError with a suggestion when there is none."""
        by_id = {template.id: template for template in self.templates}
        if name in by_id:
            return by_id[name]
        if name in self.broken:
            # Before its app's tag: another template of the same app is not what was asked for.
            raise ManifestError([f"{name!r} cannot be used:", *map(str, self.broken[name])])
        by_app = {template.app.version: template for template in self.templates if template.app.name == name_of(name)}
        version = highest_match(name, by_app)
        if version is not None:
            return by_app[version]
        mine = [str(error) for error in self.errors if name_of(name) in error.path.parts]
        msg = (
            f"There is no template or app {name!r}.{did_you_mean(name, by_id)} `triptych template list` shows them all."
        )
        raise ManifestError([msg, *mine])

    def _missing(self, role: Role, tag: str, named: Mapping[str, Block]) -> str:
        if named:
            return f"{tag!r} is no version of {role} {name_of(tag)!r} here; there are {', '.join(sorted(named))}."
        names = {block.name for block in self.blocks if block.role is role}
        hint = did_you_mean(name_of(tag), names)
        listing = "engine" if role.is_engine else "app"
        return f"{tag!r} is no {role} here.{hint} `triptych {listing} list` shows them all."


def name_of(tag: str) -> str:
    """A tag without its version: `rows@1.0` -> `rows`."""
    return tag.partition("@")[0]
