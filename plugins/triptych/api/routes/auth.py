"""`/auth`: tokens for API keys, the keys, and who one is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from triptych import __version__
from triptych.api import tokens
from triptych.api.answers import ApiError, done
from triptych.api.api_keys import key_of_text, keys_of, make_key, revoke_key, user_of_key
from triptych.api.bodies import read_body, text_of
from triptych.api.callers import ACCESS_S, CallerDep
from triptych.api.shapes import TEXT, body
from triptych.api.threads import in_thread
from triptych.api.tokens import Audience

router = APIRouter(tags=["auth"])
SCOPE = "jobs"
_DAYS = 90


@router.post("/access_token", openapi_extra=body({"apiKey": TEXT}, ("apiKey",)))
async def access_token(request: Request) -> dict[str, Any]:
    """A token, for an hour, for who has an API key."""
    given = await read_body(request, ("apiKey",))
    key = await in_thread(key_of_text, text_of(given, "apiKey"))
    await in_thread(user_of_key, key.id)
    token = tokens.sign(Audience.ACCESS, {"sub": key.owner, "key": key.id}, ACCESS_S)
    return {"token": token, "expiresIn": str(ACCESS_S), "scope": SCOPE}


@router.post("/signout")
async def signout(caller: CallerDep) -> dict[str, Any]:
    """Nothing to do: a token ends by itself, and with the API key that it was made with."""
    return done()


@router.get("/user")
async def user(caller: CallerDep) -> dict[str, Any]:
    """Who one is to Airflow."""
    unknown = ("createdAt", "lastLogin", "email", "phoneNumber", "photoUrl", "customClaims")
    about = {"id": caller.id, "displayName": caller.user.get_name(), "providerId": "airflow", "emailVerified": False}
    return {"user": {**dict.fromkeys(unknown), **about, "role": ""}}


@router.get("/info")
async def info() -> dict[str, Any]:
    """The version of the server."""
    return {"version": __version__, "messages": []}


@router.get("/api_keys")
async def list_keys(caller: CallerDep) -> dict[str, Any]:
    """One's own API keys that are still good, without their secrets."""
    return {"apiKeys": [key.shown() for key in await in_thread(lambda: list(keys_of(caller.id)))]}


@router.post("/api_keys", openapi_extra=body({"name": TEXT, "validDays": {"type": "number", "default": _DAYS}}))
async def create_key(request: Request, caller: CallerDep) -> dict[str, Any]:
    """Make an API key for oneself: `apiKey` is shown this once. Not for who has come by an API key themselves."""
    if caller.is_by_key:
        raise ApiError(403, "An API key makes no other: log in to Airflow, and use its token for this.")
    given = await read_body(request, ("name", "validDays"))
    days = given.get("validDays", _DAYS)
    if isinstance(days, bool) or not isinstance(days, int | float):
        raise ApiError(400, "validDays: must be a number.")
    key, text = await in_thread(make_key, caller.user, text_of(given, "name")[:200], days)
    return {**key.shown(), "apiKey": text}


@router.post("/api_keys/{key_id}/revoke")
async def revoke(key_id: str, caller: CallerDep) -> dict[str, Any]:
    """End one's own API key, and every token that was made with it, at once."""
    await in_thread(revoke_key, caller.id, key_id)
    return done()
