"""The Jobs API in a real Airflow: clients as they are, who may do what, links, and whatever else is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import jwt
import pytest

from tests.support import job_clients
from tests.support.job_clients import Api, poll
from tests.support.jobs_api_world import ORIGIN, TEXT, World, jobs_api_world, login
from tests.support.odd_requests import send_odd
from tests.support.servers import Server
from triptych.settings import PROJECT

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, store: Server) -> Iterator[World]:
    with jobs_api_world(tmp_path_factory.mktemp("jobs-api"), store) as started:
        yield started


@pytest.fixture(scope="module")
def jobs(world: World) -> Iterator[Mapping[str, Future[Any]]]:
    """Every client's job, all at once: what each does is a matter of waiting."""
    source = world.file.as_uri()
    with ThreadPoolExecutor(6) as pool:
        yield {
            "browser": pool.submit(job_clients.browser, world.ann),
            "python": pool.submit(job_clients.python, world.ann, world.page),
            "node": pool.submit(job_clients.node, world.ann, world.file),
            "snippets": pool.submit(job_clients.snippets, world.ann, source, "s3://jobs/api"),
            "workflow": pool.submit(job_clients.workflow, world.ann, source),
            "notebook": pool.submit(job_clients.notebook, world.ann, source),
        }


def test_a_page_finds_its_pictures_in_every_result(jobs: Mapping[str, Future[Any]]) -> None:
    assert sorted(jobs["browser"].result().values()) == [b"picture 0", b"picture 1"]


def test_a_python_client_reads_from_the_web_and_fetches_the_output(jobs: Mapping[str, Future[Any]]) -> None:
    assert jobs["python"].result() == b"5\n"


def test_a_node_client_uploads_runs_and_reads_the_log(jobs: Mapping[str, Future[Any]]) -> None:
    done = jobs["node"].result()
    assert (done["state"], done["output"]) == ("JOB_STATE_COMPLETE", "5\n")
    assert [line for line in done["log"] if "counted 5" in line]


def test_snippets_patch_a_draft_and_the_link_leads_to_the_store(jobs: Mapping[str, Future[Any]]) -> None:
    """The output lies on S3: the link sends a program there, for a few minutes, and brings a page its bytes itself."""
    link = jobs["snippets"].result()
    answer = httpx.get(link, timeout=60)
    assert answer.status_code == 302
    assert "X-Amz-Expires=300" in answer.headers["location"]
    assert httpx.get(answer.headers["location"], timeout=60).text == "10\n"
    to_a_page = httpx.get(link, headers={"Origin": ORIGIN}, timeout=60)
    assert (to_a_page.status_code, to_a_page.text) == (200, "10\n")
    assert to_a_page.headers["content-disposition"].startswith("attachment")


def test_a_workflow_and_a_notebook_use_the_old_paths(jobs: Mapping[str, Future[Any]], world: World) -> None:
    job_id = jobs["workflow"].result()
    assert [run["dag_run_id"] for run in world.airflow.client.runs("count") if run["dag_run_id"] == job_id] == [job_id]
    assert jobs["notebook"].result()[1] > 0


def test_curl_as_the_page_shows_it(world: World, tmp_path: Path) -> None:
    """The commands of docs/how-to/jobs-api.md, one after the other, with this server's address and key."""
    page = (PROJECT / "docs" / "how-to" / "jobs-api.md").read_text(encoding="utf-8")
    script = page.partition("<!-- runs -->\n```sh\n")[2].partition("```")[0]
    assert script.count("curl") >= 5
    env = {**os.environ, "BASE": world.base, "API_KEY": world.ann.key, "TEMPLATE": "pictures"}
    done = subprocess.run(["bash", "-euc", script], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["0.png", "1.png"]


def test_a_failed_job_says_why_and_its_results_end_a_poll(world: World) -> None:
    job_id = world.create("ann", templateId="fails", description="to fail")
    world.ann.good("POST", f"/customer/jobs/{job_id}/run")
    poll(lambda: world.state(job_id) == "JOB_STATE_FAILED")
    job = world.ann.good("GET", f"/customer/jobs/{job_id}")["job"]
    assert job["errorMessage"].startswith("Chunk 0 (")
    assert "sorry" in job["errorMessage"]
    assert job["description"] == "to fail"
    answer = world.ann.ask("GET", f"/customer/jobs/{job_id}/results")
    assert answer.status_code not in (200, *job_clients.NOT_YET)
    assert answer.json()["message"] == answer.json()["error"]["message"] == job["errorMessage"]
    shown = world.ann.good("POST", "/customer/logs", json={"jobId": job_id, "levels": ["ERROR", "INFO"]})
    assert {line["level"] for line in shown["partitioner"]} <= {"ERROR", "INFO"}
    assert (
        world.ann.good("POST", "/customer/logs", json={"jobId": job_id, "services": ["assembler"]})["partitioner"] == []
    )


def test_the_report_is_linked_in_airflow_and_shown_to_whom_may_read_the_job(world: World) -> None:
    """Of a failed job, by the link beside `assemble`, with no more than the cookie of Airflow's own pages."""
    job_id = world.create("ann", templateId="fails")
    world.ann.good("POST", f"/customer/jobs/{job_id}/run")
    poll(lambda: world.state(job_id) == "JOB_STATE_FAILED")
    as_ann = {"Authorization": f"Bearer {world.tokens['ann']}"}
    (run,) = (
        run
        for run in httpx.get(f"{world.airflow.url}/api/v2/dags/fails/dagRuns", headers=as_ann, timeout=60).json()[
            "dag_runs"
        ]
        if job_id in run["dag_run_id"]
    )
    path = f"dags/fails/dagRuns/{quote(run['dag_run_id'])}/taskInstances/assemble/links"
    linked = httpx.get(f"{world.airflow.url}/api/v2/{path}", headers=as_ann, timeout=60).json()["extra_links"]["Report"]
    assert not linked.startswith("/")
    address = f"{world.airflow.url}/{linked}"
    shown = httpx.get(address, cookies={"_token": world.tokens["ann"]}, timeout=60)
    assert shown.status_code == 200, shown.text
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert "sorry" in shown.text
    assert "allow-same-origin" not in shown.headers["content-security-policy"]
    assert httpx.get(address, timeout=60).status_code == 401
    assert httpx.get(address, cookies={"_token": world.tokens["bob"]}, timeout=60).status_code in (403, 404)
    unknown = address.replace(quote(run["dag_run_id"]), "none")
    nothing = httpx.get(unknown, cookies={"_token": world.tokens["ann"]}, timeout=60)
    assert nothing.status_code == 404


def test_an_aborted_job_has_failed_and_says_who_did_it(world: World) -> None:
    job_id = world.create("ann", templateId="waits")
    world.ann.good("POST", f"/customer/jobs/{job_id}/run")
    told: list[str] = []
    with httpx.stream(
        "GET", f"{world.base}/customer/events?jobId={job_id}", headers={"Authorization": world.ann.token()}, timeout=120
    ) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line.removeprefix("data: "))["result"]["data"]["state"])
                if told[-1] == "JOB_STATE_RUNNING":
                    refused = world.apis["vic"].ask("POST", f"/customer/jobs/{job_id}/abort")
                    assert refused.status_code == 403
                    admin = login(world.airflow, "admin", world.airflow.password)
                    stopped = world.ann.ask("POST", f"/customer/jobs/{job_id}/abort", admin)
                    assert stopped.status_code == 200, stopped.text
    assert told[-2:] == ["JOB_STATE_RUNNING", "JOB_STATE_FAILED"]
    assert world.ann.good("GET", f"/customer/jobs/{job_id}")["job"]["errorMessage"] == "Aborted by admin."


def test_a_draft_is_changed_listed_and_deleted(world: World) -> None:
    job_id = world.create("ann", templateId="count", name="first")
    changed = world.ann.good("POST", "/customer/jobs", json={"jobId": job_id, "name": "second"})["job"]
    assert (changed["id"], changed["name"], changed["state"]) == (job_id, "second", "JOB_STATE_NEW")
    world.ann.good("PATCH", f"/customer/jobs/{job_id}/jobname", json={"name": "third"})
    config = {"task_timeout": "60", "maxTaskRetries": 0}
    world.ann.good("PATCH", f"/customer/jobs/{job_id}/configs", json=config)
    assert world.ann.good("GET", f"/customer/jobs/{job_id}/configs")["config"] == {
        "taskTimeout": 60,
        "maxTaskRetries": 0,
    }
    assert world.ann.good("GET", "/customer/jobs", params={"pagination.limit": "1"})["data"][0]["name"] == "third"
    missing = world.ann.ask("POST", f"/customer/jobs/{job_id}/run")
    assert (missing.status_code, "dataSource: is missing" in missing.json()["message"]) == (400, True)
    assert world.ann.good("DELETE", f"/customer/jobs/{job_id}")["ok"]
    assert world.ann.ask("GET", f"/customer/jobs/{job_id}").status_code == 404


def test_two_changes_at_once_are_both_kept(world: World) -> None:
    job_id = world.create("ann", templateId="count")
    token = world.ann.token()
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(
            world.ann.good, "PATCH", f"/customer/jobs/{job_id}/params", token, json={"app": {"twice": True}}
        )
        two = pool.submit(world.ann.good, "PATCH", f"/customer/jobs/{job_id}/configs", token, json={"jobTimeout": 77})
        one.result(), two.result()
    job = world.ann.good("GET", f"/customer/jobs/{job_id}", token)["job"]
    assert (job["params"]["app"], job["config"]) == ({"twice": True}, {"jobTimeout": 77})


def test_who_has_no_rights_sees_nothing_and_does_nothing(world: World, jobs: Mapping[str, Future[Any]]) -> None:
    """Bob is of another team; vic may look; who may but trigger sees no output. Airflow's own answers are the rule."""
    ran = jobs["workflow"].result()
    draft = world.create("ann", templateId="count")
    bob, vic, only_triggers = (world.apis[name] for name in ("bob", "vic", "trigger_t"))
    for job_id in (ran, draft, f"count~{ran}"):
        for method, path in _acts(job_id):
            answer = bob.ask(method, path, json={})
            assert answer.status_code in (403, 404), f"{method} {path}: {answer.status_code} {answer.text}"
    assert bob.good("GET", "/customer/jobs")["data"] == []
    assert [each["id"] for each in bob.good("GET", "/customer/jobs/templates")["data"]] == ["other"]
    assert [each["name"] for each in bob.good("GET", "/dev/apps")["apps"]] == ["other"]
    assert bob.ask("GET", "/dev/apps/count").status_code == 404
    assert bob.ask("POST", "/customer/jobs", json={"templateId": "count"}).status_code in (403, 404)
    assert vic.good("GET", f"/customer/jobs/{ran}")["job"]["state"] == "JOB_STATE_COMPLETE"
    assert vic.ask("GET", f"/customer/jobs/{draft}").status_code == 404
    assert vic.ask("POST", "/customer/jobs", json={"templateId": "count"}).status_code == 403
    assert vic.ask("DELETE", f"/customer/jobs/{ran}").status_code == 403
    assert vic.ask("POST", "/customer/datasource/test", json={"dataSource": world.page}).status_code == 403
    assert vic.ask("GET", "/auth/secrets").status_code == 403
    assert only_triggers.good("GET", f"/customer/jobs/{ran}")["job"]["id"] == ran
    assert only_triggers.ask("GET", f"/customer/jobs/{ran}/results").status_code == 403
    assert only_triggers.ask("POST", "/customer/logs", json={"jobId": ran}).status_code == 403
    assert world.state(ran) == "JOB_STATE_COMPLETE"


def _acts(job_id: str) -> Sequence[tuple[str, str]]:
    own = f"/customer/jobs/{job_id}"
    verbs = ("datasource", "params", "configs", "uploadcompleted", "jobname")
    return [
        ("GET", own),
        ("GET", f"{own}/results"),
        ("GET", f"{own}/configs"),
        ("GET", f"/customer/events?jobId={job_id}"),
        ("POST", f"{own}/run"),
        ("POST", f"{own}/abort"),
        ("DELETE", own),
        *[("PATCH", f"{own}/{verb}") for verb in verbs if verb != "jobname"],
    ]


def test_nobody_is_told_to_log_in(world: World) -> None:
    described = httpx.get(f"{world.base}/openapi.json", timeout=60).json()
    open_to_all = {"/auth/access_token", "/auth/info", "/results/{name}", "/uploads"}
    for path, acts in described["paths"].items():
        for method in acts:
            for token in ("", "Bearer x", "nonsense", "a.b.c"):
                headers = {"Authorization": token} if token else {}
                url = f"{world.base}{path.replace('{', '').replace('}', '')}"
                answer = httpx.request(method, url, headers=headers, timeout=60)
                wanted = (200, 400, 401, 403) if path in open_to_all else (401,)
                assert answer.status_code in wanted, f"{method} {path} with {token!r}: {answer.status_code}"


def test_a_cookie_reads_and_changes_nothing(world: World) -> None:
    cookie = {"Cookie": f"_token={world.tokens['ann']}"}
    assert httpx.get(f"{world.base}/auth/user", headers=cookie, timeout=60).json()["user"]["id"] == "ann"
    made = httpx.post(f"{world.base}/customer/jobs", json={"templateId": "count"}, headers=cookie, timeout=60)
    assert made.status_code == 401


def test_a_key_ends_when_it_is_revoked_and_its_tokens_with_it(world: World) -> None:
    token = world.tokens["ann"]
    made = world.ann.good("POST", "/auth/api_keys", token, json={"name": "spare", "validDays": 1})
    spare = Api(world.base, made["apiKey"])
    session = spare.token()
    assert spare.good("GET", "/auth/user", session)["user"]["id"] == "ann"
    assert spare.ask("POST", "/auth/api_keys", session, json={}).status_code == 403
    assert world.apis["bob"].ask("POST", f"/auth/api_keys/{made['id']}/revoke").status_code == 404
    inside = httpx.get(f"{world.airflow.url}/api/v2/dags", headers={"Authorization": f"Bearer {session}"}, timeout=60)
    assert inside.status_code in (401, 403)
    listed = subprocess.run(
        [sys.executable, "-m", "triptych", "api-key", "list", "--airflow", world.airflow.url],
        env={**world.airflow.env, "AIRFLOW_TOKEN": token},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert made["id"] in listed
    assert made["apiKey"] not in listed
    workspace = world.airflow.home / "workspace" / "_api"
    kept = [path.read_text() for path in workspace.rglob("*.json")]
    assert not [text for text in kept if made["apiKey"].split("_", 2)[2] in text]
    world.ann.good("POST", f"/auth/api_keys/{made['id']}/revoke", token)
    assert spare.ask("GET", "/auth/user", session).status_code == 401
    assert httpx.post(f"{world.base}/auth/access_token", json={"apiKey": spare.key}, timeout=60).status_code == 401


def test_a_record_that_a_worker_changed_is_no_key(world: World) -> None:
    """Who can write to the workspace cannot make a key of somebody else's."""
    made = world.ann.good("POST", "/auth/api_keys", world.tokens["ann"], json={})
    path = world.airflow.home / "workspace" / "_api" / "keys" / f"{made['id']}.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "owner": "admin", "user": {"sub": "admin", "role": "admin", "teams": []}}))
    refused = httpx.post(f"{world.base}/auth/access_token", json={"apiKey": made["apiKey"]}, timeout=60)
    assert refused.status_code == 401
    path.write_text(json.dumps(record))
    assert Api(world.base, made["apiKey"]).token()
    path.write_text(json.dumps({**record, "expires": "2020-01-01T00:00:00+00:00"}))
    refused = httpx.post(f"{world.base}/auth/access_token", json={"apiKey": made["apiKey"]}, timeout=60)
    assert refused.status_code == 401


def test_a_link_is_for_one_file_for_a_while(world: World, jobs: Mapping[str, Future[Any]]) -> None:
    (only,) = world.ann.good("GET", f"/customer/jobs/{jobs['workflow'].result()}/results")["results"]
    split = urlsplit(only["link"])
    token = parse_qs(split.query)["token"][0]
    claims = jwt.decode(token, options={"verify_signature": False})
    at = f"{world.base}/results/"
    assert httpx.get(f"{at}words.txt?token={token}", timeout=60).text == "5\n"
    assert httpx.get(f"{at}other?token={token}", timeout=60).status_code == 404

    def signed(**changes: Any) -> httpx.Response:
        other = jwt.encode({**claims, **changes}, world.signing_key, "HS256", {"typ": "triptych+jwt"})
        name = quote(str({**claims, **changes}["name"]), safe="")
        return httpx.get(f"{at}{name}?token={other}", timeout=60)

    assert signed().text == "5\n"
    assert signed(exp=1).status_code == 403
    assert signed(aud="triptych:upload").status_code == 403
    for name in ("../../plans/0.json", "/etc/passwd", "words.txt/..", "file:///etc/passwd", "_triptych/count"):
        assert signed(name=name).status_code in (403, 404)
    assert world.ann.ask("GET", "/auth/user", token).status_code == 401
    assert httpx.get(f"{at}words.txt?token={world.ann.token()}", timeout=60).status_code == 403


def test_a_list_of_another_place_gets_no_link(world: World, jobs: Mapping[str, Future[Any]]) -> None:
    """Who can write to the workspace could say that the output lies where the API server alone can read."""
    job_id = jobs["notebook"].result()[0]
    (only,) = world.ann.good("GET", f"/customer/jobs/{job_id}/results")["results"]
    assert httpx.get(only["link"], timeout=60).text == "5\n"
    (path,) = (world.airflow.home / "workspace" / "count" / job_id / "output").iterdir()
    text = path.read_text()
    listing = json.loads(text)
    for uri in (f"{world.airflow.home.as_uri()}/", f"{listing['uri']}../", "s3://jobs/", f"{listing['uri']}x/"):
        path.write_text(json.dumps({**listing, "uri": uri}))
        assert httpx.get(only["link"], timeout=60).status_code == 400, uri
    above = {**listing["files"][0], "name": f"../{listing['uri'].rstrip('/').rpartition('/')[2]}/words.txt"}
    path.write_text(json.dumps({**listing, "files": [above]}))
    assert httpx.get(only["link"], timeout=60).status_code == 404
    path.write_text(text)
    assert httpx.get(only["link"], timeout=60).text == "5\n"


def test_an_upload_takes_a_form_too_and_another_job_reads_none_of_it(world: World) -> None:
    wanted = {"templateId": "count", "dataSource": {"dataSourceDescriptor": "file", "params": {"name": "/a/b/w.txt"}}}
    job = world.ann.good("POST", "/customer/jobs", json=wanted)["job"]
    address = job["dataSource"]["params"]["tempUrl"]
    assert world.ann.ask("PATCH", f"/customer/jobs/{job['id']}/uploadcompleted").status_code == 400
    sent = httpx.put(address, files={"file": ("w.txt", b"some words")}, timeout=60)
    assert sent.status_code == 200, sent.text
    assert httpx.put(f"{address}x", content=b"other", timeout=60).status_code == 403
    (kept,) = (world.airflow.home / "workspace" / "_temporary").rglob("w.txt")
    assert kept.read_bytes() == b"some words"
    done = world.ann.good("PATCH", f"/customer/jobs/{job['id']}/uploadcompleted")["job"]
    assert done["dataSource"]["params"] == {"name": "w.txt", "tempUrl": ""}


def test_a_side_input_is_uploaded_for_a_template_that_one_may_run(world: World) -> None:
    wanted = {"templateId": "count", "name": "../a/Wörter 1.txt"}
    given = world.ann.good("POST", "/customer/uploads", json=wanted)
    assert (given["name"], given["path"][:9]) == ("Wörter 1.txt", "upload://")
    sent = httpx.put(given["tempUrl"], content=b"terms", timeout=60)
    assert sent.status_code == 200, sent.text
    (kept,) = (world.airflow.home / "workspace" / "_temporary").rglob("Wörter 1.txt")
    assert kept.read_bytes() == b"terms"
    world.create("ann", templateId="count", inputs={"glossary": given["path"]})  # Its parameters are judged.
    assert world.apis["bob"].ask("POST", "/customer/uploads", json=wanted).status_code in (403, 404)
    assert world.ann.ask("POST", "/customer/uploads", json={"name": "a"}).status_code in (400, 404)
    assert httpx.post(f"{world.base}/customer/uploads", json=wanted, timeout=60).status_code == 401


def test_a_source_is_tested_by_the_rules_of_jobs(world: World) -> None:
    good = world.ann.good("POST", "/customer/datasource/test", json={"dataSource": world.page, "listFiles": True})
    assert (good["filename"], good["size"], len(good["files"]["files"])) == ("words.txt", str(len(TEXT)), 1)
    for source in ("file:///etc/passwd", f"{(world.airflow.home / 'workspace').as_uri()}/", "s3://jobs/", 7, None):
        refused = world.ann.ask("POST", "/customer/datasource/test", json={"dataSource": source})
        assert refused.status_code in (400, 403), f"{source}: {refused.text}"


def test_secrets_are_connections_and_never_shown(world: World) -> None:
    admin = login(world.airflow, "admin", world.airflow.password)
    secret = {"id": "mine", "secret_type": "s3", "accessKey": "AK", "params": {"region_name": "us-east-2"}}
    world.ann.good("POST", "/auth/secrets", admin, json={"secret": secret, "secretKey": "hush-hush-8812"})
    connection = world.airflow.client.get("connections/mine")
    assert (connection["conn_type"], connection["login"]) == ("aws", "AK")
    listed = world.ann.ask("GET", "/auth/secrets", admin, params={"secretType": "s3"})
    assert [each["id"] for each in listed.json()["secrets"]] == ["mine"]
    assert "hush" not in listed.text
    assert world.ann.ask("DELETE", "/auth/secrets/s3/store", admin).status_code == 404
    world.ann.good("DELETE", "/auth/secrets/s3/mine", admin)


def test_other_sites_pages_may_call_where_a_setting_says_so(world: World) -> None:
    asks = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization,content-type"}
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        answer = httpx.options(f"{world.base}/customer/jobs/x/params", headers={"Origin": origin, **asks}, timeout=60)
        assert answer.headers.get("access-control-allow-origin") == allowed


def test_whatever_is_sent_nothing_fails(world: World) -> None:
    """Each endpoint of the OpenAPI document, with odd paths, queries and bodies of the keys that it names."""
    draft = world.create("ann", templateId="count")
    print(f"{send_odd(world.base, world.ann.token(), draft)} calls")
