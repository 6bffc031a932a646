"""What `airflow.cfg` and the environment say, judged by what jobs on one or on several machines need."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf

from triptych.addresses import is_this_machine
from triptych.checkup import Finding, Standing
from triptych.settings import Settings

QUEUED_S = 3600
"""A task that waits for a busy worker is failed after some times `task_queued_timeout`: half an hour at first."""
TAKEN_S = 600
"""What a lost worker had taken and not begun, nobody knows of before `task_queued_timeout`."""
HEARTBEAT_S = 60
"""What a lost worker should cost at most, beside its open chunk."""
VISIBLE_S = 6 * 3600
"""Redis gives a message to a second worker when nobody has answered for it for so long: the longest task."""


def check_configuration(settings: Settings) -> Iterator[Finding]:
    """The executor, and what follows from it."""
    executor = str(conf.get("core", "executor", fallback=""))
    if settings.one_machine:
        yield Finding("executor", Standing.OK, f"{executor}: all tasks run on the scheduler's machine.")
        return
    yield Finding("executor", Standing.OK, f"{executor}: tasks run on other machines than the scheduler's.")
    yield from _api_address()
    yield from _secrets()
    if "Edge" in executor:
        yield from _edge()
    else:
        yield from _logs()
    yield from _waiting()
    if "Celery" in executor:
        yield from _celery()


def check_shared(settings: Settings) -> Iterator[Finding]:
    """A workspace that the tasks do not share; `check_machine` meets it when it opens that."""
    if settings.workspace.startswith("file://") and not settings.shared_folders:
        said = f"[triptych] workspace = {settings.workspace} is a folder of one machine: jobs are refused."
        remedy = "Name an object store; or a folder that all machines share, with [triptych] shared_folders = yes."
        yield Finding("shared files", Standing.WRONG, said, remedy)


def _api_address() -> Iterator[Finding]:
    """Where tasks reach the API server: the default is each worker's own machine."""
    url = str(conf.get("core", "execution_api_server_url", fallback="") or "")
    base = str(conf.get("api", "base_url", fallback="") or "")
    chosen = url or base
    about, remedy = "api address", "Set [core] execution_api_server_url to what workers reach, ending in /execution/."
    if not chosen:
        said = "Neither [core] execution_api_server_url nor [api] base_url is set: tasks would ask localhost:8080."
        yield Finding(about, Standing.WRONG, said, remedy)
    elif is_this_machine(urlsplit(chosen).hostname or ""):
        yield Finding(about, Standing.WRONG, f"Tasks are told {chosen}, which is each worker's own machine.", remedy)
    else:
        yield Finding(about, Standing.OK, f"Tasks are told {chosen}.")


def _secrets() -> Iterator[Finding]:
    """Of keys that have to be one for all machines those that nobody has set: each process would make its own."""
    keys = [("api_auth", "jwt_secret"), ("core", "fernet_key")]
    has_private_key = bool(conf.get("api_auth", "jwt_private_key_path", fallback=""))
    unset = [f"[{section}] {key}" for section, key in keys if not conf.get(section, key, fallback="")]
    if has_private_key:
        unset = [each for each in unset if "jwt" not in each]
    if unset:
        said = f"{' and '.join(unset)}: not set. Machines that do not have the same refuse each other."
        yield Finding("keys", Standing.WRONG, said, "Give all components one value.")


def _logs() -> Iterator[Finding]:
    if conf.getboolean("logging", "remote_logging", fallback=False):
        folder = conf.get("logging", "remote_base_log_folder", fallback="")
        yield Finding("task logs", Standing.OK, f"They are kept in {folder}.")
        return
    said = "[logging] remote_logging is off: logs lie on each worker, and go with it."
    remedy = "Turn it on, with remote_base_log_folder in the workspace's store."
    yield Finding("task logs", Standing.WARNING, said, remedy)


def _edge() -> Iterator[Finding]:
    """What edge workers ask the API server for; their logs they push to it."""
    is_server = conf.getboolean("edge", "api_enabled", fallback=False)
    if not is_server and not conf.get("edge", "api_url", fallback=""):
        said = "[edge] api_enabled is off: the API server has nothing that edge workers could ask."
        yield Finding("edge", Standing.WRONG, said, "Turn it on for the API server, and restart that.")
    if conf.get("edge", "trusted_jwks_url", fallback=""):
        return  # Their tokens are of somebody else's making.
    if is_server and not conf.get("api_auth", "jwt_private_key_path", fallback=""):
        said = "[api_auth] jwt_private_key_path: not set. Whoever has an edge worker's jwt_secret can sign as anybody."
        remedy = "Give the API server and the scheduler a key: openssl genpkey -algorithm ed25519 -out KEY"
        yield Finding("edge", Standing.WARNING, said, remedy)
    if not conf.get("api_auth", "jwt_secret", fallback=""):
        said = "[api_auth] jwt_secret: not set. Edge workers sign by it, whatever key the other tokens are signed with."
        yield Finding("edge", Standing.WRONG, said, "Give the API server and the edge workers one value.")


def _waiting() -> Iterator[Finding]:
    queued = conf.getfloat("scheduler", "task_queued_timeout", fallback=600.0)
    again = conf.getint("scheduler", "num_stuck_in_queued_retries", fallback=2)  # As Airflow reads it; not in its list.
    said = f"[scheduler] task_queued_timeout = {queued:.0f}, num_stuck_in_queued_retries = {again}: a pack "
    remedy = f"Set them to {TAKEN_S} and 1000."
    if queued * (again + 1) < QUEUED_S:
        said += f"that waits for a worker for {queued * (again + 1) / 60:.0f} minutes is failed."
        yield Finding("queue", Standing.WARNING, said, remedy)
    elif queued > TAKEN_S:
        said += f"whose worker dies just as it takes it waits {queued / 60:.0f} minutes for another."
        yield Finding("queue", Standing.WARNING, said, remedy)
    beat = conf.getint("scheduler", "task_instance_heartbeat_timeout", fallback=300)
    if beat > HEARTBEAT_S:
        said = f"[scheduler] task_instance_heartbeat_timeout = {beat}: a lost worker's packs wait so many seconds."
        yield Finding("heartbeat", Standing.WARNING, said, f"{HEARTBEAT_S} is enough where networks are steady.")


def _celery() -> Iterator[Finding]:
    """A message that nobody has answered for is delivered again: two tries of one pack at once, and one is wasted."""
    visible = conf.getint("celery_broker_transport_options", "visibility_timeout", fallback=86400)
    if visible < VISIBLE_S:
        said = f"[celery_broker_transport_options] visibility_timeout = {visible}: longer packs are started twice."
        yield Finding("redis", Standing.WARNING, said, "Set it above the longest task: 86400.")
