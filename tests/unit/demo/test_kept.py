"""What `make up` finds again, and what is said where it cannot."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from triptych.demo.kept import kept_home
from triptych.errors import ConfigError


def test_port_and_password_are_found_again(tmp_path: Path) -> None:
    home = tmp_path / "below" / ".airflow"
    with kept_home(home) as first:
        assert first.is_new
    with kept_home(home) as second:
        assert not second.is_new
        assert (second.port, second.password) == (first.port, first.password)
    with kept_home(tmp_path / "other") as other:
        assert other.password != first.password


def test_nobody_else_reads_the_password(tmp_path: Path) -> None:
    with kept_home(tmp_path / "home"):
        assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "home" / "kept.json").stat().st_mode & 0o777 == 0o600


def test_one_at_a_time(tmp_path: Path) -> None:
    with kept_home(tmp_path), pytest.raises(ConfigError, match="already: stop it with Ctrl-C"), kept_home(tmp_path):
        pass
    with kept_home(tmp_path):
        pass


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with kept_home(tmp_path) as kept:
        pass
    taken = pytest.raises(ConfigError, match=f"Port {kept.port} is taken")
    with socket.create_server(("127.0.0.1", kept.port)), taken, kept_home(tmp_path):
        pass
    with kept_home(tmp_path) as again:
        assert again.port == kept.port


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"port": 1})])
def test_another_file_of_that_name_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "kept.json").write_text(text)
    with pytest.raises(ConfigError, match="Remove the file"), kept_home(tmp_path):
        pass


def test_a_home_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Not a directory"), kept_home(tmp_path / "file" / "home"):
        pass
