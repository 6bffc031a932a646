"""The REST client against a server that is no Airflow, or means harm: what it sends where, reads, and says."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.hostile_server import HostileServer, Reply, Request, hostile_server
from triptych.airflow.exchange import AnswerLimits
from triptych.airflow.rest import AirflowClient, AirflowError
from triptych.errors import ConfigError

PASSWORD, TOKEN = "open-sesame-7731", "eyJ0b2tlbiI6.c2VjcmV0.7731"
SMALL = AnswerLimits(bytes=1 << 20, pages=3)
RUN = json.dumps({"dag_id": "d", "dag_run_id": "r"})


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with hostile_server() as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[HostileServer]:
    with hostile_server() as running:
        yield running


def _with_token(server: HostileServer, limits: AnswerLimits = SMALL) -> AirflowClient:
    return AirflowClient(server.url, token=TOKEN, limits=limits)


def _with_password(server: HostileServer, limits: AnswerLimits = SMALL) -> AirflowClient:
    return AirflowClient(server.url, "me", PASSWORD, limits=limits)


CALLS: dict[str, Callable[[AirflowClient], object]] = {
    "GET": lambda client: client.dags_of_run("r"),
    "POST": lambda client: client.clear("d", "r"),
    "PATCH": lambda client: client.pause("d"),
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("client", [_with_token, _with_password])
def test_no_login_follows_a_redirect(
    server: HostileServer,
    elsewhere: HostileServer,
    client: Callable[[HostileServer], AirflowClient],
    method: str,
    status: int,
) -> None:
    server.answer = lambda _: Reply(b"moved", status, {"Location": f"{elsewhere.url}/api/v2/dags"})
    with pytest.raises(AirflowError, match=f"it leads to {elsewhere.url}/api/v2/dags, and no login is sent") as caught:
        CALLS[method](client(server))
    assert len(server.requests) == 1
    assert elsewhere.requests == []
    assert caught.value.status == status


def test_a_password_goes_to_the_login_alone_and_a_token_to_what_follows(server: HostileServer) -> None:
    page = {"dag_runs": [json.loads(RUN)], "total_entries": 1}

    def answer(request: Request) -> Reply:
        return Reply(json.dumps({"access_token": TOKEN} if request.target == "/auth/token" else page).encode())

    server.answer = answer
    assert _with_password(server).dags_of_run("r") == ["d"]
    login, asked = server.requests
    assert json.loads(login.body) == {"username": "me", "password": PASSWORD}
    assert "Authorization" not in login.headers
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert PASSWORD not in f"{asked.target}{asked.headers}{asked.body!r}"


@pytest.mark.parametrize("client", [_with_token, _with_password])
def test_a_server_that_says_the_secret_back_is_not_repeated(
    server: HostileServer, client: Callable[[HostileServer], AirflowClient]
) -> None:
    server.answer = lambda request: Reply(f"{request.headers} {request.body!r}".encode(), 400)
    with pytest.raises(AirflowError) as caught:
        client(server).pause("d")
    assert "***" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_without_end_is_broken_off(server: HostileServer, status: int) -> None:
    server.answer = lambda _: Reply(repeat(b"x" * 65536), status)
    with pytest.raises(AirflowError, match="longer than 1,048,576 bytes"):
        _with_token(server).pause("d")
    assert server.hung_up.wait(60)


def test_an_answer_that_does_not_end_in_time_is_broken_off(server: HostileServer) -> None:
    server.answer = lambda _: Reply(repeat(b" "))
    with pytest.raises(AirflowError, match="had not ended after 0 s"):
        _with_token(server, AnswerLimits(seconds=0)).pause("d")
    assert server.hung_up.wait(60)


def test_a_packed_answer_is_refused_unread(server: HostileServer) -> None:
    server.answer = lambda _: Reply(gzip.compress(b" " * (1 << 24)), headers={"Content-Encoding": "gzip"})
    with pytest.raises(AirflowError, match=r"packed \(gzip\)"):
        _with_token(server).dags()
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


def test_a_list_without_end_is_broken_off(server: HostileServer) -> None:
    server.answer = lambda _: Reply(f'{{"dag_runs": [{RUN}], "total_entries": 10000000}}'.encode())
    with pytest.raises(AirflowError, match="more than 3 pages"):
        _with_token(server).dags_of_run("r")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in</html>",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"dag_runs": [], "total_entries": ' + b"9" * 5_000 + b"}",
        b'{"dag_runs": {"a": 1}, "total_entries": 1}',
        b'{"dag_runs": [7], "total_entries": 1}',
        b'{"dag_runs": [{"dag_id": ["d"], "dag_run_id": "r"}], "total_entries": 1}',
        b'{"dag_runs": [], "total_entries": "many"}'.replace(b"[]", b'[{"dag_id": "d", "dag_run_id": "r"}]'),
    ],
    ids=lambda body: repr(body[:40]),
)
def test_what_no_airflow_answers_is_one_sentence(server: HostileServer, body: bytes) -> None:
    server.answer = lambda _: Reply(body)
    with pytest.raises(AirflowError, match=r"the answer (is no JSON object|lacks .*)"):
        _with_token(server).dags_of_run("r")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:open-sesame-7731@127.0.0.1:1",
        "http://me:open-sesame-7731/x@127.0.0.1",
        "me:open-sesame-7731@127.0.0.1",
        "http://127.0.0.1:1?password=open-sesame-7731",
        "file:///etc/passwd",
        "127.0.0.1:8080",
        "http://",
        "",
    ],
)
def test_a_url_with_a_login_or_of_no_server_is_refused_unseen(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AirflowClient(url, token=TOKEN)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Evil: 1", f"{TOKEN} x", f"{TOKEN}é", "\x00"])
def test_a_token_that_no_header_can_carry_is_refused_unseen(server: HostileServer, token: str) -> None:
    with pytest.raises(ConfigError, match="one word of plain letters") as caught:
        AirflowClient(server.url, token=token)
    assert TOKEN not in str(caught.value)


def test_the_end_of_a_line_after_a_token_is_not_the_tokens(server: HostileServer) -> None:
    with pytest.raises(AirflowError):
        AirflowClient(server.url, token=f"{TOKEN}\n").dags()
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("identity", ["../../connections", "a/b", "a?b", "a#b", "a%2Fb", "a\nb", "..x", "é"])
def test_an_id_is_one_part_of_a_path(server: HostileServer, identity: str) -> None:
    server.answer = lambda _: Reply(b'{"state": "success", "dag_run_id": "r"}')
    assert _with_token(server).run_state(identity, identity) == "success"
    (asked,) = server.requests
    parts = asked.target.split("/")
    assert [parts[1:4], parts[5]] == [["api", "v2", "dags"], "dagRuns"]
    assert len(parts) == 7
    assert not set("?#\n") & set(asked.target)


@pytest.mark.parametrize("identity", [".", ".."])
def test_an_id_that_would_lead_to_another_path_is_refused(server: HostileServer, identity: str) -> None:
    for dag_id, run_id in ((identity, "r"), ("d", identity)):
        with pytest.raises(ConfigError, match="is the id of no DAG and no run"):
            _with_token(server).fail_run(dag_id, run_id)
    assert server.requests == []


def test_half_a_character_in_a_conf_is_sent_as_it_came(server: HostileServer) -> None:
    server.answer = lambda _: Reply(b'{"dag_run_id": "r"}')
    assert _with_token(server).trigger("d", {"name": "\ud800"}) == "r"
    assert json.loads(server.requests[-1].body)["conf"] == {"name": "\ud800"}


def _run_of(request: Request) -> dict[str, object]:
    return {"dag_run_id": json.loads(request.body)["dag_run_id"]}


def test_a_launch_that_fails_on_the_server_is_sent_again_as_the_same_run(server: HostileServer) -> None:
    posted: list[Request] = []

    def answer(request: Request) -> Reply:
        if not request.target.endswith("/dagRuns"):
            return Reply(b"{}")
        posted.append(request)
        busy = Reply(b'{"detail": {"reason": "Database error"}}', 500)
        return busy if len(posted) < 3 else Reply(json.dumps(_run_of(request)).encode())

    server.answer = answer
    run_id = _with_token(server).trigger("d", {"a": 1})
    assert len(posted) == 3
    assert [_run_of(request) for request in posted] == [{"dag_run_id": run_id}] * 3


def test_a_launch_whose_answer_got_lost_is_one_run(server: HostileServer) -> None:
    begun: list[object] = []

    def answer(request: Request) -> Reply:
        if not request.target.endswith("/dagRuns"):
            return Reply(b"{}")
        run_id = _run_of(request)["dag_run_id"]
        if run_id in begun:
            return Reply(b'{"detail": "The run exists."}', 409)
        begun.append(run_id)
        return Reply(b"a gateway's page", 502)

    server.answer = answer
    assert [_with_token(server).trigger("d", {})] == begun


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_launch_is_not_sent_again(server: HostileServer, status: int) -> None:
    server.answer = lambda request: Reply(b"{}", status if request.target.endswith("/dagRuns") else 200)
    with pytest.raises(AirflowError, match=f"HTTP {status}"):
        _with_token(server).trigger("d", {})
    assert len(server.requests) == 2


def test_a_company_s_own_authority_is_believed_where_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority("ours")
    bundle = tmp_path / "ours.pem"
    bundle.write_text(authority.certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with hostile_server(lambda _: Reply(b'{"dags": [], "total_entries": 0}'), authority.pair("airflow")) as server:
        assert _with_token(server).dags() == []


def test_a_certificate_of_nobody_known_is_refused_before_the_login_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with hostile_server(pair=Authority("nobody").pair("airflow")) as server:
        with pytest.raises(ConfigError, match="the authority that has signed it as REQUESTS_CA_BUNDLE"):
            _with_password(server).dags()
        bundle = tmp_path / "another.pem"
        bundle.write_text(Authority("another").certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        with pytest.raises(ConfigError, match="the authority that has signed it as REQUESTS_CA_BUNDLE"):
            _with_password(server).dags()
    assert server.requests == []


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_bundle_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    bundle = tmp_path / "bundle.pem"
    if text is not None:
        bundle.write_text(text)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError, match=re.escape(f"REQUESTS_CA_BUNDLE = {bundle}: no certificates can be read")):
        AirflowClient("https://airflow.example.com", token=TOKEN)


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:1", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match=r"cannot be used: .* NO_PROXY=airflow\.example\.com goes without one"):
        AirflowClient("http://airflow.example.com", token=TOKEN)


def test_a_proxy_leads_elsewhere_and_never_to_this_machine(
    server: HostileServer, elsewhere: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", server.url)
    page = Reply(b'{"dags": [], "total_entries": 0}')
    server.answer, elsewhere.answer = (lambda _: page), (lambda _: page)
    assert AirflowClient("http://airflow.example.com", token=TOKEN).dags() == []
    assert server.requests[0].target.startswith("http://airflow.example.com/api/v2/dags")
    assert _with_token(elsewhere).dags() == []
    assert len(elsewhere.requests) == len(server.requests) == 1
