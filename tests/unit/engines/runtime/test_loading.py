"""An engine's script is loaded by its path; what it lacks is one sentence."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from triptych.blocks import Block, Platform, Role
from triptych.engines.runtime.loading import EXTRAS, load_engine
from triptych.errors import EngineError
from triptych.settings import PROJECT


def _engine(folder: Path, script: str, name: str = "tried") -> Block:
    (folder / name / "app").mkdir(parents=True)
    (folder / name / "app" / "main.py").write_text(script, encoding="utf-8")
    return Block(Role.PARTITIONER, name, "1.0", folder / name, platform=Platform.PYTHON)


def _declared() -> dict[str, list[str]]:
    """The extras as pyproject.toml has them: names of packages, without versions."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    return {extra: [re.split(r"[\[<>=~! ]", need)[0] for need in needs] for extra, needs in extras.items()}


def test_the_function_of_the_role_is_found(tmp_path: Path) -> None:
    block = _engine(tmp_path, "def partition(sources, params):\n    return [params['a']]\n")
    assert load_engine(block, "partition")([], {"a": 1}) == [1]


def test_two_engines_of_one_file_name_do_not_shadow_each_other(tmp_path: Path) -> None:
    blocks = [_engine(tmp_path, f"def partition():\n    return {name!r}\n", name) for name in ("one", "two")]
    assert [load_engine(block, "partition")() for block in blocks] == ["one", "two"]


def test_an_engine_without_its_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"main\.py: defines no function 'partition'"):
        load_engine(_engine(tmp_path, "partition = 3"), "partition")


@pytest.mark.parametrize(
    ("library", "install"),
    [
        ("av", r"pip install 'triptych\[media\]'"),
        ("pyarrow.compute", r"pip install 'triptych\[tables\]'"),
        ("a_library_of_theirs", "pip install a_library_of_theirs"),
    ],
)
def test_a_missing_library_is_one_sentence_with_the_command(tmp_path: Path, library: str, install: str) -> None:
    script = f"raise ModuleNotFoundError({f'No module named {library}'!r}, name={library!r})"
    with pytest.raises(EngineError, match=rf"^tried@1\.0: .*{install}\.$") as caught:
        load_engine(_engine(tmp_path, script), "partition")
    assert caught.value.exit_code == 7
    assert "\n" not in str(caught.value)


def test_another_mistake_of_the_script_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        load_engine(_engine(tmp_path, "1 / 0"), "partition")


def test_each_library_is_known_and_its_extra_declared() -> None:
    declared = _declared()
    assert set(EXTRAS.values()) <= set(declared)
    assert [library for library in EXTRAS if importlib.util.find_spec(library) is None] == []


def test_each_extra_brings_the_library() -> None:
    """By what is installed here: the package that owns a module is one that the extra names."""
    owners = importlib.metadata.packages_distributions()
    declared = _declared()
    for library, extra in EXTRAS.items():
        packages = {_normal(name) for name in owners[library]}
        assert packages & {_normal(name) for name in declared[extra]}, f"{library}: {packages} is not in [{extra}]"


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
