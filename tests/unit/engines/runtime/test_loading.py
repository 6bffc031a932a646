"""An engine's script is loaded by its path, with its own modules; what it lacks is one sentence."""

from __future__ import annotations

import heapq
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
import threading
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from triptych.blocks import Block, Platform, Role, code_digest
from triptych.engines.runtime.loading import EXTRAS, loaded_engine
from triptych.errors import EngineError
from triptych.settings import PROJECT

PREFIX = "triptych_engine_"
PLAIN = {"helper", "late", "shapes", "bare", "vendored", "this_way"}
"""Names of modules that the engines of these tests have beside their script."""


def _engine(folder: Path, script: str, name: str = "tried", files: Mapping[str, str] = MappingProxyType({})) -> Block:
    code = folder / f"engine-{name}" / "app"
    for path, text in {"main.py": script, **files}.items():
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        (code / path).write_text(text, encoding="utf-8")
    return Block(Role.PARTITIONER, name, "1.0", code.parent, platform=Platform.PYTHON)


def _declared() -> dict[str, list[str]]:
    """The extras as pyproject.toml has them: names of packages, without versions."""
    text = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    return {extra: [re.split(r"[\[<>=~! ]", need)[0] for need in needs] for extra, needs in extras.items()}


def _run(block: Block, function: str = "partition", *arguments: Any) -> Any:
    """What the engine's function returns, a generator's items as a list."""
    with loaded_engine(block, function) as found:
        returned = found(*arguments)
        return list(returned) if isinstance(returned, Iterator) else returned


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Each test ends with the modules and the path that it began with."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    assert [name for name in set(sys.modules) - modules if name in PLAIN or name.startswith(PREFIX)] == []
    assert sys.path == path
    assert [entry for entry in sys.path_importer_cache if "engine-" in entry] == []


def test_the_function_of_the_role_is_found(tmp_path: Path) -> None:
    block = _engine(tmp_path, "def partition(sources, params):\n    return [params['a']]\n")
    assert _run(block, "partition", [], {"a": 1}) == [1]


def test_an_engine_without_its_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^tried@1\.0: app/main\.py defines no function 'partition'"):
        _run(_engine(tmp_path, "partition = 3"))


def test_an_entrypoint_that_is_no_python_is_refused(tmp_path: Path) -> None:
    block = replace(_engine(tmp_path, ""), entrypoint="main.sh")
    with pytest.raises(EngineError, match=r"^tried@1\.0: app/main\.sh is no Python file"):
        _run(block)


def test_modules_beside_the_script_are_imported_as_a_script_does(tmp_path: Path) -> None:
    """The truth is Python itself: the same files, run as a script."""
    files = {
        "helper.py": "import shapes.round\nNAME = 'helper of ' + shapes.round.NAME\n",
        "shapes/__init__.py": "from . import round\nfrom .flat import NAME as FLAT\n",
        "shapes/round.py": "from shapes.flat import NAME as FLAT\nNAME = 'round and ' + FLAT\n",
        "shapes/flat.py": "NAME = 'flat'\n",
        "bare/inner.py": "from helper import NAME\n",
        "json/schema.json": "{}",
        "statistics.py": "mean = 'not the average'\n",
    }
    script = """
        import helper
        import shapes
        import shapes.round as bent
        import os.path, json
        from bare.inner import NAME
        from bare import inner
        from shapes import *
        from statistics import mean
        from dataclasses import dataclass
        from decimal import Decimal

        @dataclass
        class Late:
            module: str

        def partition():
            from shapes.flat import NAME as late
            yield helper.NAME, shapes.round.NAME, bent.NAME, shapes.FLAT, NAME, inner.NAME, round.NAME
            yield mean, json.dumps([1]), os.path.sep, late
            import helper as again
            yield again is helper, Late("x") == Late("x"), str(Decimal(1))

        if __name__ == "__main__":
            print(list(partition()))
    """
    block = _engine(tmp_path, textwrap.dedent(script), files=files)
    command = [sys.executable, "-B", str(block.code / "main.py")]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    assert repr(_run(block)) == plain.stdout.strip()


def test_a_library_never_sees_a_sibling(tmp_path: Path) -> None:
    """`sched` imports `heapq`, and finds the standard library's."""
    script = "import heapq\n\ndef partition():\n    import this_way\n    return this_way.found, heapq.NAME\n"
    files = {
        "this_way.py": "import importlib, sched\nfound = importlib.reload(sched).heapq.heapify\n",
        "heapq.py": "NAME = 'a sibling'\n",
    }
    assert _run(_engine(tmp_path, script, files=files)) == (heapq.heapify, "a sibling")


def test_the_next_engine_gets_its_own_modules(tmp_path: Path) -> None:
    script = "import helper\n\ndef partition():\n    import late\n    return helper.NAME, late.NAME\n"
    blocks = [
        _engine(tmp_path / name, script, files={"helper.py": f"NAME = {name!r}", "late.py": f"NAME = 'late {name}'"})
        for name in ("one", "two")
    ]
    assert [_run(block) for block in (*blocks, *blocks)] == [("one", "late one"), ("two", "late two")] * 2


def test_other_code_of_one_version_is_other_code(tmp_path: Path) -> None:
    """Same name, same size, same second: what Python's own cache of compiled files takes for the same."""
    block = _engine(tmp_path, "")
    names = set()
    for number in (1, 2, 3):
        script = f"def partition():\n    import helper\n    return {number}, helper.NUMBER, __name__\n"
        (block.code / "main.py").write_text(script)
        (block.code / "helper.py").write_text(f"NUMBER = {number}")
        for path in block.code.glob("*.py"):
            os.utime(path, (1, 1))
        first, second, module = _run(block)
        assert (first, second) == (number, number)
        names.add(module.split("_")[-2])
        assert code_digest(block).startswith(module.split("_")[-2])
    assert len(names) == 3
    assert list(block.code.rglob("*.pyc")) == []


def test_each_run_has_module_variables_of_its_own(tmp_path: Path) -> None:
    files = {"helper.py": "seen = []"}
    block = _engine(
        tmp_path, "import helper\n\ndef partition():\n    helper.seen.append(1)\n    return helper.seen\n", files=files
    )
    assert [_run(block), _run(block)] == [[1], [1]]


def test_what_an_engine_puts_on_the_path_itself_goes_with_it(tmp_path: Path) -> None:
    script = """
        import importlib, os, sys
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "vendor"))
        import vendored

        def partition():
            return vendored.NAME, importlib.import_module("late").NAME
    """
    for name in ("one", "two"):
        files = {"vendor/vendored.py": f"NAME = {name!r}", "vendor/late.py": f"NAME = 'late {name}'"}
        assert _run(_engine(tmp_path / name, textwrap.dedent(script), files=files)) == (name, f"late {name}")


def test_engines_of_two_threads_do_not_mix(tmp_path: Path) -> None:
    """Both are loaded before either imports `late`, and each step of one lies between two steps of the other."""
    script = """
        import helper

        def partition(turn):
            yield helper.NAME
            turn.wait()
            import late
            yield late.NAME
            turn.wait()
            import shapes.round
            yield shapes.round.NAME
    """
    blocks = [
        _engine(
            tmp_path / name,
            textwrap.dedent(script),
            files={
                "helper.py": f"NAME = 'helper {name}'",
                "late.py": "import helper\nNAME = 'late with ' + helper.NAME",
                "shapes/__init__.py": "",
                "shapes/round.py": f"NAME = 'round {name}'",
            },
        )
        for name in ("one", "two", "one again")
    ]
    turn = threading.Barrier(4, timeout=60)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda block: _run(block, "partition", turn), [*blocks, blocks[0]]))
    told = [[f"helper {name}", f"late with helper {name}", f"round {name}"] for name in ("one", "two", "one again")]
    assert made == [*told, told[0]]


def test_the_first_to_end_leaves_the_others_modules(tmp_path: Path) -> None:
    script = "import helper\n\ndef partition():\n    yield helper.NAME\n    import late\n    yield late.NAME\n"
    block = _engine(
        tmp_path, script, files={"helper.py": "NAME = 1", "late.py": "import helper\nNAME = helper.NAME + 1"}
    )
    with loaded_engine(block, "partition") as outer:
        made = outer()
        assert next(made) == 1
        assert _run(block) == [1, 2]
        assert next(made) == 2


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    block = _engine(tmp_path, "import helper\n1 / 0\n", files={"helper.py": ""})
    with pytest.raises(ZeroDivisionError):
        _run(block)


def test_a_missing_sibling_is_told_as_one(tmp_path: Path) -> None:
    block = _engine(tmp_path, "import shapes.square", files={"shapes/__init__.py": ""})
    with pytest.raises(EngineError, match=r"^tried@1\.0: imports 'shapes\.square', which is not in app/\.$"):
        _run(block)


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
        _run(_engine(tmp_path, script))
    assert caught.value.exit_code == 7
    assert "\n" not in str(caught.value)


def test_another_mistake_of_the_script_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _run(_engine(tmp_path, "1 / 0"))


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
