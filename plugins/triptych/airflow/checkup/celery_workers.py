"""Celery's workers, as they answer now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triptych.airflow.checkup.live_workers import Kind, LiveWorker, NotAskedError
from triptych.checkup import Standing

CELERY = Kind("Celery", "airflow celery worker")
CONNECT_S = 5.0
"""For each step towards the broker, which are tried twice."""
ANSWER_S = 2.0
"""A worker that is at work answers within it: its main process does nothing else."""


def ask_celery() -> list[LiveWorker]:
    """Those that answer, by name; NotAskedError where the broker does not, or Celery is not installed."""
    try:
        from airflow.providers.celery.executors.celery_executor_utils import app
        from kombu.exceptions import KombuError
    except ModuleNotFoundError as error:
        said = f"The executor is Celery's, and {error.name} is not installed here."
        raise NotAskedError(Standing.WRONG, said, "pip install 'triptych[celery]'") from error
    # Redis' client would wait for ever; RabbitMQ's has `broker_connection_timeout`.
    bounded = {"socket_timeout": CONNECT_S, "socket_connect_timeout": CONNECT_S, "max_retries": 1}
    with app.connection_for_write(transport_options=bounded) as broker:
        where = f"{broker.transport_cls} at {broker.hostname}:{broker.port or broker.default_port}"
        try:
            return _asked(app, broker)
        except (KombuError, OSError, *broker.connection_errors, *broker.channel_errors) as error:
            said = f"Celery's broker, {where}, does not answer here: {str(error).rstrip('.')}."
            remedy = "Start it, or correct [celery] broker_url."
            raise NotAskedError(Standing.WRONG, said, remedy) from error


def _asked(app: Any, broker: Any) -> list[LiveWorker]:
    """Those that answer within twice ANSWER_S, by name."""
    broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    asking = app.control.inspect(timeout=ANSWER_S, connection=broker)
    listening = asking.active_queues() or {}
    told = asking.stats() if listening else {}
    return [
        LiveWorker(name, _slots((told or {}).get(name, {})), frozenset(each["name"] for each in listening[name]))
        for name in sorted(listening)
    ]


def _slots(told: Mapping[str, Any]) -> int:
    """Most tasks at once; 0 of a worker that was asked twice and answered once."""
    return int((told.get("pool") or {}).get("max-concurrency") or 0)
