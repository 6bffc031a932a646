"""What is fuzzed, called in a process of its own: `python -m tests.fuzz.calls FOLDER`, which `worker` starts.

Each surface takes a folder of its own and one generated input. It returns what it refused, or None when it took all.
Whatever it raises that is no TriptychError is a traceback.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tests.fuzz.tally import Kind
from tests.support.include_folders import write_app
from triptych.blocks import Template, read_catalog
from triptych.cli import app
from triptych.engines.api import Chunk, SourceRange
from triptych.errors import TriptychError
from triptych.harmless import harmless
from triptych.jobs.packs import Pack
from triptych.jobs.sources import SourceEntry
from triptych.jobs.spec import JobSpec, build_job_spec
from triptych.jobs.workspace import open_workspace, to_json
from triptych.settings import get_settings, read_settings
from triptych.stages.chunk_list import ChunkStore, UploadLimits, write_chunk_list
from triptych.storage import Stores

CODES = {0, *range(2, 15)}
DATES = {"ds": "2026-01-02", "logical_date": "2026-01-02T00:00:00+00:00"}
MEMORY_BYTES = 6 << 30
DOES = r"""
import json, os, socket, sys
here = os.fsencode(os.environ[sys.argv[1] if len(sys.argv) > 1 else FOLDER])
for what, name, data in json.load(open(OPERATIONS)):
    path = os.path.join(here, bytes.fromhex(name))
    try:
        if what == "file":
            os.makedirs(os.path.dirname(path), exist_ok=True)
            # A pipe is there, maybe: who opens one to write waits for its reader, and no engine has a time limit.
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK), "wb") as out:
                out.write(bytes.fromhex(data))
        elif what == "folder":
            os.makedirs(path)
        elif what == "link":
            os.symlink(bytes.fromhex(data), path)
        elif what == "same":
            os.link(path, path + b"2")
        elif what == "fifo":
            os.mkfifo(path)
        elif what == "socket":
            socket.socket(socket.AF_UNIX).bind(path)
        elif what == "rights":
            os.chmod(path, 0)
        elif what == "hole":
            os.truncate(path, 1 << 40)
        elif what == "replaced":
            os.rename(here, here + b".away")
            os.symlink("/etc", here)
    except (OSError, ValueError):
        pass
"""
"""A script that does to its output folder what it is told."""
FOLDERS = {"partitioner": "CHUNKS_DIR", "app": "TASK_RESULTS_DIR", "assembler": "OUTPUT_DIR"}
_asked: list[str] = []
"""Addresses beyond this machine that a call wanted."""


class LeftError(Exception):
    """Something lies where nothing may."""


def blocks(folder: Path, files: Mapping[str, bytes]) -> str | None:
    """An include folder of an app with these files: read, validated, made a DAG, and stored as Airflow does."""
    from triptych.airflow.factory import build_dags
    from triptych.airflow.judgement import check_storable

    home = folder / "include" / "apps" / "tried"
    (home / "app").mkdir(parents=True)
    (home / "app" / "main.py").write_text("def run(basepath, params): pass\n")
    write_app(folder / "include", "print()\n", name="sound")
    for name, data in files.items():
        (home / name).write_bytes(data)
    before = _listing(folder)
    said = _command("validate", "--no-airflow", "--json", "--include", str(folder / "include"))
    _expect_same(before, folder)
    os.environ["AIRFLOW__TRIPTYCH__INCLUDE"] = str(folder / "include")
    os.environ["AIRFLOW__TRIPTYCH__CACHE"] = str(folder / "cache")
    get_settings.cache_clear()
    dags = build_dags()
    assert "sound" in dags, "A broken block hid a sound one."
    for dag in dags.values():
        check_storable(dag)
    return said


def conf(folder: Path, given: tuple[str, Any]) -> str | None:
    """A run's conf, as REST and form bring it, for one of some templates."""
    name, data = given[0], _grown(given[1])
    template = _templates()[name]
    try:
        spec = build_job_spec(template, data, DATES)
    finally:
        _expect_same([], folder)
    stored = json.loads(to_json(spec.to_json()))
    assert to_json(JobSpec.from_json(stored).to_json()) == to_json(spec.to_json()), "It comes back as another."
    return None


def command(folder: Path, arguments: Sequence[str]) -> str | None:
    """The command with these arguments, in a folder with an app and a source."""
    write_app(folder / "include", 'cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/x"\n', entrypoint="main.sh")
    (folder / "data.txt").write_text("a\nb\n")
    before = _listing(folder)
    said = _command(*arguments)
    if said is not None and arguments[:1] == ["validate"]:
        _expect_same(before, folder)
    return said


def workspace(folder: Path, given: tuple[int, bytes | list[tuple[int, Any]] | None, str]) -> str | None:
    """A job's workspace with an object removed, another's, or changed in places: shown, and taken up again."""
    index, data, option = given
    made, run, names = _finished_job()
    shutil.copytree(made, folder, symlinks=True, dirs_exist_ok=True)
    target = folder / names[index % len(names)]
    if data is None:
        target.unlink()
    else:
        target.write_bytes(data if isinstance(data, bytes) else _changed(target.read_bytes(), data))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.environ["AIRFLOW__TRIPTYCH__SCRATCH"] = str(folder / "scratch")
    get_settings.cache_clear()
    said = [
        _command("job", "show", run, "--json"),
        _command("job", "show", run, "--log", "1"),
        _command("run", "tried", "--resume", run, "--runner", "process", *option.split()),
    ]
    return next((text for text in said if text is not None), None)


def yielded(folder: Path, chunks: Sequence[Mapping[str, Any]]) -> str | None:
    """Chunks as an engine may yield them: stored, listed, and read back."""
    settings = read_settings({"workspace": (folder / "workspace").as_uri(), "scratch": str(folder / "scratch")})
    place = open_workspace(settings, Stores(settings), "tried", "run")
    sources = [SourceEntry((folder / "a").as_uri(), None, 100, "e")]
    store = ChunkStore(place, sources, "tried@1.0", folder, "token")
    made = (
        Chunk(
            **{
                **_grown(each),
                "ranges": tuple(SourceRange(*run) for run in each["ranges"]) if each.get("ranges") else None,
            }
        )
        for each in chunks
    )
    listed = write_chunk_list(
        store.entries(made, UploadLimits(2, 1 << 20)),
        place,
        "token",
        folder,
        lambda sizes: [Pack(first=0, count=len(sizes), chunks=len(sizes))] if sizes else [],
    )
    back = list(place.chunks(listed.file))
    assert [entry.number for entry in back] == list(range(len(chunks)))
    return None


def left(folder: Path, given: tuple[str, Sequence[tuple[str, bytes, bytes]]]) -> str | None:
    """A job whose block of this role leaves these files, links, pipes and names where its output is expected."""
    role, operations = given
    told = [(what, name.hex(), data.hex()) for what, name, data in operations]
    (folder / "operations.json").write_text(json.dumps(told))
    script = f"OPERATIONS, FOLDER = {str(folder / 'operations.json')!r}, {FOLDERS[role]!r}\n{DOES}"
    copies = "import os, shutil\nshutil.copy(os.environ['TASK_DIR'] + '/data.bin', os.environ['TASK_RESULTS_DIR'])\n"
    engines = {} if role == "app" else {role: "mine"}
    if engines:
        home = folder / "include" / "engines" / role
        (home / "app").mkdir(parents=True)
        (home / "app" / "main.py").write_text(script)
        about = {"name": "mine", "version": "1.0", "type": role, "platform_config": {"container": "x"}}
        (home / "manifest.json").write_text(json.dumps(about))
    manifest = {"retries": 0, "task_timeout": 50}
    write_app(folder / "include", script if role == "app" else copies, manifest=manifest, template=engines)
    (folder / "data.txt").write_text("a\n")
    said = _command("run", "tried", "-s", "data.txt", "-d", "out", "--runner", "process", "-q")
    if said is not None and (folder / "out").exists() and list((folder / "out").iterdir()):
        raise LeftError(f"{said}\n{list((folder / 'out').iterdir())}")
    return said


def settings(folder: Path, values: Mapping[str, str]) -> str | None:
    """The configuration's own values."""
    read_settings(values)
    return None


def selfcheck(folder: Path, what: str) -> str | None:
    """The worker's own test: returns, refuses, raises or hangs."""
    if what == "refuses":
        raise TriptychError("no")
    if what == "raises":
        raise ValueError("not ours")
    if what == "hangs":
        signal.pause()
    return None


SURFACES: Mapping[str, Callable[[Path, Any], str | None]] = {
    each.__name__: each for each in (blocks, conf, command, workspace, yielded, left, settings, selfcheck)
}


def _changed(data: bytes, edits: Sequence[tuple[int, Any]]) -> bytes:
    """JSON, or bytes, with the values at these places replaced."""
    try:
        whole = json.loads(data)
    except ValueError:
        return data[: edits[0][0] % (len(data) + 1)]
    for number, value in edits:
        places = list(_holders(whole))
        if places:
            holder, key = places[number % len(places)]
            holder[key] = value
    return json.dumps(whole).encode()


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (object or list, key or index) in a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _holders(inner)


def _grown(value: Any) -> Any:
    """With the values that marks in it stand for: nested, or a number, as long as the mark says."""
    if isinstance(value, dict):
        return {key: _grown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_grown(inner) for inner in value]
    if not isinstance(value, str) or not re.fullmatch(r"@(deep|digits) \d+@", value):
        return value
    what, size = value.strip("@").split()
    grown: Any = 10 ** int(size) if what == "digits" else "x"
    for number in range(int(size) if what == "deep" else 0):
        grown = {"a": grown} if number % 2 else [grown]
    return grown


def _command(*arguments: str) -> str | None:
    """What the command refused, or None; its own exception is raised."""
    ended = CliRunner().invoke(app, list(arguments))
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code in CODES, f"exit code {ended.exit_code}"
    assert "Traceback" not in ended.output
    assert ended.exit_code == 0 or ended.output.strip(), "It says nothing."
    assert harmless(ended.output) == ended.output, "It steers a terminal."
    return ended.output if ended.exit_code else None


@cache
def _templates() -> Mapping[str, Template]:
    """Some templates: of every built-in partitioner, with an app whose schema has every type."""
    folder = Path(tempfile.mkdtemp()) / "include"
    schema = {
        "properties": {
            "text": {"type": "string", "pattern": "^[a-z]*$", "default": "a"},
            "number": {"type": "number", "maximum": 10},
            "whole": {"type": ["integer", "null"], "multipleOf": 3},
            "list": {"type": "array", "uniqueItems": True, "items": {"type": ["string", "number"]}},
            "object": {"type": "object", "additionalProperties": {"$ref": "#/definitions/tree"}},
            "one": {"enum": ["a", 1, None]},
        },
        "additionalProperties": False,
        "definitions": {"tree": {"type": ["object", "string"], "additionalProperties": {"$ref": "#/definitions/tree"}}},
    }
    engines = ("passthrough", "rows", "replicate", "sweep", "urls", "sections", "keys")
    for name in engines:
        template = {"partitioner": name, "dataSource": "file:///a/{{ ds }}/"}
        write_app(folder, "print()\n", name=f"of-{name}", schema=schema, template=template)
    catalog = read_catalog([folder])
    return {name: catalog.template(f"of-{name}") for name in engines}


@cache
def _finished_job() -> tuple[Path, str, list[str]]:
    """A folder with a job of three chunks that failed in one of them: its run, and its workspace's objects."""
    folder = Path(tempfile.mkdtemp())
    script = 'echo said; if [ "$CHUNK_NUMBER" = 1 ]; then exit 3; fi; echo x > "$TASK_RESULTS_DIR/x"\n'
    template = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}}
    write_app(folder / "include", script, entrypoint="main.sh", manifest={"retries": 0}, template=template)
    here = Path.cwd()
    os.chdir(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.environ["AIRFLOW__TRIPTYCH__SCRATCH"] = str(folder / "scratch")
    get_settings.cache_clear()
    said = _command("run", "tried", "--runner", "process", "-d", "out") or ""
    os.chdir(here)
    run = said.partition("--resume ")[2].split()[0]
    objects = sorted(
        str(path.relative_to(folder)) for path in (folder / "cache").rglob("*") if path.is_file() and run in str(path)
    )
    return folder, run, objects


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_size) for path in folder.rglob("*"))


def _expect_same(before: list[tuple[str, int]], folder: Path) -> None:
    if (after := _listing(folder)) != before:
        raise LeftError(str(sorted(set(after) ^ set(before))))


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    """No address beyond this machine is asked: the name is noted, and the call fails."""
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not str(arguments[1][0]).startswith("127."):
        address = str(arguments[1])
    elif event == "socket.getaddrinfo" and arguments[0] not in ("localhost", "127.0.0.1", None):
        address = str(arguments[0])
    else:
        return
    _asked.append(address)
    raise OSError(f"asked {address}")


def _called(folder: Path, surface: str, payload: Any) -> tuple[str, str]:
    here = Path(tempfile.mkdtemp(dir=folder))
    os.chdir(here)
    for name in [key for key in os.environ if key.startswith("AIRFLOW__")]:
        del os.environ[name]
    os.environ["XDG_CACHE_HOME"] = str(here / "cache")
    os.environ["AIRFLOW__TRIPTYCH__SCRATCH"] = str(here / "scratch")
    get_settings.cache_clear()
    _asked.clear()
    try:
        said = SURFACES[surface](here, payload)
        kind, text = (Kind.ACCEPTED, "") if said is None else (Kind.REFUSED, said)
    except LeftError as error:
        kind, text = Kind.LEFT, str(error)
    except TriptychError as error:
        kind, text = Kind.REFUSED, str(error)
    except BaseException:
        kind, text = Kind.TRACEBACK, traceback.format_exc()
    finally:
        os.chdir(folder)
        shutil.rmtree(here, ignore_errors=True)
    if _asked:
        kind, text = Kind.TRACEBACK, f"asked the network for {_asked}\n{text}"
    return kind.value, text


def main() -> None:
    """Read inputs from standard input, answer on standard output, until the first ends."""
    folder = Path(sys.argv[1])
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(quiet, number)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.addaudithook(_hook)
    answer = b"ready"
    while True:
        answers.write(struct.pack(">I", len(answer)) + answer)
        answers.flush()
        head = requests.read(4)
        if len(head) < 4:
            return
        surface, payload = pickle.loads(requests.read(struct.unpack(">I", head)[0]))
        answer = pickle.dumps(_called(folder, surface, payload))


if __name__ == "__main__":
    main()
