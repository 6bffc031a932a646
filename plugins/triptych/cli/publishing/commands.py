"""The commands themselves, made once for apps, engines and templates."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from triptych.blocks import Role
from triptych.cli.console import echo, print_json, print_table
from triptych.cli.place import Place, placed
from triptych.cli.publishing.api_shelf import ApiShelf
from triptych.cli.publishing.shelves import Roles, Shelf, StoreShelf
from triptych.cli.setup import AsJson, include_folders
from triptych.errors import ConfigError
from triptych.jobs.code import thaw_code
from triptych.registry import Publication
from triptych.registry.pushing import Told, checked_block, checked_template
from triptych.registry.records import TEMPLATE, Content

Tag = Annotated[str, typer.Argument(help="name, name@1 or name@1.2: the highest published version that matches.")]
Id = Annotated[str, typer.Argument(help="The template's id.")]
Folder = Annotated[Path, typer.Argument(help="The folder that holds manifest.json.")]
File = Annotated[Path, typer.Argument(help="The template's JSON file.")]
Type = Annotated[Literal["partitioner", "assembler"] | None, typer.Option("--type", help="Where a name is both.")]
To = Annotated[Path | None, typer.Option("--to", help="The folder to make. Default: its place in the include folder.")]
Activate = Annotated[bool, typer.Option("--activate", help="Let jobs run it at once.")]
Digest = Annotated[
    str, typer.Option("--digest", help="A content that it meant before, by its first digits, 8 or more.")
]
_HOMES = {Role.APP: "apps", Role.PARTITIONER: "engines/partitioners", Role.ASSEMBLER: "engines/assemblers"}
_EXAMPLES = {
    "app": (
        "triptych app push include/apps/captions --activate",
        "triptych app pull captions@1.2 --to captions",
        "triptych app activate captions@1.2 --digest 90d1a7e994cd",
        "triptych app deactivate captions@1.2",
        "triptych app status captions",
    ),
    "engine": (
        "triptych engine push by-page --activate",
        "triptych engine pull by-page@1.2 --to by-page",
        "triptych engine activate by-page@1.2 --type partitioner",
        "triptych engine deactivate by-page@1.2 --airflow https://airflow.example.com --user ann",
        "triptych engine status by-page",
    ),
    TEMPLATE: (
        "triptych template push daily.json",
        "triptych template pull daily --to daily",
        "triptych template activate daily",
        "triptych template deactivate daily",
        "triptych template status daily --json",
    ),
}
ENGINES = (Role.PARTITIONER, Role.ASSEMBLER)


def add_block_commands(commands: typer.Typer, word: str, roles: tuple[Role, ...]) -> None:
    """push, pull, activate, deactivate and status of apps or engines, in place of `word`."""

    def push(place: Place, folder: Folder, activate: Activate = False, json_: AsJson = False) -> None:
        block, notes = checked_block(folder, roles)
        _tell(shelf_of(place), lambda shelf: shelf.push_block(block, activates=activate), notes, json_)

    def pull(place: Place, tag: Tag, to: To = None, type_: Type = None, json_: AsJson = False) -> None:
        _pull(place, shelf_of(place), _meant(roles, type_), tag, to, json_)

    def activate(place: Place, tag: Tag, type_: Type = None, digest: Digest = "", json_: AsJson = False) -> None:
        _switch(shelf_of(place), _meant(roles, type_), tag, json_, is_active=True, digest=digest)

    def deactivate(place: Place, tag: Tag, type_: Type = None, json_: AsJson = False) -> None:
        _switch(shelf_of(place), _meant(roles, type_), tag, json_, is_active=False)

    def status(place: Place, tag: Tag, type_: Type = None, json_: AsJson = False) -> None:
        _status(shelf_of(place).find(_meant(roles, type_), tag), json_)

    push.__doc__ = (
        f"Publish an {word}: its folder's code becomes what its name and version mean. Jobs run it once it is active."
    )
    pull.__doc__ = f"Fetch a published {word} into a folder."
    activate.__doc__ = "Let the next jobs run what the tag means now. Jobs that run end with what they began with."
    deactivate.__doc__ = "Let no further job run it. Jobs that run go on."
    status.__doc__ = "Whether it is active, inactive, or outdated: pushed again since it was activated."
    _add(commands, word, (push, pull, activate, deactivate, status))


def add_template_commands(commands: typer.Typer) -> None:
    """The same of templates."""

    def push(place: Place, file: File, json_: AsJson = False) -> None:
        """Publish a template: its DAG appears, and its jobs run the highest active versions of its blocks.

        What the file leaves out, the manifest beside it says: its id and its app.
        """
        with tempfile.TemporaryDirectory(prefix="triptych-push-") as work:
            template = checked_template(file, Path(work))
            _tell(shelf_of(place), lambda shelf: shelf.push_template(template), (), json_)

    def pull(place: Place, template_id: Id, to: To = None, json_: AsJson = False) -> None:
        """Fetch a published template into a folder, as template.json."""
        _pull(place, shelf_of(place), (None,), template_id, to, json_)

    def activate(place: Place, template_id: Id, digest: Digest = "", json_: AsJson = False) -> None:
        """Let its DAG run jobs again, or those of an earlier form of it."""
        _switch(shelf_of(place), (None,), template_id, json_, is_active=True, digest=digest)

    def deactivate(place: Place, template_id: Id, json_: AsJson = False) -> None:
        """Let no further job of it run: its DAG stays and says so. Jobs that run go on."""
        _switch(shelf_of(place), (None,), template_id, json_, is_active=False)

    def status(place: Place, template_id: Id, json_: AsJson = False) -> None:
        """Whether it is active or inactive, and what was pushed when and by whom."""
        _status(shelf_of(place).find((None,), template_id), json_)

    _add(commands, TEMPLATE, (push, pull, activate, deactivate, status))


def _add(commands: typer.Typer, word: str, functions: Sequence[Callable[..., None]]) -> None:
    for function, example in zip(functions, _EXAMPLES[word], strict=True):
        commands.command(function.__name__, epilog=f"Example: {example}")(placed(function))


def shelf_of(place: Place) -> Shelf:
    """That of the options; ConfigError where no registry is configured and no Airflow named."""
    return StoreShelf(place.settings) if place.client is None else ApiShelf(place.client)


def list_published(place: Place, roles: Roles, as_json: bool) -> None:
    """What is published of these roles."""
    found = shelf_of(place).publications(roles)
    if as_json:
        print_json([_data(each) for each in found])
        return
    rows = [
        [each.key.tag, each.key.word, each.status, each.content.digest, each.content.pushed_at, each.content.pushed_by]
        for each in found
    ]
    print_table(["tag", "type", "status", "digest", "pushed", "by"], rows)


def _meant(roles: tuple[Role, ...], type_: str | None) -> tuple[Role, ...]:
    if type_ is not None and Role(type_) not in roles:
        msg = f"--type {type_}: is for engines, of which a partitioner and an assembler may share a name."
        raise ConfigError(msg)
    return roles if type_ is None else (Role(type_),)


def _tell(shelf: Shelf, push: Callable[[Shelf], Told], notes: Sequence[str], as_json: bool) -> None:
    told = push(shelf)
    publication, before = told.pushed.publication, told.pushed.before
    every = [*notes, *told.notes]
    if as_json:
        has_moved = told.pushed.has_moved
        was = before.sha256 if before else None
        print_json({**_data(publication), "moved": has_moved, "before": was, "notes": every})
        return
    content, key = publication.content, publication.key
    echo(f"{key} is published in {shelf.label}: {content.digest}, {content.size:,} bytes.")
    if before is not None and told.pushed.has_moved:
        echo(f"The tag has moved: until now it meant {before.digest}, of {before.pushed_at} by {before.pushed_by}.")
    elif before is not None:
        echo("It is what the tag meant before.")
    if publication.status == "outdated" and publication.active is not None:
        echo(f"Jobs go on with {publication.active.digest}, which is active.")
    for note in every:
        echo(note)


def _pull(place: Place, shelf: Shelf, roles: Roles, tag: str, to: Path | None, as_json: bool) -> None:
    found = shelf.find(roles, tag)
    folder = to or _home(place, found)
    if folder.exists():
        msg = f"{folder}: is there already. Remove it, or name another folder by --to."
        raise ConfigError(msg)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pull-") as work:
        content = Path(work, "content")
        shelf.fetch(found, found.content, content)
        made = Path(work, "made")
        if found.key.role is None:
            made.mkdir()
            shutil.move(content, made / "template.json")
        else:
            thaw_code(content, made)
        made.rename(folder)
    if as_json:
        print_json({**_data(found), "folder": str(folder)})
    else:
        echo(f"{found.key}, {found.content.digest}, is in {folder}.")


def _home(place: Place, found: Publication) -> Path:
    include = include_folders(list(place.include))[0]
    return include / ("templates" if found.key.role is None else _HOMES[found.key.role]) / found.key.name


def _switch(shelf: Shelf, roles: Roles, tag: str, as_json: bool, *, is_active: bool, digest: str = "") -> None:
    found = shelf.set_active(shelf.find(roles, tag), is_active=is_active, digest=digest)
    if as_json:
        print_json(_data(found))
    elif found.active is not None:
        echo(f"{found.key} is active: {found.active.digest}. The next jobs run it.")
    else:
        echo(f"{found.key} is inactive: no further job runs it.")


def _status(found: Publication, as_json: bool) -> None:
    if as_json:
        print_json(_data(found))
        return
    rows = [["tag", *_row(found.content)], *([["active", *_row(found.active)]] if found.active else [])]
    echo(f"{found.key} is {found.status}.")
    print_table(["", "digest", "bytes", "pushed", "by"], rows)


def _row(content: Content) -> list[str]:
    return [content.digest, f"{content.size:,}", content.pushed_at, content.pushed_by]


def _data(found: Publication) -> dict[str, Any]:
    content = found.content
    return {
        "tag": found.key.tag,
        "type": found.key.word,
        "status": found.status,
        "sha256": content.sha256,
        "bytes": content.size,
        "pushedAt": content.pushed_at,
        "pushedBy": content.pushed_by,
        "activeSha256": found.active.sha256 if found.active else None,
        "description": content.description,
    }
