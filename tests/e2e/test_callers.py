"""Users of one Airflow with two teams: what each can do to a team's jobs, as Airflow itself answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.bundles import team_bundle
from tests.support.hostile_server import HostileServer, hostile_server
from tests.support.include_folders import write_app
from triptych.airflow.rest import DONE, poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = pytest.mark.airflow
TEAMS = ("team_a", "team_b")
USERS = {
    "trigger-only": "trigger_a:viewer:team_a",
    "viewer": "viewer_a:viewer:team_a",
    "user": "user_a:user:team_a",
    "op": "op_a:op:team_a",
    "user of another team": "user_b:user:team_b",
    "op of another team": "op_b:op:team_b",
}
ANONYMOUS = "anonymous"
TRIES = 5
"""Of a request that met SQLite while it was locked by another's."""
SECRET = "hush-hush-7731-never-shown"
SCRIPT = """
echo "I have $team_secret"
if grep -q fail "$TASK_DIR/data.bin"; then echo "Failed with $team_secret" >&2; exit 3; fi
cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/out"
"""


@dataclass(frozen=True)
class Teams:
    """The Airflow, a token for each user, none for ANONYMOUS, two runs of team a's that have ended, and its store."""

    airflow: EmbeddedAirflow
    tokens: Mapping[str, str | None]
    run_id: str
    failed_run_id: str
    store: HostileServer

    def ask(self, who: str, method: str, path: str, body: object = None) -> httpx.Response:
        """Airflow's answer, by a client that is not ours; not that its database was locked."""
        token = self.tokens[who]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body)  # Escaped, unlike httpx's own: half a character is sent, too.
        for _ in range(TRIES):
            answer = httpx.request(method, f"{self.airflow.url}{path}", content=data, headers=headers, timeout=60)
            if answer.status_code != 500 or "Database error" not in answer.text:
                break
        return answer


def _bundles(home: Path) -> list[dict[str, Any]]:
    """For each team a bundle with the DAG file, and an include folder with one app."""
    bundles = []
    for team in TEAMS:
        include = home / f"include-{team}"
        manifest = {"platform_config": {"container": "python:3.11-slim", "secrets": ["team_secret"]}}
        write_app(include, SCRIPT, name=f"count_{team}", entrypoint="main.sh", manifest=manifest)
        bundles.append(team_bundle(home, team, include))
    return bundles


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teams]:
    home = tmp_path_factory.mktemp("teams")
    users = ",".join(["admin:admin", *USERS.values()])
    airflow = EmbeddedAirflow(
        home,
        PROJECT,
        {
            "AIRFLOW__CORE__MULTI_TEAM": "true",
            "AIRFLOW__CORE__AUTH_MANAGER": "tests.support.auth_manager.TriggerOnlyAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(_bundles(home)),
            "AIRFLOW__TRIPTYCH__RUNNER": "process",
            "AIRFLOW__TRIPTYCH__RETRIES": "0",
            "AIRFLOW_CONN_TEAM_SECRET": json.dumps({"conn_type": "generic", "login": "me", "password": SECRET}),
            "PYTHONPATH": os.pathsep.join([str(PROJECT / "plugins"), str(PROJECT)]),
        },
    )
    for arguments in (["db", "migrate"], *(["teams", "create", team] for team in TEAMS)):
        subprocess.run(
            [sys.executable, "-m", "airflow", *arguments], env=airflow.env, cwd=home, check=True, capture_output=True
        )
    with airflow, hostile_server() as store:
        for team in TEAMS:
            airflow.client.wait_for_dag(f"count_{team}")
        passwords = json.loads((home / "passwords.json").read_text())
        tokens: dict[str, str | None] = {ANONYMOUS: None}
        for who, entry in {"admin": "admin:admin", **USERS}.items():
            name = entry.split(":")[0]
            login = httpx.post(
                f"{airflow.url}/auth/token", json={"username": name, "password": passwords[name]}, timeout=60
            )
            tokens[who] = login.json()["access_token"]
        for team in TEAMS:
            airflow.client.pause(f"count_{team}", paused=False)
        extra = json.dumps({"endpoint_url": store.url, "region_name": "us-east-1"})
        about = {"connection_id": "a_store", "conn_type": "aws", "login": "a", "password": "b", "extra": extra}
        airflow.client.call("POST", "connections", {**about, "team_name": "team_a"})
        airflow.client.call("POST", "variables", {"key": "a_variable", "value": "1", "team_name": "team_a"})
        run_id = _ended(airflow, "words.txt", "some words", "success")
        failed_run_id = _ended(airflow, "fail.txt", "fail", "failed")
        yield Teams(airflow, tokens, run_id, failed_run_id, store)


def _ended(airflow: EmbeddedAirflow, name: str, text: str, state: str) -> str:
    """A run of team a's over a file of this name and text, which has ended so."""
    source = airflow.home / name
    source.write_text(text)
    run_id = airflow.client.trigger("count_team_a", {"dataSource": source.as_uri()})
    assert airflow.client.wait_for_run("count_team_a", run_id) == state, airflow.client.log(
        "count_team_a", run_id, "partition"
    )
    return run_id


@dataclass(frozen=True)
class Act:
    """What somebody asks of team a's DAG, its run, or what else is team a's; `shows` is in the answer if they may."""

    method: str
    path: str
    body: object = None
    shows: str = ""

    def done_by(self, teams: Teams, who: str) -> bool:
        """Whether Airflow lets them: neither 401 nor 403, and no list without it."""
        path = self.path.replace("{run}", teams.run_id)
        body = json.loads(json.dumps(self.body).replace("{run}", teams.run_id))
        answer = teams.ask(who, self.method, path, body)
        assert answer.status_code < 500, f"{who}: {self.method} {path}: {answer.text}"  # That would say nothing.
        return answer.status_code not in (401, 403) and self.shows in answer.text


DAG = "/api/v2/dags/count_team_a"
RUN = f"{DAG}/dagRuns/{{run}}"
PARTITION = f"{RUN}/taskInstances/partition"
DAYS = {"dag_id": "count_team_a", "from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}
NOTHING = {"dry_run": True, "dag_run_id": "{run}", "only_failed": False}
ACTS = {
    "see its page, and the fields of its form": Act("GET", f"{DAG}/details"),
    "see it in the list of DAGs": Act("GET", "/api/v2/dags", shows="count_team_a"),
    "read its runs, with their conf": Act("GET", RUN, shows="words.txt"),
    "find its runs among all": Act("GET", "/api/v2/dags/~/dagRuns", shows="count_team_a"),
    "trigger it, by REST or form": Act("POST", f"{DAG}/dagRuns", {"logical_date": None, "conf": {"dataSorce": "x"}}),
    "see its tasks": Act("GET", PARTITION),
    "read a task's log": Act("GET", f"{RUN}/taskInstances/app/logs/1?map_index=0", shows="chunk(s) done"),
    "read an XCom: the plan's digest, the output's URI": Act("GET", f"{PARTITION}/xcomEntries/plan", shows="0:"),
    "find its XComs among all": Act(
        "GET", "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries", shows="count_team_a"
    ),
    "read the DAG file": Act("GET", "/api/v2/dagSources/count_team_a"),
    "read what was done to it": Act("GET", "/api/v2/eventLogs?dag_id=count_team_a", shows="count_team_a"),
    "pause it": Act("PATCH", DAG, {"is_paused": False}),
    "clear its tasks": Act("POST", f"{DAG}/clearTaskInstances", NOTHING),
    "end a run, or mark it": Act("PATCH", RUN, {"note": "seen"}),
    "change an XCom": Act("PATCH", f"{PARTITION}/xcomEntries/none", {"value": "x", "map_index": -1}),
    "delete a run": Act("DELETE", f"{DAG}/dagRuns/none"),
    "make a backfill": Act("POST", "/api/v2/backfills/dry_run", DAYS),
    "see that its output is an asset": Act("GET", "/api/v2/assets", shows="count_team_a.output"),
    "see that its output was made": Act("GET", "/api/v2/assets/events", shows="count_team_a.output"),
    "read a connection of the team, without its password": Act("GET", "/api/v2/connections/a_store", shows="a_store"),
    "read a variable of the team": Act("GET", "/api/v2/variables/a_variable", shows="a_variable"),
    "read Airflow's configuration": Act("GET", "/api/v2/config"),
}
RETRY = "`triptych job retry`"


def _table() -> dict[str, dict[str, bool]]:
    """Of the security page: what may be done, by whom."""
    text = (PROJECT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
    lines = text.split("| what of team a's |")[1].split("\n\n")[0].splitlines()
    who = [cell.strip() for cell in lines[0].split("|")[:-1]]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    return {what: {name: said == "yes" for name, said in zip(who, cells, strict=True)} for what, *cells in rows}


def test_each_caller_can_do_what_the_security_page_says(teams: Teams) -> None:
    callers = [ANONYMOUS, *USERS]
    measured = {what: {who: act.done_by(teams, who) for who in callers} for what, act in ACTS.items()}
    measured[RETRY] = {who: _retry(teams, who).returncode == 0 for who in callers}
    lines = [
        f"| {what} | {' | '.join('yes' if row[who] else 'no' for who in callers)} |" for what, row in measured.items()
    ]
    assert _table() == measured, "\n".join(lines)


def _retry(teams: Teams, who: str) -> subprocess.CompletedProcess[str]:
    """`triptych job retry` as this caller types it beside the workspace, which an operator's machine can reach.

    The run has ended before, as one that is unfinished is not retried.
    """
    airflow = teams.airflow
    airflow.client.wait_for_run("count_team_a", teams.run_id)
    own = {"AIRFLOW__TRIPTYCH__INCLUDE": str(airflow.home / "include-team_a"), "MINE": teams.tokens[who] or ""}
    options = ["--airflow", airflow.url, "--token-env", "MINE", "--dag", "count_team_a", "--new-code", "keep"]
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "job", "retry", teams.run_id, *options],
        env={**airflow.env, **own},
        cwd=airflow.home,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert not own["MINE"] or own["MINE"] not in said
    return done


def test_who_may_not_retry_leaves_no_plan(teams: Teams) -> None:
    plans = teams.airflow.home / "workspace" / "count_team_a" / teams.run_id / "plans"
    before = sorted(plans.iterdir())
    for who in ("trigger-only", "viewer", "user of another team"):
        refused = _retry(teams, who)
        assert refused.returncode == 1
        assert "HTTP 403" in refused.stderr
    assert sorted(plans.iterdir()) == before


def test_what_airflow_shows_of_a_job_holds_no_secret(teams: Teams) -> None:
    tasks = [f"{RUN}/taskInstances/{task}" for task in ("partition", "app/0", "assemble")]
    xcoms = [f"{PARTITION}/xcomEntries/{key}" for key in ("plan", "return_value")]
    logs = [f"{RUN}/taskInstances/{task}/logs/1" for task in ("partition", "app", "assemble")]
    logs = [f"{log}?full_content=true&map_index={index}" for log, index in zip(logs, (-1, 0, -1), strict=True)]
    others = [RUN, f"{DAG}/details", "/api/v2/dagSources/count_team_a", "/api/v2/eventLogs", "/api/v2/importErrors"]
    others += [f"{RUN}/taskInstances/assemble/xcomEntries/return_value", "/api/v2/connections", "/api/v2/assets/events"]
    shown = {
        path: teams.ask("admin", "GET", path.replace("{run}", teams.run_id))
        for path in (*tasks, *xcoms, *logs, *others)
    }
    assert [path for path, answer in shown.items() if answer.status_code != 200] == []
    assert "I have ***" in shown[logs[1]].text
    assert [path for path, answer in shown.items() if SECRET in answer.text] == []
    # No field is rendered: what a caller writes is data.
    assert [shown[path].json()["rendered_fields"] for path in tasks] == [{}, {}, {}]


def test_what_airflow_and_we_write_of_a_job_holds_no_secret(teams: Teams) -> None:
    """Of one that failed with the secret in its last words, too: the error is what a scheduler's log tells."""
    home = teams.airflow.home
    files = [path for part in ("logs", "workspace") for path in (home / part).rglob("*") if path.is_file()]
    written = {str(path.relative_to(home)): path.read_bytes() for path in files}
    # What must be among them, and tells of the secret where it stood.
    scheduler, processor = (written[f"logs/{name}.log"] for name in ("scheduler", "dag-processor"))
    assert b"Failed with ***" in scheduler
    assert processor
    for run in (teams.run_id, teams.failed_run_id):
        (printed,) = [data for name, data in written.items() if f"{run}/logs/" in name and name.startswith("workspace")]
        assert b"I have ***" in printed
    assert [name for name in written if name.startswith("workspace/outputs/") and name.endswith(".json")]
    assert [name for name, data in written.items() if SECRET.encode() in data] == []


HOSTILE_RUN_IDS = [".", "words.", "none\n", "..", "../count_team_a/x", "a/b", "a%2Fb", "\ud800"]
"""Airflow takes the first three; what it then asks itself by HTTP about `.` and `none\\n` fails their tasks."""


def test_no_run_id_that_airflow_takes_reaches_another_runs_folder(teams: Teams) -> None:
    home, client = teams.airflow.home, teams.airflow.client
    workspace = home / "workspace"
    theirs = {path: path.read_bytes() for path in (workspace / "count_team_a").rglob("*") if path.is_file()}
    taken = []
    for run_id in HOSTILE_RUN_IDS:
        body = {"dag_run_id": run_id, "logical_date": None, "conf": {"dataSource": (home / "words.txt").as_uri()}}
        answer = teams.ask("user of another team", "POST", "/api/v2/dags/count_team_b/dagRuns", body)
        taken += [run_id] if answer.status_code == 200 else []
    assert taken == HOSTILE_RUN_IDS[:3]

    def ended() -> bool:
        return {run["dag_run_id"] for run in client.runs("count_team_b") if run["state"] in DONE} >= set(taken)

    assert poll(ended, 900, 1.0)
    assert client.run_state("count_team_b", "words.") == "success", client.log("count_team_b", "words.", "partition")
    assert {path: path.read_bytes() for path in (workspace / "count_team_a").rglob("*") if path.is_file()} == theirs
    assert {path.name for path in workspace.iterdir()} == {"_history", "count_team_a", "count_team_b", "outputs"}
    assert {path.parents[2] for path in workspace.rglob("plans/0.json")} == {
        workspace / "count_team_a",
        workspace / "count_team_b",
    }


def test_a_job_cannot_name_what_is_another_teams(teams: Teams) -> None:
    home, client = teams.airflow.home, teams.airflow.client
    workspace = (home / "workspace").as_uri()
    run = f"{workspace}/count_team_a/{teams.run_id}"
    mine = (home / "words.txt").as_uri()
    named: dict[str, dict[str, Any]] = {
        "a_store": {"dataSource": {"uri": "s3://bucket/key", "conn_id": "a_store"}},
        f"{run}/results/": {"dataSource": f"{run}/results/"},
        f"{workspace}/outputs/count_team_a/": {"dataSource": f"{workspace}/outputs/count_team_a/"},
        f"{workspace}/%2e%2e/workspace/": {"dataSource": f"{workspace}/%2e%2e/workspace/"},
        f"{run}/output/": {"dataSource": mine, "dataDestination": f"{run}/output/"},
        "file:///etc/shadow": {"dataSource": "file:///etc/shadow"},
    }
    theirs = {path: path.read_bytes() for path in (home / "workspace" / "count_team_a").rglob("*") if path.is_file()}
    runs = {client.trigger("count_team_b", conf): what for what, conf in named.items()}
    for run_id, what in runs.items():
        assert client.wait_for_run("count_team_b", run_id) == "failed", what
        assert what in client.log("count_team_b", run_id, "partition")
        assert not list((home / "workspace" / "count_team_b" / run_id).glob("plans/*"))
    assert teams.store.requests == []
    assert {path: path.read_bytes() for path in theirs} == theirs
