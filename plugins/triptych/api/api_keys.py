"""API keys: a secret that is shown once, for one user of Airflow's, with an end; `_api/keys/<id>.json` has its digest.

The record is sealed: who can write to the workspace, as every worker can, makes no key of another user's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from triptych.api.answers import ApiError
from triptych.api.kept import Kept
from triptych.api.tokens import seal
from triptych.jobs.workspace import to_json
from triptych.schemas.credentials import is_credential
from triptych.settings import DAY_S

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

MOST_DAYS = 366
_KEY = re.compile(r"trk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_FOLDER = "keys"


@dataclass(frozen=True)
class ApiKey:
    """A key but for its secret. `user` is what Airflow's auth manager makes a user of; times are in ISO 8601."""

    id: str
    name: str
    owner: str
    user: Mapping[str, Any]
    created: str
    expires: str
    sha256: str

    @property
    def has_ended(self) -> bool:
        """Whether its time is over."""
        return datetime.fromisoformat(self.expires) <= datetime.now(UTC)

    def shown(self) -> dict[str, Any]:
        """What its owner is told of it."""
        return {"id": self.id, "name": self.name, "createdAt": self.created, "expiresAt": self.expires}


def make_key(user: BaseUser, name: str, days: float) -> tuple[ApiKey, str]:
    """A new key for this user, and its text, which nobody can tell again.

    ApiError for a lifetime that is none, and where users carry logins of their own, that end before it.
    """
    if not 0 < days <= MOST_DAYS:
        raise ApiError(400, f"validDays: must be above 0, and {MOST_DAYS} at most.")
    about = auth_manager().serialize_user(user)
    if any(is_credential(key) for key in about):
        raise ApiError(400, "Users of this auth manager carry tokens of their own: use Airflow's tokens, not API keys.")
    identity, secret, now = secrets.token_hex(8), secrets.token_urlsafe(32), datetime.now(UTC)
    ends = now + timedelta(seconds=days * DAY_S)
    key = ApiKey(identity, name, user.get_id(), about, now.isoformat(), ends.isoformat(), _digest(secret))
    Kept(_FOLDER).put(identity, {**asdict(key), "seal": _seal(key)}, None)
    return key, f"trk_{identity}_{secret}"


def keys_of(owner: str) -> Iterator[ApiKey]:
    """Those of a user's keys that are still good, the newest first."""
    kept = Kept(_FOLDER)
    found = [key for name in kept.names() if (key := _read(name)) and key.owner == owner]
    yield from sorted(found, key=lambda key: key.created, reverse=True)


def revoke_key(owner: str, identity: str) -> None:
    """End a user's own key, and every token that was made with it; ApiError for any other."""
    key = _read(identity)
    if key is None or key.owner != owner:
        raise ApiError(404, "You have no API key of this id. `triptych api-key list` shows yours.")
    Kept(_FOLDER).remove(identity)


def key_of_text(text: str) -> ApiKey:
    """The key of this text; ApiError for any that is not good, or not any more."""
    match = _KEY.fullmatch(text.strip())
    key = _read(match[1]) if match else None
    if match is None or key is None or not hmac.compare_digest(key.sha256, _digest(match[2])):
        raise ApiError(
            401, "This API key is unknown, was revoked, or has expired: `triptych api-key create` makes one."
        )
    return key


def user_of_key(identity: str) -> BaseUser:
    """The user of a key that is still good, as the auth manager knows them now; ApiError for any other."""
    key = _read(identity)
    user = _known(dict(key.user)) if key else None
    if user is None:
        raise ApiError(401, "The API key behind this token was revoked, has expired, or its user is gone.")
    return user


def airflow_token(user: BaseUser, lifetime_s: int) -> str:
    """One of Airflow's own tokens for this user."""
    return str(auth_manager().generate_jwt(user, expiration_time_in_seconds=lifetime_s))


def _read(identity: str) -> ApiKey | None:
    found = Kept(_FOLDER).read(identity) if re.fullmatch("[0-9a-f]{16}", identity) else None
    if found is None:
        return None
    sealed = found[0].pop("seal", "")
    try:
        key = ApiKey(**found[0])
    except TypeError:
        return None
    is_sound = hmac.compare_digest(str(sealed), _seal(key)) and key.id == identity
    return key if is_sound and not key.has_ended else None


def _known(about: dict[str, Any]) -> BaseUser | None:
    """The user, if there still is such a one. The SimpleAuthManager's say themselves which role they have."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
    from airflow.configuration import conf

    manager = auth_manager()
    is_open = conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False)
    if isinstance(manager, SimpleAuthManager) and not is_open:
        now = {user.username: manager.serialize_user(user) for user in manager.get_users()}
        about = now.get(str(about.get("sub")), {})
    try:
        user: BaseUser | None = manager.deserialize_user(about) if about else None
    except (ValueError, KeyError):
        return None
    return user


def auth_manager() -> BaseAuthManager[Any]:
    """Airflow's own, which knows its users."""
    from airflow.api_fastapi.app import get_auth_manager

    return get_auth_manager()


def _digest(secret: str) -> str:
    # 256 bits of chance: nobody guesses them, however fast the hash is.
    return hashlib.sha256(secret.encode()).hexdigest()


def _seal(key: ApiKey) -> str:
    return seal(to_json(asdict(key)))
