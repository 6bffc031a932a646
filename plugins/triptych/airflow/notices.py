"""Tells people that a job has ended, by Airflow's own notifiers: a DAG's callbacks, which the DAG processor runs.

What a job says of itself is data: no field of a notifier is rendered as a template.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from triptych.blocks.model import Notice, Notifier
from triptych.errors import ManifestError
from triptych.harmless import harmless_logger
from triptych.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from triptych.airflow.job_end import JobEnd

Callback = Callable[["Context"], None]
PROVIDERS = {Notifier.WEBHOOK: "http", Notifier.EMAIL: "smtp", Notifier.SLACK: "slack"}
"""Airflow's provider that has each."""
TIMEOUT_S = 20
"""Of one request: the DAG processor, which waits, has 50 s for all that a file's runs have to tell."""
_log = harmless_logger(__name__)


def callback(notices: Sequence[Notice], *, has_succeeded: bool) -> Callback | None:
    """What a DAG calls when a run has ended so; None when nobody is told.

    ManifestError for a notifier whose provider is not installed: found out without importing it.
    """
    for notice in notices:
        provider = PROVIDERS[notice.notifier]
        if find_spec(f"airflow.providers.{provider}") is None:
            msg = f"a notice by {notice.notifier} needs apache-airflow-providers-{provider}, which is not installed."
            raise ManifestError([msg])
    return partial(_tell, tuple(notices), has_succeeded) if notices else None


def _tell(notices: Sequence[Notice], has_succeeded: bool, context: Context) -> None:  # By `partial`, in order.
    """Each of them, also when another could not be told; then that fails, which the processor's log says."""
    from airflow.sdk.configuration import conf

    from triptych.airflow.job_end import read_job_end  # Not at each parse: it reads reports.

    base_url = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    end = read_job_end(get_settings(), dag_id, run_id, base_url, has_succeeded=has_succeeded)
    failures = []
    for notice in notices:
        try:
            # Not by a call, which would render what a job says.
            _notifier(notice, end).notify(context)
            _log.info("Told of %s by %s over %s.", run_id, notice.notifier, notice.connection or "the default")
        except Exception as error:  # A provider's, of any class: the others are told all the same.
            failures.append(f"{notice.notifier} over {notice.connection or 'the default connection'}: {error}")
    if failures:
        msg = f"Not everybody was told of {run_id}: " + "; ".join(failures)
        raise RuntimeError(msg)


def _notifier(notice: Notice, end: JobEnd) -> BaseNotifier:
    if notice.notifier is Notifier.WEBHOOK:
        from airflow.providers.http.notifications.http import HttpNotifier

        return HttpNotifier(
            http_conn_id=notice.connection or "",
            endpoint=notice.endpoint,
            json=asdict(end),
            extra_options={"timeout": TIMEOUT_S},
        )
    if notice.notifier is Notifier.SLACK:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        return SlackWebhookNotifier(
            slack_webhook_conn_id=notice.connection or "",
            text=_of_slack(end.text),
            timeout=TIMEOUT_S,
            retry_handlers=[],
        )
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    subject = end.text.partition("\n")[0]
    body = html.escape(end.text).replace("\n", "<br>\n")
    return SmtpNotifier(
        to=list(notice.to), smtp_conn_id=notice.connection, subject=subject, html_content=f"<p>{body}</p>"
    )


def _of_slack(text: str) -> str:
    """What Slack takes for a link, or for somebody to call, is text: the three letters of its own escape."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
