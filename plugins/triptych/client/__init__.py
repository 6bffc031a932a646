"""Jobs from a program or a notebook, over the Jobs API of an Airflow: no Airflow, and no container engine, is needed.

    from pathlib import Path
    from triptych.client import Client

    client = Client("https://airflow.example.com", api_key="trk_...")
    job = client.launch("wordcount", source=Path("words.txt"))
    job.wait().download("counts")

Whatever goes wrong is a `ClientError`, or a `JobFailedError` of `triptych.errors`: the server's own sentence, and what
to do about it. Nothing is kept here that the server does not know: a job is picked up again by its id.
"""

from triptych.client.client import Client, Template
from triptych.client.jobs import Event, Job, JobStatus, OutputFile, State
from triptych.client.refusals import (
    ClientError,
    LoginError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    StillRunningError,
    UnreachableError,
)

__all__ = [
    "Client",
    "ClientError",
    "Event",
    "Job",
    "JobStatus",
    "LoginError",
    "NotAllowedError",
    "NotFoundError",
    "OutputFile",
    "RefusedError",
    "State",
    "StillRunningError",
    "Template",
    "UnreachableError",
]
