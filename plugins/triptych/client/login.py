"""Which server is meant, and who one is there: by argument, else by the environment, else by a profile."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from triptych.api.prefix import PREFIX
from triptych.errors import ConfigError
from triptych.profiles import VARIABLE, Profile, chosen_profile

URL, KEY, TOKEN = "TRIPTYCH_URL", "TRIPTYCH_API_KEY", "AIRFLOW_TOKEN"
"""Variables: an Airflow's address, an API key for it, and a token of Airflow's own."""


@dataclass(frozen=True)
class Login:
    """Who one is to the Airflow at `url` (`https://airflow.example.com`): a key, or a token, or a name and password."""

    url: str
    api_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)


def find_login(url: str | None, api_key: str | None, token: str | None, profile: str | None) -> Login:
    """What was given, completed; ConfigError says what is missing, and where it may stand.

    A profile's secrets go to its own Airflow alone, and so with an address, given or in TRIPTYCH_URL, none is read.
    """
    if url and profile:
        msg = "url and profile: give one of them. A profile's login is for its own Airflow."
        raise ConfigError(msg)
    address = url or ("" if profile else os.environ.get(URL, ""))
    chosen = None if address else chosen_profile(profile)
    if not address and chosen is None:
        msg = (
            f"Which Airflow? Give its address, Client('https://airflow.example.com'), or name it by {URL}, by a "
            f"profile (`triptych profile add`), Client(profile='NAME'), or by {VARIABLE}."
        )
        raise ConfigError(msg)
    if api_key or token:
        return Login(_server(address or (chosen.airflow if chosen else "")), api_key or "", token or "")
    if chosen:
        return _of_profile(chosen)
    key, own = os.environ.get(KEY, ""), os.environ.get(TOKEN, "")
    if not key and not own:
        msg = (
            f"Who are you to {address}? Give an API key, Client(url, api_key='trk_...'), or put it into {KEY}; "
            f"`triptych api-key create --airflow {address}` makes one."
        )
        raise ConfigError(msg)
    return Login(_server(address), key, "" if key else own)


def _of_profile(profile: Profile) -> Login:
    """By the best that it has: an API key, a token, a name with a password."""
    url = _server(profile.airflow)
    if key := profile.api_key or os.environ.get(profile.api_key_env or KEY, ""):
        return Login(url, api_key=key)
    if token := profile.token or os.environ.get(profile.token_env or TOKEN, ""):
        return Login(url, token=token)
    password = profile.password or os.environ.get(profile.password_env or "AIRFLOW_PASSWORD", "")
    if profile.user and password:
        return Login(url, user=profile.user, password=password)
    msg = (
        f"The profile of {url} has no login: `triptych profile add` with --api-key-stdin keeps an API key, which "
        f"`triptych api-key create --airflow {url}` makes. {profile.api_key_env or KEY} may hold one, too."
    )
    raise ConfigError(msg)


def _server(url: str) -> str:
    """`https://airflow.example.com/triptych/v1/` -> `https://airflow.example.com`."""
    text = url.strip().rstrip("/").removesuffix(PREFIX).rstrip("/")
    try:
        split = urlsplit(text)
        is_server = split.scheme in ("http", "https") and bool(split.hostname) and not split.query
        has_login = "@" in split.netloc
    except ValueError:
        is_server = has_login = False
    if has_login:
        msg = "The address of an Airflow holds no login: give `api_key` beside it."
        raise ConfigError(msg)
    if not is_server:
        msg = f"{url!r} is no address of an Airflow, such as https://airflow.example.com."
        raise ConfigError(msg)
    return text
