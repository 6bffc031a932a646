"""`triptych chunk ...`: one chunk of a job, to look at and to run here again: the way to a failed chunk's reason."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from triptych.blocks import Block, Role
from triptych.cli.console import echo, print_json, print_line, print_stream
from triptych.cli.jobs.showing import told_use
from triptych.cli.place import NO_WORKSPACE, OfTemplate, Place, Run, placed
from triptych.cli.setup import AsJson, sound_template
from triptych.errors import ChunkError, ConfigError, StorageError
from triptych.jobs.job import load_job
from triptych.jobs.report import ChunkReport, read_chunk, read_log
from triptych.running import UnitError, Usage
from triptych.running.result_files import FoundFile
from triptych.schemas.diagnostics import Json
from triptych.settings import Runner, Settings
from triptych.stages.one_chunk import OneChunk, Trial
from triptych.stages.pipeline.trying import DATA

chunk_commands = typer.Typer(no_args_is_help=True, help="Chunks of a job: fetch one, or run it here again.")
Number = Annotated[int, typer.Argument(min=0, help="The chunk's number, as `triptych job show` tells it.")]


@chunk_commands.command("get", epilog="Example: triptych chunk get local-20261124T093000-1f9a 17 --to broken/")
@placed
def get(
    place: Place,
    run: Run,
    number: Number,
    to: Annotated[
        Path | None, typer.Option(help="A new folder, or an empty one. Default: chunk-17, by number.")
    ] = None,
    template: OfTemplate = None,
    json_: AsJson = False,
) -> None:
    """Fetch a chunk's input, its parameters, and what each of its tries printed."""
    chunk = _chunk(place, place.settings, run, number, template)
    told = read_chunk(chunk.job.workspace, chunk.job.plan, chunk.entry)
    folder = to or Path(f"chunk-{number}")
    with _new_folder(folder) as filled:
        sha256 = chunk.save_input(filled / DATA)
        about = {**_about(chunk, told), "input": {"name": DATA, "size": chunk.entry.size, "sha256": sha256}}
        logs = _save_logs(chunk, told, filled)
        _save_json(filled / "params.json", chunk.job.spec.params[Role.APP])
        _save_json(filled / "chunk.json", about)
    if json_:
        print_json({**about, "folder": str(folder.absolute()), "logs": logs})
        return
    echo(
        f"Chunk {number} ({chunk.entry.name}), {told.state.value}: {chunk.entry.size:,} bytes of input in {DATA}, "
        f"params.json, chunk.json, {len(logs)} log(s). To run it here: "
        f"{shlex.join(['triptych', 'chunk', 'run', run, str(number), *place.options])}"
    )
    print_line(str(folder))


@chunk_commands.command(
    "run",
    epilog="Examples:\n\n`triptych chunk run local-20261124T093000-1f9a 17`\n\n"
    "`triptych chunk run local-20261124T093000-1f9a 17 --new-code --to results/`\n\n"
    "`triptych chunk run local-20261124T093000-1f9a 17 --shell`\n",
)
@placed
def run_chunk(
    place: Place,
    run: Run,
    number: Number,
    shell: Annotated[bool, typer.Option("--shell", help="Open a shell in the script's place instead.")] = False,
    new_code: Annotated[
        bool, typer.Option("--new-code", help="With the app as it is in the include folder now.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="Keep what it leaves in this folder, a new or an empty one.")] = None,
    template: OfTemplate = None,
    runner: Annotated[Runner | None, typer.Option(help="process isolates nothing; for trying things out.")] = None,
    json_: AsJson = False,
) -> None:
    """Run the app at one chunk here, in its container, with the job's code. The job itself stays as it is."""
    settings = replace(place.settings, runner=runner or place.settings.runner)
    chunk = _chunk(place, settings, run, number, template)
    app = _newest_app(settings, chunk.job.dag_id) if new_code else None
    with ExitStack() as stack:
        filled = stack.enter_context(_new_folder(to)) if to else None
        trial = stack.enter_context(chunk.trial(app, _Printed(is_result=not json_)))
        usage = None
        if shell:
            _shell(trial)
        else:
            usage = _run(trial, chunk)
        found = trial.results()
        if filled:
            _keep(found, filled)
    if json_:
        files: list[Json] = [{"name": file.name, "size": file.size} for file in found]
        print_json({"run": run, "chunk": number, "usage": asdict(usage) if usage else None, "files": files})
        return
    for line in _told(chunk, usage, found, to):
        echo(line)


class _Printed:
    """Shows what the script prints as it comes: as the result on standard output, or beside it."""

    def __init__(self, *, is_result: bool) -> None:
        self._is_result = is_result

    def write(self, data: bytes, /) -> int:
        """Whole lines, in UTF-8."""
        if self._is_result:
            print_stream([data])
        else:
            echo(data.decode(errors="replace").rstrip("\n"))
        return len(data)


def _chunk(place: Place, settings: Settings, run: str, number: int, template: str | None) -> OneChunk:
    dag = place.dag_of(run, template)
    if not place.has_workspace:
        raise ConfigError(NO_WORKSPACE)
    return OneChunk.of(load_job(settings, dag, run), number)


def _newest_app(settings: Settings, template: str) -> Block:
    return sound_template(settings, template).blocks[Role.APP]


def _run(trial: Trial, chunk: OneChunk) -> Usage:
    try:
        return trial.run()
    except UnitError as error:
        # What it printed was shown: the error need not repeat the end of it.
        msg = f"Chunk {chunk.entry.number} ({chunk.entry.name}): {str(error).partition(chr(10))[0]}"
        raise ChunkError(msg) from error


def _shell(trial: Trial) -> None:
    echo(
        f"You are where the script would run: its input is here and in $TRIPTYCH_INPUT, its results go to "
        f"$TRIPTYCH_OUTPUT. It is started by:\n  {shlex.join(trial.session.command)}\nCtrl-D ends it."
    )
    code = trial.shell()
    if code:
        echo(f"The shell ended with exit code {code}, that of its last command.")


def _told(chunk: OneChunk, usage: Usage | None, found: Sequence[FoundFile], folder: Path | None) -> Sequence[str]:
    took = ""
    if usage:
        took = f" done in {usage.seconds:.1f} s{told_use(usage.cpu_seconds, usage.peak_memory_bytes)};"
    size = sum(file.size for file in found)
    kept = f"in {folder}" if folder else "which are gone: --to FOLDER keeps them" if found else ""
    return [
        f"Chunk {chunk.entry.number} ({chunk.entry.name}):{took} {len(found)} file(s) of {size:,} bytes"
        f"{f', {kept}' if kept else ''}.",
        *(f"  {file.name}: {file.size:,} bytes" for file in found),
    ]


def _about(chunk: OneChunk, told: ChunkReport) -> dict[str, Any]:
    """What `chunk.json` holds."""
    job, entry = chunk.job, chunk.entry
    ranges = [
        {"uri": job.sources[each.source].uri, "offset": each.offset, "length": each.length}
        for each in entry.ranges or ()
        if each.length  # An empty one may be of no source at all.
    ]
    return {
        "run": job.run_id,
        "template": job.spec.template,
        "app": job.plan.blocks[Role.APP].tag,
        "chunk": entry.number,
        "chunks": job.plan.chunks,
        "name": entry.name,
        "metadata": dict(entry.metadata),
        "ranges": ranges,
        "state": told.state.value,
        "reason": told.reason or None,
        "tries": [asdict(each) for each in told.tries],
    }


def _save_logs(chunk: OneChunk, told: ChunkReport, folder: Path) -> list[str]:
    """One file for each try that printed something."""
    names = []
    for count, tried in enumerate(told.tries, 1):
        if tried.log:
            names.append(f"try-{count}.log")
            with (folder / names[-1]).open("wb") as out:
                out.writelines(read_log(chunk.job.workspace, tried))
    return names


def _save_json(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors="backslashreplace")


def _keep(found: Sequence[FoundFile], folder: Path) -> None:
    """Copy what was left; nothing of it is followed out of its folder, nor lies outside of ours."""
    for file in found:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            out.writelines(file.blocks())


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `folder` when the context ends well, and is gone when it does not.

    ConfigError where `folder` holds anything, StorageError where it cannot be.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"--to {folder}: is not empty, and nothing is overwritten. Name a new folder, or empty this one."
        raise ConfigError(msg)
    with ExitStack() as stack:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            beside = stack.enter_context(TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent))
            filled = Path(beside, folder.name)
            filled.mkdir()
            yield filled
            filled.replace(folder)
        except OSError as error:
            where = error.filename or folder
            msg = f"--to {where}: {error.strerror or error}. Name a folder of yours with room."
            raise StorageError(msg) from error
