"""How secrets reach a script: whole, and told to nobody whom the engine answers."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator
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
print("written", flush=True)
"""
PRINTS = "for _ in range(600): print('x' * 7999, flush=True)"
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


class Looks(io.BytesIO):
    """A unit's log that, while the script prints, asks the engine about its container."""

    def __init__(self, engine: Any, label: str, look: Callable[[Any, str], None]) -> None:
        super().__init__()
        self._engine, self._label, self._look = engine, label, look
        self.looked = 0

    def write(self, data: Any, /) -> int:
        found = self._engine.containers(filters={"label": [f"triptych.test={self._label}"]})
        for each in found:
            self._look(self._engine, each["Id"])
        self.looked += len(found)
        return super().write(data)


def _no_secret_is_told(engine: Any, container: str) -> None:
    told = json.dumps([engine.inspect_container(container), engine.top(container)])
    assert "SECRET_" not in told
    assert "hunter2" not in told


def _little_is_kept(engine: Any, container: str) -> None:
    kept = Path(engine.inspect_container(container)["LogPath"])
    assert sum(path.stat().st_size for path in kept.parent.glob(f"{kept.name}*")) <= 2 << 20


@pytest.mark.docker
def test_secrets_reach_the_script_whole_and_the_engine_knows_none(boxed: Settings, tmp_path: Path, engine: Any) -> None:
    label = f"secrets-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        bench = Workbench(tmp_path, boxed, stack)
        spec = bench.spec(WRITES, secrets=VALUES, labels={"triptych.test": label})
        session = bench.session(spec)
        for name in "01":
            log = Looks(engine, label, _no_secret_is_told)
            unit = bench.unit(spec, name, log)
            session.run(unit)
            assert log.looked
            assert json.loads((unit.folder / "out" / "seen").read_text()) == VALUES


@pytest.mark.docker
@pytest.mark.skipif(os.getuid() != 0, reason="the engine's files are root's to read")
def test_the_engine_keeps_little_of_what_a_script_prints(boxed: Settings, tmp_path: Path, engine: Any) -> None:
    """However much: `json-file` would keep all of it, on the engine's disk."""
    label = f"secrets-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        bench = Workbench(tmp_path, boxed, stack)
        spec = bench.spec(PRINTS, labels={"triptych.test": label})
        log = Looks(engine, label, _little_is_kept)
        bench.session(spec).run(bench.unit(spec, log=log))
        assert log.looked
        assert log.getvalue().count(b"x" * 7999) == 600


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
