"""`triptych validate`: it tells of every block that would be a broken DAG, and of no sound one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.bad_blocks import BAD, SOUND, write_bad, write_healthy, write_sound
from tests.support.command import call
from tests.support.include_folders import write_app
from triptych.settings import get_settings

if TYPE_CHECKING:
    import pytest


def test_all_that_airflow_would_refuse_is_told_with_its_file(home: Path) -> None:
    for name in BAD:
        write_bad(home / "include", name)
    for name in SOUND:
        write_sound(home / "include", name)
    write_healthy(home / "include", "syntax")
    (home / "include" / "apps" / "syntax" / "app" / "main.py").write_text("def f(:\n")
    shown = call("validate", "--json")
    assert shown.exit_code == 3
    told = json.loads(shown.stdout)
    assert told["notChecked"] == ""
    messages: dict[str, str] = {}
    for error in told["errors"]:
        name = Path(error["file"]).relative_to(home / "include" / "apps").parts[0]
        messages[name] = f"{messages.get(name, '')}{error['location']}: {error['message']}\n"
    assert "line 1, column 7: is no Python" in messages.pop("syntax")
    assert sorted(messages) == sorted(BAD)
    assert [name for name, said in messages.items() if BAD[name].says not in said] == []
    assert not list(home.rglob("airflow.cfg"))


def test_an_error_in_a_script_belongs_to_its_app(home: Path) -> None:
    for name in ("one", "two"):
        write_healthy(home / "include", name)
    (home / "include" / "apps" / "one" / "app" / "main.py").write_text("def f(:\n")
    assert [call("app", "validate", name).exit_code for name in ("one", "two")] == [3, 0]


def test_a_network_that_no_setting_lists_here_is_a_warning(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_healthy(home / "include", "near")
    path = home / "include" / "apps" / "near" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["platform_config"] = {**manifest.get("platform_config", {}), "network": "apps"}
    path.write_text(json.dumps(manifest))
    told = json.loads(call("validate", "--no-airflow", "--json").stdout)
    assert [(each["file"], each["location"]) for each in told["warnings"]] == [(str(path), "$.platform_config.network")]
    assert "the network 'apps' is none that apps may have here (none)" in told["warnings"][0]["message"]
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__ALLOWED_NETWORKS", "apps")
    get_settings.cache_clear()
    assert json.loads(call("validate", "--no-airflow", "--json").stdout)["warnings"] == []


def test_what_no_class_of_machines_has_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_app(home / "include", "", manifest={"device_requirements": {"gpu": 1}})
    assert call("validate", "--no-airflow").exit_code == 0
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__CLASSES", '{"small": {"cores": 4, "memory_gib": 16}}')
    get_settings.cache_clear()
    for options in (["--no-airflow"], []):
        (error,) = json.loads(call("validate", "--json", *options).stdout)["errors"]
        assert error["location"] == "$.device_requirements"
        assert "app tried@1.0 asks for 1 GPU(s)" in error["message"]
        assert "small (4 cores, 16 GiB)" in error["message"]
