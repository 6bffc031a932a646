"""`llm_batch`: the model in the image, however rows are cut; and an endpoint of the test's own, which has its moods."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.apps.conftest import App
from tests.support.app_images import APPS
from tests.support.app_tests import states
from tests.support.inner_network import InnerServer, inner_server
from triptych.settings import PROJECT

TEST = APPS / "llm_batch" / "test"
KEY = "sk-test-of-the-test-s-own/+=1234"
BASE_URL = "http://site:8000/v1"
SERVER = f"""
import collections, http.server, json, threading, time
counts, lock = collections.Counter(), threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        began = time.monotonic()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given = self.headers.get("Authorization")
        text = body["messages"][-1]["content"]
        with lock:
            counts[text] += 1
            count = counts[text]
        if self.path.startswith("/moved"):
            self.answer(302, {{}}, location="/v1/chat/completions")
        elif given != "Bearer {KEY}":
            self.answer(401, {{"error": {{"message": f"Incorrect API key: {{given}}"}}}})
        elif text == "busy" and count <= 2:
            self.answer(429, {{"error": {{"message": "Slow down"}}}}, "1")
        elif text == "broken" and count == 1:
            self.answer(503, "<html>No JSON</html>")
        elif text == "never":
            self.answer(500, {{"error": {{"message": f"Failed for {{given}}"}}}}, "3600")
        else:
            said = {{"echo": given, "prose": "Certainly! The answer"}}.get(text) or json.dumps({{"said": text}})
            choice = {{"index": 0, "finish_reason": "stop", "message": {{"role": "assistant", "content": said}}}}
            usage = {{"prompt_tokens": 100 * len(text), "completion_tokens": 10}}
            self.answer(200, {{"id": "1", "model": body["model"], "choices": [choice], "usage": usage}})
        with lock, open("/log/requests.jsonl", "a") as log:
            told = {{"path": self.path, "text": text, "body": body, "key": given}}
            log.write(json.dumps(told | {{"began": began, "ended": time.monotonic()}}) + "\\n")
    def answer(self, status, said, retry_after=None, location=None):
        data = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InnerServer]:
    """Containers are in its network, as an operator puts them there; the key's connection says whom it is for."""
    with inner_server(SERVER, "llm", tmp_path) as server:
        monkeypatch.setenv("AIRFLOW__TRIPTYCH__NETWORK", server.network)
        monkeypatch.setenv("AIRFLOW_CONN_LLM_BATCH_KEY", _connection(BASE_URL))
        yield server


def _connection(login: str) -> str:
    return json.dumps({"conn_type": "generic", "login": login, "password": KEY})


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _rows(folder: Path, *texts: str) -> Path:
    (folder / "rows.jsonl").write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    return folder / "rows.jsonl"


def _by_id(output: Path) -> dict[str, bytes]:
    """Each record as it was written, those that lie apart, too."""
    found = {json.loads(line)["id"]: line for line in (output / "answers.jsonl").read_bytes().splitlines()}
    apart = (output / "quarantine.jsonl").read_bytes().splitlines()
    return found | {json.loads(line)["record"]["id"]: line.partition(b'"record": ')[2][:-1] for line in apart}


def test_the_sample_gives_the_same_bytes_however_it_is_cut(
    run_app: App, image: Callable[[str], str], tmp_path: Path
) -> None:
    image("llm_batch")
    passed = {"llm_batch": "passed", "llm_batch/openai": "passed"}
    assert states("llm_batch", PROJECT / "include", tmp_path, "--keep", str(tmp_path / "kept")) == passed
    (found,) = (path.parent for path in (tmp_path / "kept").rglob("answers.jsonl"))
    whole = _by_id(found)
    assert len(whole) == 6

    params = json.loads((TEST / "case.json").read_text())["params"]
    (tmp_path / "params.json").write_text(json.dumps({**params, "partitioner": {"items_per_chunk": 2}}))
    orders = (TEST / "orders.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "some.jsonl").write_text("".join(orders[number] for number in (5, 4, 1)))
    some = _by_id(run_app("llm_batch", [tmp_path / "some.jsonl"], "--params", tmp_path / "params.json"))
    assert some == {label: whole[label] for label in ("A-6", "A-5", "A-2")}

    # -I keeps Triptych, and all else, out of it.
    command = [sys.executable, "-I", str(TEST / "check.py"), str(found), str(TEST / "expected")]
    assert subprocess.run(command, check=False).returncode == 0
    answers = (found / "answers.jsonl").read_text()
    assert answers.count('"Lisbon"') == 1
    (found / "answers.jsonl").write_text(answers.replace('"Lisbon"', '"Lisbom"'))
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_a_mistake_in_the_script_is_seen(image: Callable[[str], str], tmp_path: Path) -> None:
    image("llm_batch")
    folder = tmp_path / "include" / "apps" / "llm_batch"
    shutil.copytree(APPS / "llm_batch", folder)
    script = folder / "app" / "main.py"
    sound = '("object", "choices", "usage")'
    assert sound in script.read_text()
    script.write_text(script.read_text().replace(sound, '("object", "choices")'))
    assert states("llm_batch/openai", tmp_path / "include", tmp_path) == {"llm_batch/openai": "failed"}


def test_an_endpoint_is_asked_again_when_it_says_and_nobody_else_hears_of_the_key(
    run_app: App, endpoint: InnerServer, tmp_path: Path
) -> None:
    texts = ("hello", "busy", "prose", "broken", "never", "echo", "bye")
    app = {"base_url": BASE_URL, "model": "m-1", "answer_schema": {"type": "object"}, "tries": 3, "max_wait_s": 1.5}
    app |= {"price_per_million_input": 2.5, "price_per_million_output": 10}
    schema = {"type": "object", "properties": {"answer": {"type": "object", "required": ["said"]}}}
    params = {"app": app, "assembler": {"schema": schema}, "partitioner": {"items_per_chunk": 4}}
    (tmp_path / "params.json").write_text(json.dumps(params))
    output = run_app("llm_batch", [_rows(tmp_path, *texts)], "--params", tmp_path / "params.json", "--verbose")

    answers = _lines(output / "answers.jsonl")
    sound = [(number, text) for number, text in enumerate(texts) if text not in ("prose", "never", "echo")]
    assert [(each["id"], each["answer"]) for each in answers] == [
        (f"rows.jsonl:{number}", {"said": text}) for number, text in sound
    ]
    costs = {"hello": 0.00135, "busy": 0.0011, "broken": 0.0016, "bye": 0.00085}
    used = [(each["input_tokens"], each["output_tokens"], each["cost"]) for each in answers]
    assert used == [(100 * len(text), 10, costs[text]) for _, text in sound]
    apart = {each["record"]["id"]: each["record"] for each in _lines(output / "quarantine.jsonl")}
    assert {label: each["error"] for label, each in apart.items()} == {
        "rows.jsonl:2": "no JSON",
        "rows.jsonl:4": "500: Failed for Bearer ***",
        "rows.jsonl:5": "no JSON",
    }
    assert apart["rows.jsonl:2"]["text"] == "Certainly! The answer"
    assert apart["rows.jsonl:5"]["text"] == "Bearer ***"

    asked = endpoint.asked()
    assert Counter(each["text"] for each in asked) == {**dict.fromkeys(texts, 1), "busy": 3, "broken": 2, "never": 3}
    assert {(each["path"], each["key"]) for each in asked} == {("/v1/chat/completions", f"Bearer {KEY}")}
    for text, least_s in (("busy", 1), ("never", 1.5)):
        times = [each for each in asked if each["text"] == text]
        assert all(other["began"] - one["ended"] >= least_s for one, other in pairwise(times))

    kept = [path for folder in ("cache", "out") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]


def test_a_batch_file_goes_out_as_it_is_and_comes_back_as_openai_has_it(
    run_app: App, endpoint: InnerServer, tmp_path: Path
) -> None:
    body = {"model": "m-2", "top_p": 0.5, "messages": [{"role": "user", "content": "hello"}]}
    line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body}
    (tmp_path / "requests.jsonl").write_text(json.dumps(line) + "\n")
    options = ("-p", f"app.base_url={BASE_URL}", "-p", "app.price_per_million_output=10")
    (answer,) = _lines(run_app("llm_openai_batch", [tmp_path / "requests.jsonl"], *options) / "output.jsonl")
    assert [each["body"] for each in endpoint.asked()] == [body]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": '{"said": "hello"}'}}
    usage = {"prompt_tokens": 500, "completion_tokens": 10}
    said = {"id": "1", "model": "m-2", "choices": [choice], "usage": usage}
    assert answer.pop("id").startswith("batch_req_")
    response = {"status_code": 200, "request_id": "1", "body": said}
    assert answer == {"custom_id": "one", "response": response, "error": None, "cost": 0.0001}


@pytest.mark.parametrize(
    ("key_is_for", "base_url", "told", "sent"),
    [
        (
            "https://api.example.com/v1",
            BASE_URL,
            "No key was sent: the one in llm_batch_key is for https://api.example.com/v1.",
            None,
        ),
        ("http://site:8000/moved", "http://site:8000/moved", "http://site:8000/moved: 302", f"Bearer {KEY}"),
    ],
    ids=["for another", "redirect"],
)
def test_nobody_but_whom_the_key_is_for_has_it(
    key_is_for: str,
    base_url: str,
    told: str,
    sent: str | None,
    endpoint: InnerServer,
    image: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image("llm_batch")
    monkeypatch.setenv("AIRFLOW_CONN_LLM_BATCH_KEY", _connection(key_is_for))
    command = [sys.executable, "-m", "triptych", "run", "llm_batch", "--include", str(PROJECT / "include")]
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(PROJECT / "plugins")}
    options = ["--source", str(_rows(tmp_path, "hello")), "--destination", str(tmp_path / "out")]
    options += ["-p", f"app.base_url={base_url}", "-p", "app.model=m-1", "--retries", "0"]
    done = subprocess.run([*command, *options], env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    shown = done.stdout + done.stderr
    assert told in shown
    assert KEY not in shown
    assert [each["key"] for each in endpoint.asked()] == [sent]
