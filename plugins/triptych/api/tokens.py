"""Tokens of our own: who asks, and which one object a link is for. Each has an audience and an end.

They are signed with a key that follows from the one by which Airflow's API servers sign theirs: all instances read
them, Airflow takes none of them for its own, and what workers know of `[api] secret_key` forges none.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import jwt

from triptych.api.answers import ApiError

_TYPE = "triptych+jwt"
_ALGORITHM = "HS256"


class Audience(StrEnum):
    """What a token is good for; none is taken for another."""

    ACCESS = "triptych:access"
    RESULT = "triptych:result"
    UPLOAD = "triptych:upload"


def sign(audience: Audience, claims: Mapping[str, Any], lifetime_s: int) -> str:
    """A token that says `claims`, for so many seconds."""
    about = {**claims, "aud": audience.value, "exp": int(time.time()) + lifetime_s}
    return jwt.encode(about, signing_key(), _ALGORITHM, headers={"typ": _TYPE})


def is_ours(token: str) -> bool:
    """Whether it says of itself that it is one of these; `read` finds out."""
    try:
        return jwt.get_unverified_header(token).get("typ") == _TYPE
    except jwt.InvalidTokenError:
        return False


def read(audience: Audience, token: str, status: int = 401) -> Mapping[str, Any]:
    """The claims of a token; ApiError with this status for one that has ended, or is none for this."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, signing_key(), [_ALGORITHM], audience=audience.value, options={"require": ["exp", "aud"]}
        )
    except jwt.ExpiredSignatureError:
        raise ApiError(status, "This token or link has expired. Ask for a new one.") from None
    except (jwt.InvalidTokenError, ValueError):
        raise ApiError(status, "This is no token that Triptych has signed for this.") from None
    return claims


def seal(text: bytes) -> str:
    """A code, in hexadecimal, that only who knows the key can make of this text."""
    return hmac.new(signing_key(), b"seal\0" + text, hashlib.sha256).hexdigest()


@cache
def signing_key() -> bytes:
    """The key of all tokens and seals of ours; see the top."""
    from airflow.configuration import conf

    path = conf.get("api_auth", "jwt_private_key_path", fallback="")
    secret = Path(path).read_bytes() if path else conf.get_mandatory_value("api_auth", "jwt_secret").encode()
    return hmac.new(secret, b"triptych/jobs-api", hashlib.sha256).digest()
