"""`triptych engine suggest`: which partitioners fit one's own files, with parameters to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triptych.blocks import Catalog
from triptych.cli.console import echo, print_json, print_line
from triptych.cli.parameters import local_uri, location
from triptych.cli.setup import AsJson, Include, catalog, local_settings
from triptych.engines.runtime.loading import naming_missing_library
from triptych.settings import Settings

if TYPE_CHECKING:
    from triptych.engines.suggestions.fitting import Suggestion
    from triptych.local.suggesting import Group, Trial

EPILOG = (
    "Examples: triptych engine suggest orders.csv; triptych engine suggest 'photos/*.jpg' --no-preview; "
    "triptych engine suggest s3://bucket/logs/ --connection store --json"
)
SHOWN_NAMES = 3


def engine_suggest(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="URIs, paths, folders or globs.")],
    connection: Annotated[str | None, typer.Option(help="Airflow connection of the files.")] = None,
    shows_chunks: Annotated[
        bool, typer.Option("--preview/--no-preview", help="Try each on the files: how many chunks, and the first.")
    ] = True,
    include: Include = None,
    json_: AsJson = False,
) -> None:
    """Which partitioners fit one's own files, with parameters to paste, each tried on them.

    A file is known by its first bytes, not by its name alone. Nothing runs, nothing is stored. What decodes sound,
    pictures or film is tried up to its first chunk. Exit code 5: a file is not there, or cannot be read.
    """
    with naming_missing_library("engine suggest"):
        # Here, since what the rest of the command imports is there without libraries for data.
        from triptych.local.suggesting import groups
    settings, found = local_settings(include, None), catalog(include)
    sources = [location(local_uri(text), connection) for text in files]
    together = groups(settings, sources, found)
    if not json_ and len(together) > 1:
        echo(f"These files hold {len(together)} sorts of data. A job has one partitioner: launch one for each.")
    data = [_shown(settings, group, found, shows_chunks=shows_chunks, as_json=json_) for group in together]
    if json_:
        print_json(data)
    elif together:
        echo("Paste the line in braces into a template.json; the command below it shows all chunks.")


def _shown(settings: Settings, group: Group, found: Catalog, *, shows_chunks: bool, as_json: bool) -> dict[str, Any]:
    """One group of files, printed at once unless `as_json`; as data."""
    if not as_json:
        more = f" and {len(group.names) - SHOWN_NAMES} more" if len(group.names) > SHOWN_NAMES else ""
        print_line(f"{', '.join(group.names[:SHOWN_NAMES])}{more}: {group.described}\n")
    fitting = []
    for suggestion in group.fitting:
        trial = _tried(settings, suggestion, group, found) if shows_chunks else None
        data = _suggestion(suggestion, group.sources, trial)
        fitting.append(data)
        if not as_json:
            _print(data)
            print_line("")
    shared = {"files": group.sources, "content": group.content, "description": group.described}
    return {**shared, "suggestions": fitting}


def _tried(settings: Settings, suggestion: Suggestion, group: Group, found: Catalog) -> Trial:
    from triptych.local.suggesting import tried

    return tried(settings, suggestion, group, found)


def _suggestion(suggestion: Suggestion, sources: Sequence[Any], trial: Trial | None) -> dict[str, Any]:
    spec = {"partitioner": suggestion.partitioner, "params": {"partitioner": dict(suggestion.params)}}
    data = {**spec, "why": suggestion.why, "command": _command(suggestion, sources)}
    if trial:
        data["preview"] = {
            "chunks": trial.chunks,
            "first": asdict(trial.first) if trial.first else None,
            "refusal": trial.refusal or None,
        }
    return data


def _command(suggestion: Suggestion, sources: Sequence[Any]) -> str:
    """`triptych engine preview` of the same, to be pasted into a shell."""
    uris = [source if isinstance(source, str) else source["uri"] for source in sources]
    connections = {source["conn_id"] for source in sources if not isinstance(source, str)}
    words = ["triptych", "engine", "preview", suggestion.partitioner]
    for uri in uris:
        words += ["--source", uri]
    for connection in connections:
        words += ["--connection", connection]
    for name, value in suggestion.params.items():
        words += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"]
    return shlex.join(words)


def _print(data: dict[str, Any]) -> None:
    print_line(f"  {data['partitioner']}: {data['why']}")
    spec = {key: data[key] for key in ("partitioner", "params")}
    print_line(f"    {json.dumps(spec, ensure_ascii=False)}")
    print_line(f"    {data['command']}")
    trial = data.get("preview")
    if not trial:
        return
    if trial["refusal"]:
        print_line(f"    does not fit: {trial['refusal']}")
    elif not trial["first"]:
        print_line("    no chunk")
    else:
        first = trial["first"]
        items = "" if first["items"] is None else f", {first['items']:,} items"
        count = "not counted" if trial["chunks"] is None else f"{trial['chunks']:,} in all"
        print_line(f"    first chunk {first['name']}: {first['size']:,} bytes{items}; {count}")
