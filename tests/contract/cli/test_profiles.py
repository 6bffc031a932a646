"""Profiles: an Airflow by name, whose login lies in a file of the user's own and nowhere else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.command import call
from tests.support.hostile_server import HostileServer, Reply, Request, hostile_server
from triptych.cli import app

TOKEN = "eyJ0b2tlbiI6.c2VjcmV0.7731"
NO_RUNS = json.dumps({"dags": [], "total_entries": 0})


@pytest.fixture(autouse=True)
def _config(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    for name in ("TRIPTYCH_PROFILE", "AIRFLOW_TOKEN", "AIRFLOW_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (home / "include").mkdir()


@pytest.fixture
def path(home: Path) -> Path:
    return home / "config" / "triptych" / "profiles.toml"


def _add(*arguments: str, secret: str = f"{TOKEN}\n") -> Result:
    return CliRunner().invoke(app, ["profile", "add", *arguments], input=secret)


def _asked(server: HostileServer) -> list[Request]:
    server.answer = lambda _: Reply(NO_RUNS.encode())
    return server.requests


def test_a_secret_comes_by_standard_input_into_a_file_that_nobody_else_reads(path: Path) -> None:
    made = _add("mine", "--airflow", "http://127.0.0.1:1", "--token-stdin", "--workspace", "s3://b/jobs")
    assert made.exit_code == 0, made.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TOKEN in path.read_text()
    shown = call("profile", "list", "--json")
    assert TOKEN not in shown.output + made.output + call("profile", "list").output
    (told,) = json.loads(shown.stdout)
    assert (told["profile"], told["airflow"], told["login"], told["workspace"]) == (
        *("mine", "http://127.0.0.1:1", "token kept", "s3://b/jobs"),
    )
    path.chmod(0o644)
    refused = call("job", "list", "--profile", "mine")
    assert (refused.exit_code, f"chmod 600 {path}" in refused.stderr) == (2, True)


def test_a_command_goes_to_the_profiles_airflow_with_its_token_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with hostile_server() as mine, hostile_server() as other:
        asked, elsewhere = _asked(mine), _asked(other)
        assert _add("mine", "--airflow", mine.url, "--token-stdin").exit_code == 0
        assert call("job", "list", "--profile", "mine").exit_code == 0
        assert {request.headers["Authorization"] for request in asked} == {f"Bearer {TOKEN}"}
        monkeypatch.setenv("TRIPTYCH_PROFILE", "mine")
        count = len(asked)
        assert call("job", "list").exit_code == 0
        assert len(asked) > count
        count = len(asked)
        assert call("job", "list", "--profile", "none").exit_code == 0
        assert len(asked) == count
        # Another Airflow never hears the profile's token.
        assert call("job", "list", "--airflow", other.url).exit_code == 2
        monkeypatch.setenv("AIRFLOW_TOKEN", "another")
        assert call("job", "list", "--airflow", other.url).exit_code == 0
        assert {request.headers["Authorization"] for request in elsewhere} == {"Bearer another"}
        both = call("job", "list", "--airflow", other.url, "--profile", "mine")
        assert (both.exit_code, "give one of them" in both.stderr) == (2, True)


def test_a_profile_is_forgotten(path: Path) -> None:
    _add("mine", "--airflow", "http://127.0.0.1:1", "--token-stdin")
    _add("other", "--airflow", "http://127.0.0.1:2", "--token-env", "AIRFLOW_TOKEN")
    assert call("profile", "remove", "mine").exit_code == 0
    assert TOKEN not in path.read_text()
    gone = call("job", "list", "--profile", "mine")
    assert (gone.exit_code, "there is no such profile" in gone.stderr, "other" in gone.stderr) == (2, True, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mine", "is no TOML"),
        ("[mine]\nuser = 'me'\n", "needs a line airflow"),
        ("[mine]\nairflow = 'http://a'\nairflw = 'b'\n", "airflw: is unknown. Did you mean"),
        ("[mine]\nairflow = 'http://a'\nuser = 3\n", "user: is a text"),
    ],
)
def test_a_file_that_is_wrong_is_named(path: Path, text: str, words: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    shown = call("job", "list", "--profile", "mine")
    assert (shown.exit_code, words in shown.stderr, str(path) in shown.stderr) == (2, True, True)


@pytest.mark.parametrize(
    ("arguments", "secret", "words"),
    [
        (("none", "--token-stdin"), "x\n", "can name no profile"),
        (("mine", "--token-stdin"), "", "Standard input holds no line"),
        (("mine", "--token-stdin", "--password-stdin"), "x\n", "holds one of them"),
        (("mine", "--password-stdin"), "x\n", "--user is missing"),
    ],
)
def test_what_can_be_no_profile(arguments: tuple[str, ...], secret: str, words: str, path: Path) -> None:
    shown = _add(*arguments, "--airflow", "http://127.0.0.1:1", secret=secret)
    assert (shown.exit_code, words in shown.stderr) == (2, True)
    assert not path.exists()
