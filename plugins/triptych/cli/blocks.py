"""`triptych app|engine|template ...` and `triptych validate`: what is in the include folders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from triptych.blocks import Block, Diagnostic, Platform, Role, Template, read_catalog
from triptych.blocks.check import odd_pair
from triptych.blocks.model import name_of
from triptych.cli.checking import findings
from triptych.cli.console import echo, echo_error, print_json, print_table
from triptych.cli.parameters import engine_params, local_uri, location
from triptych.cli.place import LaterPlace, placed_later
from triptych.cli.publishing.commands import list_published
from triptych.cli.setup import AsJson, Include, catalog, include_folders, local_settings
from triptych.errors import ManifestError
from triptych.local.preview import preview
from triptych.scaffold.scaffold import Language, new_app, new_engine, new_template
from triptych.schemas.properties import properties, type_text

app_commands = typer.Typer(no_args_is_help=True, help="Apps: your code, run once per chunk.")
engine_commands = typer.Typer(no_args_is_help=True, help="Engines: partitioners and assemblers.")
template_commands = typer.Typer(no_args_is_help=True, help="Templates: a partitioner, an app and an assembler.")

EngineRole = Literal["partitioner", "assembler"]
"""The choices of `--type`: Typer wants them written out."""
ENGINES = tuple(role for role in Role if role.is_engine)
Name = Annotated[str, typer.Argument(help="Letters, digits, '-' and '_'; at most 64.")]
Tag = Annotated[str, typer.Argument(help="name, name@1 or name@1.2: the highest version that matches.")]
Airflow = Annotated[bool, typer.Option(help="Ask Airflow, too, where it is installed: some seconds more.")]
Published = Annotated[
    bool, typer.Option("--published", help="Those in the registry, by `push`, instead of those in include folders.")
]
Only = Annotated[str | None, typer.Argument(help="Only this one: a name, or a folder. Default: all.")]


@app_commands.command(
    "new",
    epilog="Example: triptych app new captions && triptych run captions --source include/apps/captions/test/sample.txt",
)
def app_new(
    name: Name,
    language: Annotated[Language, typer.Option(help="What the script is written in.")] = Language.PYTHON,
    image: Annotated[str, typer.Option(help="The container image.")] = "python:3.11-slim",
    include: Include = None,
) -> None:
    """Write a folder with manifest, schema, template, script, sample and expected output that runs at once."""
    folder = new_app(_home(include), name, language, image)
    echo(f"Made {folder}. Try it:")
    sample = _short(folder / "test" / "sample.txt")
    echo(f"  triptych run {name} --source {sample}{_include_option(include)}")
    echo(f"  triptych app test {name}{_include_option(include)}")


@app_commands.command("validate")
def app_validate(name: Only = None, include: Include = None, json_: AsJson = False, airflow: Airflow = True) -> None:
    """Check apps and their templates. Exit code 3: something is wrong."""
    _validate(include, (Role.APP,), name, json_, airflow)


@app_commands.command("list")
@placed_later
def app_list(later: LaterPlace, published: Published = False, json_: AsJson = False) -> None:
    """Every app, with version and image."""
    _list(later, (Role.APP,), published, json_)


@app_commands.command("show")
def app_show(tag: Tag, include: Include = None, json_: AsJson = False) -> None:
    """One app: where it lies, what it needs, its parameters."""
    _show(catalog(include).find(Role.APP, tag), json_)


@engine_commands.command("new", epilog="Example: triptych engine new by-page --type partitioner")
def engine_new(
    name: Name,
    type_: Annotated[EngineRole, typer.Option("--type", help="What the engine does.")] = "partitioner",
    platform: Annotated[Platform, typer.Option(help="python runs in the worker, docker in an image.")] = (
        Platform.PYTHON
    ),
    include: Include = None,
) -> None:
    """Write a folder with manifest, schema and script that works at once."""
    folder = new_engine(_home(include), name, Role(type_), platform)
    echo(f"Made {folder}. Name it as {type_!r} in a template.json: `triptych template new --help`.")


@engine_commands.command("validate")
def engine_validate(name: Only = None, include: Include = None, json_: AsJson = False, airflow: Airflow = True) -> None:
    """Check partitioners and assemblers. Exit code 3: something is wrong."""
    _validate(include, ENGINES, name, json_, airflow)


@engine_commands.command("list")
@placed_later
def engine_list(later: LaterPlace, published: Published = False, json_: AsJson = False) -> None:
    """Every partitioner and assembler."""
    _list(later, ENGINES, published, json_)


@engine_commands.command("show")
def engine_show(
    tag: Tag,
    type_: Annotated[EngineRole | None, typer.Option("--type", help="Where a name is both.")] = None,
    include: Include = None,
    json_: AsJson = False,
) -> None:
    """One engine and its parameters; both when a partitioner and an assembler share the name."""
    found = catalog(include)
    roles = (Role(type_),) if type_ else ENGINES
    names = {block.name for block in found.blocks if block.role in roles}
    here = [role for role in roles if any(b.role is role and b.name == name_of(tag) for b in found.blocks)]
    if not here and type_ is None:
        msg = f"{tag!r} is no engine here. Known: {', '.join(sorted(names))}."
        raise ManifestError(msg)
    for role in here or roles:
        _show(found.find(role, tag), json_)


@engine_commands.command(
    "preview", epilog="Example: triptych engine preview rows --source orders.csv -p items_per_chunk=1000 --limit 5"
)
def engine_preview(
    tag: Tag,
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="URI, path, folder or glob; may be repeated.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="NAME=VALUE; may be repeated.")] = None,
    connection: Annotated[str | None, typer.Option(help="Airflow connection of the sources.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many chunks; the sum counts all.")] = 20,
    include: Include = None,
    json_: AsJson = False,
) -> None:
    """What a partitioner would cut: chunks, sizes, names, metadata. Nothing runs, nothing is stored."""
    settings = local_settings(include, None)
    engine = catalog(include).find(Role.PARTITIONER, tag)
    sources = [location(local_uri(text), connection) for text in source or []]
    cuts = preview(settings, engine, sources, engine_params(engine.schema, param or []))
    if json_:
        print_json([asdict(cut) for cut in cuts])
        return
    shown, count, size, copied = [], 0, 0, 0
    for cut in cuts:
        count, size, copied = count + 1, size + cut.size, copied + cut.size * cut.copied
        if count <= limit:
            items = "" if cut.items is None else f"{cut.items:,}"
            about = json.dumps(cut.metadata, ensure_ascii=False)
            shown.append([str(cut.number), cut.name, f"{cut.size:,}", items, about])
    print_table(["chunk", "name", "bytes", "items", "metadata"], shown)
    more = f" ({count - limit:,} not shown)" if count > limit else ""
    echo(f"{count:,} chunk(s){more}, {size:,} bytes, {copied:,} of them copied to the workspace.")


@template_commands.command("new", epilog="Example: triptych template new daily --app wordcount --partitioner rows")
def template_new(
    name: Name,
    app: Annotated[str, typer.Option(help="The app's tag.")],
    partitioner: Annotated[str, typer.Option(help="The partitioner's tag.")] = "passthrough",
    assembler: Annotated[str, typer.Option(help="The assembler's tag.")] = "passthrough",
    schedule: Annotated[str | None, typer.Option(help="Cron or preset, such as @daily.")] = None,
    include: Include = None,
) -> None:
    """Write include/templates/NAME/template.json: a DAG of its own over an app that exists."""
    found = catalog(include)
    tags = {Role.PARTITIONER: partitioner, Role.APP: app, Role.ASSEMBLER: assembler}
    odd = odd_pair({role: found.find(role, tag) for role, tag in tags.items()})
    if odd:
        echo(f"warning: {odd}")
    echo(f"Made {new_template(_home(include), name, tags, schedule)}.")


@template_commands.command("list")
@placed_later
def template_list(later: LaterPlace, published: Published = False, json_: AsJson = False) -> None:
    """Every template: what `triptych run` and Airflow can launch."""
    if published:
        list_published(later.place(), (None,), json_)
        return
    templates = catalog(later.include).templates
    if json_:
        print_json([_template_data(template) for template in templates])
        return
    rows = [[template.id, *(block.tag for block in template.blocks.values())] for template in templates]
    print_table(["template", *Role], rows)


@template_commands.command("show")
def template_show(name: str, include: Include = None, json_: AsJson = False) -> None:
    """One template: its blocks, defaults, schedule and every parameter that a caller may give."""
    template = catalog(include).template(name)
    if json_:
        print_json(_template_data(template))
        return
    echo(f"{template.id}: {template.description}\n{template.path}")
    if template.schedule:
        echo(f"schedule: {template.schedule}")
    rows = [
        row
        for role, block in template.blocks.items()
        for row in _parameter_rows(block, template.params.get(role, {}), f"{role}.")
    ]
    print_table(["parameter", "type", "default", "description"], rows)


def validate_all(name: Only = None, include: Include = None, json_: AsJson = False, airflow: Airflow = True) -> None:
    """Check every block and template. Exit code 3: something is wrong."""
    _validate(include, tuple(Role), name, json_, airflow)


def _validate(
    include: list[Path] | None, roles: tuple[Role, ...], name: str | None, as_json: bool, airflow: bool
) -> None:
    folders = include_folders(include)
    found = read_catalog(folders)
    blocks = [block for block in found.blocks if block.role in roles and _is_meant(block.folder, block.name, name)]
    meant = [block.folder for block in blocks]
    all_ = findings(found, folders, asks_airflow=airflow)
    errors = [error for error in all_.errors if _concerns(error, roles, meant, name)]
    warnings = [warning for warning in all_.warnings if _concerns(warning, roles, meant, name)]
    if name and not blocks and not errors:
        msg = f"There is no {' or '.join(roles)} {name!r} to check. `triptych app list` and `engine list` show them."
        raise ManifestError(msg)
    if as_json:
        told = {"errors": _diagnostics(errors), "warnings": _diagnostics(warnings)}
        print_json({**told, "notChecked": all_.not_checked})
    else:
        for warning in warnings:
            echo(f"warning: {warning}")
        for error in errors:
            echo_error(str(error))
        if all_.not_checked:
            echo(f"note: {all_.not_checked}")
        echo(f"{len(blocks)} block(s) checked: {len(errors)} error(s), {len(warnings)} warning(s).")
    if errors:
        raise typer.Exit(ManifestError.exit_code)


def _is_meant(folder: Path, block_name: str, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return block_name == name_of(wanted) or folder.resolve() == Path(wanted).resolve()


def _concerns(diagnostic: Diagnostic, roles: tuple[Role, ...], meant: list[Path], name: str | None) -> bool:
    """Whether its file belongs to what is asked for; a file that could not be read goes by its folder."""
    folder = diagnostic.path.parent
    if any(folder.is_relative_to(each) for each in meant):
        return True
    room = "engines" if "engines" in folder.parts else "apps"
    in_rooms = room in {"engines" if role.is_engine else "apps" for role in roles}
    return in_rooms and _is_meant(folder, folder.name, name)


def _diagnostics(found: Sequence[Diagnostic]) -> list[dict[str, str]]:
    return [{"file": str(each.path), "location": each.location, "message": each.message} for each in found]


def _list(later: LaterPlace, roles: tuple[Role, ...], is_published: bool, as_json: bool) -> None:
    if is_published:
        list_published(later.place(), roles, as_json)
        return
    found = catalog(later.include)
    blocks = [block for block in found.blocks if block.role in roles]
    if as_json:
        print_json([_block_data(block) for block in blocks])
        return
    rows = [[b.name, b.version, b.role, b.image or b.platform, b.description] for b in blocks]
    print_table(["name", "version", "type", "runs in", "description"], rows)
    unlisted = [error for error in found.errors if _concerns(error, roles, [], None)]
    if unlisted:
        echo_error(f"{len(unlisted)} error(s) in blocks that are not listed; see `triptych validate`.")


def _show(block: Block, as_json: bool) -> None:
    if as_json:
        print_json(_block_data(block))
        return
    echo(f"{block.role} {block.tag}: {block.description}\n{block.folder}")
    needs = {"image": block.image, "cores": block.min_cpu, "memory (GiB)": block.min_memory_gib, "gpu": block.gpu}
    echo(", ".join(f"{key} {value}" for key, value in needs.items() if value) or f"platform {block.platform}")
    print_table(["parameter", "type", "default", "description"], _parameter_rows(block, {}, ""))


def _parameter_rows(block: Block, given: Mapping[str, Any], prefix: str) -> list[list[str]]:
    required = block.schema.get("required", ())
    rows = []
    for name, schema in properties(block.schema).items():
        default = given.get(name, schema.get("default", "(required)" if name in required else ""))
        about = schema.get("description", schema.get("title", ""))
        rows.append([f"{prefix}{name}", type_text(schema), "" if default is None else str(default), str(about)])
    return rows


def _block_data(block: Block) -> dict[str, Any]:
    return {
        "type": block.role,
        "name": block.name,
        "version": block.version,
        "description": block.description,
        "folder": str(block.folder),
        "platform": block.platform,
        "image": block.image,
        "schema": block.schema,
    }


def _template_data(template: Template) -> dict[str, Any]:
    return {
        "id": template.id,
        "description": template.description,
        **{role.value: block.tag for role, block in template.blocks.items()},
        "params": template.params,
        "config": template.config,
        "schedule": template.schedule,
        "dataSource": template.data_source,
        "dataDestination": template.data_destination,
        "inputs": template.inputs,
        "file": str(template.path),
    }


def _home(include: list[Path] | None) -> Path:
    """The include folder that new blocks go to."""
    return include_folders(include)[0]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _include_option(include: list[Path] | None) -> str:
    return "".join(f" --include {folder}" for folder in include or ())
