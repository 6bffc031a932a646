"""Which server, and who one is there: by argument, environment or profile, and what is said where one is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.client import Client, LoginError
from triptych.client.login import Login, find_login
from triptych.errors import ConfigError
from triptych.profiles import Profile, write_profiles

HERE = "https://airflow.example.com"


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("TRIPTYCH_URL", "TRIPTYCH_API_KEY", "TRIPTYCH_PROFILE", "AIRFLOW_TOKEN", "AIRFLOW_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("url", [HERE, f"{HERE}/", f"{HERE}/triptych/v1", f"{HERE}/triptych/v1/", f" {HERE}\n"])
def test_the_address_is_airflows_or_the_apis(url: str) -> None:
    assert Client(url, api_key="k").url == HERE


def test_what_is_given_wins_over_the_environment_and_that_over_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles({"mine": Profile("https://mine.example.com", api_key="of the profile")})
    monkeypatch.setenv("TRIPTYCH_PROFILE", "mine")
    assert find_login(None, None, None, None) == Login("https://mine.example.com", api_key="of the profile")
    monkeypatch.setenv("TRIPTYCH_URL", HERE)
    monkeypatch.setenv("TRIPTYCH_API_KEY", "of the environment")
    assert find_login(None, None, None, None) == Login(HERE, api_key="of the environment")
    assert find_login(None, "given", None, None) == Login(HERE, api_key="given")
    assert find_login(None, None, None, "mine") == Login("https://mine.example.com", api_key="of the profile")


def test_a_profiles_secret_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    write_profiles({"mine": Profile("https://mine.example.com", api_key="of the profile")})
    monkeypatch.setenv("TRIPTYCH_PROFILE", "mine")
    with pytest.raises(ConfigError, match="Who are you to https://airflow"):
        find_login(HERE, None, None, None)
    with pytest.raises(ConfigError, match="give one of them"):
        find_login(HERE, None, None, "mine")


@pytest.mark.parametrize(
    ("profile", "login"),
    [
        (Profile(HERE, token="t"), Login(HERE, token="t")),
        (Profile(HERE, api_key_env="KEY"), Login(HERE, api_key="in KEY")),
        (Profile(HERE, user="ann", password="p"), Login(HERE, user="ann", password="p")),
    ],
)
def test_a_profile_gives_what_it_has(profile: Profile, login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "in KEY")
    write_profiles({"mine": profile})
    assert find_login(None, None, None, "mine") == login


@pytest.mark.parametrize("url", ["airflow.example.com", "ftp://a", "https://", "https://[", "http://a?x=1", "/x"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of an Airflow"):
        find_login(url, "key", None, None)


def test_what_is_missing_is_said_with_where_it_may_stand() -> None:
    with pytest.raises(ConfigError, match=r"TRIPTYCH_URL.*triptych profile add.*TRIPTYCH_PROFILE"):
        Client()
    with pytest.raises(ConfigError, match="holds no login") as refused:
        Client("https://ann:hush@airflow.example.com", api_key="k")
    assert "hush" not in str(refused.value)
    write_profiles({"bare": Profile(HERE)})
    with pytest.raises(ConfigError, match="has no login"):
        Client(profile="bare")


def test_what_is_secret_is_shown_nowhere() -> None:
    assert "hush" not in repr(Login(HERE, "hush", "hush", "ann", "hush"))
    assert "hush" not in repr(Client(HERE, api_key="hush"))
    assert issubclass(LoginError, PermissionError)
