"""What every command needs before it starts: the include folders and the settings of this machine's user."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import typer

from triptych.blocks import Catalog, Template, read_catalog
from triptych.blocks.check import check_schema
from triptych.errors import ConfigError, ManifestError
from triptych.settings import Runner, Settings, default_include, get_settings

Include = Annotated[
    list[Path] | None,
    typer.Option("--include", help="An include folder; may be repeated. Also: TRIPTYCH_INCLUDE, separated by ':'."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def include_folders(given: list[Path] | None) -> tuple[Path, ...]:
    """`--include`, else TRIPTYCH_INCLUDE, else the configured ones, else ./include."""
    from_environment = [Path(part) for part in os.environ.get("TRIPTYCH_INCLUDE", "").split(":") if part]
    chosen = [folder.expanduser().absolute() for folder in given or from_environment]
    for folder in chosen:
        try:
            is_there = folder.is_dir()
        except OSError as error:
            msg = f"--include {str(folder)[:200]}: {error.strerror}."
            raise ConfigError(msg) from None
        if not is_there:
            msg = f"--include {folder}: there is no such folder."
            raise ConfigError(msg)
    own = Path("include").absolute()
    configured = get_settings().include
    if not chosen and configured == (default_include(),) and own.is_dir():
        return (own,)
    return tuple(chosen) or configured


def catalog(given: list[Path] | None) -> Catalog:
    """Every block and template of the folders that `--include` gives, or that are configured."""
    return read_catalog(include_folders(given))


def local_settings(given: list[Path] | None, runner: Runner | None) -> Settings:
    """The configuration, with what a user of this machine may do: any file is theirs to name."""
    settings = get_settings()
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "triptych"
    return dataclasses.replace(
        settings,
        include=include_folders(given),
        allowed_roots=(Path("/"),),
        workspace=settings.workspace or (cache / "jobs").as_uri(),
        runner=runner or settings.runner,
        is_own_machine=True,
        allowed_networks=(*settings.allowed_networks, "bridge"),
        one_machine=True,
        shared_folders=True,
    )


def sound_template(settings: Settings, name: str) -> Template:
    """The template, once its schemas are known to be schemas; ManifestError otherwise."""
    template = read_catalog(settings.include).template(name)
    errors = [str(error) for block in template.blocks.values() for error in check_schema(block)]
    if errors:
        raise ManifestError(errors)
    return template


def template_id(settings: Settings, name: str) -> str:
    """By which the job's workspace is found; the name itself when the template is gone: a job needs it no more."""
    try:
        return read_catalog(settings.include).template(name).id
    except ManifestError:
        return name
