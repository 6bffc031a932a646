"""What the Jobs API keeps in a workspace, on each store: drafts, API keys, uploads."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from starlette.requests import Request

from tests.support.places import STRICT, Place
from triptych.api import api_keys, drafts, kept, tokens, uploads
from triptych.api.answers import ApiError
from triptych.api.drafts import LIFETIME_S, Draft, Drafts, new_id
from triptych.errors import ObjectConflictError
from triptych.settings import read_settings

REQUEST = Request({"type": "http", "headers": [], "server": ("here", 80), "scheme": "http", "path": "/"})


class Manager(SimpleAuthManager):  # type: ignore[misc]  # Airflow gives it no type.
    """Knows the user ann, until somebody takes her out."""

    users: list[SimpleAuthManagerUser]

    def get_users(self) -> list[SimpleAuthManagerUser]:
        return self.users


@pytest.fixture(autouse=True)
def workspace(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    settings = read_settings({"workspace": place.root.rstrip("/")})
    opened = SimpleNamespace(workspace=lambda: place.store)
    for module in (kept, uploads):
        monkeypatch.setattr(module, "stores", lambda: opened)
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    monkeypatch.setattr(tokens, "signing_key", lambda: b"a key of this test, of 32 bytes!")
    return place


@STRICT
def test_a_change_of_what_somebody_else_changed_is_refused() -> None:
    mine = Drafts("ann")
    draft = Draft(new_id(), "count", name="a")
    mine.add(draft)
    one, two = mine.find(draft.id), mine.find(draft.id)
    assert one is not None
    assert two is not None
    mine.keep(dataclasses.replace(one, name="b", upload=("area", "name")))
    with pytest.raises(ObjectConflictError):
        mine.keep(dataclasses.replace(two, name="c"))
    found = mine.find(draft.id)
    assert found is not None
    assert (found.name, found.upload) == ("b", ("area", "name"))
    assert [each.id for each in mine.all()] == [draft.id]
    assert Drafts("bob").find(draft.id) is None
    assert Drafts("bob").all() == []


@STRICT
def test_a_draft_ends_by_the_time_in_its_id(workspace: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, draft = Drafts("ann"), Draft(new_id(), "count")
    mine.add(draft)
    made_s = (UUID(draft.id).int >> 80) / 1000
    monkeypatch.setattr(drafts, "time", SimpleNamespace(time=lambda: made_s + LIFETIME_S - 1))
    assert mine.find(draft.id) is not None
    monkeypatch.setattr(drafts, "time", SimpleNamespace(time=lambda: made_s + LIFETIME_S + 1))
    assert mine.find(draft.id) is None
    assert workspace.names("_api/drafts/") != []
    assert mine.all() == []
    assert workspace.names("_api/drafts/") == []


@pytest.mark.parametrize("odd", ["", "..", "a/b", "../keys/0123456789abcdef", "01A21A88-6356-70E0-BB65-0D1680442A7F"])
@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_an_id_that_is_none_of_a_draft_names_no_object(odd: str) -> None:
    assert Drafts("ann").find(odd) is None
    Drafts("ann").remove(odd)


@STRICT
def test_a_key_is_good_until_it_is_revoked_or_its_user_is_another(
    workspace: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, manager = SimpleAuthManagerUser(username="ann", role="user", teams=[]), Manager()
    manager.users = [ann]
    monkeypatch.setattr(api_keys, "auth_manager", lambda: manager)
    key, text = api_keys.make_key(ann, "laptop", 1)
    (name,) = workspace.names("_api/keys/")
    stored = workspace.store.read(workspace.root + name)
    assert text.split("_", 2)[2].encode() not in stored
    assert api_keys.key_of_text(f" {text}\n") == key
    assert [each.id for each in api_keys.keys_of("ann")] == [key.id]
    assert list(api_keys.keys_of("bob")) == []
    assert api_keys.user_of_key(key.id).get_name() == "ann"
    for wrong in (text[:-1] + ("A" if text[-1] != "A" else "B"), text.replace(key.id, "0" * 16), "", "trk__", "x" * 99):
        with pytest.raises(ApiError):
            api_keys.key_of_text(wrong)
    manager.users = [SimpleAuthManagerUser(username="ann", role="viewer", teams=[])]
    assert manager.serialize_user(api_keys.user_of_key(key.id))["role"] == "viewer"
    manager.users = []
    with pytest.raises(ApiError):
        api_keys.user_of_key(key.id)
    manager.users = [ann]
    forged = {**json.loads(stored), "owner": "bob"}
    workspace.put(name, json.dumps(forged).encode())
    with pytest.raises(ApiError):
        api_keys.key_of_text(text)
    workspace.put(name, stored)
    with pytest.raises(ApiError):
        api_keys.revoke_key("bob", key.id)
    api_keys.revoke_key("ann", key.id)
    with pytest.raises(ApiError):
        api_keys.user_of_key(key.id)


@STRICT
def test_an_upload_goes_to_its_address_and_is_the_source_then(
    workspace: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 takes a plain PUT, as clients of job services make it; elsewhere, and of Google's where no key signs, the
    address is of our own."""
    monkeypatch.setattr(uploads, "address", lambda request, path: f"ours:{path}")
    source: dict[str, Any] = {"dataSourceDescriptor": "file", "params": {"name": "/videos/é a.mp4"}}
    draft = uploads.with_source(Draft(new_id(), "count"), {"dataSource": source})
    assert draft.upload is not None
    with pytest.raises(ApiError, match="nothing was uploaded"):
        uploads.uploaded_source(draft)
    told = uploads.upload_params(draft, REQUEST)
    assert told is not None
    assert told["name"] == "é a.mp4"
    if told["tempUrl"].startswith("ours:"):
        assert not workspace.root.startswith("s3:")
        claims = tokens.read(tokens.Audience.UPLOAD, told["tempUrl"].partition("token=")[2])
        assert (claims["area"], claims["name"]) == draft.upload
        workspace.store.put(uploads.upload_uri(*draft.upload), b"film")
    else:
        sent = httpx.put(told["tempUrl"], content=b"film", headers={"Content-Disposition": "attachment"})
        assert sent.status_code < 300, sent.text
    path = uploads.uploaded_source(draft)["dataSource"]["params"]["path"]
    assert path == f"upload://{draft.upload[0]}/%C3%A9%20a.mp4"
    assert workspace.store.read(uploads.upload_uri(*draft.upload)) == b"film"
