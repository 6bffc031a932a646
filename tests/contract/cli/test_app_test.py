"""`triptych app test`: an app's samples as jobs, beside what is expected of them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from triptych.scaffold.scaffold import Language

UPPER = 'tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/r.txt"\n'
PROCESS = ("--runner", "process")


@pytest.fixture
def shout(home: Path) -> Path:
    """The app `tried`, which writes capitals, with a sample and what is right."""
    write_app(home / "include", UPPER, entrypoint="main.sh", template={"partitioner": "passthrough"})
    folder = home / "include" / "apps" / "tried"
    _write(folder / "test" / "sample.txt", "one\ntwo\n")
    _write(folder / "test" / "expected" / "r.txt", "ONE\nTWO\n")
    return folder


def _write(path: Path, content: str | Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def _results(*arguments: str | Path) -> dict[str, dict[str, Any]]:
    """By the case's name."""
    shown = call("app", "test", *arguments, *PROCESS, "--json")
    return {case["case"]: case for case in json.loads(shown.stdout)["cases"]}


@pytest.mark.parametrize("language", list(Language))
def test_a_new_app_passes_and_fails_once_its_script_is_broken(home: Path, language: Language) -> None:
    (home / "include").mkdir()
    made = call("app", "new", "mine", "--language", language.value)
    assert "triptych app test mine" in made.stderr
    passed = call("app", "test", "mine", *PROCESS)
    assert (passed.exit_code, passed.stdout[:8]) == (0, "ok      "), passed.stdout
    (script,) = (home / "include" / "apps" / "mine" / "app").iterdir()
    script.write_text(script.read_text().replace("{line}\\n", "{line[1:]}\\n").replace("'[:upper:]'", "x"))
    failed = call("app", "test", *PROCESS)
    assert failed.exit_code == 1
    assert "output.txt, line 1:" in failed.stdout
    assert "and 4 more difference(s) in this file" in failed.stdout


@pytest.mark.docker
def test_it_runs_in_containers(shout: Path) -> None:
    done = call("app", "test", "tried")
    assert done.exit_code == 0, done.stdout + done.stderr


def test_a_difference_is_told_by_file_line_and_both_texts(shout: Path) -> None:
    (shout / "test" / "expected" / "r.txt").write_text("ONE\nTOO\n")
    shown = call("app", "test", *PROCESS)
    assert shown.exit_code == 1
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("FAILED  tried (")
    assert [line.strip() for line in lines[1:]] == ["r.txt, line 2:", "expected: TOO", "got:      TWO"]
    assert "1 case(s): 1 failed." in shown.stderr


def test_a_script_that_fails_is_told_once_with_its_place(shout: Path) -> None:
    about = json.loads((shout / "manifest.json").read_text())
    (shout / "manifest.json").write_text(json.dumps({**about, "entrypoint": "main.py"}))
    (shout / "template.json").write_text('{"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}}')
    (shout / "app" / "main.py").write_text("import sys\n\nno_such_name\n")
    result = _results()["tried"]
    assert result["state"] == "error"
    assert result["error"].count("NameError") == 1
    assert f'File "{shout}/app/main.py", line 3' in result["error"]
    assert "And 2 more." in result["error"]


def test_cases_have_folders_parameters_and_sources_of_their_own(shout: Path, home: Path) -> None:
    schema = {"properties": {"word": {"type": "string"}}}
    (shout / "schema.json").write_text(json.dumps(schema))
    (shout / "app" / "main.sh").write_text(
        '{ cat "$TASK_DIR/data.bin"; echo "$APP_PARAMS"; } > "$TASK_RESULTS_DIR/r.txt"'
    )
    (shout / "test" / "expected" / "r.txt").write_text("one\ntwo\n{}\n")
    _write(shout / "test" / "shared" / "case.json", {"dataSource": "../sample.txt", "params": {"app": {"word": "x"}}})
    _write(shout / "test" / "shared" / "expected" / "r.txt", 'one\ntwo\n{"word": "x"}\n')
    _write(shout / "test" / "own" / "expected" / "r.txt", "three\n{}\n")
    _write(shout / "test" / "own" / "three.txt", "three\n")
    _write(shout / "test" / "own" / "SOURCE.md", "Typed.")
    _write(shout / "test" / "no_case" / "data.txt", "no sample of any case")
    found = _results()
    assert {name: case["state"] for name, case in found.items()} == dict.fromkeys(
        ["tried", "tried/own", "tried/shared"], "passed"
    ), found
    assert list(_results("tried/own")) == ["tried/own"]
    assert list(_results(shout / "test" / "shared")) == ["tried/shared"]
    assert list(_results("tried/own", shout)) == ["tried/own", "tried", "tried/shared"]


def test_a_case_may_be_of_another_template_with_side_inputs(shout: Path, home: Path) -> None:
    template = {"id": "other", "app": "tried", "inputs": {"words": None}, "config": {"maxTaskRetries": 2}}
    _write(shout / "other" / "template.json", template)
    (shout / "app" / "main.sh").write_text(
        'exec > "$TASK_RESULTS_DIR/r.txt"; cat "$INPUTS_DIR"/words/* || tr a-z A-Z < "$TASK_DIR/data.bin"'
    )
    _write(
        shout / "test" / "b" / "case.json",
        {"template": "other", "data_source": "../sample.txt", "inputs": {"words": "words/"}},
    )
    _write(shout / "test" / "b" / "words" / "w.txt", "a word")
    _write(shout / "test" / "b" / "expected" / "r.txt", "a word")
    assert {name: case["state"] for name, case in _results().items()} == {"tried": "passed", "tried/b": "passed"}


def test_a_script_of_the_apps_own_may_judge(shout: Path) -> None:
    check = "import pathlib, sys\ngot, expected = map(pathlib.Path, sys.argv[1:])\n"
    check += "sys.exit((got / 'r.txt').read_text().lower() != (expected / 'lower.txt').read_text() and 'other words')\n"
    _write(shout / "test" / "check.py", check)
    _write(shout / "test" / "expected" / "lower.txt", "one\ntwo\n")
    assert _results()["tried"]["state"] == "passed"
    (shout / "test" / "expected" / "lower.txt").write_text("three\n")
    (difference,) = _results("--update")["tried"]["differences"]
    assert difference["message"] == "check.py: other words"
    assert (shout / "test" / "expected" / "lower.txt").read_text() == "three\n"


def test_what_a_case_says_of_files_is_heeded(shout: Path) -> None:
    (shout / "test" / "expected" / "r.txt").write_text("TWO\nONE\n")
    assert _results()["tried"]["state"] == "failed"
    _write(shout / "test" / "case.json", {"compare": {"*.txt": "unordered_lines"}})
    assert _results()["tried"]["state"] == "passed"


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ({"compare": {"*.txt": "lines"}}, "case.json: $.compare.*.txt"),
        ({"compares": {}}, "compares"),
        ({"check": "missing.py"}, "case.json: $.check: there is no such file."),
        ({"template": "tryed"}, "Did you mean 'tried'?"),
        ({"params": {"app": {"x": 1}}}, "params.app"),
        ({"data_source": "missing.txt"}, "missing.txt"),
    ],
)
def test_a_mistake_in_a_case_is_its_result_and_hides_no_other(shout: Path, case: dict[str, Any], told: str) -> None:
    (shout / "schema.json").write_text('{"properties": {}, "additionalProperties": false}')
    _write(shout / "test" / "bad" / "case.json", case)
    _write(shout / "test" / "bad" / "sample.txt", "x")
    found = _results()
    assert found["tried"]["state"] == "passed"
    assert found["tried/bad"]["state"] == "error"
    assert told in found["tried/bad"]["error"]


def test_update_shows_what_changes_and_writes_it(shout: Path) -> None:
    expected = shout / "test" / "expected"
    (expected / "r.txt").write_text("1\n")
    (expected / "old.txt").write_text("no more")
    shown = call("app", "test", "--update", *PROCESS)
    assert shown.exit_code == 0
    assert "old.txt: is expected, and the job did not make it." in shown.stdout
    assert "got:      ONE" in shown.stdout
    assert {path.name: path.read_text() for path in expected.iterdir()} == {"r.txt": "ONE\nTWO\n"}
    assert call("app", "test", "--update", *PROCESS).stdout.startswith("ok ")


def test_a_lone_sample_is_no_test_until_something_is_expected(shout: Path) -> None:
    (shout / "test" / "expected" / "r.txt").unlink()
    (shout / "test" / "expected").rmdir()
    shown = call("app", "test", *PROCESS)
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "Without a test: tried." in shown.stderr
    asked = call("app", "test", "tried", *PROCESS)
    assert asked.exit_code == 1
    assert "triptych app test tried --update" in asked.stdout
    assert call("app", "test", "--update", *PROCESS).exit_code == 0
    assert (shout / "test" / "expected" / "r.txt").read_text() == "ONE\nTWO\n"


def test_what_is_not_there_to_test_is_refused(shout: Path, home: Path) -> None:
    write_app(home / "include", UPPER, entrypoint="main.sh", name="bare")
    assert call("app", "test", "tired").exit_code == 3
    assert "Its cases: tried." in call("app", "test", "tried/none").stderr
    assert "Put a sample into its folder test/." in call("app", "test", "bare").stderr


def test_results_as_junit_xml(shout: Path, home: Path) -> None:
    (shout / "test" / "expected" / "r.txt").write_text("ONE\n\x1b[31m<&\n")
    _write(shout / "test" / "bad" / "case.json", {"template": "none"})
    _write(shout / "test" / "good" / "case.json", {"data_source": "../sample.txt", "compare": {"*": "exists"}})
    _write(shout / "test" / "good" / "expected" / "r.txt", "")
    assert call("app", "test", *PROCESS, "--junit", home / "ci" / "results.xml").exit_code == 1
    (suite,) = ET.parse(home / "ci" / "results.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    cases = {case.get("name"): [(child.tag, child.text) for child in case] for case in suite}
    assert cases["good"] == []
    assert cases["bad"][0][0] == "error"
    assert "<&" in str(cases["test"][0][1])


def test_outputs_can_be_kept_and_nothing_else_is(shout: Path, home: Path) -> None:
    assert call("app", "test", *PROCESS, "--keep", home / "kept").exit_code == 0
    assert [path.relative_to(home).as_posix() for path in (home / "kept").rglob("*") if path.is_file()] == [
        "kept/tried/r.txt"
    ]
    assert not list((home.parent / "cache").rglob("local-*"))
