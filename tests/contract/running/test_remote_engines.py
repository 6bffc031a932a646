"""An engine elsewhere, by TLS and by SSH: a real one of the tests' own, which sees no folder of the worker's."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.contract.running.conftest import CONNECTION, WAYS, Connect, Workbench
from tests.support.certificates import Authority
from tests.support.elsewhere import IMAGE, ONLY_THERE, Elsewhere, tls_server
from tests.support.include_folders import write_app
from tests.support.own_sshd import make_key, own_sshd
from triptych.errors import ConfigError, ContainerError, TriptychError
from triptych.running import UnitError
from triptych.running.result_files import result_files
from triptych.running.transport import connected
from triptych.settings import PROJECT, Settings

COPIES = """
import os, sys
data = open(os.environ["TASK_DIR"] + "/data.bin", "rb").read()
print("read", len(data), flush=True)
print("to errors", file=sys.stderr, flush=True)
open(os.environ["TASK_RESULTS_DIR"] + "/copy", "wb").write(data[::-1])
"""
WORKER = """
import sys
from pathlib import Path
from triptych.blocks import Role, read_catalog
from triptych.running import RunSpec, Unit, open_session, unit_folder
from triptych.settings import get_settings

root, label, app = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
block = read_catalog([root]).template(app).app
(root / "work").mkdir()
spec = RunSpec(block, root / "work", None, {"triptych.test": label})
with open_session(spec, get_settings()) as session:
    session.run(Unit(Role.APP, unit_folder(root / "work", "0"), {}, {}))
"""

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.getuid() != 0, reason="starting an engine needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no dockerd here: apt-get install docker.io"),
    pytest.mark.skipif(not Path("/usr/sbin/sshd").exists(), reason="no sshd here: apt-get install openssh-server"),
]


@pytest.mark.parametrize("way", WAYS)
def test_units_run_there_and_their_bytes_come_back(connect: Connect, elsewhere: Elsewhere, way: str) -> None:
    """In the engine's containers, of an image that is only there; what it could not see was copied."""
    settings = connect(way)
    data = os.urandom(3 << 20)
    with tempfile.TemporaryDirectory(dir=elsewhere.home / "worker") as root, ExitStack() as stack:
        bench = Workbench(Path(root), settings, stack)
        spec = bench.spec(COPIES, manifest={"platform_config": {"container": ONLY_THERE}})
        session = bench.session(spec)
        for name in "01":
            path = Path(root) / f"log{name}"
            with path.open("wb") as log:
                unit = bench.unit(spec, name, log)
                (unit.folder / "in" / "data.bin").write_bytes(data)
                session.run(unit)
            assert sorted(path.read_text().splitlines()) == [f"read {len(data)}", "to errors"]
            [file] = result_files(unit.folder / "out", None)
            assert (unit.folder / "out" / file.name).read_bytes() == data[::-1]
        failing = bench.spec("import sys; sys.exit('on purpose')")
        with pytest.raises(UnitError, match=r"(?s)exit code 1.*on purpose"):
            bench.session(failing).run(bench.unit(failing))
    assert elsewhere.engine.docker("ps", "-aq") == ""
    assert [path for path in settings.scratch.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("way", WAYS)
def test_keys_lie_in_private_files_while_they_are_used_and_nowhere_else(
    connect: Connect, elsewhere: Elsewhere, way: str
) -> None:
    settings = connect(way)
    with connected(settings) as client:
        assert client.ping()
        files = [path for path in settings.scratch.rglob("*") if path.is_file()]
        holding = [path for path in files if elsewhere.secrets(way)[0] in path.read_text()]
        assert [stat.S_IMODE(path.stat().st_mode) for path in holding] == [0o600]
        assert stat.S_IMODE(holding[0].parent.stat().st_mode) == 0o700
        listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        assert not any(line in listed for line in elsewhere.secrets(way))
        logins = [line for line in listed.splitlines() if str(settings.scratch) in line]
        assert bool(logins) == (way == "ssh")
    assert [path for path in settings.scratch.iterdir() if path.is_dir()] == []
    listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert str(settings.scratch) not in listed  # The login is over, too.


@pytest.mark.parametrize("way", WAYS)
def test_a_whole_job_runs_there_and_tells_no_key(
    connect: Connect, elsewhere: Elsewhere, worker: Path, way: str
) -> None:
    """By the command, with the connection from Airflow: partition, chunks and assembly are exact."""
    settings = connect(way)
    script = 'rev "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/output.txt"; echo "$CHUNK_NUMBER done"'
    manifest = {"platform_config": {"container": ONLY_THERE}}
    template = {"partitioner": "rows", "assembler": "concat", "params": {"partitioner": {"items_per_chunk": 4}}}
    write_app(worker / "include", script, name="back", entrypoint="main.sh", manifest=manifest, template=template)
    lines = [f"line {number}" for number in range(7)]
    (worker / "in.txt").write_text("".join(f"{line}\n" for line in lines))
    command = [sys.executable, "-m", "triptych", "run", "back", "-v", "-s", str(worker / "in.txt")]
    command += ["-d", str(worker / "out")]
    done = subprocess.run(command, cwd=worker, env=_environment(settings, worker), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [output] = [path for path in (worker / "out").iterdir() if path.is_file()]
    assert output.read_text().splitlines() == [line[::-1] for line in lines]
    written = [path for path in worker.rglob("*") if path.is_file()]
    told = done.stdout + done.stderr + "".join(path.read_text(errors="replace") for path in written)
    assert not any(line in told for line in elsewhere.secrets(way))


@pytest.mark.parametrize("way", WAYS)
def test_the_container_of_a_worker_that_is_killed_ends_and_its_keys_go(
    connect: Connect, elsewhere: Elsewhere, worker: Path, way: str
) -> None:
    settings = connect(way)
    manifest = {"platform_config": {"container": IMAGE}, "cacheable": True}
    write_app(
        worker / "blocks", "import signal; print('running', flush=True); signal.pause()", name="held", manifest=manifest
    )
    command = [sys.executable, "-c", WORKER, str(worker / "blocks"), f"killed-{way}", "held"]
    engine, mark = elsewhere.engine, f"label=triptych.test=killed-{way}"
    listening = ["docker", "--host", engine.url, "events", "--since", "0", "--filter", mark, "--format", "{{.Action}}"]
    with (
        subprocess.Popen(command, cwd=worker, env=_environment(settings, worker)) as killed,
        subprocess.Popen(listening, stdout=subprocess.PIPE, text=True) as heard,
    ):
        assert heard.stdout is not None
        given_up = threading.Timer(120, heard.terminate)
        given_up.start()
        try:
            assert "start\n" in iter(heard.stdout.readline, "")
            killed.send_signal(signal.SIGKILL)
            assert "die\n" in iter(heard.stdout.readline, "")  # Its input has ended.
        finally:
            killed.kill()
            heard.terminate()
            given_up.cancel()
    left = [path for path in settings.scratch.rglob("key*") if path.is_file()]
    assert len(left) == 1
    with connected(settings):
        assert not left[0].exists()
    ended = engine.docker("ps", "-aq", "--filter", mark).split()
    engine.docker("rm", "-v", *ended)


def _environment(settings: Settings, home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")}
    chosen = {"scratch": settings.scratch, "cache": settings.cache, "docker_url": settings.docker_url}
    chosen |= {"docker_url_conn_id": CONNECTION, "include": home / "include", "workspace": (home / "w").as_uri()}
    own = {f"AIRFLOW__TRIPTYCH__{key.upper()}": str(value) for key, value in chosen.items()}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(PROJECT / "plugins"), **own}


FOREIGN = Authority("another's")


def _foreign(elsewhere: Elsewhere) -> dict[str, str | None]:
    pair = FOREIGN.pair("client")
    return {"client_cert": pair.certificate, "private_key": pair.key}


def _locked(elsewhere: Elsewhere) -> dict[str, str | None]:
    path = elsewhere.home / "locked"
    path.unlink(missing_ok=True)
    path.with_suffix(".pub").unlink(missing_ok=True)
    make_key(path, "open sesame")
    return {"private_key": path.read_text(), "private_key_passphrase": "0-no-phrase-of-it"}


REFUSALS: dict[str, tuple[str, Callable[[Elsewhere], dict[str, str | None]], type[TriptychError], str]] = {
    "another authority": (
        "tls",
        lambda _: {"ca_cert": FOREIGN.certificate},
        ConfigError,
        "of no authority that ca_cert",
    ),
    "no own certificate": (
        "tls",
        lambda _: {"client_cert": None, "private_key": None},
        ConfigError,
        "does not accept the client's certificate",
    ),
    "another's certificate": ("tls", _foreign, ConfigError, "does not accept the client's certificate"),
    "another's key": (
        "tls",
        lambda _: {"private_key": FOREIGN.pair("x").key},
        ConfigError,
        "private_key is not the key of client_cert",
    ),
    "half a pair": ("tls", lambda _: {"private_key": None}, ConfigError, "client_cert and private_key, or neither"),
    "no PEM": ("tls", lambda _: {"ca_cert": "ca.pem"}, ConfigError, "ca_cert is no certificate in PEM"),
    "a wrong word": ("tls", lambda _: {"tls_ca": "x"}, ConfigError, "its extra says tls_ca, which is none of ca_cert"),
    "unknown host": ("ssh", lambda _: {"host_key": None}, ConfigError, "its host key is not known"),
    "another host": (
        "ssh",
        lambda elsewhere: {"host_key": " ".join(make_key(_new(elsewhere)).split()[:2])},
        ConfigError,
        "its host key is not the one that is known",
    ),
    "unchecked host": ("ssh", lambda _: {"no_host_key_check": "true"}, ConfigError, "has no_host_key_check"),
    "unknown key": (
        "ssh",
        lambda elsewhere: {"private_key": _private(_new(elsewhere))},
        ConfigError,
        "it refuses the login",
    ),
    "no key": ("ssh", lambda _: {"private_key": "0-no-key-of-any-kind"}, ConfigError, "private_key cannot be read"),
    "wrong passphrase": ("ssh", _locked, ConfigError, "private_key cannot be read|it refuses the login"),
}


def _new(elsewhere: Elsewhere) -> Path:
    return Path(tempfile.mkdtemp(dir=elsewhere.home)) / "key"


def _private(path: Path) -> str:
    make_key(path)
    return path.read_text()


@pytest.mark.parametrize("name", REFUSALS)
def test_what_cannot_go_well_is_one_sentence(connect: Connect, elsewhere: Elsewhere, name: str) -> None:
    way, changes, kind, said = REFUSALS[name]
    settings = connect(way, **changes(elsewhere))
    with pytest.raises(kind, match=said) as caught, connected(settings):
        pass
    assert not caught.value.retryable
    message = str(caught.value)
    assert "Traceback" not in message
    assert str(settings.scratch) not in message
    assert message.count("\n") == 0
    assert not settings.scratch.exists() or [path for path in settings.scratch.iterdir() if path.is_dir()] == []


def test_a_certificate_of_another_time_or_host_is_told_apart(connect: Connect, elsewhere: Elsewhere) -> None:
    for pair, said in (
        (elsewhere.authority.pair("server", days=-1), "is not valid now"),
        (elsewhere.authority.pair("server", "127.0.0.9"), "is for another host"),
    ):
        with (
            tls_server(pair) as url,
            pytest.raises(ConfigError, match=said),
            connected(connect("tls", url)),
        ):
            pass


def test_a_key_with_a_passphrase_opens(connect: Connect, elsewhere: Elsewhere) -> None:
    path = _new(elsewhere)
    public = make_key(path, "open sesame")
    authorized = elsewhere.home / "sshd" / "authorized"
    before = authorized.read_text()
    authorized.write_text(before + public)
    try:
        settings = connect("ssh", private_key=path.read_text(), private_key_passphrase="open sesame")
        with connected(settings) as client:
            assert client.ping()
            listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
            assert "open sesame" not in listed
    finally:
        authorized.write_text(before)


def test_one_that_speaks_no_tls_and_one_that_speaks_nothing_else_are_told_apart(
    connect: Connect, elsewhere: Elsewhere
) -> None:
    plain = f"tcp://127.0.0.1:{elsewhere.sshd.port}"
    with pytest.raises(ConfigError, match="it speaks no TLS"), connected(connect("tls", plain)):
        pass
    bare = dataclasses.replace(connect("tls"), docker_url_conn_id=None)
    with pytest.raises(ConfigError, match=r"speaks TLS: name, in .* docker_url_conn_id"), connected(bare):
        pass


@pytest.mark.parametrize("scheme", ["tcp", "ssh"])
def test_where_nobody_listens_another_try_may_help(connect: Connect, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = connect("tls" if scheme == "tcp" else "ssh", f"{scheme}://127.0.0.1:{port}")
    said = r"No Docker engine answers|cannot be reached: .*refused"
    with pytest.raises(ContainerError, match=said) as caught, connected(settings):
        pass
    assert caught.value.retryable


def test_what_is_missing_over_there_is_told(connect: Connect, elsewhere: Elsewhere) -> None:
    for variables, kind, said in (
        ({"PATH": "/nowhere"}, ConfigError, "the command `docker` is missing"),
        ({"DOCKER_HOST": f"unix://{elsewhere.home}/none.sock"}, ContainerError, "no engine answers over there"),
    ):
        with own_sshd(_new(elsewhere).parent / "sshd", variables) as sshd:
            url = f"ssh://root@127.0.0.1:{sshd.port}"
            settings = connect("ssh", url, private_key=sshd.private_key, host_key=sshd.host_key)
            with pytest.raises(kind, match=said), connected(settings):
                pass


def test_a_connection_that_is_missing_or_for_nothing_is_told(connect: Connect, elsewhere: Elsewhere) -> None:
    missing = dataclasses.replace(connect("tls"), docker_url_conn_id="nowhere")
    with pytest.raises(ConfigError, match=r"'nowhere'.* has no Airflow connection. Make it"), connected(missing):
        pass
    local = dataclasses.replace(connect("tls"), docker_url=elsewhere.engine.url)
    with pytest.raises(ConfigError, match="is for an engine at tcp:// or ssh://"), connected(local):
        pass
    with pytest.raises(ConfigError, match="must be ssh://"), connected(connect("ssh", "ssh://root:secret@127.0.0.1")):
        pass
