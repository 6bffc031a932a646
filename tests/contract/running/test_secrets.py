"""How secrets reach a script: whole, and told to nobody whom the engine answers."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract.running.conftest import APP, Workbench
from triptych.running.spec import VariableError
from triptych.settings import Runner, Settings

WRITES = """
import json, os
wanted = {key: value for key, value in os.environ.items() if key.startswith("SECRET_")}
open(os.environ["TASK_RESULTS_DIR"] + "/seen", "w").write(json.dumps(wanted))
print("x" * 100, flush=True)
"""
VALUES = {
    "SECRET_plain": "hunter2",
    "SECRET_quoted": "a'b\"c\\d $HOME `id` $(id) #",
    "SECRET_lines": "-----BEGIN-----\n  two\n\n.\nEOF\nlast\n",
    "SECRET_odd": " leading, trailing \t\r",
    "SECRET_unicode": "ключ €",
    "SECRET_empty": "",
    "SECRET_long": "y" * 100_000,
}


@pytest.fixture
def in_copies(in_docker: Settings, engine: Any) -> Iterator[Settings]:
    yield dataclasses.replace(in_docker, docker_files="archive")
    engine.remove_volume(f"triptych-cache-{APP}", force=True)


@pytest.fixture(params=["in_docker", "in_copies"])
def boxed(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue(request.param)
    return settings


@pytest.mark.docker
def test_secrets_reach_the_script_whole_and_the_engine_knows_none(boxed: Settings, tmp_path: Path, engine: Any) -> None:
    label = f"secrets-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        bench = Workbench(tmp_path, boxed, stack)
        spec = bench.spec(WRITES, secrets=VALUES, labels={"triptych.test": label})
        session = bench.session(spec)
        for name in "01":
            unit = bench.unit(spec, name)
            session.run(unit)
            assert json.loads((unit.folder / "out" / "seen").read_text()) == VALUES
        for found in engine.containers(all=True, filters={"label": [f"triptych.test={label}"]}):
            told = json.dumps([engine.inspect_container(found["Id"]), engine.top(found["Id"])])
            assert "SECRET_" not in told
            assert "hunter2" not in told
            break
        else:
            pytest.fail("there is no container to look at")


@pytest.mark.docker
@pytest.mark.skipif(os.getuid() != 0, reason="the engine's files are root's to read")
def test_the_engine_keeps_little_of_what_a_script_prints(boxed: Settings, tmp_path: Path, engine: Any) -> None:
    """However much: `json-file` would keep all of it, on the engine's disk."""
    label = f"secrets-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        bench = Workbench(tmp_path, boxed, stack)
        spec = bench.spec("print(('x' * 999 + '\\n') * 4000)", labels={"triptych.test": label})
        log = (tmp_path / "log").open("wb")
        stack.enter_context(log)
        bench.session(spec).run(bench.unit(spec, log=log))
        [found] = engine.containers(all=True, filters={"label": [f"triptych.test={label}"]})
        about = engine.inspect_container(found["Id"])
        kept = Path(about["LogPath"])
        assert sum(path.stat().st_size for path in kept.parent.glob(f"{kept.name}*")) <= 2 << 20
        log.flush()
        assert (tmp_path / "log").read_bytes().startswith((b"x" * 999 + b"\n") * 4000)


@pytest.mark.parametrize("kind", [Runner.PROCESS, pytest.param(Runner.DOCKER, marks=pytest.mark.docker)])
@pytest.mark.parametrize(("value", "reason"), [("x" * (128 << 10), "would be 131,084 bytes"), ("a\0b", "a zero byte")])
def test_what_no_variable_holds_is_said(
    settings: Settings, tmp_path: Path, kind: Runner, value: str, reason: str
) -> None:
    with ExitStack() as stack:
        bench = Workbench(tmp_path, dataclasses.replace(settings, runner=kind), stack)
        spec = bench.spec(WRITES, secrets={"SECRET_key": value})
        with pytest.raises(VariableError, match=f"SECRET_key .*{reason}"):
            bench.session(spec).run(bench.unit(spec))
