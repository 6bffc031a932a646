"""One Airflow and one object store for all end-to-end tests, with an include folder full of ways to fail."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import JOINED, WORDS, write_app, write_engine
from tests.support.servers import Server, http_connection
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

ONCE = {"retries": 0}
SHELL: dict[str, Any] = {"entrypoint": "main.sh"}
REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}, "config": {"chunksPerTask": 1}}
TOGETHER = {**REPLICAS, "config": {"chunksPerTask": 3}}
GREEDY = "x = bytearray(400 * 2**20); print(len(x))"
UPPER = 'tr a-z A-Z < "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/output.txt"'
REVERSED = 'rev "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/output.txt"'
CHANCE = 'echo "$(cat "$TASK_DIR/data.bin") $(cat /proc/sys/kernel/random/uuid)" > "$TASK_RESULTS_DIR/output.txt"'
BY_LINE = {
    "partitioner": "rows",
    "assembler": "concat",
    "params": {"partitioner": {"items_per_chunk": 1}},
    "config": {"chunksPerTask": 2},
}
FAILS_AT_1 = 'echo "about to fail"; test "$CHUNK_NUMBER" != 1 || exit 3; echo done > "$TASK_RESULTS_DIR/r"'
ONCE_AT_1 = """
seen="$USER_CACHE_DIR/tried-$CHUNK_NUMBER"
test "$CHUNK_NUMBER" != 1 || test -e "$seen" || { : > "$seen"; echo "not yet" >&2; exit 3; }
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/r"
"""
HANGS_AT_1 = 'test "$CHUNK_NUMBER" != 1 || exec tail -f /dev/null; echo done > "$TASK_RESULTS_DIR/r"'
STOPS = """
import json, os, signal
from pathlib import Path

seen = Path(os.environ["USER_CACHE_DIR"], "stopped")
times = len(seen.read_text()) if seen.exists() else 0
if os.environ["CHUNK_NUMBER"] == "1" and times < json.loads(os.environ["APP_PARAMS"])["times"]:
    with seen.open("a") as out:
        out.write("x")
    while True:
        signal.pause()
Path(os.environ["TASK_RESULTS_DIR"], "r").write_text(os.environ["CHUNK_NUMBER"])
"""
WEB_HOST, WEB_PORT = "127.0.0.2", 28415
"""This machine, too, at another address than that of everything else here, so that the port is free."""
WORDED = """
from triptych.engines import Chunk, resources

def partition(sources, params):
    (words,) = resources().side_input("words")
    for word in words.local_path().read_text().split():
        yield Chunk.of_bytes(word.encode(), name=word)
"""
AIDED = 'cat "$INPUTS_DIR/words" "$INPUTS_DIR/extra/a b.txt" "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/$CHUNK_NAME"'
READY = "s3://jobs/ready"
STAR = PROJECT / "docs" / "gallery" / "tpch_star.md"
TEXT = PROJECT / "include" / "apps" / "linecount" / "test" / "lines.txt"
FUNCTION = """
import os

def run(basepath, params):
    with open(os.path.join(basepath, "data.bin")) as data:
        text = data.read()
    with open(os.path.join(basepath, OUTPUT_PATH, "r"), "w") as out:
        out.write(f"<{text}>")
"""
LEARNS = """
import csv, io, json, os, struct
from pathlib import Path

about = json.loads(os.environ["CHUNK_METADATA"])
data = Path(os.environ["TASK_DIR"], "data.bin").read_bytes()
train, test = (
    [(float(row["x"]), float(row["y"])) for row in csv.DictReader(io.StringIO(part.decode()))]
    for part in (data[: about["train_bytes"]], data[about["train_bytes"] :])
)
# A step of gradient descent for y = slope * x + offset, from 0.
weights = [0.1 * 2 * sum(y * power for power, y in ((x**n, y) for x, y in train)) / len(train) for n in (1, 0)]
error = sum((weights[0] * x + weights[1] - y) ** 2 for x, y in test) / len(test)
header = json.dumps({"line": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}}).encode()
results = Path(os.environ["TASK_RESULTS_DIR"])
model = len(header).to_bytes(8, "little") + header + struct.pack("<2d", *weights)
(results / "model.safetensors").write_bytes(model)
(results / "score.json").write_text(json.dumps({"samples": len(train), "tested": len(test), "error": error}))
"""
"""Needs no library: python:3.11-slim has none."""
FOLDS = {
    "partitioner": "kfold",
    "assembler": "models",
    "params": {"partitioner": {"folds": 3, "shuffle": True}, "assembler": {"weight": "samples"}},
}
FRAME = {
    "type": "object",
    "required": ["frame"],
    "properties": {
        "frame": {
            "type": "object",
            "required": ["width_px"],
            "properties": {"width_px": {"type": "integer", "minimum": 1}, "style": {"type": "string"}},
        }
    },
}
TIMES = {"type": "object", "properties": {"times": {"type": "integer", "default": 1}}, "additionalProperties": False}


def _write_apps(airflow: EmbeddedAirflow) -> None:
    include = airflow.home / "include"
    write_app(include, FAILS_AT_1, **SHELL, manifest=ONCE, template=REPLICAS)
    told = {"notifier": "webhook", "connection": "hook", "endpoint": "jobs"}
    mailed = {"notifier": "email", "connection": "mail", "to": "ops@example.org"}
    slacked = {"notifier": "slack", "connection": "slack"}
    telling = {**REPLICAS, "on_failure": [told, mailed, slacked], "on_success": [told], "owner": "science"}
    write_app(include, FAILS_AT_1, **SHELL, name="telling", manifest=ONCE, template=telling)
    write_app(include, FAILS_AT_1, **SHELL, name="mended", manifest=ONCE, template=REPLICAS)
    write_app(include, ONCE_AT_1, **SHELL, name="once", manifest=ONCE, template={**REPLICAS, "assembler": "concat"})
    write_app(include, HANGS_AT_1, **SHELL, name="held", manifest=ONCE, template=REPLICAS)
    write_app(include, UPPER, **SHELL, name="upper")
    write_app(include, CHANCE, **SHELL, name="kept", manifest={"cacheable": True}, template=BY_LINE)
    source = {"uri": "s3://jobs/daily/{{ ds }}/*.txt", "conn_id": "store"}
    daily = {"schedule": "* * * * *", "dataSource": source}
    write_app(include, UPPER, **SHELL, name="daily", template=daily)
    write_app(include, UPPER, **SHELL, name="updated", template={"schedule": [READY], "dataSource": TEXT.as_uri()})
    write_app(include, UPPER, **SHELL, name="begun", template={"config": {"maxTaskRetries": 0}})
    comes = {"dataSource": {"uri": "s3://arrivals/incoming/*.txt", "conn_id": "store"}, "onNewFiles": {"every_s": 1}}
    write_app(include, UPPER, **SHELL, name="incoming", template=comes)
    chained = {"schedule": ["begun.output"], "dataSource": "{{ upstream.uri }}*.txt"}
    write_app(include, REVERSED, **SHELL, name="chained", template=chained)
    dated = {"schedule": "@daily", "dataSource": TEXT.as_uri(), "params": {"partitioner": {"replicas": 1}}}
    dated |= {"partitioner": "replicate", "dataDestination": f"{(airflow.home / 'dated').as_uri()}/{{{{ ds }}}}/"}
    write_app(include, UPPER, **SHELL, name="dated", template=dated)
    _write_nightly(airflow.home)
    framed = {"partitioner": "passthrough", "assembler": "passthrough"}
    shown = 'printf %s "$APP_PARAMS" > "$TASK_RESULTS_DIR/params.json"'
    write_app(include, shown, **SHELL, name="framed", schema=FRAME, template=framed)
    slow = {**REPLICAS, "config": {"taskTimeout": 2}}
    write_app(include, "import signal; signal.pause()", name="slow", manifest=ONCE, template=slow)
    small = {**ONCE, "device_requirements": {"min_memory": 0.0625}}
    write_app(include, GREEDY, name="greedy", manifest=small, template=REPLICAS)
    write_app(
        include, 'ln -s /etc/passwd "$TASK_RESULTS_DIR/r"', **SHELL, name="links", manifest=ONCE, template=REPLICAS
    )
    none = {"platform_config": {"container": "triptych/none:1"}}
    write_app(include, "", name="imageless", manifest=none, template=REPLICAS)
    write_app(include, "", name="silent", template=REPLICAS)
    huge = {"device_requirements": {"min_cpu": 1000}}
    write_app(include, "", name="huge", manifest=huge, template=REPLICAS)
    many = 'i=0; while [ $i -lt 5000 ]; do : > "$TASK_RESULTS_DIR/$i"; i=$((i+1)); done'
    write_app(include, many, **SHELL, name="many", template={**REPLICAS, "params": {"partitioner": {"replicas": 1}}})
    for name in ("killed", "ended"):
        write_app(include, STOPS, name=name, schema=TIMES, template=TOGETHER)
    write_engine(include, "partitioner", WORDS)
    write_engine(include, "assembler", JOINED)
    write_app(include, FUNCTION, name="function", template={"partitioner": "mine", "assembler": "mine"})
    _write_aided(include)
    by_key: dict[str, Any] = {"partitioner": "keys", "assembler": "sorted_concat"}
    by_key["params"] = {"partitioner": {"columns": ["country"]}, "assembler": {"by": ["id:number"], "format": "csv"}}
    same = 'cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/table"'
    write_app(include, same, **SHELL, name="bykey", template=by_key)
    write_app(include, LEARNS, name="learned", template=FOLDS)
    folder = include / "apps" / "future"
    folder.mkdir()
    (folder / "template.json").write_text(json.dumps({"id": "future", "app": "upper@9.9"}))
    lame = include / "apps" / "lame"
    lame.mkdir()
    (lame / "manifest.json").write_text('{"name": "lame"}')


def _write_nightly(home: Path) -> None:
    """The template of the gallery's page, with files of ours in place of its stores."""
    (shown,) = re.findall(r"^```json\n(.*?)^```$", STAR.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    template = json.loads(shown)
    for key in ("dataSource", "dataDestination"):
        _, _, place = template[key]["uri"].partition("://")
        template[key] = f"{home.as_uri()}/{place}"
    folder = home / "include" / "apps" / "star_nightly"
    folder.mkdir()
    (folder / "template.json").write_text(json.dumps(template))


def _write_aided(include: Path) -> None:
    """An app and its partitioner, which read side inputs: `words` by default from the web, `extra` of a job's own."""
    folder = include / "engines" / "worded"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").write_text(WORDED)
    about = {"name": "worded", "version": "1.0", "type": "partitioner", "platform": "python"}
    (folder / "manifest.json").write_text(json.dumps(about))
    words = {"uri": f"http://{WEB_HOST}:{WEB_PORT}/words.txt", "conn_id": "web"}
    aided = {"partitioner": "worded", "inputs": {"words": words, "extra": None}, "config": {"chunksPerTask": 1}}
    write_app(include, AIDED, **SHELL, name="aided", template=aided)


@pytest.fixture(scope="package")
def airflow(tmp_path_factory: pytest.TempPathFactory, store: Server) -> Iterator[EmbeddedAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    env = {
        "AIRFLOW__TRIPTYCH__INCLUDE": f"{PROJECT / 'include'}:{home / 'include'}",
        "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
        "AIRFLOW_CONN_STORE": store.connection,
        "AIRFLOW_CONN_WEB": http_connection(f"http://{WEB_HOST}:{WEB_PORT}"),
        "AIRFLOW__TRIPTYCH__ALLOWED_CONNECTIONS": "store, web",
        "AIRFLOW__TRIPTYCH__ALLOWED_ADDRESSES": WEB_HOST,
        "AIRFLOW__TRIPTYCH__MAINTENANCE_SCHEDULE": "0 3 1 1 *",
    }
    airflow = EmbeddedAirflow(home, PROJECT, env)
    _write_apps(airflow)
    with airflow as running:
        running.client.wait_for_dag("wordcount")
        yield running
