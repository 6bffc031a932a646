"""What goes over the wire: a login to its own host alone, answers that are none, links, uploads, broken streams."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile_server import HostileServer, Reply, Request, hostile_server
from triptych.client import (
    Client,
    ClientError,
    LoginError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    State,
    UnreachableError,
)
from triptych.errors import JobFailedError, SourceError

PREFIX = "/triptych/v1"
JOB = {"id": "j1", "templateId": "count", "state": "JOB_STATE_RUNNING"}
Answers = Mapping[str, Any]


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with hostile_server() as server:
        yield server


def _answers(server: HostileServer, answers: Answers) -> None:
    """By method and path without its query; a callable is called, a Reply sent as it is."""

    def answer(request: Request) -> Reply:
        path = request.target.partition("?")[0].removeprefix(PREFIX)
        found = {"POST /auth/access_token": {"token": "t0"}, **answers}.get(f"{request.method} {path}")
        found = found(request) if callable(found) else found
        if isinstance(found, Reply):
            return found
        return Reply(b"{}", 404) if found is None else _json(found)

    server.answer = answer


def _json(body: Any, status: int = 200) -> Reply:
    return Reply(json.dumps(body).encode(), status)


def _refused(status: int, message: str) -> Reply:
    return _json({"message": message, "ok": False}, status)


def _told(*messages: Mapping[str, Any] | str) -> Reply:
    lines = [f"data: {json.dumps(each)}\n\n" if isinstance(each, dict) else f"{each}\n\n" for each in messages]
    return Reply("".join(lines).encode())


def _state(state: str) -> Mapping[str, Any]:
    return {"result": {"event": "job_state", "data": {"jobId": "j1", "state": f"JOB_STATE_{state}"}}}


def _client(server: HostileServer) -> Client:
    return Client(server.url, api_key="trk_secret")


@pytest.mark.parametrize(
    ("status", "kind", "builtin", "remedy"),
    [
        (400, RefusedError, ValueError, "params.app.x: must be a number."),
        (401, LoginError, PermissionError, "triptych api-key create --airflow"),
        (403, NotAllowedError, PermissionError, "Ask who operates"),
        (404, NotFoundError, LookupError, "params.app.x: must be a number."),
        (409, RefusedError, ValueError, "params.app.x: must be a number."),
        (503, UnreachableError, ConnectionError, "params.app.x: must be a number."),
    ],
)
def test_a_refusal_has_the_servers_sentence_and_a_remedy(
    server: HostileServer, status: int, kind: type[ClientError], builtin: type[Exception], remedy: str
) -> None:
    _answers(server, {"POST /customer/jobs": _refused(status, "params.app.x: must be a number.")})
    with pytest.raises(kind) as refused:
        _client(server).launch("count")
    assert isinstance(refused.value, builtin)
    assert str(refused.value).startswith("params.app.x: must be a number.")
    assert remedy in str(refused.value)
    assert refused.value.status == status


def test_a_token_that_has_ended_is_renewed_once(server: HostileServer) -> None:
    good = ["t0"]

    def user(request: Request) -> Reply:
        is_good = request.headers["Authorization"] == f"Bearer {good[0]}"
        return _json({"user": {"id": "ann"}}) if is_good else _refused(401, "has ended")

    _answers(server, {"POST /auth/access_token": lambda _: {"token": good[0]}, "GET /auth/user": user})
    client = _client(server)
    assert client.user() == "ann"
    good[0] = "t1"
    assert client.user() == "ann"
    asked = [each.target for each in server.requests]
    assert asked.count(f"{PREFIX}/auth/access_token") == 2
    _answers(server, {"GET /auth/user": _refused(401, "has ended")})
    with pytest.raises(LoginError, match="has ended"):
        client.user()
    assert len(server.requests) == len(asked) + 3


@pytest.mark.parametrize("answer", [Reply(b"<html>", 200), Reply(b"[1]", 200), Reply(b"{", 200), Reply(b"<html>", 404)])
def test_another_server_is_said_to_be_none(server: HostileServer, answer: Reply) -> None:
    _answers(server, {"GET /auth/user": answer})
    with pytest.raises(ClientError, match="Airflow with Triptych"):
        _client(server).user()


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with hostile_server() as gone:
        url = gone.url
    with pytest.raises(UnreachableError, match="does it run") as refused:
        Client(url, api_key="k").launch("count")
    assert "urllib3" not in str(refused.value)


def test_a_redirect_is_not_followed_with_the_login(server: HostileServer) -> None:
    with hostile_server() as other:
        _answers(server, {"GET /auth/user": Reply(b"", 302, {"Location": f"{other.url}/login"})})
        with pytest.raises(ClientError, match="Give that as the address"):
            _client(server).user()
        assert other.requests == []


def test_the_login_goes_with_no_link_and_no_upload(
    server: HostileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does what `.netrc` has for the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ann password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    words = tmp_path / "words.txt"
    for content in (b"a b c", b""):
        words.write_bytes(content)
        with hostile_server() as store:
            store.answer = lambda request: Reply(b"5\n")
            draft = {"job": {**JOB, "dataSource": {"params": {"tempUrl": f"{store.url}/up"}}}}
            results = {"results": [{"name": "n.txt", "link": f"{server.url}/link"}]}
            leads = Reply(b"", 302, {"Location": f"{store.url}/file"})
            answers = {
                "POST /customer/jobs": draft,
                "PATCH /customer/jobs/j1/uploadcompleted": {},
                "POST /customer/jobs/j1/run": {},
                "GET /customer/jobs/j1/results": results,
                "GET /link": leads,
            }
            _answers(server, answers)
            job = _client(server).launch("count", source=words)
            assert job.read("n.txt") == b"5\n"
            put, get = store.requests
            assert (put.method, put.body, get.method) == ("PUT", content, "GET")
            assert "Transfer-Encoding" not in put.headers
        outside = [*store.requests, *(each for each in server.requests if each.target == "/link")]
        assert [each for each in outside if "Authorization" in each.headers] == []
    known = {each.headers.get("Authorization") for each in server.requests if each.target.startswith(PREFIX)}
    assert known == {None, "Bearer t0"}  # None asked for the token.


def test_a_draft_that_cannot_run_is_not_left_behind(server: HostileServer) -> None:
    refused = _refused(400, "dataSource: is missing.")
    answers = {"POST /customer/jobs": {"job": JOB}, "POST /customer/jobs/j1/run": refused}
    _answers(server, {**answers, "DELETE /customer/jobs/j1": {}})
    with pytest.raises(RefusedError, match="dataSource: is missing"):
        _client(server).launch("count")
    assert server.requests[-1].method == "DELETE"


def test_paths_of_this_machine_are_uploads_or_refused(server: HostileServer, tmp_path: Path) -> None:
    for source, told in (("words.txt", "pathlib.Path"), (tmp_path, "is a folder"), (tmp_path / "no", "is no file")):
        with pytest.raises(SourceError, match=told):
            _client(server).launch("count", source=source)
    assert server.requests == []


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../../b", "", "a\\..\\b", "nul\0"])
def test_no_file_of_an_output_lies_outside_of_the_folder(server: HostileServer, tmp_path: Path, name: str) -> None:
    rows = [{"name": "good", "link": f"{server.url}/link"}, {"name": name, "link": f"{server.url}/link"}]
    _answers(server, {"GET /customer/jobs/j1/results": {"results": rows}})
    with pytest.raises(ClientError, match="outside"):
        _client(server).job("j1").download(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_whole_or_not_at_all(server: HostileServer, tmp_path: Path) -> None:
    rows = [{"name": "sub/n.txt", "link": f"{server.url}/link"}]
    broken = Reply(b"half", 200, {"Content-Length": "9"})
    _answers(server, {"GET /customer/jobs/j1/results": {"results": rows}, "GET /link": broken})
    job = _client(server).job("j1")
    with pytest.raises(UnreachableError, match="broke off"):
        job.download(tmp_path)
    assert list((tmp_path / "sub").iterdir()) == []
    _answers(server, {"GET /customer/jobs/j1/results": {"results": rows}, "GET /link": Reply(b"whole")})
    assert job.download(tmp_path) == [tmp_path / "sub" / "n.txt"]
    assert (tmp_path / "sub" / "n.txt").read_text() == "whole"
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["n.txt"]
    with pytest.raises(NotFoundError, match=r"It has: sub/n\.txt"):
        job.read("other")


def _in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_a_stream_that_breaks_off_goes_on_and_nothing_is_told_twice(server: HostileServer) -> None:
    counts = {"jobId": "j1", "numChunks": "4", "numDone": "3", "numFailed": "1"}
    progress = {"result": {"event": "job_progress", "data": counts}}
    first = _told(_state("QUEUED"), ": waiting", _state("RUNNING"))
    events = _in_turn(first, Reply(b"", 503), _told(_state("RUNNING"), progress), _told(_state("FAILED")))
    job = {"job": {**JOB, "errorMessage": "Chunk 1: sorry"}}
    _answers(server, {"GET /customer/events": events, "GET /customer/jobs/j1": job})
    told = list(_client(server).job("j1").events())
    assert [(each.state, each.chunks, each.done, each.failed) for each in told] == [
        (State.QUEUED, 0, 0, 0),
        (State.RUNNING, 0, 0, 0),
        (State.RUNNING, 4, 3, 1),
        (State.FAILED, 4, 3, 1),
    ]
    failed = {**job["job"], "state": "JOB_STATE_FAILED"}
    _answers(server, {"GET /customer/events": _told(_state("FAILED")), "GET /customer/jobs/j1": {"job": failed}})
    with pytest.raises(JobFailedError, match=r"of count failed: Chunk 1: sorry\n.*job\.retry"):
        _client(server).job("j1").wait()


def test_what_the_stream_says_is_wrong_is_raised(server: HostileServer) -> None:
    gone = {"error": {"code": 404, "message": "There is no job j1.", "details": []}}
    _answers(server, {"GET /customer/events": _told(gone)})
    with pytest.raises(NotFoundError, match="There is no job j1"):
        next(_client(server).job("j1").events())


def test_waiting_ends_when_one_wants_and_the_job_goes_on(server: HostileServer) -> None:
    _answers(server, {"GET /customer/events": _told(_state("RUNNING")), "GET /customer/jobs/j1": {"job": JOB}})
    with pytest.raises(TimeoutError, match="is running after 0 s, and goes on"):
        _client(server).job("j1").wait(timeout_s=0)


def test_lists_are_asked_page_by_page_with_what_is_wanted_of_them(server: HostileServer) -> None:
    def page(request: Request) -> Reply:
        asked = json.loads(request.body)
        start = asked["pagination"]["offset"]
        assert asked["filters"] == {"templateId": "count", "state": "JOB_STATE_FAILED"}
        return _json({"data": [{**JOB, "id": f"j{start}"}], "pagination": {"hasNext": start < 2}})

    _answers(server, {"POST /customer/jobs/filter": page})
    client = _client(server)
    assert [job.id for job in client.jobs(template="count", state=State.FAILED)] == ["j0", "j1", "j2"]
    assert [job.id for job in client.jobs(template="count", state=State.FAILED, most=2)] == ["j0", "j1"]


def test_a_job_is_retried_with_the_code_that_is_named_and_rerun_as_another(server: HostileServer) -> None:
    _answers(server, {"POST /customer/jobs/j1/retry": {}, "POST /customer/jobs/j1/rerun": {"id": "j2"}})
    job = _client(server).job("j1")
    assert job.retry() is job.retry(new_code="keep")
    assert [each.body for each in server.requests if each.target.endswith("/retry")] == [b"", b'{"newCode": "keep"}']
    assert job.rerun().id == "j2"
